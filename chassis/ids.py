"""Ids that sort by time and say nothing about anybody."""

from __future__ import annotations

import secrets
import time


def new_id(prefix: str) -> str:
    """A new id such as "ref_0192f3...": the prefix and a UUIDv7 (RFC 9562) in hexadecimal."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return f"{prefix}_{value:032x}"
