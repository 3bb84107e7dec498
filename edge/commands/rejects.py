"""`tidegate-edge rejects`: the messages that could not be read, why, and once more.

All of them ask the running agent, which has the buffer.
"""

import click
import msgspec

from edge.config import load
from edge.control import ask
from edge.errors import OperatorError
from edge.payload.said import ReadingLimits
from edge.rejected import SHOWN_MAX, Rejected
from protos.console import Place
from protos.shown import printable, shown_time

HEX_SHOWN_MAX = 256
_LIMIT = click.option(
    "--limit",
    type=click.IntRange(1, SHOWN_MAX),
    default=20,
    show_default=True,
    help="How many of the newest.",
)
_JSON = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, for machines."
)


@click.group(invoke_without_command=True)
@_LIMIT
@_JSON
@click.pass_context
def command(context: click.Context, limit: int, as_json: bool) -> None:
    """The messages that could not be read: list (default), show one, retry them."""
    if context.invoked_subcommand is None:
        _list(context.obj, limit, as_json=as_json)


@command.command("list")
@_LIMIT
@_JSON
@click.pass_obj
def list_(place: Place, limit: int, as_json: bool) -> None:
    """List the newest messages that could not be read, newest first."""
    _list(place, limit, as_json=as_json)


def _list(place: Place, limit: int, *, as_json: bool) -> None:
    rejects = _kept(place)[:limit]
    for one in rejects:
        if as_json:
            click.echo(msgspec.json.encode(one))
            continue
        more = "…" if one.cut else ""
        click.echo(f"{shown_time(one.at)}  {click.style(one.topic, bold=True)}  (no. {one.no})")
        click.echo(f"    {click.style(one.reason, fg='red')}")
        click.echo(f"    {one.payload}{more}" if one.payload else "    (no payload)")
    if not rejects and not as_json:
        click.echo("every message so far could be read", err=True)


@command.command()
@click.argument("no", type=click.IntRange(1))
@_JSON
@click.pass_obj
def show(place: Place, no: int, as_json: bool) -> None:
    """Show the message NO as it was kept, and how it would be read by a restarted agent."""
    from edge.explain import Explainer, lines

    config = load(place.home)
    found = next((one for one in _kept(place) if one.no == no), None)
    if found is None:
        hint = "`tidegate-edge rejects` lists those that are kept"
        raise OperatorError(f"show reject {no}", "it is not kept", hint)
    payload = bytes.fromhex(found.hex)
    told = Explainer(config).explain(found.topic, payload, arrival_us=found.at)
    if as_json:
        click.echo(msgspec.json.encode({"reject": found, "now": told}))
        return
    click.echo(f"{shown_time(found.at)}  {click.style(found.topic, bold=True)}")
    click.echo(f"    {click.style(found.reason, fg='red')}")
    kept = f"the first {len(payload):,} bytes, which are kept" if _is_cut(payload) else (
        f"{len(payload):,} bytes")  # fmt: skip
    click.echo(f"    {kept}: {printable(payload.decode(errors='replace'))}")
    more = "… (--json has them all)" if len(found.hex) > HEX_SHOWN_MAX else ""
    click.echo(f"    hex {found.hex[:HEX_SHOWN_MAX]}{more}")
    click.echo("what is kept of it is read now as:" if _is_cut(payload) else "as it is read now:")
    click.echo("\n".join(list(lines(told, payload))[1:]))


@command.command()
@_JSON
@click.pass_obj
def retry(place: Place, as_json: bool) -> None:
    """Read them all again by the rules of now; those that can be read become readings."""
    from edge.retry import Retried

    answer = ask(load(place.home).control_path, "retry")
    told = msgspec.json.decode(answer, type=Retried)
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    click.echo(f"{told.read} of {told.tried} are readings now; {told.left} stay")
    if told.cut:
        click.echo(f"{told.cut} were too long to be kept whole", err=True)


def _is_cut(payload: bytes) -> bool:
    """Whether the message was longer than what is kept of one."""
    return len(payload) >= ReadingLimits().reject_bytes_max


def _kept(place: Place) -> list[Rejected]:
    answer = ask(load(place.home).control_path, "rejects")
    return msgspec.json.decode(answer, type=list[Rejected])
