"""`tidegate-cloud import`: files of other systems into history, each reading once."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloud.config import CloudConfig, load
from cloud.errors import OperatorError
from protos.console import Place
from protos.shown import json_line, printable, shown_time
from protos.token import gateway_name_problem

if TYPE_CHECKING:
    from cloud.imports.rejects import Rejects
    from cloud.imports.run import Outcome, Run
    from cloud.imports.source import Wish

_FORMS = ("csv", "parquet", "influx", "recorder")


@click.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Read all and tell what would come; keep nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.option("--rejects", type=click.Path(path_type=Path), help="Write every reject to this CSV.")
@click.option(
    "--gateway",
    default="import",
    show_default=True,
    help="The import gateway. Readings are compared with what came under the same name.",
)
@click.option("--format", "form", type=click.Choice(_FORMS), help="[default: by its first bytes]")
@click.option("--time", default="", help="Column of the time. [default: by its name]")
@click.option("--zone", default="", help="Zone of local times, as in Europe/Berlin or UTC.")
@click.option(
    "--time-unit",
    type=click.Choice(["auto", "s", "ms", "us", "ns"]),
    default="auto",
    show_default=True,
    help="Of times that are numbers; auto goes by their size.",
)
@click.option("--time-format", default="", help="As strptime's. [default: ISO 8601]")
@click.option(
    "--ambiguous",
    type=click.Choice(["reject", "earliest", "latest"]),
    default="reject",
    show_default=True,
    help="Which instant a local time means that came twice.",
)
@click.option("--device", default="", help="Device of all rows. [default: a column, else FILE]")
@click.option("--device-column", default="", help="Column that names the device.")
@click.option("--device-tag", default="", help="Influx: tag that names the device.")
@click.option("--metric-column", default="", help="Column that names the metric: a long table.")
@click.option("--value", "values", multiple=True, help="Column of values. [default: all others]")
@click.option("--unit-column", default="", help="Column of units, in a long table.")
@click.option("--unit", "units", multiple=True, metavar="METRIC=UNIT", help="Unit of a metric.")
@click.option("--counter", "counters", multiple=True, help="Metric that only grows.")
@click.option("--label", "labels", multiple=True, help="Column that becomes a label.")
@click.option("--ignore", multiple=True, help="Column to leave out.")
@click.option(
    "--delimiter", default="", help="Between cells; or tab. [default: by the first lines]"
)
@click.option("--decimal", type=click.Choice([".", ","]), help="[default: by the first lines]")
@click.option("--encoding", default="", help="[default: UTF-8, or as the file's mark says]")
@click.option("--no-header", is_flag=True, help="Name the columns column1, column2 …")
@click.option(
    "--statistics",
    type=click.Choice(["purged", "all", "none"]),
    default="purged",
    show_default=True,
    help="Home Assistant: which hourly statistics come in.",
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
    rejects: Path | None,
    gateway: str,
    form: str | None,
    **said: Any,
) -> None:
    """Bring FILES in: CSV, Parquet, Influx line protocol, Home Assistant's database.

    The cloud may run or not. Each (series, time, value) comes in once: after a crash, and for a
    file that overlaps an earlier one, import again. --dry-run first shows what a file is taken for.
    """
    config = load(ctx.ensure_object(Place).home)
    problem = gateway_name_problem(gateway)
    if problem:
        raise OperatorError(f"import as {gateway!r}", problem, "choose another --gateway")

    from cloud.imports.rejects import Rejects
    from cloud.imports.source import Form

    wish, chosen = _wish(said), Form(form) if form else None
    with (
        closing(Rejects(rejects)) as refused,
        _run(config, gateway, wish, refused, dry_run) as run,
    ):
        outcomes = []
        for path in files:
            with _progress(path) as told:
                outcomes.append(run.file(path, chosen, told))
    if as_json:
        each = [one.as_json() for one in outcomes]
        told_all = {"dry_run": dry_run, "files": each, "rejects": refused.as_json()}
        click.echo(json.dumps(told_all))
    else:
        for outcome in outcomes:
            _tell(outcome, dry_run)
        _tell_rejects(refused)
    if refused.total and not any(one.came for one in outcomes):
        ctx.exit(OperatorError.exit_code)


def _wish(said: dict[str, Any]) -> "Wish":
    """What the options say of how to read files."""
    from cloud.imports.clock_times import Ambiguous, TimeRule, Unit
    from cloud.imports.columns import Mapping
    from cloud.imports.source import Statistics, Wish

    mapping = Mapping(
        time=said["time"],
        device=said["device"],
        device_column=said["device_column"],
        metric_column=said["metric_column"],
        values=said["values"],
        unit_column=said["unit_column"],
        labels=said["labels"],
        ignore=said["ignore"],
        units=tuple(_pair(text) for text in said["units"]),
        counters=said["counters"],
    )
    ambiguous, unit = Ambiguous(said["ambiguous"]), Unit(said["time_unit"])
    rule = TimeRule(said["zone"], unit, said["time_format"], ambiguous)
    delimiter = {"tab": "\t", "\\t": "\t"}.get(said["delimiter"], said["delimiter"])
    if len(delimiter.encode()) > 1:
        hint = "one character of ASCII, or tab"
        raise OperatorError(f"take --delimiter {delimiter!r}", "it is more than a character", hint)
    return Wish(
        mapping,
        rule,
        delimiter,
        said["decimal"] or "",
        said["encoding"],
        not said["no_header"],
        said["device_tag"],
        Statistics(said["statistics"]),
    )


def _pair(text: str) -> tuple[str, str]:
    metric, sign, unit = text.partition("=")
    if not sign or not metric:
        raise OperatorError(f"take --unit {text!r}", "it has no =", "as in temperature=°C")
    return metric, unit


@contextmanager
def _run(
    config: CloudConfig, gateway: str, wish: "Wish", rejects: "Rejects", is_dry: bool
) -> "Iterator[Run]":
    """What reads files and brings them in, or only tells of them."""
    from cloud.imports.ledger import Ledger
    from cloud.imports.run import Run, sieve_of
    from cloud.imports.sieve import Sieve

    folder = config.imports_folder
    if is_dry and not (folder / f"{gateway}.db").exists():
        yield Run(wish, Sieve(), rejects)
        return
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(Ledger.open(folder, gateway)))
        if is_dry:
            yield Run(wish, sieve_of(ledger), rejects, ledger)
            return
        from cloud.imports.reach import reached
        from cloud.imports.sender import Sender

        dial = stack.enter_context(reached(config, ledger))
        sender = stack.enter_context(closing(Sender(ledger, dial)))
        sender.settle()
        yield Run(wish, sieve_of(ledger), rejects, ledger, sender)


@contextmanager
def _progress(path: Path) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where a person looks at it."""
    if not sys.stderr.isatty():
        yield lambda done, size: None
        return
    label = printable(path.name)[:32]
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def told(done: int, size: int) -> None:
            bar.length = max(size, 1)
            bar.update(min(done, size) - bar.pos)

        yield told


def _tell(one: "Outcome", is_dry: bool) -> None:
    name = printable(one.file)
    if one.was_done_us:
        click.echo(f"{name}: was brought in {shown_time(one.was_done_us)}; nothing to do")
        return
    verb = "would come" if is_dry else "came in"
    span = ""
    if one.first_us is not None and one.last_us is not None:
        span = f", {shown_time(one.first_us)} to {shown_time(one.last_us)}"
    click.echo(f"{name}: {printable(one.told)}")
    click.echo(f"    {one.readings:,} readings of {one.series:,} series {verb}{span}")
    others = [
        f"{count:,} {what}"
        for count, what in (
            (one.duplicates, "were there already"),
            (one.missing, "empty cells"),
            (one.rejected, "rejected"),
        )
        if count
    ]
    click.echo(f"    of {one.rows:,} rows{': ' if others else ''}{', '.join(others)}")
    if one.changed:
        click.echo("    it was written to meanwhile: import it again when it rests", err=True)
    for unmet in one.unmet:
        click.echo(f"    {printable(unmet)}", err=True)
    for key, ts, value in one.sample if is_dry else ():
        labels = "".join(f" {label}={of}" for label, of in key.labels)
        line = f"{shown_time(ts)}  {key.device}/{key.metric}{labels}  {value} {key.unit}"
        click.echo(f"    {printable(line.rstrip())}")


def _tell_rejects(rejects: "Rejects") -> None:
    for reason in rejects.as_json():
        click.echo(f"rejected: {reason['count']:,} × {reason['reason']}", err=True)
        for one in reason["examples"]:
            where = f"{one['file']} row {one['row']}" if one["row"] else str(one["file"])
            column = f", column {one['column']!r}" if one["column"] else ""
            text = f": {json_line(one['text'])}" if one["text"] else ""
            click.echo(printable(f"    {where}{column}{text}"), err=True)
