"""The roster as people keep it: read, exported, rested from; who must never meet; certifications that end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chassis.access import provenance
from chassis.aggregates import StaleVersion
from chassis.envelope import Cause
from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from kindred.matching.v1.events_pb2 import CertificationExpiring, SpecialistChanged
from services.matching import roster_text
from services.matching.announcing import ITSELF
from services.matching.domain import expiry

if TYPE_CHECKING:
    from services.matching.bootstrap import Room
    from services.matching.store.roster import Profile

LONGEST_REST = timedelta(days=30)
_MOST_NEVER = 500
_MOST_WARNED = 100
_MOST_LISTED = 500
_TRIES = 5
_ANYWHERE = ("engineer", "system")


def read_specialist(room: Room, specialist_id: str, caller: Caller, cause: Cause) -> Profile:
    """The entry, for the specialist themself, their programme's leads and the system; in the audit log first."""
    found = _own(room, specialist_id, caller)
    _audit(room, "GetSpecialist", caller, cause, specialist_id)
    return found


def row(found: Profile, caller: Caller) -> dict[str, str]:
    """The entry as a roster's row, as far as the caller may see it."""
    shows = caller.role == "system" or caller.actor_id == found.specialist.specialist_id
    capacity = found.standing.capacity_milli // 1000
    return roster_text.columns(found.specialist, found.loaded.body, capacity, shows_private=shows)


def export(room: Room, programme_id: str, caller: Caller, cause: Cause) -> Iterator[list[dict[str, str]]]:
    """The rows of a programme in portions; a lead exports their own. In the audit log before the first row leaves."""
    if caller.role not in _ANYWHERE:
        if programme_id not in ("", caller.organization_id) or not caller.organization_id:
            raise Refusal("not-your-programme", Kind.FORBIDDEN, "You may export your own programme's roster.")
        programme_id = caller.organization_id
    _audit(room, "ExportRoster", caller, cause, programme_id)
    for portion in room.roster.of_programme(programme_id):
        yield [row(found, caller) for found in portion]


def take_rest(room: Room, specialist_id: str, until: datetime, caller: Caller, cause: Cause) -> None:
    """Nobody is brought to them until then. Raises Refusal INVALID rest-too-long beyond thirty days: that is leave."""
    if until > room.clock.now() + LONGEST_REST:
        raise Refusal("rest-too-long", Kind.INVALID, "A rest has at most 30 days; longer is time off.")
    for _ in _attempts():
        found = _own(room, specialist_id, caller)
        if _is_saved(room, found, {"resting_until": until}, caller, cause, what="rest"):
            return


def keep_apart(
    room: Room,
    specialist_id: str,
    referral_id: str,
    caller: Caller,
    cause: Cause,
    *,
    is_taken_back: bool = False,
) -> None:
    """The specialist and the person of the referral are never brought together from now on, or may be again.

    For a referral they were offered; by themself, or on their word by their programme. Only they take it back. What
    is stored is sealed, and what is said names nobody.
    """
    for _ in _attempts():
        found = _own(room, specialist_id, caller)
        case = room.cases.case(referral_id)
        if not any(offer.specialist_id == specialist_id for offer in case.offers):
            raise Refusal("case-unknown", Kind.NOT_FOUND)
        if is_taken_back and caller.actor_id != specialist_id:
            raise Refusal("not-your-wish", Kind.FORBIDDEN, "Only the specialist takes this back.")
        peer = {case.need.peer_id}
        wanted = found.specialist.never - peer if is_taken_back else found.specialist.never | peer
        if wanted == found.specialist.never:
            return
        if len(wanted) > _MOST_NEVER:
            raise Refusal("list-too-long", Kind.CONFLICT, "There are too many people on this list.")
        own = room.roster.sealed_never(specialist_id, wanted)
        if _is_saved(room, found, own, caller, cause, what="kept-apart"):
            return


def part(room: Room, specialist_id: str, peer_id: str, caller: Caller, cause: Cause) -> None:
    """The specialist and this person are never brought together from now on; whoever calls this has checked who may.

    However long the list is: somebody who says so while they decline is not refused.
    """
    for _ in _attempts():
        found = room.roster.profile(specialist_id)
        if peer_id in found.specialist.never:
            return
        own = room.roster.sealed_never(specialist_id, found.specialist.never | {peer_id})
        if _is_saved(room, found, own, caller, cause, what="kept-apart"):
            return


def expiring(
    room: Room, programme_id: str, days: int, caller: Caller, cause: Cause
) -> list[tuple[Profile, expiry.Ending]]:
    """The certifications of a programme that end within so many days and that no other one carries on."""
    if caller.role not in _ANYWHERE:
        if programme_id not in ("", caller.organization_id):
            raise Refusal("not-your-programme", Kind.FORBIDDEN, "You may list your own programme's.")
        programme_id = caller.organization_id
    _audit(room, "ListExpiringCertifications", caller, cause, programme_id)
    now = room.clock.now()
    last_day = (now + timedelta(days=days)).date().isoformat()
    found = room.roster.expiring(programme_id, last_day, _MOST_LISTED)
    return [
        (profile, ending) for profile in found for ending in expiry.due(profile.specialist, {}, [days], now)
    ]


def warn_expiring(room: Room, cause: Cause) -> int:
    """Every certification that has come so far is said to end soon, each step once; returns how many were looked at."""
    due = room.roster.claim_warnings(_MOST_WARNED)
    now, steps = room.clock.now(), room.policy.warn_days
    for found in due:
        said = dict(found.loaded.body.get("warned", {}))
        endings = expiry.due(found.specialist, said, steps, now)
        said |= {ending.key: ending.days for ending in endings}
        next_at = expiry.next_at(found.specialist, said, steps)
        try:
            room.roster.save_own(
                found, {"warned": said}, [_warning(found, one) for one in endings], cause, due_at=next_at
            )
        except StaleVersion:
            continue  # it comes again
    return len(due)


def _warning(found: Profile, ending: expiry.Ending) -> CertificationExpiring:
    return CertificationExpiring(
        provenance=provenance(ITSELF),
        specialist_id=found.specialist.specialist_id,
        programme_id=found.specialist.programme_id,
        supervisor_id=found.specialist.supervisor_id,
        state=ending.certification.state,
        valid_until=ending.certification.valid_until.isoformat(),
        days_left=ending.days,
    )


def _own(room: Room, specialist_id: str, caller: Caller) -> Profile:
    """The entry, where the caller may have it; else Refusal NOT_FOUND, as where there is none."""
    found = room.roster.profile(specialist_id)
    is_own = caller.actor_id == specialist_id and caller.role in ("specialist", "supervisor")
    is_lead = caller.role in ("supervisor", "coordinator")
    is_theirs = found.specialist.programme_id == caller.organization_id
    if caller.role == "system" or ((is_own or is_lead) and is_theirs):
        return found
    raise Refusal("specialist-unknown", Kind.NOT_FOUND, "The roster has no such entry.")


def _is_saved(
    room: Room, found: Profile, own: dict[str, object], caller: Caller, cause: Cause, *, what: str
) -> bool:
    says = SpecialistChanged(
        provenance=provenance(caller),
        specialist_id=found.specialist.specialist_id,
        programme_id=found.specialist.programme_id,
        revision=found.revision + 1,
        what=what,
    )
    try:
        room.roster.save_own(found, own, [says], cause)
    except StaleVersion:
        return False
    return True


def _attempts() -> Iterator[int]:
    yield from range(_TRIES)
    raise Refusal("too-busy", Kind.UNAVAILABLE, "Try again.", retry_after_s=1)


def _audit(room: Room, action: str, caller: Caller, cause: Cause, record_id: str) -> None:
    room.access.record_read(caller, record_type="Specialist", record_id=record_id, action=action, cause=cause)
