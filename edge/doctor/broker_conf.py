"""What a mosquitto on this machine was told: its queue, its window, whether it keeps its sessions.

A broker does not say these over MQTT. Its file is read where it may be: mosquitto.conf(5).
"""

from dataclasses import dataclass
from typing import Final

from edge.doctor.case import Case

PLACE: Final = "/etc/mosquitto/mosquitto.conf"
DEPTH_MAX: Final = 4
_TRUE: Final = "true"


@dataclass(frozen=True, slots=True)
class Mosquitto:
    """Its settings, with mosquitto's own defaults where the files say nothing; 0: no bound."""

    persistence: bool = False
    queued_max: int = 1000
    inflight_max: int = 20
    expires: str = ""


def read(case: Case) -> Mosquitto | None:
    """The settings of this machine's mosquitto; None when there are none to be read."""
    text = case.text(PLACE)
    return None if text is None else _made(_lines(case, text, 0))


def _lines(case: Case, text: str, depth: int) -> dict[str, str]:
    """The last word of each key, included folders in the order of their names."""
    said: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if not key or key.startswith("#"):
            continue
        if key == "include_dir" and depth < DEPTH_MAX:
            folder = case.system(value.strip())
            names = sorted(path.name for path in folder.glob("*.conf")) if folder.is_dir() else []
            for name in names:
                more = case.text(f"{value.strip().rstrip('/')}/{name}")
                said |= _lines(case, more or "", depth + 1)
        else:
            said[key] = value.strip()
    return said


def _made(said: dict[str, str]) -> Mosquitto:
    usual = Mosquitto()
    return Mosquitto(
        persistence=said.get("persistence", "") == _TRUE,
        queued_max=_number(said.get("max_queued_messages"), usual.queued_max),
        inflight_max=_number(said.get("max_inflight_messages"), usual.inflight_max),
        expires=said.get("persistent_client_expiration", ""),
    )


def _number(text: str | None, usual: int) -> int:
    return int(text) if text is not None and text.isdecimal() else usual
