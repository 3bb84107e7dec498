"""Pure: the gateway's side of delivery: what one session with the cloud says and does.

A `Session` is fed with what happens (messages, results of the store, time) and answers with
effects; the shell (`edge.uplink`) carries them out in order and feeds the results back. No socket,
disk, clock or chance here. The clauses are in docs/decisions/0020 to 0024.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BufferState:
    """The buffer as of its last transaction.

    ``epoch`` 0: none granted yet. ``head``: highest seq sealed in the epoch (0: none), with its
    hash (32 zero bytes when none). ``oldest_kept``: lowest seq of the epoch still held, head + 1
    when none is. ``stored``, ``archived``: the cloud's acks as last marked. ``series_high``,
    ``series_root``: the persisted series table. ``unsealed_*``: what waits as chunks.
    ``generation``: the cloud journal's, as last marked (0: never marked).
    """

    epoch: int
    head: int
    head_hash: bytes
    oldest_kept: int
    stored: int
    archived: int
    series_high: int
    series_root: bytes
    unsealed_bytes: int
    unsealed_rows: int
    generation: int = 0
