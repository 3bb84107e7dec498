"""Payload conventions: one pure file each.

A convention is a file with `read(topic, payload, limits)`: it returns what the message says, None
when the message is not of its kind, and raises `Unreadable` when it is but cannot be read. The
order in which conventions are asked stands in `edge.reading`.
"""
