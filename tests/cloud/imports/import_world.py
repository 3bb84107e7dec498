"""An import gateway over a real journal that may crash at any step, and what the journal holds."""

import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from cloud.imports.ledger import Ledger
from cloud.imports.line import JournalLine, Line
from cloud.imports.rejects import Rejects
from cloud.imports.run import Outcome, Run, sieve_of
from cloud.imports.sender import Sender
from cloud.imports.source import Wish
from cloud.journal.sqlite.sqlite_journal import SqliteJournal
from protos import sync_pb2 as pb
from protos.block import read_block
from protos.records import Kind

Reading = tuple[str, str, str, int, float | str]
"""Device, metric, unit, µs, value."""


class Crash(BaseException):
    """The process ends here."""


class Steps:
    """Counts what is done to disk and line, and ends it all at one of them."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.count, self.crash_at = 0, crash_at

    def __call__(self) -> None:
        self.count += 1
        if self.count == self.crash_at:
            raise Crash


class Wire:
    """A line that counts each message, before it is sent and before its answer is heard."""

    def __init__(self, line: Line, step: Callable[[], None]) -> None:
        self._line, self._step = line, step

    def send(self, message: pb.GatewayMessage) -> None:
        self._step()
        self._line.send(message)

    def receive(self) -> pb.CloudMessage:
        self._step()
        return self._line.receive()

    def close(self) -> None:
        self._line.close()


class Disk(Ledger):
    """A ledger that counts each transaction, before it is begun and after it is durable."""

    step: Callable[[], None] = staticmethod(lambda: None)

    def keep(self, batches):
        self.step()
        kept = super().keep(batches)
        self.step()
        return kept

    def _seal(self, *args):
        self.step()
        return super()._seal(*args)

    def entries(self, keys):
        self.step()
        return super().entries(keys)

    def finish(self, *args):
        self.step()
        super().finish(*args)
        self.step()


class World:
    """One home: journal and ledger of the gateway `import`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = itertools.count(1_700_000_000_000_000, 1000)
        self.rejects = Rejects()

    def journal(self) -> SqliteJournal:
        return SqliteJournal.open(self.root / "journal", now_us=lambda: next(self.clock))

    def bring(
        self, *files: Path, wish: Wish | None = None, crash_at: int | None = None,
        gateway: str = "import",
    ) -> list[Outcome]:  # fmt: skip
        """One run of the importer; Crash when it was told to crash and came so far."""
        step = Steps(crash_at)
        with ExitStack() as stack:
            journal = stack.enter_context(closing(self.journal()))
            ledger = stack.enter_context(closing(Disk.open(self.root / "imports", gateway)))
            ledger.step = step
            ledger.begin()

            def dial() -> Wire:
                return Wire(JournalLine(journal, gateway), step)

            sender = stack.enter_context(closing(Sender(ledger, dial, pause=lambda _: None)))
            sender.settle()
            run = Run(wish or Wish(), sieve_of(ledger), self.rejects, ledger, sender)
            return [run.file(path, None, lambda done, size: None) for path in files]

    def held(self) -> Counter[Reading]:
        """Every reading in the journal, and how often."""
        found: Counter[Reading] = Counter()
        with closing(self.journal()) as journal:
            for entry in journal.read(0, 1 << 30):
                header, _, batch = read_block(entry.data)
                keys = {e.entry: e.key for e in journal.series(entry.gateway, entry.epoch)}
                assert header.gateway == entry.gateway
                for kind, column in ((Kind.NUMBERS, "value"), (Kind.TEXTS, "text")):
                    rows = batch.kind(kind)
                    parts = (rows["series"].tolist(), rows["ts"].tolist(), rows[column].tolist())
                    for series, ts, value in zip(*parts, strict=True):
                        key = keys[series]
                        assert key is not None
                        found[(key.device, key.metric, key.unit, ts, value)] += 1
        return found

    def read(self, file: Path, wish: Wish | None = None) -> list[Outcome]:
        return self.bring(file, wish=wish)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path
