"""What the agent spends, as `status` tells it beside what the settings allow."""

import msgspec


class BudgetHealth(msgspec.Struct, kw_only=True):
    """Spent and allowed; counts are since the agent's start, those of a day of its last 24 hours.

    ``written_bytes`` are this process's by the kernel's count, ``device_written_bytes`` everybody's
    on the device of the buffer, the filesystem's journal included; ``page_bytes`` are pages that
    SQLite wrote to its log, those it moved from there into the file not counted twice.
    ``written_per_reading`` is of the first; None before there is a reading, or where the kernel
    does not count. ``commit_spacing_s``: what commits are spaced for the card now.

    ``sent_bytes`` and ``received_bytes`` are those on the wire with the cloud, TLS and headers
    included. ``line_state`` is `all`, or `anomalies` or `nothing` where the limit of a day is near
    or reached. A limit of 0 is none. ``cpu_percent`` is of one core over the last minute.
    """

    device: str = ""
    written_bytes: int | None = None
    written_day_bytes: int = 0
    written_limit_bytes: int = 0
    device_written_bytes: int | None = None
    page_bytes: int = 0
    written_per_reading: float | None = None
    commit_spacing_s: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    sent_day_bytes: int = 0
    received_day_bytes: int = 0
    line_limit_bytes: int = 0
    line_state: str = "all"
    memory_bytes: int = 0
    memory_peak_bytes: int = 0
    memory_limit_bytes: int = 0
    cpu_s: float = 0.0
    cpu_percent: float = 0.0
    cpu_limit_percent: float = 0.0

    @property
    def over(self) -> list[str]:
        """What is over its budget, in words."""
        line = self.sent_day_bytes + self.received_day_bytes
        held = (
            ("writes", self.written_day_bytes, self.written_limit_bytes),
            ("the line", line, self.line_limit_bytes),
            ("memory", self.memory_bytes, self.memory_limit_bytes),
            ("processor", self.cpu_percent, self.cpu_limit_percent),
        )
        return [what for what, spent, limit in held if limit and spent > limit]
