"""Pure: every bound of the wire and of the codec, in one place, asserted against each other.

A bound is what makes memory finite whatever arrives. Raising one is compatible with old data;
lowering one may make stored blocks unreadable and needs a format version.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- protocol -------------------------------------------------------------------------------
PROTOCOL_MIN: Final = 1
PROTOCOL_MAX: Final = 1

# --- names and strings (UTF-8 bytes) --------------------------------------------------------
GATEWAY_NAME_BYTES_MAX: Final = 64
"""X.520's bound for the common name of a certificate, which is where the name lives."""
NAME_BYTES_MAX: Final = 255
"""A device, a metric, a label name or a label value."""
UNIT_BYTES_MAX: Final = 64
LABELS_MAX: Final = 32
TEXT_BYTES_MAX: Final = 4 * KIB
"""One text reading; longer ones are rejects at the gateway."""
MODEL_BYTES_MAX: Final = 128
"""Model name and version in a score or episode."""

# --- series table ---------------------------------------------------------------------------
SERIES_MAX: Final = 1 << 20
"""Entries of one gateway; as well the bound of device numbers."""
ENTRY_BYTES_MAX: Final = 20 * KIB
SERIES_BYTES_MAX: Final = 64 * MIB
"""All entries of one gateway as they are declared: 64 bytes for each of the most there may be,
3 KiB for each of an edge's default of 20,000. The cloud carries them into every journal segment."""
DECLARE_BYTES_MAX: Final = 256 * KIB
"""Sum of the entries in one Declare message."""
DECLARE_ENTRIES_MAX: Final = 4096

# --- blocks ---------------------------------------------------------------------------------
BLOCK_BYTES_MAX: Final = 1 * MIB
BLOCK_BYTES_TARGET: Final = 64 * KIB
"""Below 16 KiB the server is bound by messages, above 64 KiB nothing is gained (DESIGN §5)."""
HEADER_BYTES_MAX: Final = 64 * KIB
BODY_BYTES_MAX: Final = BLOCK_BYTES_MAX
BLOCK_ROWS_MAX: Final = 1 << 18
"""All kinds together; 64 KiB of perfectly regular readings come near it."""
BLOCK_DEVICES_MAX: Final = 16384
"""Devices with rows in one block."""
BLOCK_READ_BYTES_MAX: Final = BLOCK_BYTES_MAX + BLOCK_DEVICES_MAX * 32
"""An erased device leaves 32 bytes and makes every other's 16 explicit: such a block may grow."""
PLAIN_BYTES_MAX: Final = 32 * MIB
"""One uncompressed body: what decoding may allocate, times a small constant."""
TEXTS_EXPANDED_BYTES_MAX: Final = 32 * MIB
"""One string column of a body with each row's string written out: a distinct one travels once,
whoever reads it expands it."""
BLOCK_MEMORY_MAX: Final = 256 * MIB
"""What reading any block that is accepted allocates at its peak, the rows it gives back included:
plain bytes, the same as strings (CPython takes up to four bytes a character), and the rest."""
CHUNK_ROWS_MAX: Final = 8192
CHUNK_BYTES_MAX: Final = 256 * KIB
"""Rows and encoded body of one group commit, so that any chunk fits into a block of its own."""
CHUNK_RUNS_MAX: Final = 1024
"""Runs of chunk ids in one block; a run is one opening of the store unless chunks were dropped."""
CHUNK_COUNTER_MAX: Final = 0xFFFF_FFFF

# --- messages and flow ----------------------------------------------------------------------
WINDOW_BYTES_MAX: Final = 16 * MIB
WINDOW_BYTES_DEFAULT: Final = 4 * MIB
"""Sealed, sent and not yet stored."""
MESSAGE_BYTES_MAX: Final = 2 * MIB
"""What both ends configure as gRPC's maximum message."""
ENROL_BYTES_MAX: Final = 64 * KIB
STORED_CHUNKS_MAX: Final = 32 * KIB
"""Runs in one EpochGrant."""

# --- models of the cloud --------------------------------------------------------------------
MODEL_PACKAGE_BYTES_MAX: Final = 33 * MIB
"""One package: a graph of at most 32 MiB, its manifest and signature."""
MODEL_PIECE_BYTES_MAX: Final = 32 * KIB
"""What an acknowledgement that comes due may have to wait behind on the line."""
MODEL_OFFERS_MAX: Final = 64
MODEL_WITHDRAWN_MAX: Final = 1024
MODEL_REPORTS_MAX: Final = 64
"""Models in one report."""
MODEL_REASON_BYTES_MAX: Final = 512

# --- numbers --------------------------------------------------------------------------------
INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1
SEQ_MAX: Final = INT64_MAX
"""SQLite's and Parquet's integers are signed: no epoch, seq or offset passes this."""
DECIMALS_MAX: Final = 9
"""Decimal places the value column looks for."""

_MESSAGE_FRAME = 256
_CHUNK_RUN_BYTES = 12 + 5 + 5 + 4
_HEADER_FIXED_BYTES = 512
_ERASED_ENTRY_BYTES = 1 + 3 + 3 + 32

assert PROTOCOL_MIN <= PROTOCOL_MAX
assert BLOCK_BYTES_TARGET <= BLOCK_BYTES_MAX <= WINDOW_BYTES_DEFAULT <= WINDOW_BYTES_MAX
assert BLOCK_READ_BYTES_MAX + _MESSAGE_FRAME <= MESSAGE_BYTES_MAX
assert DECLARE_BYTES_MAX + 8 * DECLARE_ENTRIES_MAX + _MESSAGE_FRAME <= MESSAGE_BYTES_MAX
assert ENTRY_BYTES_MAX <= DECLARE_BYTES_MAX <= SERIES_BYTES_MAX
assert _ERASED_ENTRY_BYTES * SERIES_MAX <= SERIES_BYTES_MAX, "any table can be declared once erased"
assert 2 * LABELS_MAX * (NAME_BYTES_MAX + 2) + 4 * NAME_BYTES_MAX <= ENTRY_BYTES_MAX
assert STORED_CHUNKS_MAX * _CHUNK_RUN_BYTES + _MESSAGE_FRAME <= MESSAGE_BYTES_MAX
assert _HEADER_FIXED_BYTES + CHUNK_RUNS_MAX * _CHUNK_RUN_BYTES <= HEADER_BYTES_MAX
assert MODEL_PIECE_BYTES_MAX + MODEL_REASON_BYTES_MAX + _MESSAGE_FRAME <= BLOCK_BYTES_TARGET
assert MODEL_REPORTS_MAX * (MODEL_REASON_BYTES_MAX + 3 * _MESSAGE_FRAME) <= MESSAGE_BYTES_MAX
assert MODEL_OFFERS_MAX * 2 * _MESSAGE_FRAME + MODEL_WITHDRAWN_MAX * 10 <= MESSAGE_BYTES_MAX
assert CHUNK_ROWS_MAX <= BLOCK_DEVICES_MAX <= BLOCK_ROWS_MAX
assert 2 * CHUNK_BYTES_MAX + HEADER_BYTES_MAX + CHUNK_ROWS_MAX * 8 <= BLOCK_BYTES_MAX
assert BLOCK_ROWS_MAX * 100 <= PLAIN_BYTES_MAX, "the widest row without its strings fits"
assert CHUNK_ROWS_MAX * TEXT_BYTES_MAX <= TEXTS_EXPANDED_BYTES_MAX, "any chunk is readable"
assert BLOCK_ROWS_MAX * MODEL_BYTES_MAX <= TEXTS_EXPANDED_BYTES_MAX
assert 6 * PLAIN_BYTES_MAX + TEXTS_EXPANDED_BYTES_MAX <= BLOCK_MEMORY_MAX
assert TEXT_BYTES_MAX <= PLAIN_BYTES_MAX
"""One row always fits a body; a batch that does not is split by its maker."""
