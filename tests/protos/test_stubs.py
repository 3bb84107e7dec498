"""Committed stubs are what their .proto makes, and speak to gRPC's own clients."""

from pathlib import Path

import pytest

from protos import generate, health_pb2, limits, sync_pb2


def test_committed_stubs_are_what_the_pinned_generator_makes() -> None:
    assert generate.stale_stubs() == []


def test_a_stub_that_was_edited_by_hand_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in [*generate.SOURCES, *generate.stub_names()]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((generate.ROOT / name).read_bytes())
    with (tmp_path / "protos/sync_pb2.pyi").open("a") as stub:
        stub.write("# by hand\n")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "protos/sync_pb2.pyi is not what" in capsys.readouterr().out


def test_another_generator_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generate, "GENERATOR_VERSION", "0.0.1")
    with pytest.raises(RuntimeError, match=r"stubs need grpcio-tools 0\.0\.1"):
        generate.generate(tmp_path)


def test_health_has_the_names_and_numbers_of_grpc() -> None:
    file = health_pb2.DESCRIPTOR
    assert file.services_by_name["Health"].full_name == "grpc.health.v1.Health"
    assert health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING) == (
        health_pb2.HealthCheckResponse.FromString(b"\x08\x01")
    )


def test_the_largest_messages_fit_the_configured_maximum() -> None:
    big = (1 << 64) - 1
    block = sync_pb2.BlockData(
        session=big, epoch=big, seq=big, data=bytes(limits.BLOCK_READ_BYTES_MAX)
    )
    entries = [bytes(limits.DECLARE_BYTES_MAX // limits.DECLARE_ENTRIES_MAX)]
    declare = sync_pb2.Declare(
        session=big, epoch=big, first=big, entries=entries * limits.DECLARE_ENTRIES_MAX
    )
    run = sync_pb2.ChunkRun(prefix=bytes(12), first=(1 << 32) - 1, count=(1 << 32) - 1)
    grant = sync_pb2.EpochGrant(
        session=big, epoch=big, stored_chunks=[run] * limits.STORED_CHUNKS_MAX
    )
    for message in (
        sync_pb2.GatewayMessage(block=block),
        sync_pb2.GatewayMessage(declare=declare),
        sync_pb2.CloudMessage(epoch_grant=grant),
    ):
        assert message.ByteSize() <= limits.MESSAGE_BYTES_MAX
