"""Payload conventions: one pure file each.

A convention is a file with a `CONVENTION` (`edge.payload.offer.Convention`): its `read` returns
what a message says, None when it is not of its kind, and raises `Unreadable` when it is but cannot
be read. The folder itself is the list (`edge.payload.registry`), `edge.recognition` asks them, and
what each message means stands in `tests/edge/vectors`. `docs/guide/devices.md` tells how to add
one.
"""
