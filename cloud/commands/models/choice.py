"""Which series and which time, as options of `model train` and `model backtest`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from cloud.models.chosen import Choice
from protos.model import Applies
from protos.series import SeriesKind

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)
_OPTIONS: Final = (
    click.option("--to", help="Until this time, not included. [default: the last reading]"),
    click.option(
        "--from", "from_", help="From this day or time (ISO 8601, UTC, or µs) on. [default: all]"
    ),
    click.option("--label", "labels", multiple=True, help="NAME:PATTERN or NAME; narrows it."),
    click.option("--gateway", help="Only of this gateway; narrows it."),
    click.option(
        "--kind", "kinds", multiple=True, default=["gauge"], show_default=True,
        type=click.Choice([kind.name.lower() for kind in SeriesKind]), help="Kinds of series.",
    ),
    click.option(
        "--class", "class_", multiple=True, help="Device class: the value of the label `class`."
    ),
    click.option("--unit", multiple=True, help="Unit; may be repeated."),
    click.option("--metric", multiple=True, help="Pattern of metrics; may be repeated."),
    click.option("--device", multiple=True, help="Pattern of devices; may be repeated."),
)  # fmt: skip


def choice_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose series and time."""
    for option in _OPTIONS:
        command = option(command)
    return command


def choice_of(said: dict[str, Any]) -> Choice:
    """What the options said."""
    applies = Applies(
        device=said["device"], metric=said["metric"], unit=said["unit"], class_=said["class_"]
    )
    return Choice(applies, said["gateway"], ",".join(said["labels"]) or None, said["kinds"])


def is_chosen(said: dict[str, Any]) -> bool:
    """Whether any option chose series."""
    return any(said[name] for name in ("device", "metric", "unit", "class_", "gateway", "labels"))


def time_of(text: str | None, name: str) -> int | None:
    """A time in µs UTC, as ISO 8601 or a whole number. BadParameter when it is neither."""
    if text is None:
        return None
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        at = datetime.fromisoformat(text)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        return (at - _EPOCH) // _US
    except (ValueError, OverflowError) as error:
        hint = "give a day or a time in UTC, as 2026-01-31 or 2026-01-31T12:00:00"
        raise click.BadParameter(f"{text}: {error}; {hint}", param_hint=name) from error
