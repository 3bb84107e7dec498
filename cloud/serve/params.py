"""Parameters of the HTTP API: read strictly, refused with the way out.

A name that is not known, a value out of its range, a name given twice: each is a 400 that names
the parameter, says what would have been right, and the nearest of it where there is one. Nothing
is guessed, so that a typing error never looks like an answer. What a parameter may be stands in
its `Kind`, once for the reader and for the OpenAPI document.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

Reader = Callable[[str], Any]
"""Makes a value of a parameter's text; Expected says what would have been right."""


class Expected(ValueError):  # noqa: N818 - an expectation, told to the caller
    """What a value should have been, and the nearest that is right, empty where none is near."""

    def __init__(self, expected: str, nearest: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.nearest = nearest


class Refusal(Exception):  # noqa: N818 - the caller's fault, told as HTTP
    """A request that is answered with ``status`` 4xx or 503 and why.

    ``parameter`` names what was wrong of the request, ``nearest`` what would have been right.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        *,
        parameter: str = "",
        nearest: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.parameter = parameter
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is read from text, and the JSON schema of the texts that are taken."""

    read: Reader
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: ``default`` stands where it is not given, unless it is ``required``.

    ``default_text`` is how the guide tells a default that is not simply the value.
    """

    kind: Kind
    help: str
    default: Any = None
    required: bool = False
    default_text: str = ""


def read(given: QueryParams, known: Mapping[str, Param]) -> dict[str, Any]:
    """Every known parameter's value; Refusal when anything is not as it should be."""
    for name in given:
        if name not in known:
            raise unknown(name, known)
    values: dict[str, Any] = {}
    for name, param in known.items():
        texts = given.getlist(name)
        if len(texts) > 1:
            message = f"`{name}` is given {len(texts)} times"
            raise Refusal(400, "repeated_parameter", message, "give it once", parameter=name)
        if texts and texts[0] != "":
            values[name] = value(name, texts[0], param.kind)
        elif param.required:
            message, hint = f"`{name}` is missing", f"add `{name}=…`: {param.help}"
            raise Refusal(400, "missing_parameter", message, hint, parameter=name)
        else:
            values[name] = param.default
    return values


def value(name: str, text: str, kind: Kind) -> Any:
    """One value from its text; Refusal that names it ``name``."""
    try:
        return kind.read(text)
    except Expected as error:
        raise refused(name, text, error) from error


def refused(name: str, text: str, error: Expected) -> Refusal:
    """The refusal of one value."""
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    hint = f"expected {error.expected}"
    if error.nearest:
        hint += f"; the nearest is {error.nearest}"
    message = f"`{name}` is {shown!r}"
    return Refusal(400, "bad_parameter", message, hint, parameter=name, nearest=error.nearest)


def unknown(name: str, known: Iterable[str]) -> Refusal:
    """The refusal of a name that there is not."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:80], names, 1, 0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(names) or 'none'}"
    message = f"there is no parameter `{name[:40]}`"
    shown, nearest = name[:80], near[0] if near else ""
    return Refusal(400, "unknown_parameter", message, hint, parameter=shown, nearest=nearest)
