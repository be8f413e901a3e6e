"""The desk's form, read and filled: what is typed is what is meant, and nothing is guessed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.intake.domain.commands import CANCEL_REASONS, PEER_REASONS
from services.intake.domain.person import RecordNumber
from services.intake.domain.states import State
from services.intake.domain.submission import (
    Answered,
    Characteristic,
    Preference,
    Strength,
    Submission,
    Urgency,
    faults_of,
)
from services.intake.web import choices, filling_form, reading_form, times
from services.intake.web.hospitals import Hospital
from services.intake.web.words import WORDS
from tests.unit.intake.intake_builders import NOW, SOURCE, a_submission

ZONE = ZoneInfo("America/New_York")
BRIGID = Hospital(SOURCE, "St. Brigid's Hospital (fictional)", ZONE, "12208", ("ER",))
CODES = frozenset(choices.LABELS["en"])
TYPED = {
    "key": "k" * 24,
    "urgency": "immediate",
    "family": "Quillfeather",
    "given": "Wren",
    "birth": "04/01/1988",
    "language": "en",
    "consent": "yes",
    "consent_signature": "aloud",
    "consent_witness": "Ada Lark, RN",
    "consent_until": "revoked",
}


def read(**typed: str) -> tuple[Submission, dict[str, str]]:
    """What the form says, and the codes of its faults by field."""
    submission, faults = reading_form.read(TYPED | typed, BRIGID, "en", NOW)
    merged = reading_form.merged(faults, faults_of(submission, NOW, CODES), is_known=False)
    return submission, {fault.path: fault.code for fault in merged}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *[("1420", "14:20"), ("14:20", "14:20"), ("2:20 pm", "14:20"), ("2pm", "14:00"), ("14", "14:00")],
        *[
            ("12am", "00:00"),
            ("12:05 p.m.", "12:05"),
            ("0220", "02:20"),
            (" 7 ", "07:00"),
            ("14.20", "14:20"),
        ],
    ],
)
def test_a_time_is_read_as_people_type_it(typed, meant):
    """With and without a colon, in 24 hours or with am and pm."""
    assert times.time_of(typed).strftime("%H:%M") == meant


@pytest.mark.parametrize("typed", ["25", "14:60", "13 pm", "0 am", "soon", "2:2:2", "", "٣"])
def test_what_is_no_time_is_told(typed):
    """Nothing is guessed."""
    with pytest.raises(times.Unreadable):
        times.time_of(typed)


def test_a_date_has_the_month_first_only_with_slashes():
    """ISO or as the country writes it; a day that is in no calendar is refused."""
    assert times.date_of("2026-11-02") == times.date_of("11/02/2026") == date(2026, 11, 2)
    assert (
        times.birth_of("1988") == "1988"
        and times.birth_of("") == ""
        and times.birth_of("1988-04") == "1988-04"
    )
    for wrong in ("31/12/2026", "2026-02-30", "02.11.2026", "88-1-1"):
        with pytest.raises(times.Unreadable):
            times.date_of(wrong)


def test_without_a_day_a_past_time_is_the_last_and_a_coming_time_the_next():
    """At 17:00 in Albany, 18:00 was yesterday's arrival and is today's leaving; 16:00 is today's and tomorrow's."""
    five = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
    assert times.past("18:00", "", five, ZONE) == five - timedelta(hours=23)
    assert times.past("16:00", "", five, ZONE) == five - timedelta(hours=1)
    assert times.coming("18:00", "", five, ZONE) == five + timedelta(hours=1)
    assert times.coming("16:00", "", five, ZONE) == five + timedelta(hours=23)
    assert times.past("18:00", "2026-11-19", five, ZONE) == five - timedelta(hours=47)
    assert times.past("", "", five, ZONE) is None
    with pytest.raises(times.Unreadable):
        times.past("", "2026-11-19", five, ZONE)


def test_a_filled_form_says_what_the_referral_says():
    """Read again, every word a nurse could have typed is the same; what the form does not show stays."""
    said = a_submission(
        door="fhir",
        urgency=Urgency.URGENT,
        place="ER, 12",
        experience_codes=("overdose", "substance.opioids", "gender.woman"),
        preferences=(Preference("gender.woman", Strength.MUST), Preference("faith", Strength.NONE)),
        languages=("es", "en", "ht"),
        interpreter_needed=True,
        modalities=("bedside", "phone"),
        excluded_specialist_ids=("sp-1", "sp-2"),
        is_naloxone_given=False,
        expected_departure_at=NOW + timedelta(hours=2),
        characteristics=(
            Characteristic("gender", Answered.STATED, "gender.woman", "family", "form"),
            Characteristic("faith", Answered.DECLINED, "", "family", "form"),
            Characteristic("age", Answered.STATED, "age.adult"),
        ),
    )
    said = replace(said, experience_codes=tuple(sorted(said.experience_codes, key=_in_form_order)))
    fields = filling_form.fields_of(said, BRIGID) | {"key": "n" * 24}
    again, faults = reading_form.read(fields, BRIGID, "en", NOW, known=said)
    assert faults == []
    assert again.person == said.person and again.person.record_numbers == said.person.record_numbers
    same = replace(
        again,
        idempotency_key=said.idempotency_key,
        consent=said.consent,
        where=said.where,
        may_wait_for_consent=said.may_wait_for_consent,
        characteristics=tuple(sorted(again.characteristics, key=repr)),
    )
    assert same == replace(said, characteristics=tuple(sorted(said.characteristics, key=repr)))


def _in_form_order(code: str) -> int:
    return choices.REASONS.index(code) if code in choices.REASONS else len(choices.REASONS)


def test_the_hospitals_own_number_is_shown_and_other_systems_numbers_are_kept():
    """A correction never loses the number another system gave."""
    other = RecordNumber("urn:oid:2.999.1", "MRN-70077")
    known = a_submission()
    fields = filling_form.fields_of(known, BRIGID)
    assert fields["record_number"] == ""
    again, _ = reading_form.read(fields | {"record_number": "77"}, BRIGID, "en", NOW, known=known)
    assert again.person.record_numbers == (RecordNumber(f"source:{SOURCE}", "77"), other)


def test_declined_and_unknown_are_answers_and_not_asked_is_none():
    """The Gravity pattern: who said it and how stand with each."""
    said, _ = read(about_gender="declined", about_faith="unknown", about_military="military.veteran")
    assert said.characteristics == (
        Characteristic("gender", Answered.DECLINED),
        Characteristic("faith", Answered.UNKNOWN),
        Characteristic("military", Answered.STATED, "military.veteran"),
    )
    assert read(about_gender="faith.jewish")[0].characteristics == ()


def test_one_way_to_find_the_person_again_is_enough():
    """A record number alone, or a name with a birth date; a name alone is not."""
    assert read()[1] == {} and read(family="", given="", birth="", record_number="77")[1] == {}
    assert read(birth="")[1] == {"record_number": "person-not-findable"}


@pytest.mark.parametrize(
    ("typed", "faults"),
    [
        ({"urgency": ""}, {"urgency": "urgency-missing"}),
        ({"urgency": "whenever"}, {"urgency": "urgency-missing"}),
        ({"language": ""}, {"language": "language-missing"}),
        ({"about_gender": "declined", "about_how": "asked"}, {"about_said_by": "answer-missing"}),
        ({"birth": "31/12/1988"}, {"birth": "birth-date-unreadable"}),
        ({"birth": "2031-01-01"}, {"birth": "birth-date-in-future"}),
        ({"arrived_time": "soon"}, {"arrived_time": "time-unreadable"}),
        ({"arrived_date": "2026-11-21"}, {"arrived_time": "time-unreadable"}),
        ({"ref_email": "nobody"}, {"ref_email": "email-unreadable"}),
        ({"never": "sp 1, <b>"}, {"never": "specialist-id-unreadable"}),
        ({"consent": ""}, {"consent": "consent-unasked"}),
        ({"consent": "no"}, {"consent": "consent-refused"}),
        ({"consent_witness": " "}, {"consent_witness": "answer-missing"}),
        ({"consent_signature": ""}, {"consent_signature": "answer-missing"}),
        (
            {"consent_signature": "paper", "consent_until": ""},
            dict.fromkeys(("consent_kept_at", "consent_by", "consent_until"), "answer-missing"),
        ),
        ({"consent_by": "representative"}, {"consent_by_name": "answer-missing"}),
        ({"consent_until": "date"}, {"consent_until_date": "date-unreadable"}),
        ({"wish1": "gender.man", "wish2": "gender.man"}, {"wish1": "preference-doubled"}),
        ({"note": "x" * 2_001}, {"note": "too-long"}),
    ],
)
def test_each_fault_comes_back_at_its_field(typed, faults):
    """Under the field's own name, which is where the page puts it and its link leads; no other field is blamed."""
    found = read(**typed)[1]
    assert found.items() >= faults.items()
    assert not set(found) - set(faults) - {"record_number"}, found


def test_the_consent_has_every_element_of_the_rule():
    """42 CFR 2.31(a): who, by whom, what, to whom, for what, until when, how it ends, signed when and how."""
    paper = {"consent_signature": "paper", "consent_kept_at": "Chart room 2", "consent_by": "peer"}
    said, faults = read(**paper, consent_until="days")
    consent = said.consent
    assert faults == {} and consent.is_permitted and consent.signed_at == NOW
    assert consent.expires_at == NOW + timedelta(days=30)
    assert (consent.discloser, consent.intermediary) == (BRIGID.name, "Kindred")
    assert consent.scope and consent.recipients and consent.purposes == ("TREAT",)
    assert consent.is_revocation_told and consent.signed_by == "peer"
    assert (consent.signature_method, consent.witness, consent.kept_at) == (
        "written",
        "Ada Lark, RN",
        "Chart room 2",
    )


def test_what_was_said_aloud_never_claims_to_be_written():
    """A programme under Part 2 needs a signature; elsewhere a witnessed yes is enough, and says what it is."""
    said, faults = read()
    assert faults == {} and said.consent.signature_method == "verbal" and said.consent.policies == ()
    part_2 = replace(BRIGID, is_part_2=True)
    said, own = reading_form.read(TYPED, part_2, "en", NOW)
    assert [
        (one.path, one.code) for one in reading_form.merged(own, faults_of(said, NOW, CODES), is_known=False)
    ] == [("consent_signature", "consent-not-written")]


def test_who_was_not_asked_yet_waits_and_nobody_says_yes_for_them():
    """No consent, no fault: the referral is held here."""
    said, faults = read(consent="later", consent_witness="")
    assert said.consent is None and said.may_wait_for_consent and faults == {}


def test_every_word_is_there_in_both_languages():
    """The same keys, none empty, and one for everything that a page may have to say."""
    assert WORDS["en"].keys() == WORDS["es"].keys()
    for words in WORDS.values():
        assert all(words.values())
        wanted = {f"state_{one.value}" for one in State} | {f"happened_{one.value}" for one in State}
        wanted |= {f"why_{one}" for one in (*CANCEL_REASONS, *PEER_REASONS)}
        wanted |= {f"reason_{one}" for one in choices.COMMON_REASONS}
        wanted |= {f"strength_{one.value}" for one in Strength}
        wanted |= {f"payer_{one}" for one in choices.PAYERS} | {f"said_by_{one}" for one in choices.SAID_BY}
        assert wanted <= words.keys()


def test_no_language_repeats_a_key():
    """Two files that both define a word would hide one of them."""
    folder = Path(choices.__file__).with_name("wording")
    for reader in ("en", "es"):
        keys = [key for path in folder.glob(f"{reader}.*.json") for key in json.loads(path.read_text())]
        assert len(keys) == len(set(keys))


def test_every_common_reason_and_topic_is_in_the_taxonomy():
    """A choice that means nothing to matching would be a promise nobody keeps."""
    assert set(choices.COMMON_REASONS) <= set(choices.REASONS)
    assert all(choices.choices_of(topic, "en") for topic in choices.ABOUT_TOPICS)
    assert choices.language_name("ht", "es") == "Criollo haitiano"
