"""Collects what the demonstration saw: over public APIs, and from the far sides' own folders."""

import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cli.demo import promises
from cli.demo.cast import Cast, Played
from cli.demo.promises import Seen
from cli.demo.roster import Row
from cli.local.place import Place
from cli.local.ports import SERVICES
from cli.reach import Reach

RPC_S = 10.0
PAGE = 200


@dataclass
class Gatherer:
    """Looks at everything again each time it is asked to."""

    reach: Reach
    place: Place
    began: datetime
    roster: dict[str, Row]
    played: list[Played]
    cast: Cast
    denied_code: str = field(default="")

    def read_tasks(self) -> None:
        """A nurse reads every Task; then a specialist tries to, and must be denied."""
        acknowledged = [one for one in self.played if one.referral_id]
        for one in acknowledged:
            self.cast.read_task(one)
        if acknowledged:
            self.denied_code = self._denied(acknowledged[0].referral_id)

    def look(self, audit: dict[str, Any]) -> Seen:
        """Everything as it stands now."""
        acknowledged = [one for one in self.played if one.referral_id]
        self.cast.refresh(acknowledged)
        with ThreadPoolExecutor(4) as pool:
            notices = list(pool.map(lambda one: self._notices(one.referral_id), acknowledged))
        entries = self._entries()
        ids = [one.referral_id for one in acknowledged]
        return Seen(
            run=self.cast.run_mark,
            played=self.played,
            roster=self.roster,
            entries={name: [entry for entry in entries if entry.referral_id == name] for name in ids},
            notices=dict(zip(ids, notices, strict=True)),
            mails=promises.read_mails(self.place.mail, self.began),
            logs="".join(path.read_text(errors="replace") for path in sorted(self.place.log.glob("*.log"))),
            database_dump=self._dump(),
            audit=audit,
            denied_read_code=self.denied_code,
            denied_entries=sum(
                entry.event_type == "access.denied.v1" and entry.actor_id == "demo-curious"
                for entry in entries
            ),
            rejected_entries=[entry for entry in entries if entry.event_type == "submission.rejected.v1"],
        )

    def _entries(self) -> list[Any]:
        """Every entry recorded since the play began: one search, so that looking adds little to what is looked at."""
        from kindred.audit.v1 import audit_pb2

        asked = audit_pb2.SearchEntriesRequest(limit=PAGE)
        asked.recorded_from.FromDatetime(self.began)
        metadata = self.reach.metadata("compliance", "demo-compliance", "kindred", purpose="HCOMPL")
        found: list[Any] = []
        while True:
            answer = self.reach.audit().SearchEntries(asked, timeout=RPC_S, metadata=metadata)
            found += answer.entries
            asked.page_token = answer.next_page_token
            if not asked.page_token:
                return found

    def _notices(self, referral_id: str) -> list[Any]:
        from kindred.notifications.v1 import notifications_pb2

        asked = notifications_pb2.ListNoticesRequest(referral_id=referral_id)
        metadata = self.reach.metadata("coordinator", "demo-coordinator", purpose="COC")
        answer = self.reach.notifications().ListNotices(asked, timeout=RPC_S, metadata=metadata)
        return list(answer.notices)

    def _denied(self, referral_id: str) -> str:
        """How a specialist is refused who asks intake who the person is; "" if they were let in."""
        url = f"http://{self.reach.http_address('intake')}/fhir/Task/{referral_id}"
        token = self.reach.token("specialist", "demo-curious", "lantern-road")
        headers = {"Authorization": f"Bearer {token}", "X-Purpose-Of-Use": "TREAT"}
        try:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=RPC_S)
        except urllib.error.HTTPError as refused:
            return f"HTTP {refused.code}"
        return ""

    def _dump(self) -> bytes:
        """The stored bytes of every document of the four services, as the database hands them out."""
        from bson.raw_bson import RawBSONDocument
        from pymongo import MongoClient

        known = self.reach.known
        if known is None:
            return b""
        client: MongoClient[RawBSONDocument] = MongoClient(known.mongo_uri, document_class=RawBSONDocument)
        try:
            names = [name for name in client.list_database_names() if name.startswith("kindred")]
            return b"".join(
                document.raw
                for name in names
                for collection in client[name].list_collection_names(filter={"type": "collection"})
                if not collection.startswith("system.")
                for document in client[name][collection].find()
            )
        finally:
            client.close()


def waiting_in_inboxes(reach: Reach) -> int:
    """How many messages the broker holds for the four services; 0 where its address is not known."""
    from kombu import Connection

    if reach.known is None:
        return 0
    with Connection(reach.known.amqp_uri) as connection:
        channel = connection.channel()
        depths = [channel.queue_declare(f"{name}.inbox", passive=True).message_count for name in SERVICES]
    return sum(depths)


def known_contacts(reach: Reach) -> int:
    """Of how many people notifications knows how they are reached; a queue with nothing ready may still be in hands."""
    from pymongo import MongoClient

    if reach.known is None:
        return 0
    client: MongoClient[dict[str, Any]] = MongoClient(reach.known.mongo_uri)
    try:
        return client["kindred_notifications"]["contacts"].count_documents({})
    finally:
        client.close()
