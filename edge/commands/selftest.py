"""`tidegate-edge selftest DIR`: whether readings can be trusted to a card."""

from pathlib import Path

import click
import msgspec

from edge.errors import StorageError


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--seconds", type=click.FloatRange(0.1, 600), default=10.0, show_default=True,
    help="Most that each of two measurements takes.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def command(folder: Path, seconds: float, as_json: bool) -> int:
    """Try the card that DIR lies on: how fast it is, whether it keeps its word, when it is full.

    Works in a hidden folder inside DIR, of 24 MiB at most, which goes away afterwards. Exit codes:
    0 readings can be kept there, 2 no such folder or no room, 5 they can not, or it failed.
    """
    from edge.selftest import run
    from edge.selftest_words import told

    finding = run(folder, seconds)
    click.echo(msgspec.json.encode(finding) if as_json else "\n".join(told(finding)))
    return 0 if finding.fit else StorageError.exit_code
