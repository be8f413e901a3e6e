"""What runs a worker: the nameko host, or the plain-thread host with the same three ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pymongo.database import Database

from chassis.at_rest import AtRest
from chassis.clock import Clock
from chassis.receiving import Receiver
from chassis.retries import RetryPolicy
from chassis.settings import ProcessSettings

KINDS = ("nameko", "threads")
DEFAULT_SLOTS = 8


class Host(Protocol):
    """Runs one worker until it is stopped."""

    def start(self) -> None:
        """Returns at once; the broker is looked for in the background, again and again."""

    def missing(self) -> str:
        """What keeps the worker from hearing, in a word; "" where nothing does."""

    def stop(self, grace_s: float = 20.0) -> None:
        """Nothing new is started, what runs may end within the grace; returns also with the broker frozen."""


@dataclass(frozen=True)
class Hosting:
    """What every host needs."""

    receiver: Receiver
    amqp_uri: str
    slots: int = DEFAULT_SLOTS
    declares_topology: bool = True


def hosting(
    worker: Any,
    settings: ProcessSettings,
    database: Database[dict[str, Any]],
    clock: Clock,
    *,
    policy: RetryPolicy | None = None,
    slots: int = DEFAULT_SLOTS,
) -> Hosting:
    """The parts of a host for `worker`; reads its key, connects to nothing."""
    cipher = AtRest.from_dir(settings.keys_dir, worker.name)
    receiver = Receiver(worker, database=database, clock=clock, cipher=cipher, policy=policy)
    return Hosting(receiver, settings.amqp_uri, slots, settings.declares_topology)


def open_host(
    worker: Any,
    settings: ProcessSettings,
    database: Database[dict[str, Any]],
    clock: Clock,
    *,
    policy: RetryPolicy | None = None,
    slots: int = DEFAULT_SLOTS,
) -> Host:
    """The host that the setting `worker_host` names, not started yet; raises ValueError for an unknown one."""
    parts = hosting(worker, settings, database, clock, policy=policy, slots=slots)
    if settings.worker_host == "nameko":
        from chassis.hosts.nameko_host import NamekoHost

        return NamekoHost(parts)
    if settings.worker_host == "threads":
        from chassis.hosts.thread_host import ThreadHost

        return ThreadHost(parts)
    raise ValueError(f"KINDRED_WORKER_HOST must be one of {', '.join(KINDS)}")
