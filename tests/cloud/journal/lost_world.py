"""A home whose journal is lost or set back, and a gateway that sends again what it keeps."""

import shutil
from pathlib import Path

from cloud.verify.whole import Verdict, verify
from protos import sync_pb2 as pb
from protos.block import read_block
from protos.series import EMPTY_ROOT
from tests.cloud.verify_world import Home
from tests.contract.sender import WAIT_S, WINDOW_BYTES, Sender


def verdict(home: Home) -> Verdict:
    return verify(home.root / "journal", home.root / "lake")


def check_whole(home: Home) -> str:
    found = verdict(home)
    assert found.is_whole, found.faults
    return found.line()


def lose_journal(home: Home) -> None:
    home.stop()
    shutil.rmtree(home.root / "journal")
    home.start()


def set_back_journal(home: Home, copy: Path) -> None:
    home.stop()
    shutil.rmtree(home.root / "journal")
    shutil.copytree(copy, home.root / "journal")
    home.start()


def copied(home: Home, to: Path) -> Path:
    home.stop()
    shutil.copytree(home.root / "journal", to)
    home.start()
    for sender in home.senders.values():
        sender.hello()
    return to


def send_again(home: Home, sender: Sender, generation: int, kept_from: int = 1) -> int:
    """What a gateway does that keeps its blocks from one seq on: readings sent again."""
    kept = [read_block(block.data)[2] for block in sender.blocks]
    hello = pb.Hello(
        protocol_min=1, protocol_max=1, gateway=sender.name, epoch=sender.epoch,
        head=len(sender.blocks), head_hash=sender.blocks[-1].hash, oldest_kept=kept_from,
        boot_id=sender.boot_id, generation=generation, series_high=len(sender.series),
        series_root=sender.root,
    )  # fmt: skip
    replies = home.journal.hello(sender.name, hello, WINDOW_BYTES).result(WAIT_S).replies
    (resume,) = (one.resume for one in replies if one.HasField("resume"))
    (grant,) = (one.epoch_grant for one in replies if one.HasField("epoch_grant"))
    assert resume.generation == home.journal.generation > generation
    assert grant.epoch > sender.epoch
    above = grant.previous_stored if grant.stored_epoch == sender.epoch else 0
    sender.session, sender.epoch = grant.session, grant.epoch
    sender.blocks, sender.series, sender.root = [], [], EMPTY_ROOT
    sender.declare(2)
    again = kept[max(above, kept_from - 1) :]
    for batch in again:
        sender.send(batch=batch)
    return len(again)
