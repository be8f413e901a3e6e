"""What a referral asks of a consent: its parts, as the rules of a consent may speak of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.intake.domain import labels, sensitivity
from services.intake.domain.provisions import Ask, Coding, Item

if TYPE_CHECKING:
    from services.intake.domain.submission import Submission

_ATTRIBUTES = "https://kindred.example/fhir/CodeSystem/attributes"
_WHENEVER = datetime.min.replace(tzinfo=UTC)  # `decide` sets the moment
NOTE, PLACE = "Annotation", "Encounter"


def for_referral(submission: Submission, our_names: Sequence[str], required: Sequence[str] = ()) -> Ask:
    """To take the referral in and offer it: everything coded in it goes to matching, its free text nowhere."""
    labelled = labels.of(submission)
    return Ask(
        at=_WHENEVER,
        items=(
            Item("Patient"),
            Item("ServiceRequest", confidentiality=labelled.confidentiality),
            *([Item(PLACE)] if submission.visit or submission.place else []),
            *(_coded(code) for code in submission.codes),
            *(_attribute(code) for code in submission.experience_codes),
        ),
        our_names=tuple(our_names),
        policies=labelled.policies,
        labels=submission.labels,
        required=tuple(required),
    )


def for_specialist(
    submission: Submission, our_names: Sequence[str], recipients: Sequence[str], purpose: str
) -> Ask:
    """To tell the assigned specialist who and where the peer is; the place and the note only if they may leave."""
    labelled = labels.of(submission)
    return Ask(
        at=_WHENEVER,
        items=(Item("Patient"), Item("ServiceRequest", confidentiality=labelled.confidentiality)),
        optional=(
            *([Item(PLACE)] if submission.place else []),
            *(
                [Item(NOTE, sensitivities=None, confidentiality=labelled.confidentiality)]
                if submission.note
                else []
            ),
        ),
        purposes=(purpose,),
        recipients=tuple(one for one in recipients if one),
        our_names=tuple(our_names),
        policies=labelled.policies,
        labels=submission.labels,
    )


def _coded(code: sensitivity.Coded) -> Item:
    found = sensitivity.of_code(code)
    restricted = "R" if found is None else sensitivity.confidentiality_of(found)
    return Item("Condition", (Coding(code.system, code.code),), found, restricted)


def _attribute(attribute: str) -> Item:
    found = sensitivity.of_attribute(attribute)
    return Item("Condition", (Coding(_ATTRIBUTES, attribute),), found, sensitivity.confidentiality_of(found))
