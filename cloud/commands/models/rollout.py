"""`tidegate-cloud model rollout`: begin a rollout, have it go on, or tell how all of them stand."""

import getpass
import json
from collections import Counter
from contextlib import closing
from typing import Any

import click

from cloud.commands.models.publish import rollouts_of
from cloud.config import load
from cloud.registry.registry import Registry
from cloud.rollout.plan import Behaviour, Rollout, Stage
from cloud.rollout.rollouts import SHARE, Wish
from protos import sync_pb2 as pb
from protos.console import Place
from protos.shown import printable, shown_time

_STAGES = [Stage.SHADOW.value, Stage.CANARY.value, Stage.ALL.value]


@click.command()
@click.argument("which", required=False, default="")
@click.option("--share", type=click.FloatRange(0, 1, min_open=True), default=SHARE,
    show_default=True, help="Of the gateways, in shadow and canary; one at least.")  # fmt: skip
@click.option("--stage", type=click.Choice(_STAGES), default=_STAGES[0], show_default=True,
    help="What it begins with.")  # fmt: skip
@click.option("--auto", is_flag=True, help="Let it go on by itself after --hold without trouble.")
@click.option("--hold", type=click.FloatRange(0, 8784, min_open=True), default=24.0,
    show_default=True, help="Hours in a stage, at least, before it goes on by itself.")  # fmt: skip
@click.option("--trial", type=click.FloatRange(0, 8784, min_open=True), default=1.0,
    show_default=True,
    help="Hours in service without trouble that make it a gateway's good one.")  # fmt: skip
@click.option("--downgrade", is_flag=True, help="Let it take the place of a later version.")
@click.option("--advance", is_flag=True, help="Take the rollout WHICH to its next stage.")
@click.option("--note", default="", help="Why, for those who look at it later.")
@click.option("--author", default=getpass.getuser, show_default="you", help="Who says so.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
@click.pass_obj
def command(place: Place, /, which: str, advance: bool, **said: Any) -> None:
    """Roll out the published model WHICH, NAME or NAME@VERSION; without WHICH, list rollouts.

    Shadow: it scores beside the one in service, silently. Canary: in service on a share of the
    gateways. All: everywhere. What fails is taken back by itself. May be used beside a running
    cloud, which looks every five seconds.
    """
    config = load(place.home)
    with closing(Registry.open(config.registry_path)) as registry:
        if not which:
            _list(registry, said["as_json"])
            return
        desk = rollouts_of(config, registry)
        if advance:
            made = desk.advance(which, said["author"])
        else:
            made = desk.begin(_wish(which, said), said["author"])
    click.echo(json.dumps(told(made, [])) if said["as_json"] else line(made, []))


def _wish(which: str, said: dict[str, Any]) -> Wish:
    name, _, version = which.partition("@")
    return Wish(
        name, version, said["share"], Stage(said["stage"]), said["auto"],
        max(1, round(said["hold"] * 3.6e9)), max(1, round(said["trial"] * 3.6e9)),
        said["downgrade"], said["note"],
    )  # fmt: skip


def _list(registry: Registry, as_json: bool) -> None:
    rollouts, heard = registry.rollouts(), registry.behaviours()
    if as_json:
        click.echo(json.dumps([told(one, heard) for one in rollouts]))
        return
    for one in rollouts:
        click.echo(line(one, heard))
    if not rollouts:
        click.echo("nothing was rolled out yet; `model publish`, then `model rollout`", err=True)


def told(one: Rollout, heard: list[Behaviour]) -> dict[str, Any]:
    """A rollout for machines, with how many gateways say what of it."""
    return {
        "id": one.id, "name": one.name, "version": one.version, "sha256": one.sha256,
        "stage": one.stage.value, "since": one.stage_us, "share": one.share, "auto": one.is_auto,
        "why": one.why, "by": one.changed_by, **_states(one, heard),
    }  # fmt: skip


def line(one: Rollout, heard: list[Behaviour]) -> str:
    """A rollout for people."""
    states = ", ".join(f"{count} {state}" for state, count in _states(one, heard).items() if count)
    share = f" of {one.share:.0%}" if one.stage in (Stage.SHADOW, Stage.CANARY) else ""
    stage = "taken back" if one.stage is Stage.BACK else f"{one.stage}{share}"
    why = f": {one.why}" if one.why else ""
    return printable(
        f"{one.id}  {one.name} {one.version}  {stage} since {shown_time(one.stage_us)} by "
        f"{one.changed_by}{why}{f'  ({states})' if states else ''}"
    )


def _states(one: Rollout, heard: list[Behaviour]) -> dict[str, int]:
    counted = Counter(each.told.state for each in heard if each.told.rollout == one.id)
    names = {
        "fetching": pb.MODEL_FETCHING,
        "tried": pb.MODEL_TRIED,
        "good": pb.MODEL_GOOD,
        "failed": pb.MODEL_FAILED,
        "refused": pb.MODEL_REFUSED,
    }
    return {name: counted[state] for name, state in names.items()}
