"""How much of each thing a submission may hold: enough for a long life in a record, too little to hold others up.

Without a limit one name of a million letters is compared with everybody near, and one person has so many numbers that
their document cannot be stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from services.intake.domain.consent import Consent
    from services.intake.domain.person import Person, RecordNumber
    from services.intake.domain.submission import Submission

NAME, NUMBER, SYSTEM, PHONE, WORDS, NOTE, KEY = 300, 255, 500, 200, 2_000, 100_000, 2_000
MOST_NUMBERS, MOST_PHONES, MOST_NAMES, MOST_ORDERS = 50, 50, 50, 100
MOST_LISTED = 200
MOST_CODES = 1_000  # each is weighed against each rule of a consent
Found = tuple[str, str, str]


def faults_of(submission: Submission) -> list[Found]:
    """Every list with too many parts and every text that is too long, as (field, code, sentence)."""
    found = [
        (field, "too-many", f"At most {most} may be given.")
        for field, listed, most in _lists(submission)
        if len(listed) > most
    ]
    crowded = {field for field, _, _ in found}
    # A list with too many parts is told as that, and not gone through.
    for field, texts, longest in _texts(submission):
        if field not in crowded and any(len(text) > longest for text in texts):
            found.append((field, "too-long", f"At most {longest:,} characters may be given."))
    return found


def kept_within(submission: Submission) -> Submission:
    """The submission with no more of person, visit and consent than may be looked for or kept.

    What is too long is left out, of what is too many the first are kept: a person's no is heeded by the rest.
    """
    person, visit, consent = submission.person, submission.visit, submission.consent
    numbers = [one for one in person.record_numbers[:MOST_NUMBERS] if _fits(one)]
    texts: dict[str, Any] = {
        name: "" if len(said) > NAME else said
        for name in ("family_name", "given_name", "suffix", "birth_date", "home_zip")
        if (said := getattr(person, name))
    }
    return replace(
        submission,
        person=replace(
            person,
            record_numbers=tuple(numbers),
            phones=tuple(one for one in person.phones[:MOST_PHONES] if len(one) <= PHONE),
            former_names=tuple(one for one in person.former_names[:MOST_NAMES] if len(one) <= NAME),
            **texts,
        ),
        visit=visit if visit is None or _fits(visit) else None,
        consent=consent if consent is None else _short(consent),
    )


def _fits(number: RecordNumber) -> bool:
    return len(number.value) <= NUMBER and len(number.system) <= SYSTEM


def _short(consent: Consent) -> Consent:
    """Without its words that are too long; whether it says yes or no, and when, stays."""
    said = {one.name: getattr(consent, one.name) for one in fields(consent)}
    words: dict[str, Any] = {
        name: "" for name, value in said.items() if isinstance(value, str) and len(value) > WORDS
    }
    lists: dict[str, Any] = {
        name: tuple(one for one in value[:MOST_LISTED] if len(one) <= WORDS)
        for name, value in said.items()
        if isinstance(value, tuple)
    }
    return replace(consent, **words, **lists)


def _lists(said: Submission) -> Iterator[tuple[str, Sequence[object], int]]:
    person = said.person
    yield "person.record_numbers", person.record_numbers, MOST_NUMBERS
    yield "person.phones", person.phones, MOST_PHONES
    yield "person.former_names", person.former_names, MOST_NAMES
    yield "placer_identifiers", said.placer_identifiers, MOST_ORDERS
    yield "codes", said.codes, MOST_CODES
    yield "experience_codes", said.experience_codes, MOST_LISTED
    yield "preferences", said.preferences, MOST_LISTED
    yield "languages", said.languages, MOST_LISTED
    yield "excluded_specialist_ids", said.excluded_specialist_ids, MOST_LISTED
    yield "characteristics", said.characteristics, MOST_LISTED
    yield "labels", said.labels, MOST_LISTED


def _texts(said: Submission) -> Iterator[tuple[str, Iterable[str], int]]:
    yield from _of_person(said.person)
    yield "idempotency_key", (said.idempotency_key,), KEY
    yield "visit", _words((said.visit,) if said.visit else ()), SYSTEM
    yield "placer_identifiers", _words(said.placer_identifiers), SYSTEM
    yield "codes", (text for one in said.codes for text in (one.system, one.code, one.display)), WORDS
    yield "characteristics", (text for one in said.characteristics for text in (one.said_by, one.how)), NUMBER
    yield "place", (said.place,), WORDS
    yield "note", (said.note,), NOTE
    yield "referrer", (said.referrer.name, said.referrer.phone), WORDS
    yield "source_contact", (said.source_contact.language, said.source_contact.time_zone), NUMBER
    yield "labels", said.labels, NUMBER
    if said.consent is not None:
        yield "consent", _of_consent(said.consent), WORDS


def _of_person(person: Person) -> Iterator[tuple[str, Iterable[str], int]]:
    yield "person.family_name", (person.family_name,), NAME
    yield "person.given_name", (person.given_name,), NAME
    yield "person.suffix", (person.suffix,), NAME
    yield "person.former_names", person.former_names, NAME
    yield "person.record_numbers", (one.value for one in person.record_numbers), NUMBER
    yield "person.record_numbers", (one.system for one in person.record_numbers), SYSTEM
    yield "person.phones", person.phones, PHONE
    yield "person.safe_contact", (person.safe_contact.who_else_answers,), WORDS


def _words(numbers: Iterable[RecordNumber]) -> Iterator[str]:
    return (text for one in numbers for text in (one.system, one.value))


def _of_consent(consent: Consent) -> Iterable[str]:
    return (
        consent.consent_id,
        consent.discloser,
        consent.scope,
        consent.intermediary,
        consent.expiry_event,
        consent.signed_by,
        consent.witness,
        consent.kept_at,
        *consent.recipients,
        *consent.policies,
    )
