"""Looking into the store for a page that stays open (server-sent events), long after its request's time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

import pymongo

from chassis import policy

T = TypeVar("T")
_STORE_S = 8.0


async def in_store(ask: Callable[[], T]) -> T:
    """What `ask` finds, in a thread of its own context: the request's time limit is not the page's, its door is.

    Raises what `ask` raises, and PyMongoError after 8 seconds.
    """

    door = policy.served()

    def bounded() -> T:
        with (
            pymongo.timeout(_STORE_S),
            policy.being_served(door.policy, door.name) if door else nullcontext(),
        ):
            return ask()

    return await asyncio.get_running_loop().run_in_executor(None, bounded)
