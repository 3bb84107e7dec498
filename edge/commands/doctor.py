"""`tidegate-edge doctor`: what is wrong with this gateway, and what to do about it."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import click
import msgspec

from protos.console import Place


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), default=Path("/"), hidden=True,
    help="Where /proc, /sys, /etc and /run are looked for.",
)  # fmt: skip
@click.pass_obj
def command(place: Place, as_json: bool, root: Path) -> int:
    """Look at everything this gateway stands on, and say what to do about what is wrong.

    Nothing is changed, and each look has a time limit. An agent may run or not. Ends with 0 when
    there is no fault, else with the code of the gravest (docs/guide/exit-codes.md).
    """
    from edge.doctor.case import of_home
    from edge.doctor.examine import examine
    from edge.doctor.kind import exit_code
    from edge.doctor.themes import THEMES
    from edge.doctor.words import Report, counted, told

    case = of_home(place.home, root)
    findings = examine(case, THEMES)
    report = Report(
        gateway=case.loaded.name if case.loaded else "",
        home=str(place.home),
        version=version("tidegate"),
        running=case.is_running,
        at_us=case.now_us(),
        code=exit_code(findings),
        counts=counted(findings),
        findings=findings,
    )
    click.echo(msgspec.json.encode(report) if as_json else "\n".join(told(report)))
    if case.is_left or any(one.name.endswith(".hangs") for one in findings):
        sys.stdout.flush()
        os._exit(report.code)  # what hangs would be waited for by a library's own end
    return report.code
