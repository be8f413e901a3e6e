"""REF and ADT read field by field: what becomes of each, what is left out, what refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.intake import taxonomy
from services.intake.domain.errors import SubmissionRejected
from services.intake.domain.person import RecordNumber
from services.intake.domain.submission import (
    Answered,
    Characteristic,
    Preference,
    Strength,
    Submission,
    Urgency,
    faults_of,
)
from services.intake.hl7v2 import times
from tests.unit.intake.hl7_builders import (
    CON,
    DG1,
    NOW,
    PID,
    PV1_FIELDS,
    SOURCE,
    a_referral,
    read,
    segment,
)
from tests.unit.intake.intake_builders import a_submission

NEW_YORK = times.zone("America/New_York")


def new(*more: str, **replaced: str) -> Submission:
    """The submission in a REF^I12."""
    return read(a_referral(*more, **replaced)).new(SOURCE, "key")


def codes(*more: str, **replaced: str) -> dict[str, str]:
    """The faults of a REF^I12: code to path."""
    return {fault.code: fault.path for fault in read(a_referral(*more, **replaced)).faults}


def test_a_whole_referral_is_read():
    """Who, where, since when, why, who refers, in whose words, with whose consent."""
    told = new()
    assert (told.person.family_name, told.person.given_name) == ("QUILLFEATHER", "WREN J")
    assert told.person.record_numbers == (RecordNumber("urn:oid:2.999.1", "MRN-70077"),)
    assert told.person.phones == ("+15185550177",)
    assert (told.person.birth_date, told.person.sex) == ("1988-04-01", "female")
    assert told.visit == RecordNumber("urn:oid:2.999.2", "V-1")
    assert told.placer_identifiers == (RecordNumber(f"source:{SOURCE}:BRIGIDADT", "PEER-881"),)
    assert (told.urgency, told.languages, told.place) == (Urgency.IMMEDIATE, ("es",), "ED, 12, A")
    assert told.experience_codes == ("overdose", "substance.opioids")
    assert (told.referrer.name, told.referrer.phone) == ("ADA OKONKWO, RN", "5185550100")
    assert (told.source_contact.email, told.facility_zip) == ("desk@st-brigid.example", "12208")
    assert told.source_contact.time_zone == "America/New_York"
    assert (told.note, told.arrived_at) == ("Likes to be called Wren.", NOW - timedelta(minutes=20))
    assert faults_of(told, NOW, taxonomy.load().codes) == []


def test_the_consent_is_read_from_con():
    """CON-11 decides, CON-13 signs, CON-14 and CON-15 bound it; a day without an hour is the whole day."""
    consent = new().consent
    assert consent is not None
    assert (consent.consent_id, consent.is_permitted) == ("C-55", True)
    assert consent.signed_at == datetime(2026, 11, 21, 21, 55, tzinfo=UTC)
    assert consent.expires_at == datetime(2027, 2, 22, 5, 0, tzinfo=UTC)
    assert (consent.signature_method, consent.signed_by) == ("written", "peer")


def con(**fields: str) -> str:
    """A CON with some fields replaced: con(f11="R")."""
    parts = CON.split("|") + [""] * 30
    for name, value in fields.items():
        parts[int(name[1:])] = value
    return "|".join(parts)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"f11": "R"}, "consent-refused"),
        ({"f11": "X"}, "consent-revoked"),
        ({"f11": "P"}, "consent-silent"),
        ({"f11": "B"}, "consent-silent"),
        ({"f11": "L"}, "consent-restricted"),
        ({"f9": "only to my sister"}, "consent-restricted"),
        ({"f2": "research^^L"}, "consent-restricted"),
        ({"f2": ""}, "consent-restricted"),
        ({"f16": "N"}, "consent-restricted"),
        ({"f21": "N"}, "consent-restricted"),
        ({"f10": "V"}, "consent-unwitnessed"),
        ({"f10": "T", "f2": "42CFRPart2^^99KINDRED"}, "consent-not-written"),
        ({"f13": ""}, "consent-unsigned"),
        ({"f15": "20260101"}, "consent-expired"),
        ({"f14": "20270101"}, "consent-not-yet-valid"),
        ({"f13": "20270101"}, "consent-dated-ahead"),
    ],
)
def test_a_consent_that_is_none_is_not_passed_over(fields: dict[str, str], code: str):
    """Refused, withdrawn, narrowed, spoken, expired, of another kind: each is told by its code and place."""
    told = new(con=con(**fields))
    known = frozenset({"overdose", "substance.opioids"})
    found = {fault.code: fault.path for fault in faults_of(told, NOW, known)}
    assert code in found
    assert found[code].startswith("CON[1]")


def test_a_consent_to_an_operation_is_none_to_a_referral():
    """CON-2 of another number of table 0496 is about something else; the referral waits."""
    told = new(con=con(f2="002^Medical procedure^HL70496"))
    assert (told.consent, told.may_wait_for_consent) == (None, True)


def test_the_newer_of_two_consents_counts_and_the_stricter_of_two_as_new():
    """A refusal after a permission is a refusal, also on the same minute."""
    later = con(f11="R", f13="20261121165600")
    assert new(later).consent.is_permitted is False
    assert new(con(f11="R")).consent.is_permitted is False
    assert new(con(f11="R", f13="20261101")).consent.is_permitted is True


@pytest.mark.parametrize(
    ("name", "family", "given"),
    [
        ("ALIAS^ANN^^^^^A~LEGAL^LENA^^^^^L", "LEGAL", "LENA"),
        ("NICK^NAT^^^^^N~PLAIN^PAT", "PLAIN", "PAT"),
        ("VAN DYKE&VAN&DYKE^ROB", "VAN DYKE", "ROB"),
        ("MAIDEN^MAY^^^^^M~DISPLAY^DEE^^^^^D", "DISPLAY", "DEE"),
        (r"O\T\BRIEN^SIO\X42\HAN", "O&BRIEN", "SIOBHAN"),
    ],
)
def test_the_legal_name_speaks_first(name: str, family: str, given: str):
    """Of several names the legal one, else the one without a type; an alias only where there is no other."""
    parts = PID.split("|")
    parts[5] = name
    told = new(pid="|".join(parts)).person
    assert (told.family_name, told.given_name) == (family, given)


@pytest.mark.parametrize(
    ("field", "value", "attribute", "expected"),
    [
        (7, "198804", "birth_date", "1988-04"),
        (7, "1988", "birth_date", "1988"),
        (7, "198804011230+0200", "birth_date", "1988-04-01"),
        (7, "19881332", "birth_date", "1988-13-32"),
        (13, "(518) 555-0177^PRN^PH~555-1^WPN^PH~555-2^^FX", "phones", ("(518) 555-0177",)),
        (13, "^PRN^CP^^^^^^^^^+1 518 555 0177", "phones", ("+1 518 555 0177",)),
        (11, "1 Elm^^Albany^NY^12208-1234^USA^H", "home_zip", "12208"),
        (
            3,
            "123456789^^^USSSA^SS~M1^^^^MR~999^^^^AN",
            "record_numbers",
            (RecordNumber(f"source:{SOURCE}", "M1"),),
        ),
    ],
)
def test_a_field_of_pid(field: int, value: str, attribute: str, expected: object):
    """Precision is kept, phones are those a voice answers at home, numbers those of a record."""
    parts = PID.split("|")
    parts[field] = value
    assert getattr(new(pid="|".join(parts)).person, attribute) == expected


def test_what_the_record_says_of_culture_is_said_by_the_record():
    """Race, ethnicity and religion are characteristics from the chart; "declined" is an answer."""
    parts = (PID + "|" * 8).split("|")
    parts[10], parts[22], parts[17] = "ASKU^Asked but unknown~2106-3", "H^Hispanic^HL70189", "MSU^Sunni"
    told = new(pid="|".join(parts)).characteristics
    assert {(one.topic, one.code or one.answered) for one in told} == {
        ("ethnicity", Answered.DECLINED),
        ("ethnicity", "ethnicity.white"),
        ("ethnicity", "ethnicity.hispanic-latino"),
        ("faith", "faith.muslim"),
    }
    assert {(one.said_by, one.how) for one in told} == {("record", "chart")}
    assert new().preferences == ()


def test_wishes_come_in_zkd_or_in_our_observations():
    """Preferences with strengths, exclusions, modalities, an agreed interpreter, safe contact: one list."""
    zkd = new(
        "ZKD|1|preference-strong|military.veteran~lgbtq",
        "ZKD|2|preference-avoid|faith",
        "ZKD|3|excluded-specialist|spc-9",
        "ZKD|4|modality|bedside~phone",
        "ZKD|5|interpreter-agreed|Y",
        "ZKD|6|do-not-contact|N",
        "ZKD|7|who-else-answers|her sister",
        "ZKD|8|naloxone-given|Y",
        "ZKD|9|payer|medicaid",
        "ZKD|10|lived-experience|homelessness",
        "ZKD|11|characteristic|gender~gender.woman|peer|asked",
        "ZKD|12|characteristic|faith~declined|peer|asked",
        "ZKD|13|expected-departure|202611211900",
        "ZKD|14|contact-time-zone|America/New_York",
    )
    obx = new(
        "OBX|1|CWE|preference-strong^^99KINDRED||military.veteran^^99KINDRED~lgbtq^^99KINDRED||||||F",
        "OBX|2|CWE|preference-avoid^^99KINDRED||faith^^99KINDRED||||||F",
        "OBX|3|ST|modality^^99KINDRED||bedside~phone||||||F",
        "OBX|4|ID|interpreter-agreed^^99KINDRED||Y||||||F",
        "OBX|5|ST|preference-must^^99KINDRED||faith.jewish||||||X",
    )
    wishes = (
        Preference("military.veteran", Strength.STRONG),
        Preference("lgbtq", Strength.STRONG),
        Preference("faith", Strength.AVOID),
    )
    assert (zkd.preferences, obx.preferences) == (wishes, wishes)
    assert (zkd.modalities, obx.modalities) == (("bedside", "phone"), ("bedside", "phone"))
    assert (zkd.interpreter_agreed, obx.interpreter_agreed) == (True, True)
    assert zkd.excluded_specialist_ids == ("spc-9",)
    assert (zkd.person.safe_contact.do_not_contact, zkd.person.safe_contact.who_else_answers) == (
        False,
        "her sister",
    )
    assert (zkd.is_naloxone_given, zkd.payer_code) == (True, "medicaid")
    assert zkd.experience_codes == ("homelessness", "overdose", "substance.opioids")
    assert Characteristic("gender", Answered.STATED, "gender.woman", "peer", "asked") in zkd.characteristics
    assert zkd.expected_departure_at == datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
    assert zkd.source_contact.time_zone == "America/New_York"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("ZKD|1|preference-stronk|lgbtq", "topic-unknown"),
        ("ZKD|1|do-not-contact|maybe", "answer-unreadable"),
        ("ZKD|1|characteristic|faith~gender.man", "characteristic-unreadable"),
        ("ZKD|1|expected-departure|soon", "time-unreadable"),
        ("OBX|1|ST|mood^^99KINDRED||fine||||||F", "topic-unknown"),
        ("CON|2|001|||||||||A||yesterday", "time-unreadable"),
        ("PID|2||other", "segment-several"),
    ],
)
def test_a_word_that_cannot_be_read_refuses(row: str, code: str):
    """A misspelt wish is not passed over: it may be a "never" (P8)."""
    assert code in codes(row)


@pytest.mark.parametrize(
    ("row", "refuses"),
    [
        ("ARV|1|A|ALL|PAT", True),
        ("ARV|1|A|DEM|PAT", True),
        ("ARV|1|A|DRG^Drug related|PAT", True),
        ("ARV|1|A|OO|PAT", True),
        ("ARV|1|A|SOMETHING-NEW|PAT", True),
        ("ARV|1|A||PAT", True),
        ("ARV|1|A|NO|PAT", False),
        ("ARV|1|D|ALL|PAT", False),
        ("ARV|1|A|ALL|PAT||20200101^20210101", False),
        ("ARV|1|A|ALL|PAT||20261201", False),
        ("ARV|1|A|LOC~PID-17|PHY", False),
        (segment("PD1", {12: "Y"}), True),
        (segment("PD1", {12: "N"}), False),
        (segment("PV2", {22: "Y"}), True),
    ],
)
def test_an_access_restriction_is_kept_or_refuses(row: str, refuses: bool):
    """What a referral cannot keep refuses it; what can be left out is."""
    reading = read(a_referral(row))
    assert reading.is_restricted is refuses
    assert ("access-restricted" in {fault.code for fault in reading.faults}) is refuses


def test_what_is_restricted_is_left_out():
    """The place, the birth date and the religion are not taken where the person restricted them."""
    told = new("ARV|1|A|LOC~PID-7~PID-17|PAT")
    assert (told.place, told.person.birth_date) == ("", "")
    assert {one.topic for one in told.characteristics} == {"ethnicity"}


def test_the_dead_are_not_referred():
    """PID-30 Y, or a date of death, refuses."""
    assert codes(pid=segment("PID", {3: "7", 30: "Y"}))["person-deceased"] == "PID[1]-30"
    assert "person-deceased" in codes(pid=segment("PID", {3: "7", 29: "20261101"}))


def test_a_referral_without_pid_is_refused():
    """Nobody is guessed at."""
    assert codes(pid="") == {"segment-missing": "PID"}


@pytest.mark.parametrize(
    ("priority", "patient_class", "urgency"),
    [
        ("S", "I", Urgency.IMMEDIATE),
        ("A", "I", Urgency.IMMEDIATE),
        ("U", "E", Urgency.URGENT),
        ("R", "E", Urgency.ROUTINE),
        ("", "E", Urgency.IMMEDIATE),
        ("", "I", Urgency.ROUTINE),
        ("?", "E", Urgency.ROUTINE),
    ],
)
def test_urgency_is_the_order_s_else_the_place_s(priority: str, patient_class: str, urgency: Urgency):
    """RF1-2 decides; without it, somebody in the emergency department is immediate; an unknown one is warned of."""
    reading = read(a_referral(rf1=f"RF1||{priority}", pv1=f"PV1|1|{patient_class}"))
    assert reading.new(SOURCE, "k").urgency is urgency
    assert [one.code for one in reading.warnings] == (["priority-unknown"] if priority == "?" else [])


def test_deleted_diagnoses_and_observations_that_are_not_final_count_for_nothing():
    """DG1-21 D and OBX-11 X are left out; other coding systems are kept and mean nothing to us."""
    deleted = segment("DG1", {3: "F10.2^^I10", 21: "D"})
    wrong = "OBX|2|CWE|75325-1^Symptom^LN||55680006^Overdose^SCT||||||X"
    local = "DG1|3||X99^Something of ours^L"
    told = new(deleted, wrong, local)
    assert told.experience_codes == ("overdose", "substance.opioids")
    assert ("hl7v2:L", "X99") in {(code.system, code.code) for code in told.codes}


def test_a_modification_changes_what_is_said_and_deletes_what_is_null():
    """Absent stays, null goes, a repeated field is replaced as a whole."""
    kept = a_submission(note="old words", languages=("es", "en"), place="ED, 1")
    pid = segment("PID", {3: "M1^^^BRIGID&2.999.1&ISO", 13: '""', 15: "fr"})
    said = read(a_referral(rf1="", prd="", dg1="", pid=pid, pv1=segment("PV1", {3: '""'}), con=""))
    changed = said.onto(kept, "key-2")
    assert changed.person.family_name == kept.person.family_name
    assert changed.person.phones == ()
    assert (changed.languages, changed.place) == (("fr",), "")
    assert (changed.experience_codes, changed.urgency) == (kept.experience_codes, kept.urgency)
    assert (changed.visit, changed.source_contact) == (kept.visit, kept.source_contact)
    assert (changed.note, changed.idempotency_key) == ("Likes to be called Wren.", "key-2")


def test_a_reading_with_faults_changes_nothing():
    """Nothing of a message with faults is taken."""
    with pytest.raises(SubmissionRejected):
        read(a_referral("ZKD|1|nonsense|x")).onto(a_submission(), "k")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("202611211700", datetime(2026, 11, 21, 22, 0, tzinfo=UTC)),
        ("20261121170030.1234-0500", datetime(2026, 11, 21, 22, 0, 30, 123_000, tzinfo=UTC)),
        ("20261121170060", datetime(2026, 11, 21, 22, 0, 59, tzinfo=UTC)),
        ("202607211700", datetime(2026, 7, 21, 21, 0, tzinfo=UTC)),
        ("20261121220000+0000", datetime(2026, 11, 21, 22, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_of_its_offset_or_of_the_sender_s_zone(text: str, moment: datetime):
    """Without an offset the zone of the sender, summer time and all, decides."""
    assert times.read(text, NEW_YORK).first == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "2026131", "20261340", "20261121250000", "20261121+2500", "99999"]
)
def test_what_is_no_time_is_none(text: str):
    """Nothing is made of half a time."""
    assert times.read(text, NEW_YORK) is None


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("2026", datetime(2027, 1, 1, 5, tzinfo=UTC)),
        ("202612", datetime(2027, 1, 1, 5, tzinfo=UTC)),
        ("20261121", datetime(2026, 11, 22, 5, tzinfo=UTC)),
        ("2026112117", datetime(2026, 11, 21, 23, tzinfo=UTC)),
    ],
)
def test_a_time_lasts_as_long_as_its_precision(text: str, last: datetime):
    """Until the 21st means the whole 21st, where the sender lives."""
    assert times.read(text, NEW_YORK).last() == last


def test_a_visit_of_long_ago_is_warned_of_and_not_taken():
    """An admission of years ago is no arrival; the sender is told."""
    reading = read(a_referral(pv1=segment("PV1", PV1_FIELDS | {44: "20200101"})))
    assert reading.warnings == ()  # a day without an hour is no arrival either
    reading = read(a_referral(pv1=segment("PV1", PV1_FIELDS | {44: "202001011200"})))
    assert [one.code for one in reading.warnings] == ["arrival-too-long-ago"]
    assert reading.new(SOURCE, "k").arrived_at is None


def test_a_diagnosis_is_also_read_by_its_second_coding():
    """The alternate triplet of a CWE counts."""
    told = new(dg1=DG1.replace("T40.1X1A^Poisoning by heroin^I10", "L1^ours^L^T40.1X1A^Heroin^ICD-10-CM"))
    assert told.experience_codes == ("overdose", "substance.opioids")
