"""Reads and denials as events: durable before an answer leaves (42 CFR Part 2; 45 CFR 164.312(b))."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from pymongo.database import Database

from chassis.aggregates import Aggregates
from chassis.clock import Clock
from chassis.envelope import Cause
from chassis.failpoints import failpoint
from chassis.identity import Caller
from chassis.ids import new_id
from kindred.access.v1.events_pb2 import (
    AccessDenied,
    EmergencyDeclared,
    GlassBroken,
    RecordRead,
    SessionBegan,
    SessionEnded,
    TokenIssued,
)
from kindred.bus.v1.bus_pb2 import Provenance

COLLECTION = "accesses"


def provenance(caller: Caller | None, subject_id: str = "") -> Provenance:
    """Who, in which role, for which purpose, about whom; "anonymous" where nobody was known."""
    if caller is None:
        return Provenance(actor_id="anonymous", actor_role="anonymous", peer_id=subject_id)
    return Provenance(
        actor_id=caller.actor_id,
        actor_role=caller.role,
        organization_id=caller.organization_id,
        purpose_of_use=caller.purpose_of_use,
        peer_id=subject_id,
    )


class AccessLog:
    """Writes one access event per read or denial; the relay carries it to the audit log."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock, producer: str) -> None:
        self.aggregates = Aggregates(database, COLLECTION, clock, producer)
        self._clock = clock

    def record_read(
        self,
        caller: Caller,
        *,
        record_type: str,
        record_id: str,
        action: str,
        cause: Cause,
        subject_id: str = "",
        referral_id: str = "",
        criteria: Sequence[str] = (),
    ) -> None:
        """The read is in a majority's journal; call this BEFORE the data leaves, and let its failure stop the answer."""
        event = RecordRead(
            provenance=provenance(caller, subject_id),
            record_type=record_type,
            record_id=record_id,
            action=action,
            criteria=criteria,
            referral_id=referral_id,
        )
        self._write([event], cause)

    def record_glass_broken(
        self,
        caller: Caller,
        *,
        record_type: str,
        record_id: str,
        reason_code: str,
        cause: Cause,
        subject_id: str = "",
        referral_id: str = "",
    ) -> None:
        """The read past a policy, and why, is in a majority's journal; call this instead of `record_read`, BEFORE too."""
        event = GlassBroken(
            provenance=provenance(caller, subject_id),
            record_type=record_type,
            record_id=record_id,
            referral_id=referral_id,
            reason_code=reason_code,
        )
        self._write([event], cause)

    def record_emergency(
        self,
        caller: Caller,
        *,
        referral_id: str,
        subject_id: str,
        recipient_id: str,
        recipient_affiliation: str,
        nature_code: str,
        cause: Cause,
    ) -> None:
        """The four facts of 42 CFR 2.51(c) are in a majority's journal; call this BEFORE anything is disclosed."""
        event = EmergencyDeclared(
            provenance=provenance(caller, subject_id),
            referral_id=referral_id,
            recipient_id=recipient_id,
            recipient_affiliation=recipient_affiliation,
            discloser_id=caller.actor_id,
            nature_code=nature_code,
        )
        event.occurred_at.FromDatetime(self._clock.now())
        self._write([event], cause)

    def record_search(
        self,
        caller: Caller,
        *,
        record_type: str,
        criteria: Sequence[str],
        found: Sequence[tuple[str, str]],
        cause: Cause,
    ) -> None:
        """The search and every record it found, (referral_id, subject_id) each, are in a majority's journal at once."""
        search = RecordRead(
            provenance=provenance(caller), record_type=record_type, action="search", criteria=criteria
        )
        reads = [
            RecordRead(
                provenance=provenance(caller, subject_id),
                record_type=record_type,
                record_id=referral_id,
                action="search",
                criteria=criteria,
                referral_id=referral_id,
            )
            for referral_id, subject_id in found
        ]
        self._write([search, *reads], cause)

    def record_denied(
        self,
        caller: Caller | None,
        *,
        record_type: str,
        record_id: str,
        action: str,
        reason_code: str,
        cause: Cause,
    ) -> None:
        """The denial is in a majority's journal."""
        event = AccessDenied(
            provenance=provenance(caller),
            record_type=record_type,
            record_id=record_id,
            action=action,
            reason_code=reason_code,
        )
        self._write([event], cause)

    def record_session_began(self, caller: Caller, door: str, cause: Cause, reason_code: str = "") -> None:
        """That somebody signed in at this door is in a majority's journal; call this BEFORE they see anything.

        `reason_code` is "step-up" where they were signed in and proved anew who they are.
        """
        event = SessionBegan(provenance=provenance(caller), door=door, reason_code=reason_code)
        self._write([event], cause)

    def record_session_ended(self, caller: Caller, door: str, reason_code: str, cause: Cause) -> None:
        """That they are signed out is in a majority's journal. `reason_code`: signed-out(-elsewhere), idle, too-long."""
        event = SessionEnded(provenance=provenance(caller), door=door, reason_code=reason_code)
        self._write([event], cause)

    def record_token_issued(
        self, caller: Caller, scopes: Sequence[str], expires_at: datetime, cause: Cause
    ) -> None:
        """That a system was let in, with what, is in a majority's journal; call this BEFORE it gets the token."""
        event = TokenIssued(provenance=provenance(caller), client_id=caller.actor_id, scopes=scopes)
        event.expires_at.FromDatetime(expires_at)
        self._write([event], cause)

    def _write(self, events: Sequence[Message], cause: Cause) -> None:
        body = {"recorded_at": self._clock.now()}
        self.aggregates.insert(new_id("acc"), body, says=events, cause=cause)
        failpoint("access.after_write_before_answer")
