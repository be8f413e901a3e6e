"""After a restore a service goes on counting where the audit log heard it last: no number is given out twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient

Client = MongoClient[dict[str, Any]]
AUDIT = "kindred_audit"


@dataclass(frozen=True)
class Counted:
    """`restored` is the last number of the backup, `heard` the last one that the log has."""

    producer: str
    restored: int
    heard: int

    @property
    def vanished(self) -> int:
        """How many events the log has that the service no longer knows; `kindred audit fsck` names each."""
        return max(0, self.heard - self.restored)


def go_on(client: Client, producers: Sequence[str], audit: str = AUDIT) -> list[Counted]:
    """Each producer's next number is above every number the log has of it; nothing else changes."""
    return [_go_on(client, name, audit) for name in producers]


def _go_on(client: Client, producer: str, audit: str) -> Counted:
    numbers = client[f"kindred_{producer}"]["outbox_numbers"]
    restored = (numbers.find_one({"_id": producer}) or {}).get("seq", 0)
    newest = client[audit]["rows"].find_one(
        {"producer": producer}, {"producer_seq": 1}, sort=[("producer_seq", -1)]
    )
    counted = Counted(producer, restored, newest["producer_seq"] if newest else 0)
    if counted.vanished:
        numbers.update_one({"_id": producer}, {"$max": {"seq": counted.heard}}, upsert=True)
    return counted
