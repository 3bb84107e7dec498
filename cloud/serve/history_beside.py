"""What history tells beside readings: the marks that speak of them, and what series are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloud.lake.names import Name
from cloud.live.joined import JoinedBook
from cloud.query.history import Ask
from cloud.series.marks import Mark
from cloud.serve.shown import segment_told
from cloud.serve.site import Site


def beside(site: Site, book: JoinedBook, names: Sequence[Name], ask: Ask) -> dict[str, Any]:
    """`marks` and `segments` that meet the range."""
    marks = {
        mark.id: mark
        for name in names
        for each in (name, *book.parts(name))
        for mark in site.marks.of(each, ask.from_us, ask.to_us)
    }
    segments = [
        segment_told(name, segment)
        for name in names
        for segment in book.segments(name)
        if segment.within(ask.from_us, ask.to_us) is not None
    ]
    return {"marks": [_mark(mark) for mark in marks.values()], "segments": segments}


def _mark(mark: Mark) -> Mapping[str, Any]:
    return {
        "id": mark.id,
        "kind": mark.kind.value,
        "from": mark.from_us,
        "to": mark.to_us,
        "series": [f"{each:016x}" for each in mark.series],
        "gateway": mark.gateway,
        "device": mark.device,
    }
