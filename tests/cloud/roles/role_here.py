"""The consolidation role's side of the talk with its parent, in the parent's own process."""

from types import SimpleNamespace
from typing import Any

import msgspec

from cloud.roles import wire
from cloud.roles.desk import Desk


class Here:
    """`cloud.roles.consolidator.Parent` whose parent is in this process: all is sent as bytes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def ask(self, call: wire.Call, kind: type[Any]) -> Any:
        said: list[wire.Order] = []
        child = SimpleNamespace(channel=SimpleNamespace(send=said.append))
        heard = msgspec.msgpack.decode(msgspec.msgpack.encode(call), type=wire.Call)
        self._desk.answer(child, heard)  # type: ignore[arg-type]
        answer = msgspec.msgpack.decode(msgspec.msgpack.encode(said[0]), type=wire.Order)
        if isinstance(answer, wire.Told):
            raise answer.error()
        return msgspec.msgpack.decode(answer.value, type=kind)

    def tell(self, call: wire.Call) -> None:
        self.ask(call, type(None))
