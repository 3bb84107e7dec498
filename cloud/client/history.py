"""The HTTP API of a running cloud, as the command line asks it: series by name, history by page."""

import difflib
import http.client
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Self
from urllib.parse import urlencode

from cloud.client.wire import Wire, own_wire
from cloud.config import CloudConfig
from cloud.errors import OperatorError, PeerError, UnreachableError

SERIES_MAX: Final = 100_000
SEGMENTS_SERIES_MAX: Final = 100
"""Series in one question for segments; the server allows no more."""
POINTS_MAX: Final = 20_000
"""Buckets in one answer; the server allows no more."""
WIDTHS_US: Final[Mapping[str, int]] = {
    "1m": 60_000_000,
    "1h": 3_600_000_000,
    "1d": 86_400_000_000,
}
_ID = re.compile(r"[0-9a-f]{16}")
_NAMES: Final = {"t": "ts", "v": "value"}
QUANTILES: Final[Mapping[str, str]] = {
    "0.01": "p1",
    "0.05": "p5",
    "0.25": "p25",
    "0.5": "p50",
    "0.75": "p75",
    "0.95": "p95",
    "0.99": "p99",
}
"""Shares of the numbers of a bucket, and what the API calls their quantiles."""
_COLUMNS: Final = ("count", "mean", "min", "max", "first", "last", "text")
"""Of buckets; what else the server could tell of them is asked for by name alone."""
_NO_ROWS: Final = frozenset({"gaps"})
"""Lists beside the columns."""


class HistoryApi:
    """Asks one cloud; every method raises UnreachableError when it is away.

    OperatorError names what was asked wrongly; whatever else is refused is a PeerError.
    """

    def __init__(self, host: str, port: int, wire: Wire | None = None) -> None:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self._wire = wire or Wire(host, port)

    @classmethod
    def of(cls, config: CloudConfig) -> Self:
        """The cloud of a home on this machine, as its owner. OperatorError: no such certificate."""
        wire = own_wire(config)
        return cls(wire.host, wire.port, wire)

    def find(
        self, series: str | None, *, device: str | None, gateway: str | None
    ) -> list[Mapping[str, Any]]:
        """Series by id or `device/metric`, or all of a device.

        Raises:
            OperatorError: there is none, told with the nearest name; or several of that name.
        """
        asked = {"device": device, "gateway": gateway, "limit": SERIES_MAX}
        by_id = series is not None and _ID.fullmatch(series) is not None
        if series is not None:
            asked["series" if by_id else "q"] = series if by_id else series.rpartition("/")[2]
        rows = list(self._series(asked))
        if by_id:
            rows = [row for row in rows if series in (row["id"], *row.get("made_of", ()))]
        elif series is not None:
            rows = [row for row in rows if series == _name(row)]
        if not rows:
            raise self._unknown(series, device, gateway)
        if series is not None and len(rows) > 1:
            tried = f"find the series {series!r}"
            ids = ", ".join(f"{row['id']} ({row['gateway']})" for row in rows[:5])
            raise OperatorError(tried, f"{len(rows)} have that name: {ids}", "name one by its id")
        return list(rows)

    def _series(self, asked: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
        """All pages of a search for series."""
        cursor: object = None
        while True:
            answer = self._get("/api/v1/series", {**asked, "cursor": cursor})
            yield from answer["series"]
            cursor = answer.get("next")
            if cursor is None:
                return

    def _unknown(
        self, series: str | None, device: str | None, gateway: str | None
    ) -> OperatorError:
        """Say which of the names is wrong, and which comes nearest."""
        rows = list(self._series({"limit": SERIES_MAX}))
        gateways = {row["gateway"] for row in rows}
        there = f" of the gateway {gateway!r}" if gateway else ""
        if gateway and gateway not in gateways:
            what, known = f"the gateway {gateway!r}", gateways
            return _none(what, gateway, known, "no gateway of that name has sent readings")
        rows = [row for row in rows if gateway in (None, row["gateway"])]
        if device is not None:
            known = {row["device"] for row in rows}
            return _none(f"the device {device!r}{there}", device, known, "there is no such device")
        if series is not None and (joined := self._joined(series, gateway)):
            cause = f"it is read as {joined} now, by an operation"
            hint = "name that one; `tidegate-cloud series log` tells why"
            return OperatorError(f"find the series {series!r}{there}", cause, hint)
        known = {_name(row) for row in rows}
        is_id = _ID.fullmatch(str(series)) is not None
        cause = "no series has that id" if is_id else "there is no such series"
        return _none(f"the series {series!r}{there}", str(series), known, cause)

    def _joined(self, name: str, gateway: str | None) -> str:
        """The name of the series that one sent under ``name`` is read as; empty where none is."""
        asked = {"q": name.rpartition("/")[2], "gateway": gateway, "limit": SEGMENTS_SERIES_MAX}
        found = self._get("/api/v1/series", asked)["series"]
        rows = {row["id"]: row for row in found if row.get("made_of")}
        if not rows:
            return ""
        parts = self._get("/api/v1/segments", {"series": ",".join(rows)})["segments"]
        return next((_name(rows[one["series"]]) for one in parts if _name(one) == name), "")

    def history(
        self, series: str, span: Mapping[str, str | None], more: Sequence[str] = ()
    ) -> Iterator[Mapping[str, Any]]:
        """Every row of one series in time order, page after page: ts (µs), then its columns.

        `span` holds from, to and resolution; buckets are never coarser than the one asked for, and
        tell the columns `more` too.
        """
        asked: dict[str, object] = {"series": series, **span, "points": POINTS_MAX}
        width_us = WIDTHS_US.get(span["resolution"] or "")
        if width_us is not None:
            asked["columns"] = ",".join((*_COLUMNS, *more))
        first = self._get("/api/v1/history", asked)
        if width_us is None or first["bucket_us"] == width_us:
            yield from self._pages(first, asked)
            return
        step_us = (POINTS_MAX - 1) * width_us
        start_us = first["from"] - first["from"] % width_us
        for from_us in range(start_us, first["to"], step_us):
            part = asked | {"from": from_us, "to": min(from_us + step_us, first["to"])}
            yield from self._pages(self._get("/api/v1/history", part), part)

    def ledger(self) -> list[Mapping[str, Any]]:
        """What became of every gateway's epochs, as docs/guide/api.md tells it."""
        return list(self._get("/api/v1/ledger", {})["ledger"])

    def _pages(
        self, answer: Mapping[str, Any], asked: Mapping[str, object]
    ) -> Iterator[Mapping[str, Any]]:
        while True:
            yield from _rows(answer)
            cursor = answer.get("next")
            if cursor is None:
                return
            answer = self._get("/api/v1/history", {**asked, "cursor": cursor})

    def _get(self, path: str, query: Mapping[str, object]) -> dict[str, Any]:
        asked = urlencode({key: value for key, value in query.items() if value is not None})
        return self._answer("GET", f"{path}?{asked}")

    def _post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        said = {key: value for key, value in body.items() if value is not None}
        return self._answer("POST", path, json.dumps(said).encode())

    def _answer(self, method: str, target: str, body: bytes | None = None) -> dict[str, Any]:
        tried = f"ask the cloud at {self._wire.host}:{self._wire.port}"
        status, answer = self._asked(method, target, body, tried, self._wire.headers())
        if status == http.client.UNAUTHORIZED and (shown := self._wire.headers(anew=True)):
            status, answer = self._asked(method, target, body, tried, shown)
        return self._told(status, answer, tried)

    def _asked(
        self, method: str, target: str, body: bytes | None, tried: str, shown: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        connection = self._wire.connection()
        try:
            headers = {"content-type": "application/json"} if body is not None else {}
            connection.request(method, target, body, headers | shown)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "strerror", None) or str(error) or "it does not answer"
            hint = "is `tidegate-cloud serve` running?"
            raise UnreachableError(tried, cause.lower(), hint) from error
        except ValueError as error:
            cause, hint = "what answers there is no Tidegate", "see listen.http in the settings"
            raise PeerError(tried, cause, hint) from error
        finally:
            connection.close()

    @staticmethod
    def _told(status: int, answer: Mapping[str, Any], tried: str) -> dict[str, Any]:
        if status not in (http.client.OK, http.client.CREATED):
            told = answer.get("error") or {}
            cause, hint = told.get("message", f"it answered {status}"), told.get("hint", "")
            if status == http.client.BAD_REQUEST and "parameter" in told:
                raise OperatorError(tried, cause, hint)
            raise PeerError(tried, cause, hint)
        return dict(answer)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['device']}/{row['metric']}"


def _none(what: str, name: str, known: Collection[str], cause: str) -> OperatorError:
    if not known:
        return OperatorError(f"find {what}", "no reading has arrived yet", "the page shows why")
    # Whoever named half of it is near enough: a metric without its device, or another case.
    near = [one for one in sorted(known) if name.lower() in one.lower().split("/")]
    near = near or difflib.get_close_matches(name, sorted(known), 1, 0.5)
    if near:
        hint = f"did you mean {' or '.join(near[:3])}?"
    else:
        few = sorted(known)[:5]
        hint = f"there is {', '.join(few)}{' and more' if len(known) > len(few) else ''}"
    return OperatorError(f"find {what}", cause, hint)


def _rows(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for one in answer["series"]:
        # Numbers that JSON does not have (nan, inf) stand beside, by their row.
        for row, text in (one.get("special") or {}).items():
            one["v"][int(row)] = text
        names = [k for k, held in one.items() if isinstance(held, list) and k not in _NO_ROWS]
        for values in zip(*(one[name] for name in names), strict=True):
            yield {_NAMES.get(k, k): v for k, v in zip(names, values, strict=True)}
