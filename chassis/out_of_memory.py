"""A process that gets no more memory ends itself, and whoever looks after the processes starts the next one.

Otherwise half of it goes on: nobody misses a thread that could not be started, an event whose listener had no room is
parked as one that our code cannot handle, and callers are told of a bug where trying again would do.  What is in hand
is as after a kill, which loses nothing.
"""

from __future__ import annotations

import errno
import os
import posix
from collections.abc import Callable, Iterator

EXIT_CODE = 71
# What CPython says where the system gives a thread no stack; it has no type of its own.
_NO_THREAD = "can't start new thread"
_LINE = b'{"event": "process.out-of-memory", "level": "critical"}\n'


def is_meant(error: BaseException) -> bool:
    """True where the error, or what it came of, is that there was no memory."""
    return any(_is_lack(one) for one in _chain(error))


def end_if_meant(error: BaseException, end: Callable[[int], None] = os._exit) -> None:
    """The process is gone with `EXIT_CODE`, and its last line says why; returns where the error means something else."""
    if isinstance(error, MemoryError) or is_meant(error):  # to ask further takes memory itself
        posix.write(2, _LINE)  # os.write is eventlet's in a worker, and waits, which its hub must not
        end(EXIT_CODE)


def _is_lack(error: BaseException) -> bool:
    if isinstance(error, RuntimeError):
        return _NO_THREAD in error.args
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    left: BaseException | None = error
    while left is not None and id(left) not in seen:
        seen.add(id(left))
        yield left
        left = left.__cause__ or left.__context__
