"""`tidegate-cloud verify`: is history whole? One line says it, and the exit code."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from cloud.config import load
from cloud.errors import StorageError
from protos.console import Place


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Count journal, lake and ledger again and prove every chain; may run beside the cloud.

    Ends with 0 when history is whole and with 5 when it is not.
    """
    config = load(ctx.ensure_object(Place).home)

    from cloud.verify.whole import verify

    with shown_progress() as progress:
        verdict = verify(config.journal_folder, config.lake_folder, progress)
    if as_json:
        told = dataclasses.asdict(verdict)
        click.echo(json.dumps({"whole": verdict.is_whole, "line": verdict.line(), **told}))
    else:
        for note in (*verdict.notes, *verdict.faults[1:]):
            click.echo(note, err=True)
        click.echo(verdict.line())
    if not verdict.is_whole:
        ctx.exit(StorageError.exit_code)


@contextlib.contextmanager
def shown_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr where a person looks at it."""
    shown: dict[str, Any] = {}

    def show(what: str, done: int, whole: int) -> None:
        if not sys.stderr.isatty():
            return
        if what not in shown:
            _close(shown)
            bar = click.progressbar(length=whole, label=what, file=sys.stderr)
            shown[what] = bar.__enter__()
        shown[what].update(max(0, done - shown[what].pos))

    try:
        yield show
    finally:
        _close(shown)


def _close(shown: dict[str, Any]) -> None:
    for bar in shown.values():
        if not bar.finished:
            bar.update(bar.length - bar.pos)
        bar.render_finish()
