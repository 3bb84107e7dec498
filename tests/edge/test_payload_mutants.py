"""Every vector, broken in every way that comes to mind: no mutant is our fault, or a bad value."""

import json
import math
import random
from typing import Any

from edge.payload.said import NotData, Said, Unreadable
from edge.recognition import Recognition
from tests.edge.test_payload_vectors import ARRIVAL_US, VECTORS, payload

MUTANTS = 20_000
SEED = 20_261_122
ODD: list[Any] = [
    None, True, False, 0, -1, 1e308, 10**400, "", "x", "1", "nan", [], {}, [1], {"a": 1}, [[1]],
    [{}], "°" * 300, 1_700_000_000, "1970-01-01T00:00:00",
]  # fmt: skip
SIGNS = b'{}[]",:0129eE.-\x00\xff'
KEYS = ["", "ts", "value", "id", "x" * 300, "unit", "time", "a.b"]


def grafted(tree: Any, chance: random.Random) -> Any:
    """A tree with some values, keys and branches exchanged, left out or doubled."""
    if chance.random() < 0.15:
        return chance.choice(ODD)
    if isinstance(tree, dict):
        kept = [(key, value) for key, value in tree.items() if chance.random() > 0.05]
        return {
            key if chance.random() > 0.03 else chance.choice(KEYS): grafted(value, chance)
            for key, value in kept
        }
    if isinstance(tree, list):
        return [grafted(value, chance) for value in tree] * chance.choice([1, 1, 1, 2])
    return tree


def torn(data: bytes, chance: random.Random) -> bytes:
    """Bytes with some turned, put in or left out."""
    mutant = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(mutant) + 1)
        match chance.randrange(3):
            case 0:
                mutant[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                mutant[at:at] = bytes(chance.choices(SIGNS, k=chance.randint(1, 3)))
            case _:
                del mutant[at : at + chance.randint(1, 8)]
    return bytes(mutant)


def mutant(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.6 and data[:1] in (b"{", b"["):
        try:
            return json.dumps(grafted(json.loads(data), chance), ensure_ascii=False).encode()
        except ValueError:
            pass
    return torn(data, chance)


def crossed(topic: str, other: str, chance: random.Random) -> str:
    """The beginning of one topic and the end of another."""
    if chance.random() < 0.8:
        return topic
    mine, its = topic.split("/"), other.split("/")
    return "/".join(mine[: chance.randint(0, len(mine))] + its[chance.randrange(len(its)) :]) or "x"


def check(told: Said) -> None:
    """What the columns of a batch and the series table take without a question."""
    for (metric, _, unit, labels), _ in (*told.numbers, *told.texts):
        assert all(type(word) is str for word in (told.device, metric, unit))
        assert all(type(word) is str for label in labels for word in label)
    assert all(type(value) is float and math.isfinite(value) for _, value in told.numbers)
    assert all(type(text) is str for _, text in told.texts)


def test_no_mutant_of_a_vector_is_our_fault_or_brings_a_value_that_is_none() -> None:
    chance = random.Random(SEED)
    pool = [(str(one["topic"]), payload(one)) for _, one in VECTORS if "times" not in one]
    reader = Recognition()
    for number in range(MUTANTS):
        topic, data = chance.choice(pool)
        topic, data = crossed(topic, chance.choice(pool)[0], chance), mutant(data, chance)
        reason = ""
        try:
            for said in reader.read(topic, data, ARRIVAL_US + number * 1000):
                check(said)
            reader.plan(topic, data)
        except NotData:
            pass
        except Unreadable as error:
            reason = error.reason
        assert "our fault" not in f"{reason} {reader.learn(topic, data)}", (topic, data)
