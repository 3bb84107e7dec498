"""Where each setting comes from, and whether the running agent knows of it: one configuration.

A value is the file's, or the default; the home alone may come from a flag or the environment, and
the proxy from the environment where the file names none. What an agent runs with it read at its
start: if the file says something else by now, that is told beside the value.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from edge.config import EdgeConfig
from edge.control import ask
from edge.errors import PeerError, UnreachableError
from edge.settings_links import PROXY_VARIABLES

Sections = Mapping[str, Mapping[str, object]]


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """One setting: what the file says now, where from, and what the running agent has instead.

    ``origin``: `default`, `file`, `flag --home`, or `environment NAME`. ``runs_with`` is None while
    no agent runs or while it has the same value.
    """

    key: str
    value: object
    origin: str
    runs_with: object = None


def effective(config: EdgeConfig, home_origin: str) -> list[Effective]:
    """Every setting of a home in the order of the guide, the home itself first."""
    written = _written(config)
    running = _running(config)
    rows = [Effective(key="home", value=str(config.home), origin=home_origin)]
    for key, value in _flat(msgspec.to_builtins(config.settings)):
        section, _, name = key.rpartition(".")
        origin = "file" if name in written.get(section, {}) else "default"
        if key == "cloud.proxy" and not value:
            value, origin = _proxy(origin)
        elif name == "client_id" and not value:
            value = next(
                config.broker_client_id(one) for one in config.brokers if one.key == section
            )
        rows.append(Effective(key=key, value=value, origin=origin, runs_with=running.get(key)))
    return rows


def changed(config: EdgeConfig) -> list[str]:
    """Keys whose value in the file is not the one that the running agent has."""
    return list(_running(config))


def _running(config: EdgeConfig) -> dict[str, object]:
    """What the agent has of the settings that differ from the file's; none while none runs."""
    try:
        told = msgspec.json.decode(ask(config.control_path, "settings"), type=Sections)
    except (UnreachableError, PeerError):  # PeerError: an agent from before this question
        return {}
    known = dict(_flat(told))
    now = _flat(msgspec.to_builtins(config.settings))
    return {key: known[key] for key, value in now if key in known and known[key] != value}


def _written(config: EdgeConfig) -> Sections:
    """The keys that the file itself holds."""
    data = tomllib.loads(config.settings_path.read_text(encoding="utf-8"))
    parts: dict[str, Mapping[str, object]] = {}
    for name, part in data.items():
        if isinstance(part, dict):
            parts[name] = part
            parts |= {f"{name}.{of}": more for of, more in part.items() if isinstance(more, dict)}
    return parts


def _flat(sections: Sections) -> Iterator[tuple[str, object]]:
    for section, values in sections.items():
        for name, value in values.items():
            if isinstance(value, dict):  # [brokers.NAME]
                yield from _flat({f"{section}.{name}": value})
            else:
                yield f"{section}.{name}", value


def _proxy(origin: str) -> tuple[str, str]:
    """The proxy that the environment names, without its password."""
    for name in PROXY_VARIABLES:
        if told := os.environ.get(name):
            parts = urlsplit(told)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", f"environment {name}"
    return "", origin
