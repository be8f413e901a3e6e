"""From what a referral says to the fields of the desk's form, so that it can be corrected; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from services.intake.domain.submission import Answered, Submission
from services.intake.web import choices, consent_form
from services.intake.web.hospitals import Hospital
from services.intake.web.reading_form import WISH_ROWS

_SAID = {True: "yes", False: "no", None: ""}


def fields_of(kept: Submission, hospital: Hospital) -> dict[str, str]:
    """Every field as it would have been typed; read again, it says the same."""
    unit, bed = place_of(kept.place)
    contact = kept.person.safe_contact
    fields = {
        "urgency": kept.urgency.value,
        "family": kept.person.family_name,
        "given": kept.person.given_name,
        "birth": kept.person.birth_date,
        "record_number": record_number(kept, hospital),
        "unit": unit,
        "bed": bed,
        "language": kept.languages[0] if kept.languages else choices.NO_LANGUAGE,
        "language2": kept.languages[1] if len(kept.languages) > 1 else "",
        "interpreter_needed": "1" if kept.interpreter_needed else "",
        "interpreter_agreed": "1" if kept.interpreter_agreed else "",
        "zip": kept.facility_zip,
        "payer": kept.payer_code,
        "naloxone": _SAID[kept.is_naloxone_given],
        "phones": ", ".join(kept.person.phones),
        "leave_message": _SAID[contact.may_leave_message],
        "do_not_contact": _SAID[contact.do_not_contact],
        "who_answers": contact.who_else_answers,
        "never": ", ".join(kept.excluded_specialist_ids),
        "ref_name": kept.referrer.name,
        "ref_phone": kept.referrer.phone,
        "ref_email": kept.source_contact.email,
        "note": kept.note,
        "consent": consent_form.KEEP if kept.consent else "later",
    }
    fields |= _moment("arrived", kept.arrived_at, hospital.zone)
    fields |= _moment("leaves", kept.expected_departure_at, hospital.zone)
    fields |= {f"reason_{code}": "1" for code in kept.experience_codes}
    fields |= {f"way_{way}": "1" for way in kept.modalities}
    return fields | _wishes(kept) | _about(kept)


def new_fields(remembered: Mapping[str, str], hospital: Hospital) -> dict[str, str]:
    """An empty form: what this person typed of themselves last time, and nothing said for the peer."""
    usual = {"payer": "unknown"}
    return usual | {"zip": hospital.zip} | dict(remembered)


def place_of(place: str) -> tuple[str, str]:
    """Unit and bed of a place."""
    unit, _, bed = place.partition(",")
    return unit.strip(), bed.strip()


def record_number(kept: Submission, hospital: Hospital) -> str:
    """The number the hospital itself gave, or empty."""
    system = f"source:{hospital.organization_id}"
    return next((one.value for one in kept.person.record_numbers if one.system == system), "")


def _moment(name: str, moment: datetime | None, zone: ZoneInfo) -> dict[str, str]:
    if moment is None:
        return {}
    local = moment.astimezone(zone)
    return {f"{name}_time": local.strftime("%H:%M"), f"{name}_date": local.strftime("%Y-%m-%d")}


def _wishes(kept: Submission) -> dict[str, str]:
    fields: dict[str, str] = {}
    for row, wish in enumerate(kept.preferences[:WISH_ROWS], 1):
        fields |= {f"wish{row}": wish.code, f"wish{row}_strength": wish.strength.value}
    return fields


def _about(kept: Submission) -> dict[str, str]:
    fields: dict[str, str] = {}
    for one in kept.characteristics:
        if one.topic in choices.ABOUT_TOPICS:
            answer = one.code if one.answered is Answered.STATED else one.answered.value
            fields |= {f"about_{one.topic}": answer, "about_said_by": one.said_by, "about_how": one.how}
    return fields
