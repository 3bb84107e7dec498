"""The buffer's key: where it is kept, what that does not protect, and whether it can be read."""

from collections.abc import Iterator
from typing import Final

from edge.doctor.case import Case
from edge.doctor.kind import OPERATOR, Finding, fault, hint, ok, warning
from edge.doctor.systemd import hands_over_key
from edge.doctor.theme import Theme
from edge.errors import OperatorError
from edge.keys import KeyTier, find_key, next_key_path

TIER: Final = "where the buffer's key is kept"
BESIDE = hint(
    "key.file",
    TIER,
    "with a TPM, seal it: docs/guide/install.md, `Where the buffer's key lives`. Keep a copy of "
    "the key elsewhere either way",
)
SEALED = ok("key.credential", TIER)
UNUSABLE = fault("key.unusable", TIER, "{hint}", OPERATOR)
HALFWAY = warning(
    "key.rotation",
    "whether a rotation of the key came to its end",
    "start the agent, or call `tidegate-edge key rotate` again: either finishes it",
)


def examine(case: Case) -> Iterator[Finding]:
    """Look at the tier that the agent uses, or would use."""
    config = case.config
    source = find_key(config.buffer_key_path, case.environment)
    if case.health is not None and case.health.buffer.key_tier == KeyTier.SYSTEMD_CREDS.value:
        yield SEALED.found(f"systemd's credentials; {KeyTier.SYSTEMD_CREDS.unprotected}")
        return
    if source.tier is KeyTier.FILE and not source.path.exists() and hands_over_key(case):
        told = "the unit hands it over as a credential; only the agent sees it"
        yield SEALED.found(f"{told}; {KeyTier.SYSTEMD_CREDS.unprotected}")
        return
    if next_key_path(source.path).exists():
        yield HALFWAY.found(f"{next_key_path(source.path)} waits for its turn")
    try:
        source.key()
    except OperatorError as error:
        yield UNUSABLE.found(f"could not {error.tried}: {error.cause}", hint=error.hint)
        return
    kind = SEALED if source.tier is KeyTier.SYSTEMD_CREDS else BESIDE
    yield kind.found(f"{source.path} ({source.tier.value}); {source.tier.unprotected}")


THEME = Theme(
    "key",
    (BESIDE, SEALED, UNUSABLE, HALFWAY),
    examine,
    limit_s=5.0,
    hung=("the disk does not answer: see `dmesg`", OPERATOR),
)
