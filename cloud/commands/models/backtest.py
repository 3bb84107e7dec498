"""`tidegate-cloud model backtest`: a model tried on history, and a report of what came of it."""

from pathlib import Path
from typing import Any

import click

from cloud.commands.models.choice import choice_of, choice_options, is_chosen, time_of
from cloud.commands.models.package import package_of
from cloud.commands.verify import shown_progress
from cloud.config import load
from cloud.errors import OperatorError
from protos import durable
from protos.console import Place
from protos.shown import json_line, printable


@click.command()
@click.argument("model", metavar="NAME[@VERSION]|FILE")
@choice_options
@click.option("--against", help="Another model to run over the same readings: likewise.")
@click.option("--threshold", type=float, help="Of MODEL. [default: its manifest's]")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report here, one HTML file that needs no other.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(
    place: Place, /, model: str, against: str | None, threshold: float | None,
    report: Path | None, as_json: bool, **said: Any,
) -> None:  # fmt: skip
    """Try MODEL on history of the running cloud, as a gateway would score it.

    Of the series that the model's manifest names, unless options choose others. What it found is
    counted against what people confirmed and marked, beside the models in service meanwhile.
    """
    from cloud.client.training import TrainingApi
    from cloud.models.backtest import backtest
    from cloud.models.chosen import Choice
    from cloud.models.replay import replay_of
    from cloud.models.report import page

    config = load(place.home)
    replays = [replay_of(package_of(config, model), threshold)]
    if against:
        replays.append(replay_of(package_of(config, against)))
    manifest = replays[0].manifest
    choice = choice_of(said) if is_chosen(said) else Choice(manifest.applies, kinds=manifest.kinds)
    span = time_of(said["from_"], "--from"), time_of(said["to"], "--to")
    with shown_progress() as told:
        made = backtest(TrainingApi.of(config), replays, choice, span, told)
    if report is not None:
        _write(report, page(made))
    if as_json:
        click.echo(json_line(made.told()))
        return
    for account in made.accounts:
        rate, delay = account.rate, account.delay_s
        after = "" if delay is None else f", {delay:,.0f} s after they began"
        click.echo(
            printable(
                f"{account.label}: {account.episodes} episodes, {account.false} false: "
                f"{rate.per_week:.3g} a series and week ({rate.low:.2g} to {rate.high:.3g}); "
                f"caught {account.caught} of {account.occurrences}{after}"
            )
        )
    if report is not None:
        click.echo(f"report: {report}")


def _write(path: Path, text: str) -> None:
    try:
        durable.put(path, text.encode(), 0o644)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise OperatorError(
            f"write the report {path}", cause, "name a file you may write"
        ) from error
