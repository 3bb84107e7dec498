"""systemd: whether the unit is there, starts at boot, is watched, and does not start in a loop."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.doctor.case import Case
from edge.doctor.kind import OPERATOR, Finding, fault, hint, ok, warning
from edge.doctor.theme import Theme
from edge.keys import CREDENTIAL_NAME

UNIT: Final = "tidegate-edge.service"
PLACES: Final = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system",
                 "/lib/systemd/system")  # fmt: skip
LOADED: Final = ("LoadCredential", "LoadCredentialEncrypted")
STORES: Final = tuple(
    f"{place}/credstore{kind}"
    for place in ("/etc", "/run", "/usr/lib")
    for kind in (".encrypted", "")
)
"""Where systemd looks for a credential that is named without a path (systemd.exec(5))."""
SERVICE: Final = "the service tidegate-edge"
ASK_S: Final = 5.0
RESTARTS_MANY: Final = 3
_TAKE: Final = "take the unit of this version: deploy/systemd/tidegate-edge.service"

FOUND = ok("systemd.unit", SERVICE)
NONE = hint("systemd.none", SERVICE, "see that whatever starts the agent starts it again too")
ABSENT = hint("systemd.no-unit", SERVICE, "docs/guide/install.md makes a service of it")
DISABLED = warning("systemd.disabled", SERVICE, "systemctl enable tidegate-edge")
UNWATCHED = warning("systemd.unwatched", SERVICE, _TAKE)
FALLING = fault(
    "systemd.falling",
    SERVICE,
    "`journalctl -u tidegate-edge -e` says why it ends; then `systemctl restart tidegate-edge`",
    OPERATOR,
)


def examine(case: Case) -> Iterator[Finding]:
    """Look at the unit's files, and ask systemd itself where it runs here."""
    if not case.system("/run/systemd/system").is_dir():
        yield NONE.found("systemd does not run this machine")
        return
    file, lines = _unit(case)
    if file is None:
        yield ABSENT.found(f"there is no {UNIT}")
        return
    troubles = [*_written(case, lines), *_lived(case)]
    yield from troubles or [FOUND.found(f"{file}, watched and started at boot")]


def hands_over_key(case: Case) -> bool:
    """Whether the unit, or what was added to it, has a credential to make the buffer's key of."""
    for line in _unit(case)[1]:
        key, _, value = line.partition("=")
        name, _, path = value.partition(":")
        if name.strip() != CREDENTIAL_NAME:
            continue
        if key == "SetCredentialEncrypted" or (key in LOADED and _is_there(case, path.strip())):
            return True
    return False


def _is_there(case: Case, path: str) -> bool:
    """Whether a credential can be loaded: from its path, or by its name from a store."""
    places = [path] if path else [f"{store}/{CREDENTIAL_NAME}" for store in STORES]
    return any(os.path.exists(case.system(place)) for place in places)


def _unit(case: Case) -> tuple[Path | None, list[str]]:
    """The unit's file (the first place wins) and its lines, with those that were added to it."""
    files = [case.system(f"{place}/{UNIT}") for place in PLACES]
    file = next((one for one in files if one.is_file()), None)
    if file is None:
        return None, []
    added = [path for one in files for path in sorted(one.with_name(f"{UNIT}.d").glob("*.conf"))]
    lines = []
    for path in (file, *added):
        try:
            lines += [line.strip() for line in path.read_text(errors="replace").splitlines()]
        except OSError:
            continue  # another's drop-in says nothing to us
    return file, lines


def _written(case: Case, lines: list[str]) -> Iterator[Finding]:
    wants = [f"{place}/multi-user.target.wants/{UNIT}" for place in PLACES]
    if not any(case.system(one).exists() or case.system(one).is_symlink() for one in wants):
        yield DISABLED.found("it is not started at boot")
    said = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    if said.get("Type") != "notify" or said.get("WatchdogSec", "0") in ("", "0", "infinity"):
        yield UNWATCHED.found("nobody notices an agent that runs and does nothing (no watchdog)")
    elif said.get("Restart", "no") == "no":
        yield UNWATCHED.found("it is not started again when it ends")


def _lived(case: Case) -> Iterator[Finding]:
    """What systemd says of its life; nothing where the files are another machine's."""
    systemctl = shutil.which("systemctl")
    if case.root != Path("/") or systemctl is None:
        return
    asked = [systemctl, "show", UNIT, "--property=NRestarts,Result,ActiveState"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
    said = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    restarts = int(said.get("NRestarts") or 0)
    if said.get("ActiveState") == "failed":
        yield FALLING.found(f"it failed: {said.get('Result', 'why is not known')}")
    elif restarts >= RESTARTS_MANY:
        yield FALLING.found(f"it was started again {restarts:,} times since it was last started")


THEME = Theme(
    "systemd",
    (FOUND, NONE, ABSENT, DISABLED, UNWATCHED, FALLING),
    examine,
    limit_s=8.0,
    hung=("systemd does not answer: `systemctl status`", OPERATOR),
    needs_settings=False,
)
