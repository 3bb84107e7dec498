"""`tidegate-edge config`: the settings as they are, and where each comes from."""

import click
import msgspec
from click.core import ParameterSource

from edge.config import load
from edge.config_origin import Effective, effective
from edge.home import HOME_VARIABLE
from protos.console import Place
from protos.settings import toml_value


@click.group()
def command() -> None:
    """The settings as they are, and where each comes from."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What can be used: the settings' file, the rules' file (empty: there is none), its rules."""

    settings: str
    rules: str
    rules_count: int


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def check(place: Place, as_json: bool) -> None:
    """Read the settings, the rules of topics and every file that they name.

    Exit codes: 0 all can be used, 2 they cannot.
    """
    config = load(place.home)
    for broker in config.brokers:
        config.broker_password(broker)
        config.broker_tls(broker)
    config.cloud_proxy()
    rules, has_rules = config.rules(), config.rules_path.exists()
    if as_json:
        named = str(config.rules_path) if has_rules else ""
        told = Checked(settings=str(config.settings_path), rules=named, rules_count=rules.count)
        click.echo(msgspec.json.encode(told))
        return
    click.echo(f"{config.settings_path} can be used, with every file that it names")
    if has_rules:
        plural = "" if rules.count == 1 else "s"
        click.echo(f"{config.rules_path} can be used: {rules.count} rule{plural}")


@command.command()
@click.option("--effective", "is_all", is_flag=True, help="Defaults too, not only what was set.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_context
def show(ctx: click.Context, is_all: bool, as_json: bool) -> None:
    """Each setting with its origin: default, file, environment or flag.

    Beside it, what a running agent has instead, if the file was changed since it started.
    """
    place = ctx.find_object(Place)
    assert place is not None
    rows = effective(load(place.home), _home_origin(ctx))
    shown = [row for row in rows if is_all or row.origin != "default" or row.runs_with is not None]
    if as_json:
        click.echo(msgspec.json.encode({"settings": shown}))
        return
    width = max(len(row.key) for row in shown)
    for row in shown:
        click.echo(_line(row, width))


def _line(row: Effective, width: int) -> str:
    text = f"{row.key.ljust(width)}  {toml_value(row.value)}  ({row.origin})"
    if row.runs_with is None:
        return text
    return f"{text}; the agent runs with {toml_value(row.runs_with)} until it is restarted"


def _home_origin(ctx: click.Context) -> str:
    """Behind the verb or before it: the flag is the flag."""
    one: click.Context | None = ctx
    while one is not None:
        match one.get_parameter_source("home"):
            case ParameterSource.COMMANDLINE:
                return "flag --home"
            case ParameterSource.ENVIRONMENT:
                return f"environment {HOME_VARIABLE}"
        one = one.parent
    return "default"
