"""Payload conventions: one pure file each."""
