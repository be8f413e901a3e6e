"""Asking intake who somebody is, for who leads and breaks the glass: in their own name, and kept nowhere here.

Matching never learns who somebody is: what intake tells goes to one page, and is stored, logged and cached nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.grpc_client import channel
from chassis.rich_status import refused
from chassis.tls import Files
from kindred.intake.v1 import intake_pb2 as pb
from kindred.intake.v1.intake_pb2_grpc import IntakeServiceStub

PURPOSE = "BTG"
# Why somebody breaks the glass, as intake knows them: codes, because words would hold PHI.
REASONS = ("care-now", "danger-to-peer", "danger-to-others", "usual-way-fails")
_REASON = "x-break-glass-reason"
_WAIT_S = 5.0


@dataclass(frozen=True, slots=True, repr=False)  # printed by mistake, it shows nothing
class Told:
    """PHI, as the consent lets it leave, and what goes along with it."""

    name: str
    phones: tuple[str, ...]
    is_not_to_be_contacted: bool
    may_leave_message: bool | None
    who_else_answers: str
    place: str
    note: str
    notice: str
    scope: str


class People:
    """Intake's ResolvePerson at an address; "" where nobody said where it is."""

    def __init__(self, address: str, named: Files | None = None) -> None:
        self._address, self._named = address, named

    def break_glass(self, referral_id: str, reason: str, token: str) -> Told:
        """Who and where the person is; intake has both the glass and the disclosure on record before this returns.

        Raises Refusal: intake's own, or UNAVAILABLE where it does not answer or nobody said where it is.
        """
        if not self._address:
            raise Refusal("intake-unknown", Kind.UNAVAILABLE, "These pages do not know where intake is.")
        call = {
            "token": token,
            "purpose": PURPOSE,
            "correlation_id": telemetry.current_cause().correlation_id,
        }
        with channel(self._address, named=self._named, **call) as opened:
            try:
                asked = pb.ResolvePersonRequest(referral_id=referral_id)
                answer = IntakeServiceStub(opened).ResolvePerson(
                    asked, timeout=_WAIT_S, metadata=[(_REASON, reason)]
                )
            except grpc.RpcError as failed:
                raise _refusal(failed) from None
        return _told(answer)


def _told(answer: pb.ResolvePersonResponse) -> Told:
    person, safe = answer.person, answer.person.safe_contact
    return Told(
        name=f"{person.given_name} {person.family_name}".strip(),
        phones=tuple(person.phones),
        is_not_to_be_contacted=safe.do_not_contact,
        may_leave_message=safe.may_leave_message if safe.HasField("may_leave_message") else None,
        who_else_answers=safe.who_else_answers,
        place=answer.place,
        note=answer.note,
        notice=answer.redisclosure_notice,
        scope=answer.consent_scope,
    )


def _refusal(failed: grpc.RpcError) -> Refusal:
    """Intake's refusal where it says something of the question; else intake is away, or the sign-in is over there."""
    told = refused(failed)
    if told.kind is Kind.UNAUTHENTICATED:
        return Refusal("step-up-needed", Kind.FORBIDDEN, "This asks for a fresh sign-in.")
    if told.kind in (Kind.FORBIDDEN, Kind.NOT_FOUND, Kind.CONFLICT):
        return told
    return Refusal("intake-away", Kind.UNAVAILABLE, "Intake does not answer.", retry_after_s=2)
