"""`tidegate-cloud series`: series listed and shown; renamed, replaced, merged, retired; undone."""

import getpass
import json
from collections.abc import Callable, Mapping
from typing import Any

import click

from cloud.client.series import Row, SeriesApi
from cloud.config import load
from cloud.series.operation import OperationKind
from protos.console import Place
from protos.shown import json_line, printable, shown_time

Command = Callable[..., Any]
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
_GATEWAY = click.option("--gateway", help="Only of this gateway, where a name is not enough.")
_SCALE = click.option("--scale", help="A stored value times this … (`0.1`, `5/9`)")
_OFFSET = click.option("--offset", help="… plus this is one of the other unit.")
_FROM = click.option("--from", "from_", help="ISO 8601, or µs since 1970. [default: the beginning]")
_TO = click.option("--to", help="Likewise; not included. [default: the end]")


def _operation(command: Command) -> Command:
    """The options that every operation has."""
    for option in (
        _JSON,
        click.option("--dry-run", is_flag=True, help="Say what it would make, and make nothing."),
        click.option("--note", default="", help="Why, for the log."),
        click.option("--author", default=getpass.getuser, show_default="you", help="Who says so."),
        _GATEWAY,
    ):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Keep one history through changed sensors, names and units; of the running cloud.

    SERIES is an id or DEVICE/METRIC. No reading is changed: operations count when history is asked.
    """


@command.command("list")
@click.argument("part", required=False)
@_GATEWAY
@click.option("--retired", is_flag=True, help="Those that were retired, too.")
@click.option("--proposals", is_flag=True, help="Only what could be merged: units that changed.")
@_JSON
@click.pass_obj
def list_series(
    place: Place,
    part: str | None,
    gateway: str | None,
    retired: bool,
    proposals: bool,
    as_json: bool,
) -> None:
    """List series, or those with PART in their name, a former name or a label."""
    api = _api(place)
    if proposals:
        rows = api.proposals()
        return _told(rows, as_json, _proposal, "nothing to merge")
    asked = {"q": part, "gateway": gateway, "retired": "show" if retired else None}
    return _told(list(api.listed(asked)), as_json, _series, "there is no such series")


@command.command()
@click.argument("series")
@_GATEWAY
@_JSON
@click.pass_obj
def show(place: Place, series: str, gateway: str | None, as_json: bool) -> None:
    """Show what SERIES is made of, and what was done to it."""
    api = _api(place)
    (row,) = api.find(series, device=None, gateway=gateway)
    segments, log = api.segments(row["id"]), list(api.log(row["id"]))
    if as_json:
        click.echo(json.dumps({**row, "segments": segments, "operations": log}))
        return
    click.echo(_series(row))
    for segment in segments:
        click.echo(f"  {_segment(segment)}")
    for one in log:
        click.echo(f"  {_logged(one)}")


@command.command()
@click.argument("series")
@click.argument("name")
@_operation
@click.pass_obj
def rename(place: Place, /, series: str, name: str, **more: Any) -> None:
    """Call SERIES by NAME (DEVICE/METRIC, or METRIC alone), all its history with it."""
    device, _, metric = name.rpartition("/")
    _operate(place, OperationKind.RENAME, series, more, device=device or None, metric=metric)


@command.command()
@click.argument("series")
@click.argument("other")
@click.option("--from", "from_", required=True, help="Since when; ISO 8601, or µs since 1970.")
@_SCALE
@_OFFSET
@_operation
@click.pass_obj
def replace(place: Place, /, series: str, other: str, **more: Any) -> None:
    """Read SERIES from OTHER since a time: a sensor was swapped."""
    _operate(place, OperationKind.REPLACE, series, more, other=other)


@command.command()
@click.argument("series")
@click.argument("other")
@_FROM
@_TO
@_SCALE
@_OFFSET
@_operation
@click.pass_obj
def merge(place: Place, /, series: str, other: str, **more: Any) -> None:
    """Let the readings of OTHER be those of SERIES too: a name or a unit changed."""
    _operate(place, OperationKind.MERGE, series, more, other=other)


@command.command()
@click.argument("series")
@click.argument("unit")
@click.option("--measured", is_flag=True, help="It was measured in UNIT; it is shown as before.")
@_FROM
@_TO
@_SCALE
@_OFFSET
@_operation
@click.pass_obj
def unit(place: Place, /, series: str, unit: str, measured: bool, **more: Any) -> None:
    """Show all of SERIES in UNIT; or say that what was stored is in UNIT."""
    kind = OperationKind.MEASURED if measured else OperationKind.UNIT
    _operate(place, kind, series, more, unit=unit)


@command.command()
@click.argument("series")
@click.option("--from", "from_", help="Since when. [default: now]")
@_operation
@click.pass_obj
def retire(place: Place, /, series: str, **more: Any) -> None:
    """Leave SERIES out of lists; its history stays."""
    _operate(place, OperationKind.RETIRE, series, more)


@command.command()
@click.argument("operation")
@_operation
@click.pass_obj
def undo(place: Place, /, operation: str, **more: Any) -> None:
    """Let OPERATION (its id, as `series log` tells it) count no more."""
    _operate(place, OperationKind.UNDO, None, more, operation=operation)


@command.command()
@click.argument("series", required=False)
@_GATEWAY
@_JSON
@click.pass_obj
def log(place: Place, series: str | None, gateway: str | None, as_json: bool) -> None:
    """Tell what was done, newest first; to all series or to SERIES."""
    api = _api(place)
    ids = None
    if series is not None:
        (row,) = api.find(series, device=None, gateway=gateway)
        ids = row["id"]
    _told(list(api.log(ids)), as_json, _logged, "nothing was done yet")


def _api(place: Place) -> SeriesApi:
    return SeriesApi.of(load(place.home))


def _operate(
    place: Place,
    kind: OperationKind,
    series: str | None,
    more: Mapping[str, Any],
    other: str | None = None,
    **said: str | None,
) -> None:
    api, gateway = _api(place), more["gateway"]
    asked = {
        "from": more.get("from_"),
        **{name: more.get(name) for name in ("to", "scale", "offset")},
    }
    asked |= said
    if series is not None:
        asked["series"] = api.id(series, gateway)
    if other is not None:
        asked["other"] = api.id(other, None)
    dry_run = more["dry_run"]
    made = api.operate(kind, asked, author=more["author"], note=more["note"], dry_run=dry_run)
    if more["as_json"]:
        click.echo(json.dumps(made))
        return
    head = "would be" if dry_run else f"operation {made['operation']['id']}:"
    shown = made["series"]
    name = f"{shown['device']}/{shown['metric']}  {shown['id']}  {shown['unit']}" if shown else ""
    click.echo(printable(f"{head} {name}"))
    for segment in made["segments"]:
        click.echo(f"  {_segment(segment)}")
    for left_out in made["left_out"]:
        click.echo(f"  of {left_out} some readings are in no stretch, and not shown", err=True)


def _told(rows: list[Row], as_json: bool, line: Callable[[Row], str], none: str) -> None:
    if as_json:
        click.echo("[" + ", ".join(json_line(row) for row in rows) + "]")
        return
    for row in rows:
        click.echo(line(row))
    if not rows:
        click.echo(none, err=True)


def _series(row: Row) -> str:
    last = "never heard" if row["last_ts"] is None else f"last {shown_time(row['last_ts'])}"
    parts = f", made of {len(row['made_of'])}" if len(row["made_of"]) > 1 else ""
    gone = "" if row["retired"] is None else f", retired {shown_time(row['retired'])}"
    name = f"{row['gateway']}  {row['device']}/{row['metric']}"
    unit = f"  {row['unit']}" if row["unit"] else ""
    return printable(f"{row['id']}  {name}{unit}  {last}{parts}{gone}")


def _segment(row: Row) -> str:
    start = "the beginning" if row["from"] is None else shown_time(row["from"])
    end = "the end" if row["to"] is None else shown_time(row["to"])
    line = "" if (row["scale"], row["offset"]) == (1, 0) else _line(row)
    name = f"{row['gateway']}  {row['device']}/{row['metric']}  {row['unit']}"
    return printable(f"{start} to {end}: {row['stored']}  {name}{line}")


def _line(row: Row) -> str:
    return f"  × {row['scale']:.6g} {row['offset']:+.6g}"


def _proposal(row: Row) -> str:
    name = f"{row['gateway']}  {row['device']}/{row['metric']}"
    units = f"{row['unit'] or 'no unit'}, {row['other_unit'] or 'no unit'}"
    since = shown_time(row["since"])
    call = f"series merge {row['series']} {row['other']}"
    return printable(f"{name}  {units} since {since}: `tidegate-cloud {call}`")


def _logged(row: Row) -> str:
    names = ("series", "other", "operation", "device", "metric", "unit", "scale", "offset")
    said = " ".join(f"{name}={row[name]}" for name in names if row[name])
    said += "".join(
        f" {name}={shown_time(row[name])}" for name in ("from", "to") if row[name] is not None
    )
    undone = " (undone)" if row["undone"] else ""
    note = f": {row['note']}" if row["note"] else ""
    when, who = shown_time(row["created"]), row["author"]
    return printable(f"{row['id']}  {when}  {who}  {row['kind']}{undone} {said}{note}")
