"""A leaf of the root log: which log had which root at which size, and what happened to it then."""

from __future__ import annotations

import base64
from datetime import datetime

from services.audit.domain.entry import Head
from services.audit.domain.leaf import timestamp

ROOT_LEAF = "kindred-audit-root/1"


def root_leaf(kind: str, origin: str, head: Head, at: datetime) -> bytes:
    """Six lines: version, kind, the log's origin, size, root in base64, time."""
    root = base64.b64encode(head.root).decode()
    return f"{ROOT_LEAF}\n{kind}\n{origin}\n{head.size}\n{root}\n{timestamp(at)}\n".encode()


def read_root_leaf(leaf: bytes) -> tuple[str, str, int, bytes] | None:
    """Kind, origin, size and root of a leaf of the root log; None where it is none."""
    try:
        version, kind, origin, size, root, _, empty = leaf.decode().split("\n")
        return (
            (kind, origin, int(size), base64.b64decode(root)) if (version, empty) == (ROOT_LEAF, "") else None
        )
    except ValueError:
        return None
