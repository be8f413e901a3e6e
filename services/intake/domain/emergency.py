"""What may stand in an emergency's record (42 CFR 2.51(c)): a recipient and a facility, and nothing of the person."""

from __future__ import annotations

import re

from chassis.errors import Fault, Kind, Refusal
from services.intake.domain.person import Person

NATURES = ("cardiac-or-respiratory", "injury", "other-threat-to-life", "overdose", "self-harm", "withdrawal")
# A name, an account, a desk with its extension: one line, two to eighty characters, beginning with a letter or digit.
_SHAPE = re.compile(r"[^\W_][\w .,'’:/@#()&+-]{1,79}")
_LONG_ENOUGH = 3


def require_recipient(recipient_id: str, affiliation: str) -> None:
    """Both are names of somebody or something; raises Refusal INVALID that names the field, never what stood in it."""
    for path, text in (("recipient_id", recipient_id), ("recipient_affiliation", affiliation)):
        if not _SHAPE.fullmatch(text):
            raise _refused(
                path, "recipient-malformed", "Write a name, an account or a desk: 2 to 80 characters."
            )


def require_not_about(person: Person, recipient_id: str, affiliation: str) -> None:
    """What is told of whom goes on record, and neither names the person; raises Refusal INVALID."""
    names = [name.casefold() for name in (person.given_name, person.family_name)]
    numbers = [number.value.casefold() for number in person.record_numbers]
    for path, text in (("recipient_id", recipient_id), ("recipient_affiliation", affiliation)):
        said = text.casefold()
        is_named = all(len(name) >= _LONG_ENOUGH and name in said for name in names)
        if is_named or any(len(number) >= _LONG_ENOUGH and number in said for number in numbers):
            raise _refused(path, "recipient-is-the-person", "Name who receives it, not whom it is about.")


def _refused(path: str, code: str, message: str) -> Refusal:
    return Refusal(code, Kind.INVALID, message, faults=[Fault(path, code, message)])
