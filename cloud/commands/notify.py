"""`tidegate-cloud notify`: try the channels, see what stands and what became of each message."""

import difflib
import json
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from cloud.config import CloudConfig, load
from cloud.errors import OperatorError, TidegateError
from protos.console import Place
from protos.shown import printable

if TYPE_CHECKING:
    from cloud.notify.file import NotifyFile

LIMIT_MAX = 100_000


@click.group()
def command() -> None:
    """Try the channels that people are told by; see what stands, and what they were told."""


@command.command()
@click.argument("channel", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for machines.")
@click.pass_obj
def test(place: Place, channel: str | None, as_json: bool) -> None:
    """Send a message to CHANNEL, or to each, now, whether the cloud runs or not."""
    config = load(place.home)
    done = [_tried(config, name) for name in _channels(config, channel)]
    if as_json:
        told = [
            {"channel": name, "delivered": error is None, "id": identifier, "seconds": took,
             "remark": remark, "error": None if error is None else str(error)}
            for name, identifier, took, remark, error in done
        ]  # fmt: skip
        click.echo(json.dumps(told))
    else:
        for name, identifier, took, remark, error in done:
            if error is None:
                more = f", but {printable(remark)}" if remark else ""
                click.echo(f"{name}  told in {took:.1f} s as {identifier}{more}")
            else:
                click.echo(f"{name}  not told: {printable(error.cause)}")
    failed = [error for *_, error in done if error is not None]
    if failed:
        raise failed[0]


@command.command()
@click.option("--channel", help="Only messages to this channel.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_obj
def log(place: Place, channel: str | None, limit: int, as_json: bool) -> None:
    """Tell what became of each message, the newest first (of the file, whether the cloud runs)."""
    from cloud.notify import log as notify_log

    config = load(place.home)
    with _file(config) as file:
        rows = [] if file is None else notify_log.notices(file, channel=channel, limit=limit)
        dropped = [] if file is None else file.drops()
    if as_json:
        click.echo(json.dumps({"notices": rows, "dropped": dropped}))
        return
    if not rows:
        click.echo("nobody was told anything yet: `notify test` tries the channels", err=True)
    for row in rows:
        click.echo(_notice_line(row))
    for row in dropped:
        whom = f" of {row['channel']}" if row["channel"] else ""
        click.echo(f"dropped{whom}: {row['count']:,}, {row['reason']}")


@command.command()
@click.option("--all", "with_ended", is_flag=True, help="Also what ended.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=1000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for machines.")
@click.pass_obj
def standing(place: Place, with_ended: bool, limit: int, as_json: bool) -> None:
    """Tell what stands: silent gateways, full buffers, limits passed (of the file as above)."""
    from cloud.notify import log as notify_log

    config = load(place.home)
    with _file(config) as file:
        rows = [] if file is None else notify_log.standings(file, ended=with_ended, limit=limit)
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo("nothing stands", err=True)
    for row in rows:
        name = "/".join(row[part] for part in ("gateway", "device", "metric") if row[part])
        ended = f", ended {_at(row['ended'])}" if row["ended"] else ""
        facts = ", ".join(f"{key} {value}" for key, value in row["detail"].items())
        click.echo(
            f"{row['severity']:8}  {row['what']:11}  {printable(name)}  since {_at(row['began'])}"
            f"{ended}  {printable(facts)}"
        )


def _channels(config: CloudConfig, channel: str | None) -> Sequence[str]:
    """The one that is named, or all. OperatorError."""
    known = config.settings.notify.channels
    tried = f"tell {channel!r}" if channel else "tell anybody"
    if not known:
        hint = f"write a section [notify.channels.NAME] into {config.settings_path}"
        raise OperatorError(tried, "the settings name no channel", hint)
    if channel is None:
        return list(known)
    if channel not in known:
        near = difflib.get_close_matches(channel, known, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise OperatorError(tried, "there is no such channel", hint)
    return [channel]


def _tried(config: CloudConfig, channel: str) -> tuple[str, str, float, str, TidegateError | None]:
    """Send one message and log it: the channel, its id, how long it took, and what came of it."""
    from importlib.metadata import version

    from cloud.notify.channel import Severity
    from cloud.notify.delivery import sender_of
    from cloud.notify.outbox import log_test

    settings, host = config.settings.notify, socket.gethostname()
    now_us = time.time_ns() // 1000
    made = {
        "id": secrets.token_hex(16), "cloud": host, "severity": Severity.INFO.value,
        "made_us": now_us, "subject": "a test of Tidegate's messages",
        "text": f"This is a test: the Tidegate cloud on {printable(host)} can tell you something.",
        "standings": [], "test": True,
    }  # fmt: skip
    begun, remark, error = time.monotonic(), "", None
    try:
        sender = sender_of(settings.channels[channel], config.home, version("tidegate"))
        remark = sender.send(made)
    except TidegateError as failure:
        error = failure
    took = time.monotonic() - begun
    with _file(config, begin=True) as file:
        assert file is not None
        cause = None if error is None else f"{error.tried}: {error.cause}"
        log_test(file, channel, made, time.time_ns() // 1000, remark, cause)
    return channel, str(made["id"]), round(took, 3), remark, error


@contextmanager
def _file(config: CloudConfig, *, begin: bool = False) -> "Iterator[NotifyFile | None]":
    """The file of what is told; None where there is none yet. StorageError."""
    from cloud.notify.file import NotifyFile

    if not begin and not config.notify_path.exists():
        yield None
        return
    with closing(NotifyFile.open(config.notify_path)) as file:
        yield file


def _notice_line(row: dict[str, Any]) -> str:
    state = row["state"]
    if state == "delivered":
        state += f" {_at(row['done'])}"
    elif state == "waiting" and row["attempts"]:
        state += f", tried {row['attempts']} times, again {_at(row['due'])}"
    more = f"  ({printable(row['error'])})" if row["error"] else ""
    made, whom, subject = _at(row["made"]), row["channel"], printable(row["subject"])
    return f"{made}  {whom:12}  {row['severity']:8}  {subject}  {state}{more}"


def _at(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6).astimezone().strftime("%Y-%m-%d %H:%M:%S")
