"""Pure: the dialect of the settings files, one for both halves.

A half describes its settings once, as msgspec structs: one struct a section, one annotated field a
key, with its description, limits and unit in `msgspec.Meta`. From that table this module reads a
TOML text (naming every key that is wrong, what was expected and what it was), and
`protos.settings_page` writes the commented file that `init` leaves behind and the page of the
guide. Nothing is described twice. A field that is a dict of structs is a part `[part.NAME]`, one of
a section `[section.part.NAME]`.
"""

import difflib
import tomllib
from collections.abc import Mapping
from typing import TypeVar, cast

import msgspec
from msgspec import inspect as kinds

from protos.shown import printable

Table = TypeVar("Table", bound=msgspec.Struct)

SETTINGS_TEXT_MAX = 1 << 20  # A settings file is some kilobytes; a megabyte is not one.
SHOWN_CHARS_MAX = 60
NEAREST_CUTOFF = 0.5
SECTION_NAME_CHARS_MAX = 32
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class SettingsError(Exception):
    """A settings text that cannot be taken; `cause` names each key, `hint` the way out."""

    def __init__(self, cause: str, hint: str = "") -> None:
        super().__init__(cause, hint)
        self.cause = cause
        self.hint = hint


class WrongValueError(ValueError):
    """What a section refuses of itself: the key that is wrong, why, and what to write instead."""

    def __init__(self, key: str, cause: str, hint: str) -> None:
        super().__init__(cause)
        self.key = key
        self.hint = hint


def read_settings(text: str, table: type[Table]) -> Table:
    """Read a TOML text by a table of sections.

    Raises:
        SettingsError: not TOML, or any unknown, missing, mistyped or out-of-range key; all of
            them in one error, each on a line of its own.
    """
    if len(text) > SETTINGS_TEXT_MAX:
        raise SettingsError(
            f"{len(text)} characters are more than {SETTINGS_TEXT_MAX}",
            "is this the right file? `init` in an empty home shows what one looks like",
        )
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or a number beyond reason
        raise SettingsError(
            f"not valid TOML: {error or 'nested too deeply'}",
            'strings stand in quotes (url = "mqtt://…"), sections in brackets ([broker])',
        ) from error
    found = _Finding(table)
    sections: dict[str, object] = {
        name: found.section(name, data.get(name, {}), of) for name, of in found.tables.items()
    }
    sections |= {
        name: found.named(name, data.get(name, {}), of) for name, of in found.tables_named.items()
    }
    found.unknown_sections(data)
    if found.problems:
        raise found.error()
    return table(**sections)


class _Finding:
    """One reading of one text: the problems met so far, each with its way out."""

    def __init__(self, table: type[msgspec.Struct]) -> None:
        self.tables: dict[str, type[msgspec.Struct]] = {}
        self.tables_named: dict[str, type[msgspec.Struct]] = {}
        for field in msgspec.structs.fields(table):
            of = named_section(field.type)
            if of is None:
                self.tables[field.name] = cast("type[msgspec.Struct]", field.type)
            else:
                self.tables_named[field.name] = of
        self.problems: list[tuple[str, str]] = []

    def complain(self, problem: str, hint: str) -> None:
        self.problems.append((problem, hint))

    def error(self) -> SettingsError:
        if len(self.problems) == 1:
            return SettingsError(*self.problems[0])
        lines = [f"{problem} ({hint})" for problem, hint in self.problems]
        return SettingsError("\n".join(lines), "correct each of these")

    def unknown_sections(self, data: Mapping[str, object]) -> None:
        for name in data:
            if name not in self.tables and name not in self.tables_named:
                what = "section" if isinstance(data[name], dict) else "key"
                self.complain(f"unknown {what} `{_name(name)}`", self._nearest(name))

    def named(self, name: str, data: object, of: type[msgspec.Struct]) -> dict[str, msgspec.Struct]:
        """Sections `[name.X]` of one kind, by their names."""
        if not isinstance(data, dict) or not all(isinstance(one, dict) for one in data.values()):
            problem = f"`{name}`: expected sections with names"
            self.complain(problem, f"write [{name}.NAME], each with keys of its own")
            return {}
        found = {}
        for one, values in data.items():
            problem = section_name_problem(one)
            if problem:
                self.complain(f"`{name}.{_name(one)}`: {problem}", "choose another name")
                continue
            made = self.section(f"{name}.{one}", values, of)
            if made is not None:
                found[one] = made
        return found

    def section(self, name: str, data: object, of: type[msgspec.Struct]) -> msgspec.Struct | None:
        """One section; None, and complaints, where it cannot be used."""
        if not isinstance(data, dict):
            self.complain(f"`{name}`: expected a section, got {_shown(data)}", f"write [{name}]")
            return None
        before = len(self.problems)
        fields = {field.name: field for field in msgspec.structs.fields(of)}
        for key in data:
            if key not in fields:
                self.complain(f"unknown key `{name}.{_name(key)}`", self._nearest(key, name, of))
        values = {
            key: self._value(f"{name}.{key}", field, data)
            for key, field in fields.items()
            if key in data or field.required
        }
        if len(self.problems) > before:
            return None
        try:
            return of(**values)
        except WrongValueError as error:
            self.complain(f"`{name}.{error.key}`: {error}", error.hint)
            return None

    def _value(
        self, key: str, field: msgspec.structs.FieldInfo, data: Mapping[str, object]
    ) -> object:
        within = named_section(field.type)
        if within is not None:
            return self.named(key, data.get(field.name, {}), within)
        expected = expectation(field.type)
        if field.name not in data:
            self.complain(f"missing key `{key}`", f"add it: {expected}")
            return None
        try:
            return msgspec.convert(data[field.name], field.type)
        except msgspec.ValidationError:
            got = _shown(data[field.name])
            hint = _near_member(data[field.name], field.type) or _way_out(key, field)
            self.complain(f"`{key}`: expected {expected}, got {got}", hint)
            return None

    def _nearest(self, key: str, section: str = "", of: type[msgspec.Struct] | None = None) -> str:
        """Say where an unknown name most likely wanted to go."""
        if of is None:
            shown = {name: f"[{name}]" for name in self.tables}
            shown |= {name: f"[{name}.NAME]" for name in self.tables_named}
            near = difflib.get_close_matches(key, shown, 1, NEAREST_CUTOFF)
            told = ", ".join(shown.values())
            return f"did you mean {shown[near[0]]}?" if near else f"the sections are {told}"
        own = msgspec.structs.fields(of)
        near = difflib.get_close_matches(key, [f.name for f in own], 1, NEAREST_CUTOFF)
        if near:
            return f"did you mean `{section}.{near[0]}`?"
        for other, table in self.tables.items():
            if any(field.name == key for field in msgspec.structs.fields(table)):
                return f"`{key}` belongs in [{other}]"
        return f"[{section}] knows {', '.join(field.name for field in own)}"


def named_section(kind: object) -> type[msgspec.Struct] | None:
    """What stands behind each name of a part that is `dict[str, Section]`; None for a section."""
    info = kinds.type_info(kind)
    if isinstance(info, kinds.DictType) and isinstance(info.value_type, kinds.StructType):
        return info.value_type.cls
    return None


def section_name_problem(name: str) -> str:
    """Why this cannot name a section; empty when it can."""
    if not name or len(name) > SECTION_NAME_CHARS_MAX or set(name) - _NAME_CHARS:
        return f"a name has 1 to {SECTION_NAME_CHARS_MAX} of a–z, 0–9, - and _"
    return ""


def _way_out(key: str, field: msgspec.structs.FieldInfo) -> str:
    """What to do about a value of the wrong kind: correct it, or fall back on the default."""
    if field.required:
        return f"correct `{key}`"
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return f"correct `{key}`, or remove it: {field.name} = {toml_value(default)} is the default"


def _near_member(value: object, kind: object) -> str:
    """Which of some words was most likely meant; empty where none is near."""
    info = kinds.type_info(kind)
    info = info.type if isinstance(info, kinds.Metadata) else info
    if not isinstance(info, kinds.EnumType) or not isinstance(value, str):
        return ""
    words = [str(member.value) for member in info.cls]
    near = difflib.get_close_matches(value[:SHOWN_CHARS_MAX], words, 1, NEAREST_CUTOFF)
    return f"did you mean {toml_value(near[0])}?" if near else ""


def expectation(kind: object) -> str:
    """Tell in words what a field takes: its type, limits and unit."""
    info = kinds.type_info(kind)
    unit = ""
    if isinstance(info, kinds.Metadata):
        unit = str((info.extra or {}).get("unit", ""))
        info = info.type
    return _in_words(info) + (f" ({unit})" if unit else "")


def _in_words(info: kinds.Type) -> str:
    match info:
        case kinds.Metadata():
            return _in_words(info.type)
        case kinds.BoolType():
            return "true or false"
        case kinds.IntType():
            return "a whole number" + _limits(info.ge, info.le)
        case kinds.FloatType():
            return "a number" + _limits(info.ge, info.le, info.gt)
        case kinds.EnumType():
            return "one of " + ", ".join(str(member.value) for member in info.cls)
        case kinds.UnionType():
            return ", or ".join(_in_words(each) for each in info.types)
        case kinds.ListType():
            return "a list of strings" if isinstance(info.item_type, kinds.StrType) else "a list"
        case _:
            return "a string"


def _limits(low: float | None, high: float | None, above: float | None = None) -> str:
    if above is not None:
        return f" above {above:_}" + (f" up to {high:_}" if high is not None else "")
    if low is not None and high is not None:
        return f" from {low:_} to {high:_}"
    return f" of at least {low:_}" if low is not None else ""


def _name(name: str) -> str:
    """A name as it stands in the file, on one line."""
    shown = printable(name)
    return shown[:SHOWN_CHARS_MAX] + ("…" if len(shown) > SHOWN_CHARS_MAX else "")


def _shown(value: object) -> str:
    kind = {bool: "the boolean", str: "the string", dict: "a section", list: "the list"}
    name = kind.get(type(value), "the value")
    if isinstance(value, dict):
        return name
    text = toml_value(value) if isinstance(value, bool | str | int | float | list) else str(value)
    return f"{name} {text[:SHOWN_CHARS_MAX]}{'…' if len(text) > SHOWN_CHARS_MAX else ''}"


def toml_value(value: object) -> str:
    """Write one value as TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
        case int():
            return f"{value:_}"
        case list() | tuple():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
        case _:
            return str(value)
