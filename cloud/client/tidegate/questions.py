"""The questions there are, for the client that waits and the one that does not."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

from tidegate import names, plan, said
from tidegate.address import Address
from tidegate.errors import QuestionError
from tidegate.names import Series
from tidegate.plan import Query
from tidegate.result import Asked
from tidegate.said import Labels, Words
from tidegate.times import Time
from tidegate.wire import Line

R = TypeVar("R")
HISTORY: Final = "/api/v1/history"
RAW: Final = "raw"
AUTO: Final = "auto"


class Questions(ABC, Generic[R]):
    """Each method says one question and asks nothing: the result asks when rows are taken of it.

    Times are a datetime with a zone, ISO 8601 (UTC where it names no zone), `now`, `-1h`, or µs
    since 1970; the start is included, the end is not. `now` is this machine's, at the call. Every
    method raises QuestionError for what cannot be asked.
    """

    def __init__(self, address: Address) -> None:
        self.address = address

    @abstractmethod
    def _result(self, asked: Asked) -> R:
        """The result of a question."""

    def series(
        self,
        search: str | None = None,
        *,
        match: str | None = None,
        gateway: str | None = None,
        device: str | None = None,
        metric: str | None = None,
        unit: str | None = None,
        kind: Words | None = None,
        labels: Labels | None = None,
        heard_s: int | None = None,
        silent_s: int | None = None,
        retired: str | None = None,
        view: str | None = None,
    ) -> R:
        """Series by name: ``search`` is any part of `gateway/device/metric` or of a label.

        ``match`` is a pattern for the whole name, ``labels`` are `{"room": "hall*"}`.
        """
        return self._rows(
            "series",
            {
                "q": search, "match": match, "gateway": gateway, "device": device,
                "metric": metric, "unit": unit, "kind": kind, "labels": said.labels(labels),
                "heard_s": heard_s, "silent_s": silent_s, "retired": retired, "view": view,
            },
            documents=("labels", "made_of"),
        )  # fmt: skip

    def latest(
        self,
        search: str | None = None,
        *,
        series: Series | None = None,
        match: str | None = None,
        gateway: str | None = None,
        device: str | None = None,
        metric: str | None = None,
    ) -> R:
        """The last reading of each series that has one."""
        more = {"q": search, "match": match, "gateway": gateway, "device": device, "metric": metric}
        return self._rows("latest", more, series)

    def history(
        self,
        series: Series,
        start: Time | None = None,
        end: Time | None = None,
        *,
        resolution: str | None = None,
        points: int | None = None,
        columns: Words | None = None,
        zone: str | None = None,
        quantiles: str | None = None,
        bad: str | None = None,
        view: str | None = None,
    ) -> R:
        """Readings of series, or buckets of them, one series after another.

        Without ``resolution`` and ``points`` every reading as it was sent; ``resolution`` is the
        width of buckets, `15m`, `1d`, `1mo`, of which there may be any number; ``points`` lets
        the cloud choose, at most so many for each of up to 100 series. Without a start and an
        end, the last 24 h of what the series have.
        """
        more = {"columns": columns, "zone": zone, "quantiles": quantiles, "bad": bad, "view": view}
        parts = self._parts(resolution, points, RAW, columns, plan.LONG_COLUMNS, plan.long_parts)
        return self._over_time("history", HISTORY, series, start, end, more, parts)

    def wide(
        self,
        series: Series,
        start: Time | None = None,
        end: Time | None = None,
        *,
        resolution: str | None = None,
        points: int | None = None,
        columns: Words | None = None,
        zone: str | None = None,
        quantiles: str | None = None,
        bad: str | None = None,
        view: str | None = None,
    ) -> R:
        """Up to 100 series side by side on one grid of time, as models are trained on.

        A row for every bucket of the range, also where nothing was measured: `ts`, then a column a
        series, empty there. ``resolution`` is `1m` unless ``points`` lets the cloud choose.
        ``bad="exclude"`` leaves out what was marked as bad data.
        """
        more = {"columns": columns, "zone": zone, "quantiles": quantiles, "bad": bad, "view": view}
        if resolution == RAW:
            hint = "give a width such as '1m'"
            raise QuestionError("raw readings have times of their own and cannot be aligned", hint)
        parts = self._parts(resolution, points, "1m", columns, 1, plan.wide_parts)
        return self._over_time("wide", HISTORY, series, start, end, more, parts, wide=True)

    def states(
        self,
        series: Series,
        start: Time | None = None,
        end: Time | None = None,
        *,
        bad: str | None = None,
    ) -> R:
        """What switches and texts said over time, as stretches, one series after another."""

        def parts(ids: list[str], from_us: int, to_us: int) -> Iterator[Query]:
            for some in plan.by_hundreds(ids, plan.STATES_SERIES_MAX):
                yield {"series": some, "from": str(from_us), "to": str(to_us)}

        path, more = "/api/v1/states", {"bad": bad, "limit": self.address.page_rows}
        return self._over_time("states", path, series, start, end, more, parts)

    def anomalies(
        self,
        series: Series | None = None,
        start: Time | None = None,
        end: Time | None = None,
        *,
        gateway: str | None = None,
        device: str | None = None,
    ) -> R:
        """Readings that were scored as anomalies, newest first."""
        more = said.span(start, end) | {"gateway": gateway, "device": device}
        return self._rows("anomalies", more, series)

    def episodes(
        self,
        series: Series | None = None,
        start: Time | None = None,
        end: Time | None = None,
        *,
        gateway: str | None = None,
        device: str | None = None,
        order: str | None = None,
    ) -> R:
        """Episodes of anomalies that meet the range, newest first, or by ``order="peak"``."""
        more = said.span(start, end) | {"gateway": gateway, "device": device, "order": order}
        return self._rows("episodes", more, series)

    def gaps(
        self, start: Time | None = None, end: Time | None = None, *, gateway: str | None = None
    ) -> R:
        """What gateways declared lost, newest first."""
        return self._rows("gaps", said.span(start, end) | {"gateway": gateway})

    def marks(
        self,
        series: Series | None = None,
        start: Time | None = None,
        end: Time | None = None,
        *,
        gateway: str | None = None,
        device: str | None = None,
        kind: Words | None = None,
        state: str | None = None,
    ) -> R:
        """Marks that meet the range: fault, maintenance, bad data."""
        more = said.span(start, end) | {"gateway": gateway, "device": device, "kind": kind}
        return self._rows("marks", more | {"state": state}, series, ("series",))

    def gateways(self) -> R:
        """Each gateway: connection, backlog, clock, counts."""
        return self._rows("gateways", {})

    def devices(self, gateway: str | None = None) -> R:
        """Each device: metrics, readings, anomalies, last reading."""
        return self._rows("devices", {"gateway": gateway})

    def _rows(
        self,
        name: str,
        more: Mapping[str, Any],
        series: Series | None = None,
        documents: tuple[str, ...] = (),
    ) -> R:
        """A question of one request and its pages."""
        query = said.query(more | {"limit": min(self.address.page_rows, 10_000)})
        if series is not None:
            series = names.given(series)

        def queries(line: Line) -> Iterator[Query]:
            if series is None:
                yield query
            else:
                yield {**query, "series": ",".join(said.hundred(names.ids(line, series)))}

        return self._result(Asked(f"/api/v1/{name}", queries, documents, name))

    def _over_time(
        self,
        name: str,
        path: str,
        series: Series,
        start: Time | None,
        end: Time | None,
        more: Mapping[str, Any],
        parts: Callable[[list[str], int, int], Iterator[Query]],
        *,
        wide: bool = False,
    ) -> R:
        """A question about series over time, in the parts that it takes."""
        series = names.given(series)
        span = said.span(start, end)
        query = said.query(more | ({"layout": "wide"} if wide else {}))

        def queries(line: Line) -> Iterator[Query]:
            ids = names.ids(line, series)
            from_us, to_us = span["from"], span["to"]
            if from_us is None or to_us is None:
                from_us, to_us = _known_span(line, ids, from_us, to_us)
            for part in parts(said.hundred(ids) if wide else ids, from_us, to_us):
                yield {**query, **part}

        return self._result(Asked(path, queries, (), name))

    def _parts(
        self,
        resolution: str | None,
        points: int | None,
        default: str,
        columns: Words | None,
        values: int,
        bucketed: Callable[..., Iterator[Query]],
    ) -> Callable[[list[str], int, int], Iterator[Query]]:
        """How a question about readings is cut up; ``values`` is what a bucket has unasked."""
        if points is not None and resolution not in (None, AUTO):
            hint = "give one of them"
            raise QuestionError("`points` and `resolution` contradict each other", hint)
        asked = AUTO if points is not None else resolution or default
        if asked == AUTO:
            size = {} if points is None else {"points": str(points)}
            return lambda ids, from_us, to_us: iter(
                [{"series": ",".join(said.hundred(ids)), **said.ends(from_us, to_us), **size}]
            )
        if asked == RAW:
            raw = {"resolution": RAW, "limit": str(self.address.page_rows)}
            return lambda ids, from_us, to_us: (
                {"series": some, **said.ends(from_us, to_us), **raw}
                for some in plan.by_hundreds(ids)
            )
        width = plan.width_of(asked)
        across = plan.values_across(said.words(columns), values)
        return lambda ids, from_us, to_us: bucketed(ids, from_us, to_us, width, across)


def _known_span(
    line: Line, ids: list[str], from_us: int | None, to_us: int | None
) -> tuple[int, int]:
    """The range of a question that leaves an end open, as the cloud would take it.

    It is asked once, so that all pages of an answer are about the same. Where nothing was read
    since the start, the range is empty.
    """
    ask = {"points": "2", "columns": "count"} | said.query({"to": to_us})
    told = [line.json(HISTORY, {**ask, "series": some}) for some in plan.by_hundreds(ids)]
    from_us = min(each["from"] for each in told) if from_us is None else from_us
    to_us = max(each["to"] for each in told) if to_us is None else to_us
    return from_us, max(from_us, to_us)
