"""Pure: when a gateway's certificate is to be renewed; no wall clock of the gateway enters.

The cloud says at each session how much of the certificate's life is left, by its own clock; from
there the gateway counts on by the time it runs. Beside it counts the time it ran since the
certificate came, so that a cloud with a wrong clock cannot put a renewal off for ever. A renewal is
due in the last third of the life (a share of its own for each gateway, lest all come on one day),
when an operator asks, or when the cloud lets nothing else in. Steps of clocks can neither skip one
nor make a storm: attempts are paced by the clock that never steps.
"""

import hashlib
from typing import Final

import msgspec

HOUR_US: Final = 3_600_000_000
SHARE: Final = 1 / 3
SPREAD: Final = 1 / 12
"""Gateways enrolled on one day come over a twelfth of the life, up to SPREAD before the last third
of it has begun."""
PAUSE_FIRST_US: Final = 300_000_000
PAUSE_MAX_US: Final = 6 * HOUR_US
AGAIN_US: Final = 24 * HOUR_US
"""A certificate younger than this, as the gateway ran, is renewed only when it is asked for."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives the process: the file ``renewal.json``.

    ``certificate`` names the one in use (SHA-256, hexadecimal), ``ran_us`` how long the gateway ran
    with it, ``life_us`` and ``left_us`` what the cloud last said of it, ``said_us`` how long it had
    run then; ``renewals`` were made here in all.
    """

    certificate: str = ""
    ran_us: int = 0
    life_us: int = 0
    left_us: int = 0
    said_us: int = 0
    renewals: int = 0

    @property
    def left_then_us(self) -> int | None:
        """What was left of the life when this was kept; None: the cloud had said nothing of it."""
        return self.left_us - (self.ran_us - self.said_us) if self.life_us else None


class Renewal:
    """One process's view. Times are of the clock that never steps, in µs since boot."""

    def __init__(self, gateway: str, certificate: str, kept: Record, mono_us: int) -> None:
        digest = hashlib.sha256(gateway.encode()).digest()
        self._share = SHARE + SPREAD * int.from_bytes(digest[:8], "big") / 2**64
        fresh = Record(certificate=certificate, renewals=kept.renewals)
        self._record = kept if kept.certificate == certificate else fresh
        self._since_us = mono_us
        self._asked = False
        self._failures = 0
        self._not_before_us = mono_us

    def record(self, mono_us: int) -> Record:
        """What is to be kept."""
        return msgspec.structs.replace(self._record, ran_us=self._ran_us(mono_us))

    def told(self, life_us: int, left_us: int, *, asked: bool, mono_us: int) -> None:
        """The cloud's word on the certificate in use; ``life_us`` 0: nothing of its age."""
        self._asked = self._asked or asked
        if life_us > 0:
            ran_us = self._ran_us(mono_us)
            self._record = msgspec.structs.replace(
                self._record, life_us=life_us, left_us=left_us, said_us=ran_us
            )

    def demanded(self) -> None:
        """The cloud lets nothing in but a renewal."""
        self._asked = True

    def left_us(self, mono_us: int) -> int | None:
        """What is left of the life; None until the cloud has said anything of it."""
        record = self._record
        if not record.life_us:
            return None
        return record.left_us - (self._ran_us(mono_us) - record.said_us)

    @property
    def renewals(self) -> int:
        """How often this gateway's certificate was renewed."""
        return self._record.renewals

    def is_due(self, mono_us: int) -> bool:
        """Whether to try now."""
        if mono_us < self._not_before_us:
            return False
        if self._asked:
            return True
        left_us, ran_us = self.left_us(mono_us), self._ran_us(mono_us)
        if left_us is None or ran_us < min(AGAIN_US, self._record.life_us / 8):
            return False
        late_us = self._share * self._record.life_us
        return left_us < late_us or ran_us > self._record.life_us - late_us

    def failed(self, mono_us: int, chance: float, retry_us: int = 0) -> None:
        """An attempt failed; ``chance`` in [0, 1) spreads the next, ``retry_us`` is the least."""
        longest = min(PAUSE_MAX_US, PAUSE_FIRST_US * 2 ** min(self._failures, 16))
        self._failures += 1
        self._not_before_us = mono_us + int(retry_us + longest * (0.5 + chance / 2))

    def renewed(self, certificate: str, mono_us: int) -> None:
        """The new certificate was shown to the cloud, and is the one in use."""
        self._record = Record(certificate=certificate, renewals=self._record.renewals + 1)
        self._since_us = mono_us
        self._asked = False
        self._failures = 0
        self._not_before_us = mono_us + PAUSE_FIRST_US

    def _ran_us(self, mono_us: int) -> int:
        return self._record.ran_us + max(0, mono_us - self._since_us)
