"""What a journal must have counted: every block it stored is decoded and its rows are added up."""

from collections.abc import Sequence
from dataclasses import astuple

from cloud.journal.contract import Journal
from protos.block import read_block
from protos.records import Kind

Stored = tuple[str, int, int]
"""gateway, epoch, readings of one block; a list of them is in the order of their offsets."""
Sums = dict[tuple[str, int], tuple[int, int, int, int]]
"""Blocks, readings, archived blocks, archived readings by gateway and epoch."""


def stored(data: bytes) -> Stored:
    """One block, its readings counted by decoding its body."""
    header, _, batch = read_block(data)
    readings = batch.count(Kind.NUMBERS) + batch.count(Kind.TEXTS)
    return header.gateway, header.epoch, readings


def recount(blocks: Sequence[Stored], archived: int) -> Sums:
    """The sums over `blocks`, the first `archived` of which are in the lake."""
    sums: Sums = {}
    for offset, (gateway, epoch, readings) in enumerate(blocks, 1):
        a, b, c, d = sums.get((gateway, epoch), (0, 0, 0, 0))
        behind = offset <= archived
        more = (a + 1, b + readings, c + behind, d + readings * behind)
        sums[gateway, epoch] = more
    return sums


def said(journal: Journal) -> Sums:
    """What the journal says, in the same shape."""
    return {
        (gateway, epoch): astuple(counts)
        for gateway, tally in journal.counts().items()
        for epoch, counts in tally.epochs.items()
    }
