"""The themes, in the order in which they are told: what everything else stands on comes first."""

from typing import Final

from edge.doctor import (
    agent,
    broker,
    buffer,
    certificate,
    clock,
    cloud,
    configuration,
    disk,
    key,
    memory,
    model,
    systemd,
)
from edge.doctor.theme import Theme

THEMES: Final[tuple[Theme, ...]] = tuple(
    one.THEME
    for one in (
        configuration,
        agent,
        systemd,
        clock,
        disk,
        memory,
        key,
        buffer,
        broker,
        certificate,
        cloud,
        model,
    )
)
