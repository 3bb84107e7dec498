"""A child's end of its parent: when that is gone, so is the child."""

import os
import select
import socket


def end_with(parent: socket.socket) -> None:
    """End this process when the other side of the socket is gone, in whatever it does."""
    gone = select.poll()
    gone.register(parent.fileno(), 0)  # what is said is no concern here, only that nobody is there
    gone.poll()
    os._exit(0)
