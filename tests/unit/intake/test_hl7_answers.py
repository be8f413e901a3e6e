"""Acknowledgements and status messages: right for the sender's version, signs and wishes, and by a second opinion."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from chassis.errors import HL7_ERR, Fault, Kind
from services.intake.domain.referral import Referral
from services.intake.domain.states import CLOSED, State
from services.intake.hl7v2 import answers, message, times
from services.intake.hl7v2.answers import Answer
from services.intake.hl7v2.faults import condition
from services.intake.hl7v2.status import STATUS, Receiver, Standing, status_message
from services.intake.hl7v2.writing import VERSIONS
from services.intake.store.documents import Kept
from tests.unit.intake.hl7_builders import NOW, fields, joined, msh
from tests.unit.intake.intake_builders import a_submission

FAULT = Fault("PID[1]-7", "birth-date-unreadable", "This is not a date.")
REFUSED = Answer(
    "AE", (FAULT, Fault("CON[1]-13", "consent-unsigned", "The consent has no date of signature."))
)
STANDING = Standing("ref-1", State.ASSIGNED, NOW, "", NOW + timedelta(minutes=20), "bedside")
ACCEPTED = Answer("AA", standing=STANDING, numbers=("P-1^EHR", "M1^^^A^MR", "QUILL^WREN"))
REFERRAL = Referral(
    referral_id="ref-1",
    peer_id="peer_1",
    source_id="er-st-brigid",
    state=State.ASSIGNED,
    urgency="immediate",
    submitted_at=NOW,
    state_at=NOW,
    promised_arrival_at=NOW + timedelta(minutes=20),
    modality="bedside",
)


def answer(told: Answer, header: str, **more: bool) -> bytes:
    """The acknowledgement of a message with this MSH."""
    raw = joined([header])
    return answers.render(told, message.header_of(raw), message.parse(raw).charset, NOW, **more)


def test_the_parties_are_exchanged_and_all_else_is_the_sender_s():
    """MSH-3 to 6 swapped whole, same processing id, version, delimiters and character set; MSA-2 is their MSH-10."""
    header = "MSH#*!$%#APP*1.2*ISO#FAC#US#HERE#20261121##REF*I12#A$S$B#P#2.8######8859/1"
    read = message.parse(answer(Answer("AA"), header))
    told = [read.header.raw(number) for number in (2, 3, 4, 5, 6, 11, 12, 18)]
    assert told == ["*!$%", "US", "HERE", "APP*1.2*ISO", "FAC", "P", "2.8", "8859/1"]
    assert (read.text("MSA", 1), read.text("MSA", 2)) == ("AA", "A*B")
    assert read.header.raw(9) == "ACK*I12*ACK"


@pytest.mark.parametrize("version", VERSIONS)
def test_errors_are_told_as_the_version_has_it(version: str):
    """Before 2.5 in ERR-1 and MSA-3, since then one ERR each with place, condition, severity and our code."""
    told = answer(REFUSED, msh(version=version))
    if version < "2.5":
        assert fields(told, "MSA") == ["MSA", "AE", "MSG1", "This is not a date."]
        first, second = fields(told, "ERR")[1].split("~")
        assert first.split("^")[:3] == ["PID", "1", "7"]
        assert second.split("^")[3].split("&")[3] == "consent-unsigned"
        return
    assert fields(told, "MSA") == ["MSA", "AE", "MSG1"]
    first, second = fields(told, "ERR", 1), fields(told, "ERR", 2)
    assert first[2:5] == ["PID^1^7", "102^Data type error^HL70357", "E"]
    assert (first[5], first[8]) == ("birth-date-unreadable^^99KINDRED", "This is not a date.")
    assert second[3].startswith("101^")


@pytest.mark.parametrize(
    ("accept", "application", "told", "code"),
    [
        ("", "", ACCEPTED, "AA"),
        ("AL", "NE", ACCEPTED, "CA"),
        ("AL", "AL", ACCEPTED, "CA"),
        ("NE", "AL", ACCEPTED, "AA"),
        ("NE", "NE", ACCEPTED, ""),
        ("ER", "NE", ACCEPTED, ""),
        ("SU", "NE", ACCEPTED, "CA"),
        ("NE", "ER", ACCEPTED, ""),
        ("NE", "SU", ACCEPTED, "AA"),
        ("AL", "NE", REFUSED, "CE"),
        ("AL", "NE", replace(REFUSED, code="AR"), "CR"),
        ("ER", "NE", REFUSED, "CE"),
        ("SU", "NE", REFUSED, ""),
        ("NE", "ER", REFUSED, "AE"),
        ("NE", "NE", REFUSED, ""),
        ("", "ER", ACCEPTED, ""),
    ],
)
def test_who_asks_for_which_acknowledgement_gets_it(accept: str, application: str, told: Answer, code: str):
    """MSH-15 and MSH-16 (table 0155): the accept acknowledgement goes first, and nobody gets one unasked."""
    header = msh(more=f"|||{accept}|{application}")
    found = answer(told, header)
    assert (fields(found, "MSA")[1] if found else "") == code
    if code == "AA":
        assert fields(found, "MSH")[9].startswith("RRI^I12^RRI_I12")
    always = answer(told, header, is_always=True)
    assert fields(always, "MSA")[1] == told.code


@pytest.mark.parametrize("state", list(State))
def test_nobody_is_promised_to_come_to_what_is_over(state: State):
    """The promised arrival and its modality are told of a referral that is open, and of no other."""
    told = answer(replace(ACCEPTED, standing=replace(STANDING, state=state)), msh())
    topics = [
        fields(told, "OBX", number)[3].partition("^")[0] for number in range(1, told.count(b"\rOBX") + 1)
    ]
    assert topics == ["state"] + ["promised-arrival", "modality"] * (state not in CLOSED)


@pytest.mark.parametrize("sign", list("+-#!$*;,"))
def test_whatever_the_senders_signs_every_field_is_where_it_belongs(sign: str):
    """A time holds a plus that nothing can escape: where that is their field separator it is written without one."""
    accepted = replace(ACCEPTED, numbers=("P1^EHR", "M1^^^A^MR", "QUILL^WREN"))
    told = answer(accepted, msh().replace("-0500", "").replace("|", sign))
    read = message.parse(told)
    assert (read.text("MSH", 9), read.text("MSH", 10) != "", read.text("MSA", 1)) == ("RRI", True, "AA")
    assert (read.text("RF1", 6), read.text("RF1", 11)) == ("P1", "ref-1")
    at = times.read(read.text("RF1", 9), UTC)
    assert at is not None and at.first == NOW


def test_bytes_without_a_header_are_answered_all_the_same():
    """Whoever sends garbage hears AR in HL7's usual signs."""
    told = answers.render(Answer("AR", (FAULT,)), None, message.Charset("ascii"), NOW)
    assert fields(told, "MSA")[1] == "AR"


def test_warnings_do_not_refuse():
    """What was passed over is severity W in an ACK, and a note in an RRI."""
    warned = Answer("AA", warnings=(Fault("PV1[1]-44", "arrival-too-long-ago", "Not taken."),))
    assert fields(answer(warned, msh()), "ERR")[4] == "W"
    told = answer(replace(ACCEPTED, warnings=warned.warnings), msh())
    assert "arrival-too-long-ago at PV1[1]-44" in fields(told, "NTE")[3]


def test_a_held_referral_says_what_it_waits_for():
    """needs-information is P with our state beside it, and the note names the consent."""
    held = replace(STANDING, state=State.NEEDS_INFORMATION, reason_code="consent-missing")
    told = answer(replace(ACCEPTED, standing=held), msh())
    assert fields(told, "RF1")[1] == "P^Pending^HL70283^needs-information^^99KINDRED"
    assert fields(told, "NTE")[3].startswith("consent-missing: ")


def test_every_state_has_its_word_in_table_0283():
    """No state is left without a status."""
    assert set(STATUS) == set(State)
    assert set(STATUS.values()) <= set("PARE")


def test_every_kind_of_refusal_has_its_condition():
    """Table 0357 answers for whatever a handler refuses with."""
    assert {condition("some-code", kind)[0] for kind in Kind} == set(HL7_ERR.values())


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1", "2.8"])
@pytest.mark.parametrize("told", [Answer("AA"), REFUSED, ACCEPTED], ids=["ACK", "ERR", "RRI"])
def test_a_strict_reader_finds_no_fault(version: str, told: Answer):
    """hl7apy validates structure, cardinality and data types of what we answer, version by version."""
    raw = answer(told, msh(version=version)).decode()
    parsed = parse_message(raw, validation_level=VALIDATION_LEVEL.STRICT)
    assert parsed.validate()


@pytest.mark.parametrize("version", ["2.5.1", "2.8"])
@pytest.mark.parametrize("state", [State.ASSIGNED, State.NEEDS_INFORMATION])
def test_a_status_message_stands_by_itself(version: str, state: State):
    """RRI^I12 without MSA: both sides' numbers, the state, the promise, and the person by number and name."""
    to = Receiver("EHR^1.2.3^ISO", "STBRIGID", version)
    kept = Kept(replace(a_submission(), placer_identifiers=()))
    raw = status_message(replace(REFERRAL, state=state), kept, to=to, now=NOW, control_id="OUT1")
    assert parse_message(raw.decode(), validation_level=VALIDATION_LEVEL.STRICT).validate()
    assert fields(raw, "MSH")[5:7] == ["EHR^1.2.3^ISO", "STBRIGID"]
    assert fields(raw, "MSH")[10] == "OUT1"
    assert fields(raw, "RF1")[11] == "ref-1^KINDRED"
    assert fields(raw, "PID")[3] == "MRN-70077^^^&2.999.1&ISO^MR"
    assert fields(raw, "OBX", 1)[5].split("^")[0] == state.value
    assert b"20261121222000+0000" in raw


def test_a_status_message_is_in_the_receiver_s_character_set():
    """A receiver of ISO 8859-1 gets ñ as one byte."""
    person = replace(a_submission().person, family_name="Nuñez")
    to = Receiver("EHR", "F", charset="8859/1")
    raw = status_message(REFERRAL, Kept(replace(a_submission(), person=person)), to=to, now=NOW)
    assert "Nuñez".encode("latin-1") in raw
