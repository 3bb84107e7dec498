"""Series and the operations on them, as the command line asks a running cloud for them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cloud.client.history import SERIES_MAX, HistoryApi
from cloud.errors import OperatorError, PeerError
from cloud.series.operation import OperationKind

Row = Mapping[str, Any]
LOG_ROWS: Final = 1000
"""Asked for at a time."""
_TRIED: Final[Mapping[OperationKind, str]] = {
    OperationKind.UNIT: "show {} in {unit}",
    OperationKind.MEASURED: "take {} for measured in {unit}",
}


class SeriesApi(HistoryApi):
    """Asks one cloud; raises as `HistoryApi` does, PeerError where an operation is refused."""

    def listed(self, asked: Mapping[str, object]) -> Iterator[Row]:
        """Series that fit the parameters of /api/v1/series."""
        return self._series({**asked, "limit": SERIES_MAX})

    def id(self, series: str, gateway: str | None) -> str:
        """The id of a series by its id or `device/metric`. OperatorError when there is no one."""
        (found,) = self.find(series, device=None, gateway=gateway)
        return str(found["id"])

    def segments(self, series: str) -> list[Row]:
        """What a series is made of."""
        return list(self._get("/api/v1/segments", {"series": series})["segments"])

    def proposals(self) -> list[Row]:
        """Series that could be merged."""
        return list(self._get("/api/v1/proposals", {})["proposals"])

    def log(self, series: str | None) -> Iterator[Row]:
        """The operations, newest first."""
        cursor: object = None
        while True:
            asked = {"series": series, "limit": LOG_ROWS, "cursor": cursor}
            answer = self._get("/api/v1/operations", asked)
            yield from answer["operations"]
            cursor = answer["next"]
            if cursor is None:
                return

    def operate(
        self,
        kind: OperationKind,
        said: Mapping[str, object],
        *,
        author: str,
        note: str,
        dry_run: bool,
    ) -> Row:
        """Do it, or say what it would make."""
        asked = {"kind": kind.value, **said}
        try:
            if dry_run:
                return self._get("/api/v1/operations/check", asked)
            return self._post("/api/v1/operations", {**asked, "author": author, "note": note})
        except (OperatorError, PeerError) as error:
            what = said.get("series") or said.get("operation")
            tried = _TRIED.get(kind, f"{kind.value} {{}}").format(what, **said)
            raise type(error)(tried, error.cause, error.hint) from error
