"""`tidegate-edge status`: how the gateway is, by the agent's word or by its files."""

import os
from importlib.metadata import version

import click
import msgspec

from edge.clock import Clock
from edge.config import EdgeConfig, load
from edge.config_origin import changed
from edge.control import ask
from edge.errors import OperatorError, UnreachableError
from edge.health import BrokerHealth, BufferHealth, ClockHealth, CloudHealth, Health
from edge.health_text import told
from protos.console import Place
from protos.records import Quality


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def command(place: Place, as_json: bool) -> None:
    """How the gateway is: broker, readings, buffer, delivery, identity."""
    config = load(place.home)
    try:
        health = msgspec.json.decode(ask(config.control_path, "status"), type=Health)
        health.settings_changed = changed(config)
    except UnreachableError as error:
        health = from_disk(config)
        if not as_json:
            click.echo(f"the agent says nothing ({error.cause}); this is what the files tell\n")
    if as_json:
        click.echo(msgspec.json.encode(health))
    else:
        click.echo(told(health), nl=False)


def from_disk(config: EdgeConfig) -> Health:
    """What can be known without the agent; the buffer is not opened."""
    from edge.keys import find_key

    tier = find_key(config.buffer_key_path, os.environ).tier
    stamp = Clock().now()
    paths = (config.buffer_path, config.buffer_path.with_name(config.buffer_path.name + "-wal"))
    told_of = [BrokerHealth(name=one.name, url=one.settings.url) for one in config.brokers]
    return Health(
        gateway=config.name,
        version=version("tidegate"),
        clock=ClockHealth(now_us=stamp.wall_us, synced=stamp.quality is Quality.GATEWAY_SYNCED),
        broker=told_of[0],
        brokers=told_of[1:],
        buffer=BufferHealth(
            file_bytes=sum(path.stat().st_size for path in paths if path.exists()),
            bytes_max=config.settings.buffer.bytes_max,
            key_tier=tier.value,
            unprotected=tier.unprotected,
        ),
        cloud=_cloud(config),
    )


def _cloud(config: EdgeConfig) -> CloudHealth:
    from edge.identity import is_enrolled
    from edge.identity import load as load_identity
    from edge.identity_next import fingerprint, read_record

    if not is_enrolled(config.identity_folder):
        return CloudHealth()
    try:
        identity = load_identity(config.identity_folder, config.name)
    except OperatorError as error:
        return CloudHealth(enrolled=True, error=error.cause, hint=error.hint)
    record = read_record(config.renewal_path)
    is_of_it = record.certificate == fingerprint(identity)
    left_us = record.left_then_us if is_of_it else None
    return CloudHealth(
        enrolled=True,
        address=config.settings.cloud.address or identity.sync_address,
        certificate_not_after_us=0 if left_us is None else Clock().now().wall_us + left_us,
        renewals=record.renewals,
    )
