"""HL7 v2 messages on a real database: stored before acknowledged, answered the same again, nothing half stored."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from chassis.clock import TurnedClock
from chassis.envelope import Cause
from kindred.intake.v1 import events_pb2
from services.intake import handlers
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.domain.person import RecordNumber
from services.intake.domain.states import State
from services.intake.hl7v2 import handling
from services.intake.settings import Settings
from tests.unit.intake.hl7_builders import (
    CON,
    NOW,
    NTE,
    PID,
    PV1,
    RF1,
    SOURCES,
    a_referral,
    about,
    fields,
    joined,
    msh,
    segment,
)

MRN = RecordNumber("urn:oid:2.999.1", "MRN-70077")


@pytest.fixture(scope="module")
def one_room(mongo_uri: str, mongo_client: Any, intake_keys: Any) -> Iterator[Room]:
    name = f"kindred_test_{secrets.token_hex(6)}"
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=name,
        amqp_uri="amqp://nowhere",
        keys_dir=intake_keys,
        hl7_sources=SOURCES,
    )
    room = build_room(settings, TurnedClock(NOW))
    prepare(room)
    yield room
    mongo_client.drop_database(name)


@pytest.fixture
def room(one_room: Room) -> Room:
    """The module's room, empty."""
    for name in one_room.database.list_collection_names():
        if name != "data_keys" and one_room.database[name].find_one({}, {"_id": 1}):
            one_room.database[name].delete_many({})
    return one_room


def said(room: Room, collection: str = "referrals") -> list[str]:
    return [row["type"] for doc in room.database[collection].find() for row in doc["outbox"]]


def kept(room: Room) -> Any:
    held = room.referrals.load(room.database.referrals.find_one()["_id"])
    return room.referrals.open(held).submission


def state(room: Room) -> str:
    return room.database.referrals.find_one()["status"]


def told(answer: bytes) -> tuple[str, str]:
    """MSA-1 and our code of the first error, or the state in an RRI."""
    error, order = fields(answer, "ERR"), fields(answer, "RF1")
    code = error[5].split("^")[0] if error else (order[1].split("^")[3] if order else "")
    return fields(answer, "MSA")[1], code


def rejected(room: Room) -> list[tuple[str, str]]:
    rows = [row for doc in room.database.rejections.find() for row in doc["outbox"]]
    events = [events_pb2.SubmissionRejected.FromString(row["data"]) for row in rows]
    return [(event.reason_codes[0], event.paths[0]) for event in events]


def test_a_referral_is_stored_before_its_acknowledgement(room: Room):
    """REF^I12 is answered by RRI^I12 with AA, the sender's control id, their number and ours."""
    answer = handling.handle(room, a_referral())
    stored = room.database.referrals.find_one()
    assert fields(answer, "MSA")[:3] == ["MSA", "AA", "MSG1"]
    assert fields(answer, "RF1")[6] == "PEER-881^BRIGIDADT"
    assert fields(answer, "RF1")[11].split("^")[0] == stored["_id"]
    assert (stored["status"], stored["door"], stored["source_id"]) == ("submitted", "hl7v2", "er-st-brigid")
    assert said(room).count("referral.submitted.v1") == 1


def test_the_answer_repeats_no_number_that_is_none_of_a_record(room: Room):
    """A social security number is neither kept nor sent back."""
    answer = handling.handle(room, a_referral())
    assert b"123-45-6789" not in answer
    assert kept(room).person.record_numbers == (MRN,)


@pytest.mark.parametrize(
    "again",
    [
        a_referral(),
        a_referral(control_id="RESTAMPED"),
        a_referral(msh=msh(control_id="R2").replace("20261121165900", "20261121170500")),
        a_referral().replace(b"\r", b"\r\n"),
    ],
    ids=["same", "other control id", "other time", "other line ends"],
)
def test_a_repeated_message_gets_the_same_answer(room: Room, again: bytes):
    """Engines re-stamp what they send again: the control id or the content knows it, and the answer is the first one."""
    first, second = (handling.handle(room, one) for one in (a_referral(), again))
    assert fields(first, "RF1") == fields(second, "RF1")
    assert fields(second, "MSA")[1] == "AA"
    assert room.database.referrals.count_documents({}) == 1
    assert said(room).count("referral.submitted.v1") == 1


def test_one_control_id_for_two_contents_is_refused(room: Room):
    """The second message is AE with 205, and changes nothing."""
    handling.handle(room, a_referral())
    answer = handling.handle(room, a_referral("ZKD|1|modality|phone"))
    assert told(answer) == ("AE", "control-id-reused")
    assert fields(answer, "ERR")[3].startswith("205^")
    assert kept(room).modalities == ()
    assert rejected(room) == [("control-id-reused", "MSH[1]-10")]


def test_a_refused_message_may_be_mended_under_its_control_id(room: Room):
    """What was refused left nothing, so that the corrected message may have the same number."""
    bad = a_referral(pid=PID.replace("19880401", "19881340"))
    assert told(handling.handle(room, bad)) == ("AE", "birth-date-unreadable")
    assert rejected(room) == [("birth-date-unreadable", "PID[1]-7")]
    assert [
        name for name in ("referrals", "people", "hl7_messages") if room.database[name].count_documents({})
    ] == []
    assert told(handling.handle(room, a_referral())) == ("AA", "submitted")


def test_two_nurses_and_an_engine_at_once_make_one_referral(room: Room):
    """The same visit over many connections at the same moment is one referral, and everybody hears its id."""
    messages = [a_referral(control_id=f"C{number}") for number in range(4)]
    messages += [a_referral(f"NTE|2|P|copy {number}", control_id=f"D{number}") for number in range(4)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda raw: handling.handle(room, raw), messages))
    assert {fields(answer, "MSA")[1] for answer in answers} == {"AA"}
    assert len({fields(answer, "RF1")[11] for answer in answers}) == 1
    assert room.database.referrals.count_documents({}) == 1


def test_without_a_consent_the_referral_waits_and_says_so(room: Room):
    """Held as needs-information; matching hears nothing until the consent comes by REF^I13."""
    answer = handling.handle(room, a_referral(con=""))
    assert told(answer) == ("AA", "needs-information")
    assert fields(answer, "NTE")[3].startswith("consent-missing")
    assert said(room) == ["referral.status-changed.v1"]
    consented = about("REF^I13^REF_I12", RF1, PID, CON)
    assert told(handling.handle(room, consented)) == ("AA", "submitted")
    assert "referral.submitted.v1" in said(room)


def test_a_consent_in_a_second_i12_is_taken_too(room: Room):
    """Who sends the whole referral again, now with the consent, has sent what was waited for."""
    handling.handle(room, a_referral(con=""))
    assert told(handling.handle(room, a_referral(control_id="MSG2"))) == ("AA", "submitted")
    assert room.database.referrals.count_documents({}) == 1


def test_a_refused_consent_leaves_nothing(room: Room):
    """AE, the place of the refusal, and nothing but the audit entry."""
    answer = handling.handle(room, a_referral(con=CON.replace("|W|A|", "|W|R|")))
    assert told(answer) == ("AE", "consent-refused")
    assert fields(answer, "ERR")[2] == "CON^1^11"
    assert room.database.referrals.count_documents({}) == 0


def test_a_modification_changes_what_it_says(room: Room):
    """REF^I13 by the source's own number: said is changed, absent stays."""
    handling.handle(room, a_referral())
    change = about(
        "REF^I13^REF_I12",
        RF1,
        "PID|1||MRN-70077^^^BRIGID&2.999.1&ISO^MR||||||||||||fr",
        "ZKD|1|modality|phone",
    )
    assert told(handling.handle(room, change)) == ("AA", "submitted")
    after = kept(room)
    assert (after.languages, after.modalities) == (("fr",), ("phone",))
    assert (after.person.family_name, after.place) == ("QUILLFEATHER", "ED, 12, A")
    assert said(room)[-1] == "referral.revised.v1"
    handling.handle(room, change)
    assert said(room).count("referral.revised.v1") == 1


@pytest.mark.parametrize(
    "stop", [CON.replace("|W|A|", "|W|X|"), "ARV|1|A|ALL|PAT"], ids=["rescinded consent", "restriction"]
)
def test_a_consent_taken_back_stops_the_referral_at_once(room: Room, stop: str):
    """REF^I13 with a rescinded CON, or with a restriction that cannot be kept, ends it."""
    handling.handle(room, a_referral())
    assert told(handling.handle(room, about("REF^I13^REF_I12", RF1, PID, stop))) == ("AA", "cancelled")
    assert {"consent.revoked.v1", "referral.stopped.v1"} <= set(said(room))


@pytest.mark.parametrize(
    ("reason", "after"),
    [
        ("left-before-seen", "cancel-requested"),
        ("whatever^^L", "cancel-requested"),
        ("not-now", "declined-by-peer"),
        ("entered-in-error", "entered-in-error"),
    ],
)
def test_a_cancellation_ends_it_with_its_reason(room: Room, reason: str, after: str):
    """REF^I14, also where it declares the structure REF_I12."""
    handling.handle(room, a_referral())
    rf1 = segment("RF1", {6: "PEER-881^BRIGIDADT", 10: reason})
    assert told(handling.handle(room, about("REF^I14^REF_I12", rf1, PID)))[0] == "AA"
    assert state(room) == after


def test_a_status_request_tells_how_it_stands_now(room: Room):
    """REF^I15 is answered from today's state, each time anew, and the read is in the audit trail."""
    handling.handle(room, a_referral())
    question = about("REF^I15^REF_I12", RF1, PID)
    assert told(handling.handle(room, question)) == ("AA", "submitted")
    handling.handle(room, about("REF^I14^REF_I14", RF1, PID, control_id="MSG3"))
    assert told(handling.handle(room, question)) == ("AA", "cancel-requested")
    assert said(room, "accesses") == ["record.read.v1"] * 2


def test_a_referral_is_found_by_our_id_the_visit_or_the_person(room: Room):
    """RF1-11 holds what we answered; without numbers of the order the visit or the record number says which."""
    answer = handling.handle(room, a_referral())
    ours = fields(answer, "RF1")[11]
    ways = [
        [segment("RF1", {11: ours}), "PID|1||other"],
        ["PID|1||other", PV1],
        ["PID|1||MRN-70077^^^BRIGID&2.999.1&ISO^MR"],
    ]
    for number, way in enumerate(ways):
        asked = handling.handle(room, about("REF^I15", *way, control_id=f"Q{number}"))
        assert told(asked) == ("AA", "submitted"), way


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (CON.replace("|W|A|", "|W|L|"), "consent-restricted"),
        (CON.replace("|W|A|", "|W|B|"), "consent-silent"),
        (CON.replace("|W|A|", "|W|P|"), "consent-silent"),
        (CON.replace("|20270221", "|20261121165600"), "consent-expired"),
    ],
    ids=["limited", "bypassed", "pending", "over"],
)
def test_a_consent_that_permits_no_more_stops_the_referral_and_is_refused(room: Room, now: str, code: str):
    """P7: REF^I13 with a consent that is limited, bypassed, pending or over stops everything; an older one nothing."""
    handling.handle(room, a_referral())
    older = now.replace("20261121165500", "20261121150000")
    before = handling.handle(room, about("REF^I13", RF1, PID, older, control_id="M2"))
    assert told(before) == ("AA", "submitted")
    answer = handling.handle(room, about("REF^I13", RF1, PID, now, control_id="M3"))
    assert told(answer) == ("AE", code) and fields(answer, "ERR")[2].startswith("CON^1^")
    assert state(room) == "cancelled" and {"consent.revoked.v1", "referral.stopped.v1"} <= set(said(room))


def test_who_waits_for_a_consent_goes_on_waiting(room: Room):
    """A consent that is still pending ends nothing where none is here yet."""
    handling.handle(room, a_referral(con=""))
    pending = about("REF^I13", RF1, PID, CON.replace("|W|A|", "|W|P|"))
    assert told(handling.handle(room, pending)) == ("AE", "consent-silent")
    assert state(room) == "needs-information"


def test_a_no_is_heeded_whatever_else_is_wrong(room: Room):
    """P7: an I12 with a refusal and a date nobody can read is AE, and what the earlier yes began is stopped."""
    handling.handle(room, a_referral())
    no = CON.replace("|W|A|", "|W|R|").replace("20261121165500", "20261121165700")
    unreadable = segment("PV1", {2: "E", 19: "V-1^^^BRIGID&2.999.2&ISO^VN", 44: "yesterday"})
    answer = handling.handle(room, about("REF^I12", RF1, PID, unreadable, no))
    assert told(answer) == ("AE", "time-unreadable")
    assert state(room) == "cancelled"


def test_a_no_is_heeded_whatever_is_too_much(room: Room):
    """P7: an I12 with a refusal, sixty numbers and sixty phones is AE, and what the earlier yes began is stopped."""
    handling.handle(room, a_referral())
    no = CON.replace("|W|A|", "|W|R|").replace("20261121165500", "20261121165700")
    number = "MRN-70077^^^BRIGID&2.999.1&ISO^MR"
    more = "~".join([number, *(f"OLD-{one}^^^BRIGID&2.999.1&ISO^MR" for one in range(60))])
    phones = "~".join(f"^^PH^^^518^{one:07}" for one in range(60))
    crowded = segment("PID", {3: more, 5: "X" * 400, 13: phones})
    answer = handling.handle(room, about("REF^I12", RF1, crowded, PV1, no))
    assert told(answer)[0] == "AE" and told(answer)[1] in ("too-many", "too-long")
    assert state(room) == "cancelled"
    assert room.database.people.count_documents({}) == 1


@pytest.mark.parametrize(
    ("noise", "code"),
    [
        (b"NTE|1||two lines\rof one note\r", "segment-unreadable"),
        (b"DG1|1\r" * 5_001, "too-many"),
        (b"NTE|1||\xff\xfe\r", "character-set-broken"),
    ],
)
@pytest.mark.parametrize(("event", "stop"), [("REF^I12", "con"), ("REF^I13", "con"), ("ADT^A08", "arv")])
def test_a_no_is_heeded_in_a_message_that_cannot_be_read(
    room: Room, event: str, stop: str, noise: bytes, code: str
):
    """P7: a line break in a note refuses the message, and keeps nobody's refusal out."""
    handling.handle(room, a_referral())
    no = CON.replace("|W|A|", "|W|R|").replace("20261121165500", "20261121165700")
    stopping = no if stop == "con" else "ARV|1|A|ALL^All^HL70717"
    raw = about(event, RF1 if stop == "con" else "", PID, PV1, charset="UNICODE UTF-8") + noise
    assert told(handling.handle(room, raw + stopping.encode() + b"\r")) == ("AE", code)
    assert state(room) == "cancelled"


@pytest.mark.parametrize("event", ["REF^I12", "REF^I13", "ADT^A08"])
def test_a_message_that_cannot_be_read_does_nothing_else(room: Room, event: str):
    """Without a no in it the referral stays as it is, also where nobody knows whom it means."""
    broken = about(event, RF1, PID, PV1, CON, "half a line")
    assert told(handling.handle(room, broken)) == ("AE", "segment-unreadable")
    assert room.database.referrals.count_documents({}) == 0
    handling.handle(room, a_referral())
    assert told(handling.handle(room, broken)) == ("AE", "segment-unreadable")
    assert state(room) == "submitted"


@pytest.mark.parametrize("event", ["I13", "I14", "I15"])
def test_a_referral_that_is_not_here_is_not_found(room: Room, event: str):
    """AE with 204, and nothing is made up."""
    answer = handling.handle(room, about(f"REF^{event}", RF1, PID))
    assert told(answer) == ("AE", "referral-not-found")
    assert fields(answer, "ERR")[3].startswith("204^")
    assert room.database.people.count_documents({}) == 0


def test_another_hospital_reaches_nobody_s_referral_but_its_own(room: Room):
    """With our id it is refused and audited; with the numbers alone there is nothing to find."""
    ours = fields(handling.handle(room, a_referral()), "RF1")[11]
    by_id = about("REF^I14", segment("RF1", {11: ours}), PID, facility="HARBOR")
    assert told(handling.handle(room, by_id)) == ("AE", "referral-unknown")
    assert said(room, "accesses") == ["access.denied.v1"]
    by_number = about("REF^I14", RF1, PID, PV1, facility="HARBOR", control_id="M3")
    assert told(handling.handle(room, by_number)) == ("AE", "referral-not-found")
    assert state(room) == "submitted"


def test_a_discharge_tells_when_the_peer_leaves(room: Room):
    """ADT^A03: PV1-45, else EVN-6; the open referral of the visit looks again."""
    handling.handle(room, a_referral())
    leaving = segment("PV1", {2: "E", 19: "V-1^^^BRIGID&2.999.2&ISO^VN", 45: "20261121180000"})
    assert told(handling.handle(room, about("ADT^A03^ADT_A03", "EVN|A03|20261121", PID, leaving))) == (
        "AA",
        "",
    )
    assert kept(room).expected_departure_at == datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
    bare = segment("PV1", {2: "E"})
    by_event = about("ADT^A03", "EVN|A03|20261121|||op|202611211830", PID, bare, control_id="M3")
    handling.handle(room, by_event)
    assert kept(room).expected_departure_at == datetime(
        2026, 11, 21, 23, 0, tzinfo=UTC
    )  # another visit's, or nobody's
    same = about("ADT^A03", "EVN|A03|20261121|||op|202611211830", PID, PV1, control_id="M4")
    handling.handle(room, same)
    assert kept(room).expected_departure_at == datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


def test_a_discharge_before_we_were_told_is_one_all_the_same(room: Room):
    """Only an arrival that was said contradicts it; who had left by then is not waited for, whoever corrects them."""
    unsaid = segment("PV1", {2: "E", 19: "V-1^^^BRIGID&2.999.2&ISO^VN"})
    handling.handle(room, a_referral(pv1=unsaid))
    early = about("ADT^A03", "EVN|A03|20261121|||op|202611211500", PID, unsaid)
    assert told(handling.handle(room, early)) == ("AA", "")
    assert kept(room).expected_departure_at == NOW
    assert told(
        handling.handle(room, about("ADT^A08", PID.replace("WREN", "WRENNA"), unsaid, control_id="M3"))
    ) == (
        "AA",
        "",
    )
    assert kept(room).person.given_name == "WRENNA J"


def test_a_discharge_before_the_arrival_that_was_said_names_its_place(room: Room):
    """AE with the field: one of the two times is wrong, and nobody guesses which."""
    handling.handle(room, a_referral())
    answer = handling.handle(room, about("ADT^A03", "EVN|A03|20261121|||op|202611211500", PID, PV1))
    assert told(answer) == ("AE", "departure-before-arrival")
    assert fields(answer, "ERR")[2] == "EVN^1^6"
    assert kept(room).expected_departure_at is None


def test_a_discharge_of_nobody_we_know_is_acknowledged(room: Room):
    """Feeds are not filtered: AA, and nothing is stored."""
    assert told(handling.handle(room, about("ADT^A03", "EVN|A03", PID, PV1))) == ("AA", "")
    assert [
        name for name in room.database.list_collection_names() if room.database[name].count_documents({})
    ] in (
        [],
        ["data_keys"],
    )


def test_an_update_corrects_the_person_in_open_referrals(room: Room):
    """ADT^A08: the name, the bed; what the referral asked for stays, and the same news twice is no news."""
    handling.handle(room, a_referral())
    pid = PID.replace("QUILLFEATHER^WREN^J", "QUILLFEATHER-LARK^WREN^J")
    moved = PV1.replace("ED^12^A", "ICU^3^B")
    assert told(handling.handle(room, about("ADT^A08^ADT_A01", "EVN|A08", pid, moved))) == ("AA", "")
    after = kept(room)
    assert (after.person.family_name, after.place) == ("QUILLFEATHER-LARK", "ICU, 3, B")
    assert (after.urgency.value, after.note) == ("immediate", "Likes to be called Wren.")
    assert said(room).count("referral.revised.v1") == 1
    handling.handle(room, about("ADT^A08^ADT_A01", "EVN|A08", pid, moved, NTE, control_id="M3"))
    assert said(room).count("referral.revised.v1") == 1


def test_a_death_ends_the_search(room: Room):
    """ADT^A08 with PID-30 Y: nobody is sent to the bedside of the dead."""
    handling.handle(room, a_referral())
    dead = segment("PID", {3: "MRN-70077^^^BRIGID&2.999.1&ISO^MR", 30: "Y"})
    assert told(handling.handle(room, about("ADT^A08", "EVN|A08", dead, PV1))) == ("AA", "")
    assert state(room) == "cancel-requested"


def test_a_restriction_in_an_update_stops_what_is_open(room: Room):
    """ADT^A08 with an ARV that a referral cannot keep acts like a revoked consent; one that can be kept does not."""
    handling.handle(room, a_referral())
    handling.handle(room, about("ADT^A08", "EVN|A08", PID, "ARV|1|A|LOC|PAT", PV1))
    assert (state(room), kept(room).place) == ("submitted", "")
    handling.handle(room, about("ADT^A08", "EVN|A08", PID, "ARV|1|A|ALL|PAT", PV1, control_id="M3"))
    assert state(room) == "cancelled"


def test_a_merge_leads_both_numbers_to_one_person(room: Room):
    """ADT^A40: whoever asks with the surviving number finds what was referred under the merged one."""
    handling.handle(room, a_referral())
    pid = "PID|1||MRN-1^^^BRIGID&2.999.1&ISO^MR||QUILLFEATHER^WREN"
    merge = about("ADT^A40^ADT_A39", "EVN|A40", pid, "MRG|MRN-70077^^^BRIGID&2.999.1&ISO^MR")
    assert told(handling.handle(room, merge)) == ("AA", "")
    question = about("REF^I15", "PID|1||MRN-1^^^BRIGID&2.999.1&ISO^MR", control_id="M3")
    assert told(handling.handle(room, question)) == ("AA", "submitted")


@pytest.mark.parametrize(
    ("segments", "code"),
    [
        (["PID|1||M1^^^A^MR"], "segment-missing"),
        (["PID|1||M1^^^A^MR", "MRG|M2^^^OTHER^MR"], "merge-without-pair"),
    ],
)
def test_a_merge_without_its_two_sides_is_refused(room: Room, segments: list[str], code: str):
    """Numbers of two authorities are not compared."""
    assert told(handling.handle(room, about("ADT^A40", "EVN|A40", *segments))) == ("AE", code)


@pytest.mark.parametrize("event", ["A01", "A02", "A04", "A05", "A11", "A13", "A28", "A31", "A45", "A60"])
def test_other_events_of_a_feed_are_acknowledged_and_mean_nothing(room: Room, event: str):
    """AA without a write; also where nothing behind MSH could be read."""
    raw = joined([msh(f"ADT^{event}", "SAME", processing_id="T"), "garbage that is no segment"])
    assert told(handling.handle(room, raw)) == ("AA", "")
    assert said(room, "rejections") == []


@pytest.mark.parametrize(
    ("header", "verdict", "code", "condition"),
    [
        (msh("SIU^S12"), "AR", "message-type-unsupported", "200"),
        (msh("REF^I16"), "AR", "event-unsupported", "201"),
        (msh("ADT^Z99"), "AR", "event-unsupported", "201"),
        (msh("REF"), "AR", "event-unsupported", "201"),
        (msh(processing_id="T"), "AR", "processing-id-unsupported", "202"),
        (msh(version="2.2"), "AR", "version-unsupported", "203"),
        (msh(version="2.9"), "AR", "version-unsupported", "203"),
        (msh(""), "AE", "field-missing", "101"),
        (msh(control_id=""), "AE", "field-missing", "101"),
        (msh(version=""), "AE", "field-missing", "101"),
        (msh(charset="ISO IR87"), "AE", "character-set-unsupported", "103"),
    ],
)
def test_what_is_not_taken_here_is_told_by_hl7s_own_code(
    room: Room, header: str, verdict: str, code: str, condition: str
):
    """Type, event, processing id, version, character set: the right verdict, the right condition, and an audit entry."""
    answer = handling.handle(room, a_referral(msh=header))
    assert told(answer) == (verdict, code)
    assert fields(answer, "ERR")[3].split("^")[0] == condition
    assert [one for one, _ in rejected(room)] == [code]
    assert room.database.referrals.count_documents({}) == 0


def test_an_unknown_sender_is_turned_away_and_audited(room: Room):
    """AR, an entry in the access log, and no word of what was sent."""
    answer = handling.handle(room, a_referral(msh=msh(facility="ELSEWHERE")))
    assert told(answer) == ("AR", "sender-unknown")
    assert said(room, "accesses") == ["access.denied.v1"]
    assert b"ELSEWHERE" not in room.database.accesses.find_one()["outbox"][0]["data"]


@pytest.mark.parametrize("raw", [b"", b"garbage", b"MSH", b"MSH|^~\\&", b"\x00" * 50, b"MSH|^~\\&|\r\r\rPID"])
def test_garbage_is_answered_and_harms_nothing(room: Room, raw: bytes):
    """Whatever comes, the answer is a rejection."""
    assert fields(handling.handle(room, raw), "MSA")[1] in ("AR", "AE")
    assert room.database.referrals.count_documents({}) == 0


def test_a_message_that_is_too_large_is_refused_by_its_beginning(room: Room):
    """AR with an ERR, and for a known sender with its control id; the rejection is audited."""
    answer = handling.refuse_too_large(room, a_referral()[:200])
    assert told(answer) == ("AR", "message-too-large")
    assert fields(answer, "MSA")[2] == "MSG1"
    assert rejected(room) == [("message-too-large", "MSH")]
    assert told(handling.refuse_too_large(room, b"x" * 100))[0] == "AR"


def test_nothing_is_acknowledged_while_the_database_is_away(room: Room, monkeypatch: pytest.MonkeyPatch):
    """The trouble is the listener's to see: the sender will send again."""

    def away(*_: Any, **__: Any) -> None:
        raise ServerSelectionTimeoutError("away")

    monkeypatch.setattr(type(room.referrals), "add", away)
    with pytest.raises(ServerSelectionTimeoutError):
        handling.handle(room, a_referral())
    monkeypatch.undo()
    assert told(handling.handle(room, a_referral())) == ("AA", "submitted")


def test_a_fault_of_ours_is_answered_with_a_number(room: Room, monkeypatch: pytest.MonkeyPatch):
    """AE 207 and an error id; the message is not lost in the sender's queue."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(handlers, "submit", broken)
    answer = handling.handle(room, a_referral())
    assert told(answer) == ("AE", "internal-error")
    assert "err_" in fields(answer, "ERR")[8]


def test_what_is_remembered_of_a_message_tells_nothing(room: Room):
    """The marks are keyed hashes; no word of the message is in them."""
    handling.handle(room, a_referral())
    document = repr(room.database.hl7_messages.find_one())
    assert not [word for word in ("MSG1", "QUILL", "WREN", "70077", "BRIGID") if word in document]


def test_an_answer_outlives_the_state_it_told(room: Room):
    """The same message again hears what it heard first, though the referral has moved on since."""
    first = handling.handle(room, a_referral())
    ours = fields(first, "RF1")[11].split("^")[0]
    caller = handling._caller(handling._sender(room, handling.message.header_of(a_referral())))
    handlers.cancel(room, caller, ours, "other", cause=Cause("c"))
    assert state(room) == State.CANCEL_REQUESTED
    assert told(handling.handle(room, a_referral(control_id="AGAIN"))) == ("AA", "submitted")
    assert room.clock.now() - NOW < timedelta(days=1)
