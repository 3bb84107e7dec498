"""`tidegate-edge watch`: the rules of the settings, how they do, and what they would have found."""

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from edge.config import load
from edge.control import ask
from edge.errors import OperatorError, UnreachableError
from edge.health import Health, WatchHealth
from edge.settings_watch import RATES, Of, Watch, WatchedKind, When
from edge.topic import name_problem
from protos.console import Place
from protos.settings import NEAREST_CUTOFF, toml_value
from protos.shown import printable

if TYPE_CHECKING:
    from edge.config import EdgeConfig
    from edge.rehearsal import Turned

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and how it does in the running agent; None while none runs."""

    name: str
    watch: Watch
    standing: WatchHealth | None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule made of a recording."""

    name: str
    series: int
    judged: int
    found: int
    open: int


@click.group()
def command() -> None:
    """The rules of `[watch.NAME]`: what they watch, and what they would have found."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def list_(place: Place, as_json: bool) -> None:
    """Each rule in words, and how it does if an agent runs.

    Exit codes: 0 also where there is no rule or no agent.
    """
    config = load(place.home)
    standings = _standings(config)
    rows = [
        Listed(name=name, watch=watch, standing=standings.get(name))
        for name, watch in config.settings.watch.items()
    ]
    if as_json:
        click.echo(msgspec.json.encode({"watches": rows}))
        return
    if not rows:
        click.echo(f"no rule: [watch.NAME] in {config.settings_path} makes one")
    for row in rows:
        one, how = row.standing, ""
        if one is not None:
            how = f"; {one.series:,} watched, {one.found:,} found since the start"
            how += f", {one.open:,} open" if one.open else ""
        click.echo(f"{row.name}: {in_words(row.watch)}{how}")


@command.command("test")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("names", nargs=-1)
@click.option("--topic", help="Topic that its rows come on. [default: replay/FILE's name]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for machines.")
@click.pass_obj
def test(
    place: Place, file: Path, names: tuple[str, ...], topic: str | None, as_json: bool
) -> None:
    """What rules would have found in the recorded FILE (CSV: time, then named values).

    NAMES are those of the rules; without any, all are tried. Nothing is published.

    Exit codes: 0 it was judged, whatever was found; 2 the settings or the file cannot be used.
    """
    from edge.rehearsal import Rehearsal

    config = load(place.home)
    topic = topic or f"replay/{file.stem}"
    problem = name_problem(topic)
    if problem:
        raise click.BadParameter(f"{topic!r} is no topic: {problem}", param_hint="--topic")
    rehearsal = Rehearsal(config, _chosen(config, names), file, topic)
    for one in rehearsal.turned():
        click.echo(msgspec.json.encode(one) if as_json else _line(one))
    results = msgspec.convert(rehearsal.standings(), list[Result], from_attributes=True)
    if as_json:
        click.echo(msgspec.json.encode({"watches": results, "rejected": rehearsal.rejected}))
        return
    for each in results:
        fits = "" if each.series else "; NO series fits its patterns"
        click.echo(
            f"{each.name}: {each.found:,} found in {each.judged:,} readings judged, of "
            f"{each.series:,} series or devices{fits}"
        )
    if rehearsal.rejected:
        click.echo(f"{rehearsal.rejected:,} rows could not be read: try `tidegate-edge decode`")


def in_words(watch: Watch) -> str:
    """A rule as a sentence without its name."""
    of = f"{watch.device}/{watch.metric}"
    of += f" in {watch.unit}" if watch.unit else ""
    of += "" if watch.kind is WatchedKind.ANY else f" ({watch.kind.value}s)"
    match watch.when:
        case When.SILENT:
            limits = [f"{watch.limit:g} s"] if watch.limit else []
            limits += [f"{watch.cadences:g} times its cadence"] if watch.cadences else []
            each = "a device of " if watch.of is Of.DEVICE else ""
            said = f"{each}{of} silent for longer than {' and '.join(limits)}"
        case When.STUCK:
            said = f"{of} stuck at a value for longer than {watch.limit:g} s"
        case rate if rate in RATES:
            span = f"taken over {watch.over_s:g} s"
            said = f"{of} {rate.value} by more than {watch.limit:g} a {watch.per.value}, {span}"
        case level:
            said = f"{of} {level.value} {watch.limit:g}"
    said += f", until it is {watch.back:g} on the good side" if watch.back else ""
    return said + (f"; gives the command {watch.command}" if watch.command else "")


def _line(one: "Turned") -> str:
    word = "open " if one.open else "close"
    series = printable(f"{one.device}/{one.metric}")
    return f"{_time(one.time_us)} {word} {one.watch} {series} {one.value:g} (score {one.score:.3g})"


def _time(at_us: int) -> str:
    try:
        at = EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return f"{at_us} µs"
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chosen(config: "EdgeConfig", names: tuple[str, ...]) -> dict[str, Watch]:
    watches = config.settings.watch
    tried = f"try the rules of {config.settings_path}"
    for name in names or ("",) * (not watches):
        if name not in watches:
            near = get_close_matches(name, watches, 1, NEAREST_CUTOFF)
            told = ", ".join(watches) or "none: [watch.NAME] makes one"
            hint = f"did you mean {toml_value(near[0])}?" if near else f"there are {told}"
            raise OperatorError(tried, f"no rule is called {printable(name)[:60]!r}", hint)
    return {name: watch for name, watch in watches.items() if not names or name in names}


def _standings(config: "EdgeConfig") -> dict[str, WatchHealth]:
    try:
        health = msgspec.json.decode(ask(config.control_path, "status"), type=Health)
    except UnreachableError:
        return {}
    return {one.name: one for one in health.watches}
