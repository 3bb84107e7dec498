"""The address of a channel: what it is made of, and what is wrong with it."""

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

_PORTS: Final = {"https": 443, "http": 80, "smtps": 465, "smtp": 587}


def address_problem(url: str, schemes: Sequence[str], *, starttls: bool) -> tuple[str, str] | None:
    """Why a channel cannot have this address, and the way out; None when it can."""
    hint = f"write {schemes[0]}://HOST, as in {schemes[0]}://example.org:{_PORTS[schemes[0]]}"
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        return f"{url[:60]!r} is no address", hint
    if not url.isascii() or not url.isprintable() or " " in url:
        return f"{url[:60]!r} has characters that no address has", hint
    if split.scheme not in schemes:
        return f"{url[:60]!r} is not of {' or '.join(schemes)}", hint
    if not split.hostname or port == 0:
        return f"{url[:60]!r} names no host", hint
    if split.username is not None or split.password is not None:
        return "a password does not belong into the settings", "put it into secret_file"
    if split.scheme.startswith("smtp") and (split.path not in ("", "/") or split.query):
        return "a mail server has no path", hint
    is_plain = split.scheme == "http" or (split.scheme == "smtp" and not starttls)
    if is_plain and not is_here(split.hostname):
        safe = "https" if split.scheme == "http" else "starttls = true, or smtps"
        return f"{split.hostname} is another machine, and this is not encrypted", f"use {safe}"
    return None


def port_of(split: SplitResult) -> int:
    """The port of an address, by its scheme where it names none."""
    return split.port or _PORTS[split.scheme]


def is_here(host: str) -> bool:
    """Whether a host is this machine's loopback, by name or number."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
