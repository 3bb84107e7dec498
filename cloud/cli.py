"""`tidegate-cloud`: the operator's way in. One verb a file in `cloud/commands/`, loaded on call.

How verbs are found and errors told is in `protos/console.py`; exit codes are in `cloud/errors.py`.
"""

from pathlib import Path
from typing import Final

import click

from cloud.config import HOME_VARIABLE, default_home
from cloud.errors import TidegateError
from protos.console import Console, Extra, Place, Verbs

PROGRAM: Final = "tidegate-cloud"
VERBS: Final = {
    "init": "make the cloud's home: settings, certificate authority, registry",
    "serve": "take in, consolidate and show history until stopped",
    "token": "create, list or revoke enrolment tokens",
    "user": "add, list, change or remove users of page and API",
    "api-token": "create, list or revoke tokens for the API",
    "gateways": "list gateways; revoke or pardon one",
    "ledger": "tell what became of each gateway's blocks and readings",
    "verify": "count history again and prove its chains",
    "consolidate": "bring the journal into the tables; recompute days from it",
    "rebuild": "make the rollups anew from the readings, with the cloud stopped",
    "retention": "remove readings and rollups past their age; or count what would go",
    "erase": "erase history of a gateway, device or metric for good, by order",
    "vacuum": "remove files of the lake that no table names",
    "quarantine": "list blocks set apart; show, release or discard one",
    "notify": "try the channels; see what stands and what people were told",
    "backup": "copy the whole cloud into a folder, while it runs",
    "restore": "make a backup a cloud again, in an empty home",
    "import": "bring in a past: CSV, Parquet, Influx lines, Home Assistant",
    "series": "keep one history through changed sensors, names and units",
    "model": "make models from history, try them on it, roll them out or back",
    "query": "print the history of a series or a device",
    "completion": "print the shell's completion script",
}

NEEDS: Final = Extra(
    "cloud",
    frozenset(
        {
            "deltalake", "duckdb", "httptools", "nanoarrow", "onnx", "onnxruntime", "orjson",
            "pyarrow", "pytz", "starlette", "uvicorn",
        }
    ),
)  # fmt: skip


@click.group(
    cls=Verbs,
    verbs=VERBS,
    package="cloud.commands",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="tidegate", prog_name=PROGRAM)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=HOME_VARIABLE,
    show_envvar=True,
    help="Folder that holds everything of this cloud. [default: /var/lib/tidegate-cloud for "
    "root, else ~/.tidegate/cloud]",
)
@click.pass_obj
def group(place: Place, home: Path | None) -> None:
    """Tidegate's cloud: blocks of gateways in, history you can trust out."""
    place.home = (home or place.home).absolute()


def console() -> Console:
    """The command, ready to be called."""
    return Console(PROGRAM, group, TidegateError, default_home(), NEEDS)


def main() -> None:
    """Run the command line of this process and exit."""
    console().main()
