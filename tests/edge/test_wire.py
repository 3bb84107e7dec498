"""Bytes on the wire, counted at sockets that somebody else made."""

import socket
from collections.abc import Iterator

import pytest

from edge.wire import Carried, Wire, carried_of


@pytest.fixture
def cloud() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def test_each_byte_is_counted_with_the_headers_of_its_packets(cloud: socket.socket) -> None:
    wire, port = Wire(), port_of(cloud)
    with socket.create_connection(("127.0.0.1", port)) as ours:
        theirs, _ = cloud.accept()
        with theirs:
            ours.sendall(b"x" * 10_000)
            got = 0
            while got < 10_000:
                got += len(theirs.recv(65_536))
            theirs.sendall(b"y" * 77)
            assert len(ours.recv(77, socket.MSG_WAITALL)) == 77
            seen = wire.look([port])
    assert 10_000 + 3 * 52 <= seen.sent <= 10_000 + 30 * 52
    assert 77 + 2 * 52 <= seen.received <= 77 + 30 * 52


def test_what_a_closed_connection_carried_stays_counted_and_the_next_is_added(
    cloud: socket.socket,
) -> None:
    wire, port = Wire(), port_of(cloud)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as ours:
            theirs, _ = cloud.accept()
            with theirs:
                ours.sendall(b"z" * 1000)
                theirs.recv(1000, socket.MSG_WAITALL)
                wire.look([port])
    assert 3000 <= wire.look([port]).sent <= 3000 + 3 * 10 * 52


def test_other_ports_and_files_do_not_count(cloud: socket.socket) -> None:
    wire = Wire()
    with socket.create_connection(("127.0.0.1", port_of(cloud))) as ours:
        ours.sendall(b"x" * 5000)
        assert wire.look([1]) == Carried()


def test_ipv4_through_a_socket_of_ipv6_has_the_headers_of_ipv4(cloud: socket.socket) -> None:
    wire, port = Wire(), port_of(cloud)
    with socket.create_connection(("127.0.0.1", port)):
        plain = wire.look([port]).sent
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as ours:
        ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            ours.connect(("::ffff:127.0.0.1", port))
        except OSError:
            pytest.skip("this machine has no IPv6")
        assert wire.look([port]).sent == 2 * plain


def test_looking_leaves_the_connection_as_it_was(cloud: socket.socket) -> None:
    wire, port = Wire(), port_of(cloud)
    with socket.create_connection(("127.0.0.1", port)) as ours:
        theirs, _ = cloud.accept()
        with theirs:
            ours.setblocking(False)
            wire.look([port])
            with pytest.raises(BlockingIOError):
                ours.recv(1)
            theirs.sendall(b"still there")
            ours.setblocking(True)
            assert ours.recv(11, socket.MSG_WAITALL) == b"still there"


def test_a_kernel_that_is_too_old_says_nothing() -> None:
    assert carried_of(bytes(104), 52) is None
