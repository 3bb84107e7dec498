"""How long questions take: over HTTP by several clients at once, or by one client of an engine."""

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Times:
    """What a question took over all its keys, ms."""

    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Times":
        p50, p99 = np.percentile(np.array(seconds) * 1e3, [50, 99])
        return cls(round(float(p50), 2), round(float(p99), 2))


def over_http(port: int, paths: Sequence[str], clients: int) -> Times | None:
    """Every path once, the next by whichever client is free; None where there is no such path.

    SystemExit when an answer is anything else than 200.
    """
    left, lock, taken, wrong = iter(paths), threading.Lock(), list[float](), list[str]()

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not wrong:
            with lock:
                path = next(left, None)
            if path is None:
                break
            begun = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            taken.append(time.perf_counter() - begun)
            if answer.status != http.client.OK:
                wrong.append(f"{path}: {answer.status} {body[:200]!r}")
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong and ": 404 " in wrong[0]:
        return None
    if wrong:
        raise SystemExit(wrong[0])
    return Times.of(taken)


def one_by_one(ask: Callable[[str], object], statements: Sequence[str]) -> Times:
    """Every statement once, by one client alone."""
    taken = []
    for statement in statements:
        begun = time.perf_counter()
        ask(statement)
        taken.append(time.perf_counter() - begun)
    return Times.of(taken)
