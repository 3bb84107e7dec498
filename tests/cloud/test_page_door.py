"""The page's door: what an answer must not wait for."""

import socket

from cloud.serve.page_door import listen


def test_an_answer_in_two_parts_does_not_wait_for_the_first_to_be_acknowledged():
    door = listen("127.0.0.1:0")
    with door, socket.create_connection(door.getsockname()), door.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
