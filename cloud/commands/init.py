"""`tidegate-cloud init`: make a home that gateways can be enrolled with."""

import click

from cloud.config import FILE_NAME, load
from cloud.errors import OperatorError
from cloud.settings import CloudSettings, Listen
from protos.address import split_address
from protos.console import Place
from protos.settings import SettingsError, read_settings
from protos.settings_page import settings_file

_HEAD = (
    "The settings of this cloud. Every key is here, with its meaning and its default;\n"
    "remove the # in front of one to change it. A running cloud reads them at its start."
)


@click.command()
@click.option(
    "--host",
    "hosts",
    multiple=True,
    help="Name or address under which gateways reach this machine; may be given several times. "
    "Opens the ports for gateways beyond loopback; page and API stay on loopback.",
)
@click.pass_obj
def command(place: Place, hosts: tuple[str, ...]) -> None:
    """Make the cloud's home: settings, certificate authority, registry."""
    from cloud.ingest.identity import Authority
    from cloud.registry.registry import Registry

    path = place.home / FILE_NAME
    if path.exists():
        hint = f"edit {path}, or name another home with --home"
        raise OperatorError(f"make a cloud in {place.home}", "there is one already", hint)
    text = _settings(hosts)
    try:
        place.make()
    except OSError as error:
        hint = "choose a folder that you may write with --home"
        raise OperatorError(f"make the home {place.home}", str(error.strerror), hint) from error
    folder = place.home / "ca"
    if not (folder / "ca.key").exists():
        Authority.create(folder, "Tidegate")
    Registry.open(place.home / "registry.db").close()
    path.write_text(text, encoding="utf-8")
    config = load(place.home)
    listen = config.settings.listen
    click.echo(f"cloud    home {place.home}\nsettings {path}")
    click.echo(f"gateways enrol at {config.enrol_address}, connect to {config.sync_address}")
    click.echo(f"page     http://{listen.http}/")
    click.echo("\nnext:    tidegate-cloud serve\nthen:    tidegate-cloud token create NAME")


def _settings(hosts: tuple[str, ...]) -> str:
    chosen: dict[str, dict[str, object]] = {}
    if hosts:
        ports = {key: split_address(getattr(Listen(), key))[1] for key in ("sync", "enrol")}
        chosen["listen"] = {key: f"0.0.0.0:{port}" for key, port in ports.items()}
        chosen["listen"]["hosts"] = list(hosts)
    text = settings_file(CloudSettings, chosen, _HEAD)
    try:
        read_settings(text, CloudSettings)
    except SettingsError as error:
        raise OperatorError("take --host", error.cause, error.hint) from error
    return text
