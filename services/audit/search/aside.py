"""Doing one thing while another waits for the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")

# As many as a door answers at once: whoever comes later waits for one of them.
_THREADS = ThreadPoolExecutor(32, "aside")


@contextmanager
def aside(work: Callable[[], T]) -> Iterator[Future[T]]:
    """`work` is done beside the block and is over when the block is left; raises what `work` raised.

    It must not put further work aside: a full house of such would wait for itself.

    Whatever the block returns MUST wait for the end of this: an answer leaves when what notes it is durable.
    """
    doing = _THREADS.submit(copy_context().run, work)
    try:
        yield doing
    finally:
        doing.result()
