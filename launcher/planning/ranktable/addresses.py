"""Addresses as tables write them."""

from __future__ import annotations

import ipaddress
from typing import Any


def split_ips(value: Any) -> tuple[str, ...]:
    """The addresses of a device: a text may hold several, with commas between them and one at the end."""
    return tuple(value.removesuffix(",").split(",")) if isinstance(value, str) and value else ()


def parse_ip(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address without a zone; None when the text is none."""
    try:
        return None if "%" in value else ipaddress.ip_address(value)
    except ValueError:
        return None


def same_ip(value: str | None) -> str | None:
    """One spelling for all spellings of an address, to compare by; a text that is none stays as it is."""
    address = parse_ip(value) if value else None
    return str(address) if address is not None else value
