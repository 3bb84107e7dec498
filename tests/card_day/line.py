"""The line to the cloud, counted packet by packet as the kernel hands them to the network.

A raw socket sees each packet of loopback with its own headers: another way to the same figure than
the one of the product, which asks TCP.
"""

import socket
import struct
import threading
from typing import Final

_ALL: Final = 0x0003
_OUTGOING: Final = 4
_IPV4, _TCP = 4, 6
_HEAD_BYTES: Final = 128


class Line:
    """Counts bytes of IP to and from a port of this machine, from its making on.

    ``sent`` and ``received`` as the gateway sees it. PermissionError where it is not allowed.
    """

    def __init__(self, port: int) -> None:
        self.sent = self.received = 0
        self._port = port
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="line", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Count no more."""
        self._stopped.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                packet, place = self._socket.recvfrom(_HEAD_BYTES)
            except TimeoutError:
                continue
            if place[2] == _OUTGOING:
                self._count(packet[14:])

    def _count(self, packet: bytes) -> None:
        if len(packet) < 40 or packet[0] >> 4 != _IPV4 or packet[9] != _TCP:
            return
        (size,) = struct.unpack_from(">H", packet, 2)
        at = 4 * (packet[0] & 15)
        from_port, to_port = struct.unpack_from(">HH", packet, at)
        if to_port == self._port:
            self.sent += size
        elif from_port == self._port:
            self.received += size
