"""`tidegate-cloud erase`: history of a gateway, device or metric goes, by order."""

import getpass
import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from cloud.commands.disk import disk_told
from cloud.commands.verify import shown_progress
from cloud.config import CloudConfig, load
from cloud.errors import OperatorError
from protos.console import Place

if TYPE_CHECKING:
    from cloud.retention.order import Order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_SHOWN = 20


@click.command()
@click.argument("target", metavar="GATEWAY[/DEVICE[/METRIC]]", required=False)
@click.option("--from", "first", help="From this day or time (UTC) on, as 2026-01-31[T12:00:00].")
@click.option("--to", "last", help="Up to this day, which is one of them, or up to this time.")
@click.option("--why", default="", help="The reason, as the order will tell it.")
@click.option("--by", default=None, help="Who gives the order. [default: this machine's user]")
@click.option("--dry-run", is_flag=True, help="Only count what would go; beside a running cloud.")
@click.option("--yes", is_flag=True, help="Do not ask before it is done.")
@click.option("--list", "is_list", is_flag=True, help="Tell all orders that were ever given.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines; not without --yes.")
@click.pass_obj
def command(
    place: Place,
    target: str | None,
    first: str | None,
    last: str | None,
    why: str,
    by: str | None,
    dry_run: bool,
    yes: bool,
    is_list: bool,
    as_json: bool,
) -> None:
    """Erase what the cloud has of a gateway, device or metric, for good; the cloud must not run.

    What came before the order goes from tables, rollups and journal; what comes later is kept, of
    whatever time it is. Backups and the gateway's own buffer keep what they have.
    """
    config = load(place.home)
    if is_list:
        _list(config, as_json)
        return
    if target is None:
        raise click.UsageError("name what is to be erased, or --list")
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json cannot ask: add --yes or --dry-run")

    from cloud.lake.passes import check_stopped
    from cloud.retention.erasure import Counted, Wish, erase, look_at
    from cloud.retention.order import ALWAYS_US, EVER_US

    from_us = ALWAYS_US if first is None else _time(first, "--from")
    last_us = EVER_US if last is None else _time(last, "--to", after=1) - 1
    if last_us < from_us:
        raise OperatorError(f"erase {target}", "--to is not after --from", "both are UTC")
    wish = Wish(target, from_us, last_us, time.time_ns() // 1000, by or getpass.getuser(), why)

    def told(found: Counted, verb: str) -> None:
        if as_json:
            click.echo(json.dumps({"dry_run": dry_run, **found.as_json()}))
        else:
            click.echo("\n".join(_lines(found.as_json(), verb)))

    if not dry_run:
        check_stopped(config)
    if dry_run or not yes:
        with shown_progress() as told_of:
            found = look_at(config, wish, told_of)
        told(found, "would go")
        if dry_run:
            return
        click.confirm("Erase this, and what else of it the journal has, for good?", abort=True)
    with shown_progress() as told_of, disk_told(f"erase {target}"):
        found = erase(config, wish, told_of, ordered=lambda order: _audit(config, order, "ordered"))
    if found.order.is_done:
        _audit(config, found.order, f"{found.order.readings} readings erased")
    told(found, "are gone")


def _list(config: CloudConfig, as_json: bool) -> None:
    from cloud.retention.erasure import order_json, orders_of

    orders = [order_json(order) for order in orders_of(config)]
    if as_json:
        click.echo(json.dumps(orders))
        return
    if not orders:
        click.echo("nothing was ever erased", err=True)
    for order in orders:
        state = "" if order["done"] else ", NOT finished: `serve` or `consolidate` does it"
        why = f" ({order['why']})" if order["why"] else ""
        click.echo(
            f"{order['number']}  {_shown(order['told_us'])} by {order['by']}{why}: {order['of']},"
            f" {_span(order)}: {order['readings']:,} readings{state}"
        )


def _lines(found: dict[str, Any], verb: str) -> list[str]:
    lines = [f"{found['of']}, {_span(found)}, all that came until now:"]
    series = found["series"]
    lines += [f"    {path}" for path in series[:_SHOWN]]
    if len(series) > _SHOWN:
        lines.append(f"    and {len(series) - _SHOWN:,} more")
    lines += [f"{name}: {rows:,} rows {verb}" for name, rows in found["rows"].items() if rows]
    if not any(found["rows"].values()):
        lines.append("there is nothing to erase")
    if reduced := found["rollup_rows_without_readings"]:
        what = "of these rows of rollups are of days whose readings retention removed before"
        lines.append(f"{reduced:,} {what}: they go whole")
    if apart := found["blocks_in_quarantine"]:
        what = "blocks of the gateway in quarantine may have more, which is left out if they are"
        lines.append(f"{apart:,} {what} released; `quarantine discard` removes them")
    return lines


def _span(told: dict[str, Any]) -> str:
    first = "the beginning" if told["from_us"] is None else _shown(told["from_us"])
    last = "the end" if told["to_us"] is None else _shown(told["to_us"])
    return f"from {first} to {last}"


def _shown(ts_us: int) -> str:
    return (_EPOCH + ts_us * _US).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str, name: str, after: int = 0) -> int:
    """A day or a time in µs UTC; of a day the beginning, or of so many ``after`` it."""
    try:
        at = datetime.fromisoformat(text)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        days = after if len(text) == len("2026-01-31") else 0
        return (at + timedelta(days=days) - _EPOCH) // _US
    except (ValueError, OverflowError) as error:
        hint = f"{name} is a day or a time in UTC, as 2026-01-31 or 2026-01-31T12:00:00"
        raise click.BadParameter(f"{text}: {error}; {hint}", param_hint=name) from error


def _audit(config: CloudConfig, order: "Order", outcome: str) -> None:
    from cloud.registry.registry import Registry

    why = f": {order.why}" if order.why else ""
    with closing(Registry.open(config.registry_path)) as registry:
        told_us, subject = time.time_ns() // 1000, f"{order.path} order {order.number}"
        registry.audit(told_us, "erase", subject, order.by, f"{outcome}{why}")
