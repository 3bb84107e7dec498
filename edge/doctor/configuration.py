"""The settings, every file that they name, and who may read and write the home."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from edge.doctor.case import Case
from edge.doctor.kind import OPERATOR, Finding, fault, ok, warning
from edge.doctor.theme import Theme
from edge.errors import OperatorError

LOOKED: Final = "edge.toml, rules.toml and every file that they name"
HOME: Final = "who may read and write the home"
USABLE = ok("configuration.usable", LOOKED)
UNUSABLE = fault("configuration.unusable", LOOKED, "{hint}", OPERATOR)
OPEN = warning("configuration.open", HOME, "chmod 700 {path}")
MIXED = fault(
    "configuration.owner",
    HOME,
    "stop the agent, then `chown -R {owner} {home}`, and start it as that user",
    OPERATOR,
)
OURS = ok("configuration.home", HOME)


def examine(case: Case) -> Iterator[Finding]:
    """Look at the settings and the home."""
    if case.trouble is not None:
        yield _unusable(case.trouble)
    else:
        yield from _files(case)
    if case.home.is_dir() and _may_read(case.home):
        yield from _home(case.home)


def _unusable(error: OperatorError | Exception) -> Finding:
    tried, cause, hint = (getattr(error, name, "") for name in ("tried", "cause", "hint"))
    return UNUSABLE.found(f"could not {tried}: {cause}", hint=hint or "correct it")


def _files(case: Case) -> Iterator[Finding]:
    config, found = case.config, False
    checks: list[Callable[[], object]] = [config.rules, config.cloud_proxy]
    for one in config.brokers:
        checks += [lambda one=one: config.broker_password(one)]  # type: ignore[misc]
        checks += [lambda one=one: config.broker_tls(one)]  # type: ignore[misc]
    for check in checks:
        try:
            check()
        except OperatorError as error:
            found = True
            yield _unusable(error)
    if not found:
        rules = config.rules().count if config.rules_path.exists() else 0
        yield USABLE.found(f"they can be used, with {rules:,} rules of topics")


def _home(home: Path) -> Iterator[Finding]:
    seen = home.stat()
    mode = stat.S_IMODE(seen.st_mode)
    if mode & 0o077:
        told = f"its mode is {mode:04o}: other users may look into it"
        yield OPEN.found(told, path=home)
    others = sorted(path.name for path in _kept(home) if _owner(path) != seen.st_uid)
    if others:
        told = (
            f"{home} is the user {seen.st_uid}'s, but not {', '.join(others[:5])}: a command was "
            "run as another user, and the agent cannot write what that made"
        )
        yield MIXED.found(told, owner=f"{seen.st_uid}:{seen.st_gid}", home=home)
    elif not mode & 0o077:
        whose = "this user's" if seen.st_uid == os.geteuid() else f"the user {seen.st_uid}'s"
        yield OURS.found(f"{whose} alone")


def _kept(home: Path) -> Iterator[Path]:
    """What the agent writes: the home's own files, and those of its folders."""
    for path in home.iterdir():
        yield path
        if path.is_dir() and not path.is_symlink() and _may_read(path):
            yield from path.iterdir()


def _may_read(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK, effective_ids=True)


def _owner(path: Path) -> int:
    return path.lstat().st_uid


THEME = Theme(
    "configuration",
    (USABLE, UNUSABLE, OPEN, MIXED, OURS),
    examine,
    limit_s=5.0,
    hung=(
        "a file that the settings name lies where nothing answers: see what is mounted",
        OPERATOR,
    ),
    needs_settings=False,
)
