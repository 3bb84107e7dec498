"""The commands of docs/guide/pi.md, as a newcomer types them: in its order, under its headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GUIDE = Path(__file__).parent.parent.parent / "docs" / "guide" / "pi.md"
_FENCE = re.compile(r"```sh ?(\w*)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """Commands below one heading for one machine: `pi` or `cloud`."""

    heading: str
    machine: str
    commands: tuple[str, ...]


def parts(text: str | None = None) -> list[Part]:
    """All parts of the guide, in order."""
    return list(_parts(GUIDE.read_text(encoding="utf-8") if text is None else text))


def _parts(text: str) -> Iterator[Part]:
    for section in re.split(r"(?m)^## ", text)[1:]:
        heading, _, body = section.partition("\n")
        for machine, lines in _FENCE.findall(body):
            yield Part(heading.strip(), machine, tuple(lines.strip().splitlines()))
