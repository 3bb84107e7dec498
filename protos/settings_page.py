"""Pure: the settings of a half as a commented file, and as a page of the guide."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec import inspect as kinds

from protos.settings import expectation, named_section, toml_value


def _rows(section: type[msgspec.Struct]) -> Iterator[tuple[str, str, str, object]]:
    """Key, meaning, what it takes, default (msgspec.NODEFAULT when it must be given)."""
    for field in msgspec.structs.fields(section):
        if named_section(field.type) is not None:
            continue
        info = kinds.type_info(field.type)
        schema = info.extra_json_schema or {} if isinstance(info, kinds.Metadata) else {}
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        yield field.name, str(schema.get("description", "")), expectation(field.type), default


def _within(section: type[msgspec.Struct]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """The parts of a section that have names, `[section.part.NAME]`."""
    for field in msgspec.structs.fields(section):
        of = named_section(field.type)
        if of is not None:
            yield field.name, of


def _example(section: type[msgspec.Struct], key: str) -> object:
    """The first example of a key that must be given."""
    (field,) = (one for one in msgspec.structs.fields(section) if one.name == key)
    info = kinds.type_info(field.type)
    schema = info.extra_json_schema or {} if isinstance(info, kinds.Metadata) else {}
    return schema["examples"][0]


def _is_told(section: type[msgspec.Struct], table: type[msgspec.Struct]) -> bool:
    """Whether a half has one section of a kind besides those with names."""
    return any(part.type is section for part in msgspec.structs.fields(table))


def _promise(section: type[msgspec.Struct]) -> str:
    return (section.__doc__ or "").strip().splitlines()[0]


def settings_file(
    table: type[msgspec.Struct], chosen: Mapping[str, Mapping[str, object]], head: str
) -> str:
    """Write a commented settings file: `chosen` keys set, every other as a commented default."""
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    for part in msgspec.structs.fields(table):
        of = named_section(part.type)
        if of is not None and _is_told(of, table):
            told = f"# More of the kind above: [{part.name}.NAME], each under a name of its own."
            lines += ["", told]
            continue
        if of is not None:
            lines += _example_lines(part.name, of)
            continue
        lines += ["", f"# {_promise(part.type)}", f"[{part.name}]"]
        given = chosen.get(part.name, {})
        for key, meaning, expected, default in _rows(part.type):
            lines.append(f"# {meaning} Takes {expected}.")
            value = given.get(key, default)
            lines.append(f"{'' if key in given else '# '}{key} = {toml_value(value)}")
        for name, below in _within(part.type):
            lines += _example_lines(f"{part.name}.{name}", below)
    return "\n".join(lines) + "\n"


def _example_lines(name: str, of: type[msgspec.Struct]) -> Iterator[str]:
    """A section with a name as comments: every key that must be given by its example."""
    yield from ("", f"# {_promise(of)}", f"# [{name}.example]")
    for key, meaning, expected, default in _rows(of):
        yield f"# {meaning} Takes {expected}."
        shown = _example(of, key) if default is msgspec.NODEFAULT else default
        yield f"# {key} = {toml_value(shown)}"


def settings_guide(table: type[msgspec.Struct], title: str) -> str:
    """Write the guide's chapter of one half, as Markdown."""
    lines = [f"## {title}"]
    for part in msgspec.structs.fields(table):
        of = named_section(part.type)
        if of is not None and _is_told(of, table):
            lines += ["", f"### [{part.name}.NAME]", ""]
            lines += ["More of the kind above, with its keys, each under a name of its own."]
            continue
        lines += _chapter(part.name if of is None else f"{part.name}.NAME", of or part.type)
        for name, below in _within(part.type) if of is None else ():
            lines += _chapter(f"{part.name}.{name}.NAME", below)
    return "\n".join(lines) + "\n"


def _chapter(name: str, section: type[msgspec.Struct]) -> Iterator[str]:
    """One section as Markdown."""
    yield from ("", f"### [{name}]", "", _promise(section), "")
    yield from ("| key | meaning | takes | default |", "|---|---|---|---|")
    for key, meaning, expected, default in _rows(section):
        shown = "must be given" if default is msgspec.NODEFAULT else f"`{toml_value(default)}`"
        yield f"| `{key}` | {meaning} | {expected} | {shown} |"
