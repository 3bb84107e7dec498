"""The loops of the agent that systemd's watchdog is fed by, and its line in `systemctl status`."""

from collections.abc import Callable
from functools import partial

from edge.collect import Collect
from edge.delivery import Delivery
from edge.ingest import Ingest
from edge.notify import Notifier
from edge.store.store import Store
from edge.watchdog import Watchdog


def watchdog(
    notifier: Notifier,
    ingest: Ingest,
    collect: Collect,
    store: Store,
    delivery: Delivery,
    fault: Callable[[], str],
) -> Watchdog:
    """The watchdog over all of these; ``fault`` says what keeps readings from coming in."""
    loops: dict[str, Callable[[], int]] = {
        f"ingest {name}".strip(): partial(_turns_of, ingest, name) for name in ingest.turns
    }
    loops |= {
        "collect": lambda: collect.turns,
        "commit": lambda: store.turns,
        "uplink": lambda: delivery.turns,
    }
    return Watchdog(notifier, loops, lambda: _line(fault(), delivery))


def _turns_of(ingest: Ingest, name: str) -> int:
    return ingest.turns[name]


def _line(fault: str, delivery: Delivery) -> str:
    cloud = f"cloud {delivery.uplink.state.line.value}" if delivery.uplink else "no cloud yet"
    return f"{fault or 'collecting'}; {cloud}"
