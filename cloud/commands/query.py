"""`tidegate-cloud query`: history on the command line, asked of the running cloud's HTTP API."""

import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from cloud.client.history import QUANTILES, HistoryApi
from cloud.config import load
from cloud.errors import OperatorError
from protos.console import Place
from protos.shown import csv_cell, json_line, printable, shown_time

Line = Mapping[str, Any]
_SAID = frozenset({"gateway", "device", "metric", "unit", "text"})


@click.command()
@click.argument("series", required=False)
@click.option("--device", help="Every series of this device, in place of one SERIES.")
@click.option("--gateway", help="Only of this gateway.")
@click.option(
    "--from", "from_", help="ISO 8601, or µs since 1970. [default: the last 24 h of data]"
)
@click.option("--to", help="Likewise; the end is not included.")
@click.option(
    "--resolution",
    type=click.Choice(["raw", "1m", "1h", "1d"]),
    default="raw",
    show_default=True,
    help="Readings as they are, or their rollups.",
)
@click.option(
    "--quantile",
    "shares",
    multiple=True,
    type=click.Choice([*QUANTILES]),
    help="Of rollups, this quantile too, and how far off it may be; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header; see below for texts.")
@click.pass_obj
def command(
    place: Place,
    series: str | None,
    device: str | None,
    gateway: str | None,
    from_: str | None,
    to: str | None,
    resolution: str,
    shares: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
) -> None:
    """Print the history of SERIES (its id, or DEVICE/METRIC) in time order.

    Control characters in names and texts are escaped. In CSV a text that begins with =, +, - or @
    gets a ' before it, so that no spreadsheet runs it; --json has every text as it was sent.

    Quantiles are told as p50 and so on, the smallest number of a bucket which so large a share of
    its numbers does not exceed; quantile_error says how far off that is at most, in the unit.
    """
    if (series is None) == (device is None):
        raise click.UsageError("name a SERIES or a --device, one of the two")
    if as_json and as_csv:
        raise click.UsageError("--csv and --json are two forms of one answer: choose one")
    if shares and resolution == "raw":
        raise click.UsageError("--quantile is of rollups: add --resolution 1m, 1h or 1d")
    form = "json" if as_json else "csv" if as_csv else "text"
    api = HistoryApi.of(load(place.home))
    found = api.find(series, device=device, gateway=gateway)
    span = {"from": from_, "to": to, "resolution": resolution}
    more = [*dict.fromkeys(QUANTILES[share] for share in shares)]
    more += ["quantile_error"] if more else []
    lines = (line for one in found for line in _lines(api, one, span, more))
    count = _WRITERS[form](lines)
    if not count:
        click.echo("nothing in that range; --from and --to widen it", err=True)


def _lines(
    api: HistoryApi, one: Line, span: Mapping[str, str | None], more: Sequence[str]
) -> Iterator[Line]:
    named = {key: one[key] for key in ("gateway", "device", "metric", "unit")}
    for row in api.history(str(one["id"]), span, more):
        yield {**named, **row}


def _text(lines: Iterator[Line]) -> int:
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - the last count is the answer
        rest = {k: v for k, v in line.items() if k not in ("gateway", "device", "metric", "unit")}
        at = shown_time(int(rest.pop("ts")))
        told = "  ".join(
            f"{v if k in ('value', 'text') else f'{k}={v}'}"
            for k, v in rest.items()
            if v is not None and k != "quality"
        )
        unit = f" {line['unit']}" if line["unit"] else ""
        click.echo(printable(f"{at}  {line['device']}/{line['metric']}  {told}{unit}"))
    return count


def _json(lines: Iterator[Line]) -> int:
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - the last count is the answer
        click.echo(json_line(line))
    return count


def _csv(lines: Iterator[Line]) -> int:
    writer: csv.DictWriter[str] | None = None
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - the last count is the answer
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(line), restval="", extrasaction="raise")
            writer.writeheader()
        try:
            writer.writerow({key: _cell(key, value) for key, value in line.items()})
        except ValueError as error:
            hint = "ask for one series at a time, or use --json"
            raise OperatorError("write CSV", "the series have different columns", hint) from error
    return count


def _cell(key: str, value: Any) -> Any:
    """Names and texts made harmless; numbers that JSON lacks (`-inf`) are texts and none."""
    is_said = isinstance(value, str) and key in _SAID
    return csv_cell(value) if is_said else value


_WRITERS: Mapping[str, Callable[[Iterator[Line]], int]] = {
    "text": _text,
    "json": _json,
    "csv": _csv,
}
