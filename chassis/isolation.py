"""grpc and eventlet never share a process (RELIABILITY, finding 2 and F-38): asserted while it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

GREEN = frozenset({"eventlet", "nameko"})
GRPC = frozenset({"grpc"})


class ForbiddenImport(ImportError):  # noqa: N818
    """Two libraries that kill each other were about to meet in one process."""


class _Guard(MetaPathFinder):
    def __init__(self, forbidden: frozenset[str], role: str) -> None:
        self.forbidden = forbidden
        self.role = role

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.forbidden:
            raise ForbiddenImport(f"{fullname} must not be imported in {self.role}")
        return None


def forbid_grpc() -> None:
    """From here on importing grpc raises; raises at once where it is already here. For worker processes."""
    _forbid(GRPC, "a worker process")


def forbid_eventlet() -> None:
    """From here on importing eventlet or nameko raises; raises at once where one is here. For api and relay."""
    _forbid(GREEN, "an api or relay process")


def _forbid(forbidden: frozenset[str], role: str) -> None:
    here = sorted(forbidden & sys.modules.keys())
    if here:
        raise ForbiddenImport(f"{', '.join(here)} must not be imported in {role}, and is")
    sys.meta_path.insert(0, _Guard(forbidden, role))
