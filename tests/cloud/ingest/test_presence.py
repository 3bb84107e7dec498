"""News of gateways on their way to the registry."""

from contextlib import contextmanager
from typing import Any

from cloud.ingest.presence import note_all
from cloud.ingest.service import Presence
from protos import sync_pb2 as pb


class Writes:
    """A registry that tells what was kept, and in how many transactions."""

    def __init__(self) -> None:
        self.transactions = 0
        self.kept: list[tuple[Any, ...]] = []

    @contextmanager
    def transaction(self) -> Any:
        self.transactions += 1
        yield self

    def seen(self, *what: Any) -> None:
        self.kept.append(what)


def test_a_thousand_gateways_that_come_at_once_are_one_write_to_the_registry() -> None:
    registry: Any = Writes()
    told = [Presence(f"gw-{n}", n, 7, "1.0", pb.Status(backlog_rows=n)) for n in range(1000)]
    note_all(registry, told)
    assert registry.transactions == 1
    assert len(registry.kept) == 1000
    assert registry.kept[5] == ("gw-5", 7, "1.0", {"backlog_rows": "5"})
