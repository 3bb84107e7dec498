"""The notifier: looks every few seconds, keeps what changed, and has it told.

One thread looks, and one for each channel sends; nothing that stores or shows readings waits for
any of them. What was found is in `notify.db` in one transaction with the changes that are to be
told, and these become messages in another: a death at any moment loses neither and doubles none.
"""

import logging
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cloud.errors import StorageError, TidegateError
from cloud.figures_document import ToldFigures
from cloud.notify.delivery import STOP_S, Delivery, sender_of
from cloud.notify.file import NotifyFile
from cloud.notify.grouping import Group, due
from cloud.notify.outbox import Outbox, Reason
from cloud.notify.rule import What
from cloud.notify.settings import Notify
from cloud.notify.standing import Key, Standing, turned
from cloud.notify.standings import Standings
from cloud.notify.watch import Looked, Watch, World
from cloud.notify.wording import document
from cloud.notify.zone import zone_named
from protos.quiet import Quiet

log = logging.getLogger(__name__)

_DAY_US: Final = 86_400_000_000
PRUNE_US: Final = 3_600_000_000
LEAP_US: Final = 30_000_000
"""A look that comes so much later, or sooner, than it should."""
NOBODY: Final = ""
"""In place of a channel, where what is dropped was for all of them."""


def outbox_of(file: NotifyFile, settings: Notify) -> Outbox:
    """The outbox as the settings bound it."""
    return Outbox(file, settings.waiting_max, round(settings.give_up_days * _DAY_US))


@dataclass(slots=True)
class Notifier:
    """One cloud's; made by `of`, started once the cloud is served."""

    settings: Notify
    file: NotifyFile
    now_us: Callable[[], int]
    cloud: str
    standings: Standings
    outbox: Outbox
    deliveries: Mapping[str, Delivery]
    quiet: Mapping[str, Quiet]
    fault: str = field(default="", init=False)
    """Why the last look came to nothing; empty when it did not."""
    _open: dict[Key, Standing] = field(default_factory=dict, init=False)
    _watch: Watch | None = field(default=None, init=False)
    _started_us: int = field(default=0, init=False)
    _pruned_us: int = field(default=0, init=False)
    _ending: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    @classmethod
    def of(
        cls, settings: Notify, path: Path, home: Path, now_us: Callable[[], int], version: str
    ) -> "Notifier":
        """Open the file ``path``, bringing what waits of earlier. StorageError."""
        file = NotifyFile.open_or_begin(path)
        outbox = outbox_of(file, settings)
        retry_us_max = round(settings.retry_s_max * 1e6)
        zone = zone_named(settings.zone)
        assert zone is not None, "the settings were checked"
        deliveries = {
            name: Delivery(name, sender_of(one, home, version), outbox, now_us, retry_us_max)
            for name, one in settings.channels.items()
        }
        quiet = {name: Quiet.of(one.quiet, zone) for name, one in settings.channels.items()}
        return cls(
            settings, file, now_us, socket.gethostname(), Standings(file), outbox, deliveries, quiet
        )

    def start(self, world: World) -> None:
        """Look, and tell."""
        self._thread = threading.Thread(target=self._run, args=(world,), name="notify", daemon=True)
        for delivery in self.deliveries.values():
            delivery.start()
        self._thread.start()
        if self.deliveries:
            log.info("people are told by %s", ", ".join(self.deliveries))

    def stop(self) -> None:
        """Look no more; what waits is told after the next start."""
        self._ending.set()
        until = time.monotonic() + STOP_S
        threads = [delivery.end() for delivery in self.deliveries.values()]
        for thread in (*threads, self._thread):
            if thread is not None:
                thread.join(max(until - time.monotonic(), 0))
        # A thread that is still in an attempt goes with the process, and needs the file so long.
        if not any(thread is not None and thread.is_alive() for thread in (*threads, self._thread)):
            self.file.close()

    def figures(self) -> ToldFigures:
        """What stands and waits now, and what was ever dropped."""
        try:
            waiting = dict.fromkeys(self.deliveries, 0) | self.outbox.waiting()
            dropped = {(row["channel"], row["reason"]): row["count"] for row in self.file.drops()}
        except StorageError:
            return ToldFigures(is_faulty=True)
        standing = Counter(one.found.what.value for one in list(self._open.values()))
        by_kind = dict.fromkeys((what.value for what in What), 0) | standing
        return ToldFigures(
            standing=by_kind, waiting=waiting, dropped=dropped, is_faulty=bool(self.fault)
        )

    def begin(self, world: World) -> None:
        """Find what stood before, and let go of what the settings name no more. StorageError."""
        now = self.now_us()
        rules = self.settings.all_rules
        self.outbox.keep_only(list(self.settings.channels), now)
        self._open = self.standings.open()
        with self.file.transaction():
            for key, standing in list(self._open.items()):
                rule = rules.get(standing.found.rule)
                if rule is None or rule.on is not standing.found.what:
                    self.standings.end(standing, [], now)
                    del self._open[key]
        known = self.standings.known("gap")
        gaps = None if known is None else {_pair(subject): n for subject, n in known.items()}
        self._started_us = self._started_us or now
        self._watch = Watch.of(world, rules, gaps, self._started_us)

    def resume(self, now: int) -> None:
        """This process stood still, or its clock leapt: nobody was silent for what was left out."""
        self._started_us = now
        if self._watch is not None:
            self._watch.started_us = self._started_us

    def look(self, now: int) -> Looked:
        """One look at ``now``: what began and ended is kept, what is due becomes messages.

        Raises:
            StorageError: something cannot be read or written; the next look finds it again.
        """
        watch = self._watch
        assert watch is not None
        looked = watch.look(self._open, now)
        try:
            self._keep(looked, now)
        except BaseException:
            self._watch = None  # what it took in is not kept: it begins anew from the file
            raise
        self._gather(now)
        if now - self._pruned_us >= PRUNE_US or now < self._pruned_us:
            before = now - round(self.settings.keep_days * _DAY_US)
            self.outbox.prune(before)
            self.standings.prune(before)
            self._pruned_us = now
        return looked

    def _keep(self, looked: Looked, now: int) -> None:
        """Bring the standings up to a look, with what is to be told of it."""
        rules = self.settings.all_rules
        repeats = {name: round(rule.repeat_s * 1e6) for name, rule in rules.items()}
        what = turned(self._open, looked.found, repeats, now, unknown=looked.unknown)
        found = {one.key: one for one in looked.found}
        open_ = {
            key: replace(one, found=found[key]) if key in found else one
            for key, one in self._open.items()
        }
        channels = {name: self.settings.channels_of(rule) for name, rule in rules.items()}
        if what.begun or what.ended or what.again or what.refused or looked.gaps:
            with self.file.transaction():
                for one in what.ended:
                    self.standings.end(open_.pop(one.found.key), channels[one.found.rule], now)
                for one in what.again:
                    key = one.found.key
                    open_[key] = self.standings.again(open_[key], channels[key[0]], now)
                for new in what.begun:
                    open_[new.key] = self.standings.begin(new, channels[new.rule], now)
                self.standings.know("gap", {_subject(k): n for k, n in looked.gaps.items()})
                self.file.dropped(NOBODY, Reason.TOO_MANY_STANDINGS, what.refused)
        self._open = open_

    def _gather(self, now: int) -> None:
        """Make messages of what is due, and have them sent."""
        groups = due(
            self.standings.turns(), round(self.settings.group_s * 1e6), now,
            lambda channel, rule: self._holds(channel, rule, now),
        )  # fmt: skip
        for group in groups:
            self._put(group, now)
        for channel in {group.channel for group in groups}:
            self.deliveries[channel].wake()

    def _put(self, group: Group, now: int) -> None:
        zone = zone_named(self.settings.zone)
        assert zone is not None
        with self.file.transaction():
            told = self.standings.told(group)
            if told:
                worst = max((one.found.severity for one, _ in told), key=lambda each: each.rank)
                identifier = secrets.token_hex(16)
                made = document(identifier, told, worst, self.cloud, now, zone)
                self.outbox.put(group.channel, made, now)

    def _holds(self, channel: str, rule: str, now: int) -> bool:
        """Whether it is too quiet at a channel for a rule."""
        of = self.settings.all_rules.get(rule)
        through = self.settings.channels[channel].quiet_through
        if of is not None and of.severity.rank >= through.rank:
            return False
        return self.quiet[channel].holds(now)

    def _run(self, world: World) -> None:
        """The thread's supervisor: what fails is told, and looked at again."""
        due_us = self.now_us()
        while not self._ending.is_set():
            now = self.now_us()
            if abs(now - due_us) > LEAP_US:
                log.warning("a look came %.0f s beside its time", (now - due_us) / 1e6)
                self.resume(now)
            due_us = now + round(self.settings.look_s * 1e6)
            try:
                if self._watch is None:
                    self.begin(world)
                self.look(now)
                self.fault = ""
            except TidegateError as error:
                self._failed(str(error))
            except Exception as error:  # a fault of ours must not end all telling for good
                if not self.fault:
                    log.exception("what stands cannot be looked at by a fault of this program")
                self._failed(repr(error))
            self._ending.wait(self.settings.look_s)

    def _failed(self, cause: str) -> None:
        if cause != self.fault:
            log.error("what stands is not told: %s", cause)
        self.fault = cause


def _subject(key: tuple[str, str]) -> str:
    return "/".join(key)


def _pair(subject: str) -> tuple[str, str]:
    gateway, _, reason = subject.rpartition("/")
    return gateway, reason
