"""What the operator says about topics: the rules file of a home, read and checked as a whole.

The file is TOML: `time_zone` at its top, then a `[[topic]]` for each rule (`edge.payload.rules`).
It need not be there. What is wrong in it is told with the number of the rule and the way out.
"""

import re
import tomllib
from collections.abc import Iterable
from datetime import tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from edge.errors import OperatorError
from edge.payload.registry import CONVENTIONS
from edge.payload.rules import Rules, TopicRule, template_form

RULES_MAX: Final = 10_000
BYTES_MAX: Final = 1 << 20


class _File(msgspec.Struct, forbid_unknown_fields=True):
    time_zone: str = ""
    topic: list[TopicRule] = []


def load_rules(path: Path, *, required: bool) -> Rules:
    """The rules in ``path``; none when there is no such file and none is ``required``.

    Raises:
        OperatorError: no such file, not TOML, an unknown key, or a rule that cannot be followed.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        if not required:
            return Rules()
        raise _wrong(path, "there is no such file", "put it there or correct it") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise _wrong(path, str(cause), "check who may read it") from error
    if len(data) > BYTES_MAX:
        raise _wrong(path, f"it is over {BYTES_MAX} bytes", "is this the right file?")
    return parse_rules(data, path)


def parse_rules(data: bytes, path: Path) -> Rules:
    """The rules that a file's text says; ``path`` is for errors.

    Raises:
        OperatorError: as `load_rules`.
    """
    try:
        told = msgspec.convert(tomllib.loads(data.decode()), _File)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, f"not valid TOML: {error}", "texts stand in quotes") from error
    except msgspec.ValidationError as error:
        hint = "a rule starts with [[topic]] and has a template"
        raise _wrong(path, _of_rule(str(error)), hint) from error
    if len(told.topic) > RULES_MAX:
        raise _wrong(path, f"{len(told.topic)} rules are over {RULES_MAX}", "use templates")
    for number, rule in enumerate(told.topic, 1):
        problem = _problem(rule)
        if problem:
            raise _wrong(path, f"rule {number}, {rule.template[:80]!r}: {problem}", "correct it")
    names = {told.time_zone, *(rule.time_zone for rule in told.topic)} - {""}
    zones = _zones(path, names)
    return Rules(told.topic, zones, zones.get(told.time_zone))


def _of_rule(cause: str) -> str:
    """The cause with the rule counted as the operator does, from 1, and the key within it."""
    found = re.fullmatch(r"(.*) - at `\$\.topic\[(\d+)\]\.?(.*)`", cause, re.DOTALL)
    if found is None:
        return cause
    key = f" - at `{found[3]}`" if found[3] else ""
    return f"rule {int(found[2]) + 1}: {found[1]}{key}"


def _problem(rule: TopicRule) -> str:
    try:
        form = template_form(rule.template)
    except ValueError as error:
        return str(error)
    named = set(re.findall(r"\?P<n_(\w+)>", form))
    if (rule.device and "device" in named) or (rule.metric and "metric" in named):
        return "it names the device or the metric twice"
    names = sorted(one.name for one in CONVENTIONS)
    if rule.convention and rule.convention not in names:
        return f"no convention is called {rule.convention[:40]!r}, but {', '.join(names)}"
    return ""


def _zones(path: Path, names: Iterable[str]) -> dict[str, tzinfo]:
    zones: dict[str, tzinfo] = {}
    for name in names:
        try:
            zones[name] = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            hint = "write it as in Europe/Berlin"
            raise _wrong(path, f"no time zone is called {name[:60]!r}", hint) from error
    return zones


def _wrong(path: Path, cause: str, hint: str) -> OperatorError:
    return OperatorError(f"read the rules in {path}", cause, hint)
