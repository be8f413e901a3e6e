"""A real matching room on a real mongod with a turned clock, and a roster to put into it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo.database import Database

from chassis import catalog
from chassis.clock import TurnedClock
from chassis.envelope import Cause
from chassis.identity import Caller
from chassis.settings import read
from cli.local import keys
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1 import events_pb2
from kindred.matching.v1 import events_pb2 as said_pb2
from services.matching import bootstrap, codec, handlers
from services.matching.bootstrap import Room
from services.matching.domain.case import Case
from services.matching.importing import Progress, RosterImport
from services.matching.roster_file import RosterFile
from services.matching.settings import Settings

SYSTEM = Caller("system:test", "system", "", "TREAT")
CAUSE = Cause("req_test")
GOOD_ROW = {
    "specialist_id": "rosa",
    "role": "specialist",
    "programme_id": "bronx-peers",
    "email": "rosa@specialists.kindred.example",
    "languages": "en:fluent;es:native",
    "attributes": "substance.opioids:released;overdose:released",
    "certifications": "NY/any/any/2026-01-01/2026-12-31",
    "modalities": "bedside;phone;video",
    "zip": "10467",
    "radius_miles": "30",
    "shifts": "always",
    "time_zone": "America/New_York",
    "capacity": "3",
}
EVENTS = {
    f"{noun}.{verb}.v1": getattr(said_pb2, name)
    for noun, verb, name in (
        ("specialist", "changed", "SpecialistChanged"),
        ("certification", "expiring", "CertificationExpiring"),
        ("offer", "made", "OfferMade"),
        ("offer", "accepted", "OfferAccepted"),
        ("offer", "declined", "OfferDeclined"),
        ("offer", "expired", "OfferExpired"),
        ("offer", "withdrawn", "OfferWithdrawn"),
        ("referral", "escalated", "ReferralEscalated"),
        ("assignment", "ended", "AssignmentEnded"),
        ("case", "closed", "CaseClosed"),
        ("case", "completed", "CaseCompleted"),
        ("handoff", "recorded", "HandoffRecorded"),
        ("checkin", "due", "CheckinDue"),
        ("checkin", "recorded", "CheckinRecorded"),
        ("checkin", "missed", "CheckinMissed"),
        ("specialist", "enrolled", "SpecialistEnrolled"),
        ("assignment", "chosen", "AssignmentChosen"),
        ("arrival", "updated", "ArrivalUpdated"),
        ("arrival", "overdue", "ArrivalOverdue"),
        ("rematch", "requested", "RematchRequested"),
        ("case", "moved", "CaseMoved"),
        ("ladder", "changed", "LadderChanged"),
    )
}


@contextmanager
def a_room(
    mongo_uri: str, database: Database[dict[str, Any]], clock: TurnedClock, folder: Path, **environ: str
) -> Iterator[Room]:
    """A prepared room with keys of its own; its client is closed afterwards."""
    settings = read(
        Settings,
        {
            "KINDRED_MONGO_URI": mongo_uri,
            "KINDRED_MONGO_DATABASE": database.name,
            "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/",
            "KINDRED_KEYS_DIR": str(keys.create(folder)),
            **environ,
        },
    )
    room = bootstrap.build_room(settings, clock)
    bootstrap.prepare(room)
    yield room
    room.database.client.close()


def existing_room(mongo_uri: str, database: str, keys_dir: Path, at: str) -> Room:
    """Another worker's room on the same database and keys, its clock standing at this moment."""
    environ = {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": database,
        "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/",
        "KINDRED_KEYS_DIR": str(keys_dir),
    }
    return bootstrap.build_room(read(Settings, environ), TurnedClock(datetime.fromisoformat(at)))


def a_row(specialist_id: str = "rosa", **columns: str) -> dict[str, str]:
    """Rosa's row with another id and what else is changed."""
    return {**GOOD_ROW, "specialist_id": specialist_id, **columns}


def enroll(
    room: Room, rows: Sequence[dict[str, str]], caller: Caller = SYSTEM, cause: Cause = CAUSE
) -> Progress:
    """The rows are imported as JSON lines; the last progress with every fault."""
    file, taking = RosterFile("jsonl"), RosterImport(room, caller, cause)
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    told = [*taking.take(file.feed(lines)), *taking.take(file.finish()), taking.flush()]
    return Progress(
        told[-1].rows_read,
        told[-1].rows_stored,
        told[-1].rows_unchanged,
        tuple(f for p in told for f in p.faults),
    )


def a_submission(referral_id: str = "ref_1", **fields: Any) -> events_pb2.ReferralSubmitted:
    """An immediate referral from a Bronx emergency room, as intake says it."""
    facts: dict[str, Any] = {
        "provenance": Provenance(actor_id="nurse-17", actor_role="nurse", peer_id=f"peer_{referral_id}"),
        "referral_id": referral_id,
        "source_id": "st-brigid",
        "urgency": events_pb2.URGENCY_IMMEDIATE,
        "experience_codes": ["substance.opioids", "overdose"],
        "languages": ["en"],
        "age_band": "adult",
        "facility_zip": "10451",
        "payer_code": "medicaid",
        "consent_id": "con_1",
        "consent_version": 1,
    }
    return events_pb2.ReferralSubmitted(**(facts | fields))


def submit(room: Room, *messages: events_pb2.ReferralSubmitted) -> None:
    """The referrals are heard as one batch."""
    heard = [handlers.Submitted(codec.need(m), Cause("req_1", f"evt_{m.referral_id}")) for m in messages]
    handlers.open_cases(room, heard)


def stop(
    room: Room, referral_id: str = "ref_1", stop_code: str = "cancelled", event_id: str = "evt_stop"
) -> None:
    """The referral is heard to be stopped."""
    message = events_pb2.ReferralStopped(referral_id=referral_id, source_id="st-brigid", stop_code=stop_code)
    handlers.stop(room, codec.stopped_need(message), stop_code, Cause("req_1", event_id))


def revise(room: Room, referral_id: str = "ref_1", revision: int = 2, **fields: Any) -> None:
    """The referral's facts are heard to have changed."""
    now = codec.need(a_submission(referral_id, **fields))
    handlers.revise(room, now, revision, Cause("req_1", f"evt_revision_{referral_id}_{revision}"))


def said(room: Room, event_type: str = "") -> list[Any]:
    """What matching said so far and no relay has taken yet, in order of writing per aggregate."""
    rows = [
        row
        for name in ("cases", "specialists", "programmes")
        for document in room.database[name].find({}, {"outbox": 1})
        for row in document["outbox"]
    ]
    return [EVENTS[row["type"]].FromString(row["data"]) for row in rows if event_type in ("", row["type"])]


def looked(room: Room) -> Counter[tuple[str, str]]:
    """How many looks at matches the trail was told of: by the event's type and about whom."""
    rows = [row for document in room.database.accesses.find() for row in document["outbox"]]
    said = (catalog.message_class(row["type"]).FromString(row["data"]) for row in rows)
    return Counter((row["type"], event.provenance.peer_id) for row, event in zip(rows, said, strict=True))


def accept(
    room: Room, case: Case, specialist_id: str, key: str = "k", minutes: int = 20, modality: str = "phone"
) -> Case:
    """The specialist accepts their offer of the case."""
    offer = [o for o in case.offers if o.specialist_id == specialist_id][-1]
    promised = room.clock.now() + timedelta(minutes=minutes)
    yes = handlers.Acceptance(offer.offer_id, key, promised, modality)
    return handlers.accept(room, yes, Caller(specialist_id, "specialist", offer.programme_id), CAUSE)


def decline(room: Room, case: Case, specialist_id: str, key: str = "k", reason: str = "busy") -> Case:
    """The specialist declines their offer of the case."""
    offer = [o for o in case.offers if o.specialist_id == specialist_id][-1]
    no = handlers.Declining(offer.offer_id, key, reason)
    return handlers.decline(room, no, Caller(specialist_id, "specialist", offer.programme_id), CAUSE)
