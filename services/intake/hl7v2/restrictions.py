"""Access restrictions (ARV, and the protection indicators before it): kept, or the referral is refused (P7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from chassis.errors import Fault
from services.intake.hl7v2 import times
from services.intake.hl7v2.message import Message, Segment

CODE = "access-restricted"
MESSAGE = "Access to this person's record is restricted in a way that a referral cannot keep."
# ARV-3 (table 0717) that restrict nothing, and those that can be kept by leaving one thing out.
_OPEN = frozenset({"NO", "OI"})
PLACE, BIRTH_DATE, FAITH = "LOC", "PID-7", "PID-17"
_LEFT_OUT = frozenset({PLACE, BIRTH_DATE, FAITH})
_DELETED = "D"


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What must be left out, and what cannot be kept."""

    left_out: frozenset[str]
    faults: tuple[Fault, ...]


def read(message: Message, zone: tzinfo, now: datetime) -> Restrictions:
    """The restrictions in force: of the person and of the visit.

    ARV-2 D takes one back; ARV-6 bounds it in time, and a bound that cannot be read leaves it in force.  A value
    that is not known here counts as one that cannot be kept.
    """
    left_out, faults = set(), []
    for segment in message.all("ARV"):
        if segment.text(2).upper() == _DELETED or not _is_now(segment, zone, now):
            continue
        kinds = {value.text().upper() for value in segment.values(3)} - _OPEN
        left_out |= kinds & _LEFT_OUT
        if kinds - _LEFT_OUT or not segment.is_said(3):
            faults.append(Fault(segment.at(3), CODE, MESSAGE))
    for name, field in (("PD1", 12), ("PV2", 22)):  # protection indicators, before ARV came with version 2.6
        holder = message.first(name)
        if holder is not None and holder.text(field).upper() == "Y":
            faults.append(Fault(holder.at(field), CODE, MESSAGE))
    return Restrictions(frozenset(left_out), tuple(faults))


def _is_now(segment: Segment, zone: tzinfo, now: datetime) -> bool:
    begins, ends = (times.read(segment.text(6, part), zone) for part in (1, 2))
    return not (begins and begins.first > now) and not (ends and ends.last() < now)
