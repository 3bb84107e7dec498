"""Those who look at a cloud under load: `python -m benchmarks.cloud_readers PORT READERS`.

Each reader asks a question, waits PAUSE_S and asks the next: an hour of one series raw, an hour at
500 points, the latest of one gateway, a search. One more watches a few gateways until their next
readings show, and notes how old the oldest of these is by then. Any line on stdin but `end` begins
the count anew; once a second it tells on stdout how things stand.
"""

import http.client
import json
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

PAUSE_S: Final = 0.25
WATCH_S: Final = 0.1
WATCHED: Final = 4
HOUR_US: Final = 3_600_000_000


@dataclass
class Seen:
    """Since the last order: how long answers took, and how old readings were when they showed."""

    answers: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Readers:
    """All of them, on threads of one process."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen = Seen()
        self.ids = [str(one["id"]) for one in self.get(self.line(), "/api/v1/series")["series"]]

    def line(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    @staticmethod
    def get(line: http.client.HTTPConnection, path: str) -> Any:
        """One answer; OSError when it is none."""
        line.request("GET", path)
        answer = line.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise OSError(f"{path}: {answer.status} {body[:100]!r}")
        return json.loads(body)

    def read(self, number: int) -> None:
        """One reader, for ever."""
        chance, line = random.Random(number), self.line()
        while True:
            path = self._path(chance)
            begun, seen = time.perf_counter(), self.seen
            try:
                self.get(line, path)
                seen.answers.append(time.perf_counter() - begun)
            except (OSError, http.client.HTTPException) as error:
                seen.errors.append(repr(error))
                line.close()
            time.sleep(PAUSE_S * chance.uniform(0.5, 1.5))

    def _path(self, chance: random.Random) -> str:
        now_us = time.time_ns() // 1000
        series = chance.choice(self.ids)
        history = f"/api/v1/history?series={series}&from={now_us - HOUR_US}&to={now_us}"
        return chance.choice(
            (
                f"{history}&resolution=raw&limit=10000",
                f"{history}&points=500",
                "/api/v1/latest?gateway=gateway-0000",
                "/api/v1/series?q=channel&limit=100",
            )
        )

    def watch(self) -> None:
        """The one who waits for the next readings of some gateways, for ever."""
        line, newest = self.line(), dict[str, int]()
        while True:
            for number in range(WATCHED):
                seen = self.seen
                found = self.get(line, f"/api/v1/latest?gateway=gateway-{number:04}")["latest"]
                now_us = time.time_ns() // 1000
                for one in found[:1]:
                    before, ts = newest.get(one["id"]), int(one["ts"])
                    newest[one["id"]] = ts
                    if before is not None and ts > before:
                        seen.ages.append((now_us - before) / 1e6)
            time.sleep(WATCH_S)

    def tell(self) -> None:
        """Once a second, for ever."""
        while True:
            time.sleep(1.0)
            seen = self.seen
            answers = np.array(seen.answers) * 1e3 if seen.answers else np.zeros(1)
            p50, p99 = np.percentile(answers, [50, 99]).tolist()
            told = {
                "answers": len(seen.answers), "api_p50_ms": p50, "api_p99_ms": p99,
                "visible_s_max": max(seen.ages, default=0.0), "shown": len(seen.ages),
                "errors": seen.errors[:3],
            }  # fmt: skip
            print(json.dumps(told), flush=True)


def main() -> None:
    """The program."""
    readers = Readers(int(sys.argv[1]))
    for number in range(int(sys.argv[2])):
        threading.Thread(target=readers.read, args=(number,), daemon=True).start()
    threading.Thread(target=readers.watch, daemon=True).start()
    threading.Thread(target=readers.tell, daemon=True).start()
    for order in sys.stdin:
        if order.strip() == "end":
            break
        readers.seen = Seen()


if __name__ == "__main__":
    main()
