"""`tidegate-cloud model`: models made from history, tried on it, kept, and brought to gateways."""

from typing import Final

import click

from protos.console import Verbs

VERBS: Final = {
    "train": "make a model from history and put it on the shelf",
    "backtest": "try a model on history and write a report",
    "pack": "make a signed package of anybody's ONNX file",
    "keygen": "make this cloud's model key if there is none, and tell its public line",
    "list": "list the models on the shelf",
    "show": "show what a model says of itself",
    "publish": "let a model of the shelf be rolled out",
    "rollout": "roll a model out to gateways, have a rollout go on, or list them",
    "rollback": "take a rollout back: the models before it serve",
}


@click.group(cls=Verbs, verbs=VERBS, package="cloud.commands.models")
def command() -> None:
    """Make models from history, try them on it, and bring them to gateways."""
