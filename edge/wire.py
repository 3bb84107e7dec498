"""What the lines to the cloud carried, counted at their sockets: TLS, HTTP/2 and repeats included.

gRPC keeps its sockets to itself, but they are files of this process: those whose other end has the
port of the cloud (or of a proxy before it) are asked for TCP_INFO, which counts each byte that
TCP sent and each packet. A packet's own headers are added, so the sum is what a SIM is charged for,
but for the last packets of a connection and those below IP. Linux alone.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FOLDER: Final = Path("/proc/self/fd")
_TCP_HEADER: Final = 32
"""With its usual option, the time stamps."""
_IP_HEADER: Final = {socket.AF_INET: 20, socket.AF_INET6: 40}
_MAPPED: Final = "::ffff:"
_INFO: Final = struct.Struct("=8B24I4Q6I4Q2IQ")
"""struct tcp_info of <linux/tcp.h> up to tcpi_bytes_sent (Linux 4.19)."""
_RECEIVED, _SEGMENTS_OUT, _SEGMENTS_IN, _SENT = 35, 36, 37, 48
"""Places of tcpi_bytes_received, tcpi_segs_out, tcpi_segs_in and tcpi_bytes_sent in it."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Bytes on the wire by direction, headers of TCP and IP included."""

    sent: int = 0
    received: int = 0

    def __add__(self, other: "Carried") -> "Carried":
        return Carried(self.sent + other.sent, self.received + other.received)

    def __sub__(self, other: "Carried") -> "Carried":
        return Carried(self.sent - other.sent, self.received - other.received)


class Wire:
    """Counts what goes to and comes from some TCP ports; for one thread at a time."""

    def __init__(self) -> None:
        self._open: dict[int, Carried] = {}
        self._closed = Carried()

    def look(self, ports: Collection[int]) -> Carried:
        """All that was carried to ``ports`` and to those of earlier looks, as of now.

        To be called every second or so: what a connection carried between the last look at it and
        its end is not known.
        """
        seen = dict(self._seen(ports))
        for inode in self._open.keys() - seen.keys():
            self._closed += self._open.pop(inode)
        self._open.update(seen)
        return sum(self._open.values(), self._closed)

    def _seen(self, ports: Collection[int]) -> list[tuple[int, Carried]]:
        found: list[tuple[int, Carried]] = []
        with contextlib.suppress(OSError):
            asked = (_asked(int(name), ports) for name in os.listdir(_FOLDER))
            found = [one for one in asked if one is not None]
        return found


def _asked(number: int, ports: Collection[int]) -> tuple[int, Carried] | None:
    """Inode and figures of a file that is a connection to ``ports``; None when it is none."""
    try:
        if not os.readlink(_FOLDER / str(number)).startswith("socket:"):
            return None
        copy = os.dup(number)  # our own, should its owner close it meanwhile
    except OSError:
        return None
    with contextlib.suppress(OSError), socket.socket(fileno=copy) as line:
        if line.family not in _IP_HEADER or line.type != socket.SOCK_STREAM:
            return None
        host, peer, *_ = line.getpeername()
        if peer not in ports:
            return None
        # gRPC speaks IPv4 through sockets of IPv6.
        header = _IP_HEADER[socket.AF_INET if host.startswith(_MAPPED) else line.family]
        told = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        carried = carried_of(told, header + _TCP_HEADER)
        return None if carried is None else (os.fstat(copy).st_ino, carried)
    return None


def carried_of(told: bytes, header: int) -> Carried | None:
    """What a struct tcp_info says; None when the kernel is too old to say it."""
    if len(told) < _INFO.size:
        return None
    figures = _INFO.unpack(told)
    return Carried(
        sent=figures[_SENT] + header * figures[_SEGMENTS_OUT],
        received=figures[_RECEIVED] + header * figures[_SEGMENTS_IN],
    )
