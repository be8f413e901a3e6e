"""A REF or ADT message to what it says of a referral: a new submission, or changes to one that is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.errors import Fault
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.person import Person
from services.intake.domain.submission import Characteristic, Submission, Urgency
from services.intake.hl7v2 import coded, consents, identity, referrers, restrictions, times
from services.intake.hl7v2.message import Message
from services.intake.hl7v2.restrictions import BIRTH_DATE, FAITH, PLACE
from services.intake.hl7v2.senders import Sender
from services.intake.hl7v2.statements import Statements
from services.intake.taxonomy import Taxonomy

DOOR = "hl7v2"
_URGENT = {"S": Urgency.IMMEDIATE, "A": Urgency.IMMEDIATE, "U": Urgency.URGENT, "R": Urgency.ROUTINE}
_ENDED = frozenset({"R", "E"})  # RF1-1 (table 0283): rejected, expired
_LONGEST_STAY = timedelta(days=730)
EMERGENCY = "E"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a message says, by the domain's names; what is not in it is not said.

    `where` names the place of each word, `warnings` what was passed over (told to the sender, and no reason to
    refuse), `faults` what refuses it.
    """

    person: Mapping[str, Any]
    said: Mapping[str, Any]
    where: Mapping[str, str]
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    is_restricted: bool = False

    def new(self, source_id: str, key: str) -> Submission:
        """The submission of a new referral; raises SubmissionRejected with every fault of the reading."""
        self.check()
        return self.unchecked(source_id, key)

    def unchecked(self, source_id: str, key: str) -> Submission:
        """The submission as far as it could be read: what a person's no is heeded by, whatever else is wrong."""
        bare = Submission(DOOR, source_id, Person(), None, idempotency_key=key, may_wait_for_consent=True)
        return self._onto(bare, key)

    def onto(self, kept: Submission, key: str) -> Submission:
        """The submission that is here with what the message says changed; raises SubmissionRejected.

        Nothing said, nothing changed; null deletes; lists are replaced as a whole.  Which visit it is about does not
        change, and numbers of the order are added.
        """
        self.check()
        changed = self._onto(replace(kept, consent=None), key)
        orders = dict.fromkeys((*kept.placer_identifiers, *changed.placer_identifiers))
        return replace(changed, visit=kept.visit or changed.visit, placer_identifiers=tuple(orders))

    def check(self) -> None:
        """Raises SubmissionRejected where the reading has faults."""
        if self.faults:
            raise SubmissionRejected(self.faults)

    def _onto(self, before: Submission, key: str) -> Submission:
        person = replace(before.person, **self.person)
        said = dict(self.said)
        for name in ("source_contact", "referrer"):
            if name in said:
                said[name] = replace(getattr(before, name), **said[name])
        if "safe_contact" in said:
            person = replace(person, safe_contact=replace(person.safe_contact, **said.pop("safe_contact")))
        return replace(before, person=person, idempotency_key=key, where=self.where, **said)


@dataclass
class _Reader:
    """One reading of one message."""

    message: Message
    sender: Sender
    taxonomy: Taxonomy
    now: datetime
    said: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    where: dict[str, str] = field(default_factory=dict)

    def read(self) -> Reading:
        limits = restrictions.read(self.message, self.sender.zone, self.now)
        self.faults += limits.faults
        person = self._person(limits.left_out)
        statements = Statements.read(self.message, self.sender.zone)
        self.faults += statements.faults
        self._order()
        self._visit(limits.left_out)
        self._codes(statements)
        self._characteristics(statements, limits.left_out)
        self._people()
        self._consent()
        self._merge(statements)
        self.where = _PLACES | self.where | statements.where
        return Reading(
            person,
            self.said,
            self.where,
            tuple(self.faults),
            tuple(self.warnings),
            is_restricted=bool(limits.faults),
        )

    def _person(self, left_out: frozenset[str]) -> dict[str, Any]:
        pid = self.message.first("PID")
        if pid is None:
            self._fault("PID", "segment-missing", "A PID is needed: it says who the person is.")
            return {}
        if identity.is_deceased(self.message):
            self._fault(pid.at(30), "person-deceased", "The person has died.")
        if len(list(self.message.all("PID"))) > 1:
            self._fault("PID[2]", "segment-several", "A referral is about one person.")
        said = identity.person_said(self.message, self.sender.source_id)
        if BIRTH_DATE in left_out:
            said.pop("birth_date", None)
        if pid.is_said(15):
            self.said["languages"] = coded.languages_of(pid.values(15))
        return said

    def _order(self) -> None:
        rf1 = self.message.first("RF1")
        if rf1 is None:
            return
        if rf1.text(1).upper() in _ENDED:
            self._fault(
                rf1.at(1), "request-not-active", "The referral is rejected or expired by its own words."
            )
        if rf1.is_said(2):
            urgency = _URGENT.get(rf1.text(2).upper())
            if urgency is None and not rf1.is_null(2):
                self._warn(
                    rf1.at(2), "priority-unknown", "This priority is not in table 0280; routine was taken."
                )
            self.said["urgency"] = urgency or Urgency.ROUTINE
        numbers = [identity.entity(value, self.sender.source_id) for value in rf1.values(6)]
        if any(numbers):
            self.said["placer_identifiers"] = tuple(dict.fromkeys(one for one in numbers if one))
        ends = self._moment("RF1", 8)
        if ends is not None and ends.last() < self.now:
            self._warn(
                rf1.at(8),
                "authorization-expired",
                "The payer's authorization has ended; peer support needs none.",
            )

    def _visit(self, left_out: frozenset[str]) -> None:
        pv1, pv2 = self.message.first("PV1"), self.message.first("PV2")
        visit = identity.visit_of(self.message, self.sender.source_id)
        if visit is not None:
            self.said["visit"] = visit
        arrived = self._moment("PV1", 44)
        if arrived is not None and arrived.precision >= times.MINUTE:
            if arrived.first < self.now - _LONGEST_STAY:
                self._warn(
                    "PV1[1]-44", "arrival-too-long-ago", "This admission is years ago; it was not taken."
                )
            else:
                self.said["arrived_at"] = arrived.first
        leaves = self._moment("PV1", 45) or self._moment("PV2", 9)
        if leaves is not None and leaves.precision >= times.MINUTE:
            self.said["expected_departure_at"] = leaves.first
        elif (pv1 and pv1.is_null(45)) or (pv2 and pv2.is_null(9)):
            self.said["expected_departure_at"] = None
        if pv1 is None:
            return
        if PLACE in left_out:
            self.said["place"] = ""
        elif pv1.is_said(3):
            self.said["place"] = identity.place_of(pv1.value(3))
        if pv1.text(2).upper() == EMERGENCY and "urgency" not in self.said:
            self.said["urgency"] = Urgency.IMMEDIATE

    def _codes(self, statements: Statements) -> None:
        codes = coded.codes_said(self.message)
        if codes is not None:
            self.said["codes"] = codes
        own = statements.said.get("experience_codes")
        if codes is not None or own is not None:
            meant = self.taxonomy.attributes_of(codes or ())
            self.said["experience_codes"] = tuple(sorted({*meant, *(own or ())}))

    def _characteristics(self, statements: Statements, left_out: frozenset[str]) -> None:
        pid = self.message.first("PID")
        told: list[Characteristic] = []
        is_said = pid is not None and any(pid.is_said(number) for number in (10, 17, 22))
        if pid is not None:
            told = coded.characteristics_of(pid, is_faith_hidden=FAITH in left_out)
        own = statements.said.get("characteristics")
        if is_said or own is not None:
            kept = [one for one in own or () if not (FAITH in left_out and one.topic == "faith")]
            self.said["characteristics"] = tuple(dict.fromkeys([*kept, *told]))

    def _people(self) -> None:
        referrer, contact, zip_code = referrers.read(self.message)
        if referrer:
            self.said["referrer"] = referrer
        if contact:
            # The hospital reads its own clock, so what is told to it is told in that.
            self.said["source_contact"] = {"time_zone": str(self.sender.zone), **contact}
        if zip_code:
            self.said["facility_zip"] = zip_code
        if any(True for _ in self.message.all("NTE")) or self._rf1_words():
            lines = [segment.words(3) for segment in self.message.all("NTE")]
            self.said["note"] = "\n".join(line for line in (*self._rf1_words(), *lines) if line)

    def _rf1_words(self) -> list[str]:
        rf1 = self.message.first("RF1")
        return [words for words in (rf1.words(14), rf1.words(24)) if words] if rf1 else []

    def _consent(self) -> None:
        try:
            consent, segment = consents.read(self.message, self.sender.zone)
        except consents.Unacceptable as refusal:
            self.faults += refusal.faults
            return
        self.where |= consents.places(segment)
        if consent is not None:
            self.said["consent"] = consent

    def _merge(self, statements: Statements) -> None:
        for name, value in statements.said.items():
            if name in ("experience_codes", "characteristics"):
                continue
            if name == "source_contact":
                self.said[name] = {**self.said.get(name, {}), **value}
            else:
                self.said[name] = value

    def _moment(self, name: str, number: int) -> times.Moment | None:
        segment = self.message.first(name)
        text = segment.text(number) if segment else ""
        if not text:
            return None
        found = times.read(text, self.sender.zone)
        if found is None and segment is not None:
            self._fault(segment.at(number), "time-unreadable", "This is not a time.")
        return found

    def _fault(self, path: str, code: str, message: str) -> None:
        self.faults.append(Fault(path, code, message))

    def _warn(self, path: str, code: str, message: str) -> None:
        self.warnings.append(Fault(path, code, message))


_PLACES = {
    "person": "PID[1]-3",
    "person.birth_date": "PID[1]-7",
    "visit": "PV1[1]-19",
    "arrived_at": "PV1[1]-44",
    "expected_departure_at": "PV1[1]-45",
    "leaves_at": "PV1[1]-45",
    "languages": "PID[1]-15",
    "facility_zip": "PRD[1]-3.5",
    "source_contact": "PRD[1]-5",
    "source_contact.email": "PRD[1]-5.4",
    "experience_codes": "DG1[1]-3",
    "codes": "DG1[1]-3",
    "characteristics": "PID[1]-10",
    "placer_identifiers": "RF1[1]-6",
    "place": "PV1[1]-3",
    "note": "NTE[1]-3",
    "referrer": "PRD[1]-2",
    "person.family_name": "PID[1]-5.1",
    "person.given_name": "PID[1]-5.2",
    "person.former_names": "PID[1]-9",
    "person.phones": "PID[1]-13",
    "idempotency_key": "MSH[1]-10",
}


def read(message: Message, sender: Sender, taxonomy: Taxonomy, now: datetime) -> Reading:
    """What the message says of a referral."""
    return _Reader(message, sender, taxonomy, now.astimezone(UTC)).read()
