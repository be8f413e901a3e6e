"""Consents and disclosures on a real mongod: versions kept, a no that acts at once, nothing told off the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.envelope import Cause
from chassis.errors import Refusal
from chassis.identity import Caller
from cli.local import keys
from kindred.intake.v1 import events_pb2
from services.intake import handlers
from services.intake.bootstrap import Room, build_room, prepare
from services.intake.domain.disclosure import STATEMENT_1
from services.intake.domain.errors import DisclosureDenied, SubmissionRejected
from services.intake.domain.provisions import Provision
from services.intake.domain.referral import Assignment
from services.intake.handlers import Accepted
from services.intake.settings import Settings
from tests.unit.intake.intake_builders import NOW, SOURCE, a_consent, a_person, a_submission

CAUSE = Cause("cor-1")
NURSE = Caller("nurse-ada", "nurse", SOURCE, "TREAT")
RUTH = Caller("spec-ruth", "specialist", "harbor", "TREAT")


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keys.create(tmp_path_factory.mktemp("intake-keys"))


@pytest.fixture
def room(mongo_uri, emptied_database, clock, keys_dir) -> Room:
    database = emptied_database
    settings = Settings(
        mongo_uri=mongo_uri, mongo_database=database.name, amqp_uri="amqp://nowhere", keys_dir=keys_dir
    )
    room = build_room(settings, clock)
    prepare(room)
    return room


def a_referral(room: Room, **given: Any) -> str:
    """A stored referral's id."""
    return handlers.submit(room, NURSE, a_submission(**given), CAUSE).referral.referral_id


def assigned(room: Room, **given: Any) -> str:
    """A referral that Ruth accepted."""
    referral_id = a_referral(room, **given)
    assignment = Assignment("off-1", None, "bedside", "spec-ruth")
    cause = Cause("cor-1", event_id="evt-1")
    handlers.assign(
        room, [Accepted(referral_id=referral_id, said_at=NOW, cause=cause, assignment=assignment)]
    )
    return referral_id


def said(room: Room, collection: str = "referrals") -> list[str]:
    return [row["type"] for doc in room.database[collection].find() for row in doc["outbox"]]


def event(room: Room, name: str, kind: Any) -> Any:
    """The last event of the type."""
    rows = [row for doc in room.database.referrals.find() for row in doc["outbox"] if row["type"] == name]
    return kind.FromString(rows[-1]["data"])


def denials(room: Room) -> list[tuple[str, str]]:
    """(record, reason) of every denial on record."""
    from kindred.access.v1.events_pb2 import AccessDenied

    rows = [row for doc in room.database.accesses.find() for row in doc["outbox"]]
    found = [AccessDenied.FromString(row["data"]) for row in rows if row["type"] == "access.denied.v1"]
    return [(one.record_id, one.reason_code) for one in found]


def test_the_assigned_specialist_is_told_after_it_is_on_record(room: Room):
    """P5, P7: the disclosure is stored with recipient, version, notice and mark before anything is returned."""
    referral_id = assigned(room, place="Bay 4")
    told = handlers.resolve_person(room, RUTH, referral_id, cause=CAUSE)
    assert (told.given_name, told.place, told.notice) == ("Wren", "Bay 4", STATEMENT_1)
    made = event(room, "disclosure.made.v1", events_pb2.DisclosureMade)
    assert (made.recipient_id, made.recipient_class, made.confidentiality) == (
        "spec-ruth",
        "peer-support-specialist",
        "R",
    )
    assert (made.notice_sha256, made.consent_version) == (STATEMENT_1.sha256, 1)
    assert (made.provenance.actor_id, made.provenance.purpose_of_use) == ("spec-ruth", "TREAT")
    assert made.consent_id == "con" + referral_id[3:]
    assert denials(room) == []


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        (replace(RUTH, actor_id="spec-omar"), "not-your-assignment"),
        (replace(RUTH, purpose_of_use="HRESCH"), "purpose-not-allowed"),
        (replace(RUTH, role="supervisor"), "disclosure-not-for-role"),
        (NURSE, "role-not-allowed"),
    ],
)
def test_whoever_may_not_be_told_is_on_record_too(room: Room, caller: Caller, reason: str):
    """The trail has the reason, the caller, too, unless it tells that the referral is here; nothing is disclosed."""
    referral_id = assigned(room)
    with pytest.raises(Refusal) as denied:
        handlers.resolve_person(room, caller, referral_id, cause=CAUSE)
    assert denied.value.code == ("referral-unknown" if reason == "not-your-assignment" else reason)
    assert denials(room) == [(referral_id, reason)]
    assert "disclosure.made.v1" not in said(room)


def test_nobody_is_told_after_the_consent_ended(room: Room, clock):
    """An expired consent discloses nothing, whoever is assigned; a revoked one neither."""
    referral_id = assigned(room, consent=a_consent(expires_at=NOW + timedelta(hours=1)))
    handlers.resolve_person(room, RUTH, referral_id, cause=CAUSE)
    clock.turn(timedelta(hours=2))
    with pytest.raises(DisclosureDenied) as expired:
        handlers.resolve_person(room, RUTH, referral_id, cause=CAUSE)
    handlers.revoke_consent(room, NURSE, referral_id, cause=CAUSE)
    with pytest.raises(DisclosureDenied) as revoked:
        handlers.resolve_person(room, RUTH, referral_id, cause=CAUSE)
    assert (expired.value.code, revoked.value.code) == ("consent-expired", "consent-revoked")
    assert said(room).count("disclosure.made.v1") == 1


def test_a_revocation_in_between_is_not_overtaken(room: Room, monkeypatch: pytest.MonkeyPatch):
    """Somebody revokes while the disclosure is being decided: it is decided again, and denied."""
    referral_id = assigned(room)
    load, times = room.referrals.load, []

    def loaded(wanted: str):
        held = load(wanted)
        if not times:
            times.append(1)
            handlers.revoke_consent(room, NURSE, referral_id, cause=CAUSE)
        return held

    monkeypatch.setattr(room.referrals, "load", loaded)
    with pytest.raises(DisclosureDenied) as denied:
        handlers.resolve_person(room, RUTH, referral_id, cause=CAUSE)
    assert denied.value.code == "consent-revoked"
    assert "disclosure.made.v1" not in said(room)


def _updated(room: Room, referral_id: str, key: str = "key-c", **given: Any):
    return handlers.update_consent(
        room,
        NURSE,
        referral_id,
        a_consent(**given),
        idempotency_key=key,
        where={},
        cause=CAUSE,
    )


def test_every_version_is_kept(room: Room):
    """A correction, a departure and a third document: the earlier versions are there as they were."""
    referral_id = a_referral(room)
    second = a_consent(consent_id="c2", purposes=("TREAT",), rule=Provision(is_permit=True))
    moved = _updated(room, referral_id, consent_id="c2", purposes=("TREAT",), rule=Provision(is_permit=True))
    assert moved.consent_version == 2
    handlers.report_departure(room, NURSE, referral_id, NOW + timedelta(hours=1), cause=CAUSE)
    _updated(room, referral_id, "key-d", consent_id="c3")
    correction = a_submission(idempotency_key="key-e", consent=None, note="Prefers Wren.")
    handlers.correct(room, NURSE, referral_id, correction, cause=CAUSE)
    _, kept = handlers.read_referral(room, NURSE, referral_id, "Consent", CAUSE)
    assert [(one.version, one.consent_id) for one in kept.consents] == [(1, "c1"), (2, "c2"), (3, "c3")]
    assert kept.consents[1] == replace(second, version=2)
    assert kept.note == "Prefers Wren."
    assert said(room).count("consent.recorded.v1") == 3


def test_the_same_document_again_is_no_new_version(room: Room):
    """A retry of an update changes nothing."""
    referral_id = a_referral(room)
    for _ in range(2):
        assert _updated(room, referral_id, consent_id="c2").consent_version == 2


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({"signed_at": None}, ["consent-unsigned"]),
        ({"signed_at": NOW - timedelta(days=30)}, ["consent-older"]),
    ],
)
def test_a_document_that_is_no_newer_word_replaces_nothing(
    room: Room, given: dict[str, Any], codes: list[str]
):
    """It is refused with its faults, and the version that is here stays in force."""
    referral_id = a_referral(room)
    with pytest.raises(SubmissionRejected) as refused:
        _updated(room, referral_id, **given)
    assert [fault.code for fault in refused.value.faults] == codes
    referral, kept = handlers.read_referral(room, NURSE, referral_id, "Consent", CAUSE)
    assert (referral.state, [one.version for one in kept.consents]) == ("submitted", [1])


@pytest.mark.parametrize(
    ("given", "version"),
    [
        ({"is_permitted": False}, 2),
        ({"deficiency": "consent-inactive"}, 1),
        ({"is_known_false": True}, 1),
        ({"expires_at": NOW}, 1),
        ({"purposes": ("HRESCH",)}, 1),
    ],
)
def test_a_document_that_takes_it_back_stops_everything(room: Room, given: dict[str, Any], version: int):
    """A no is a version of its own; one withdrawn, false, over or too narrow ends the one that is here, and all stops."""
    referral_id = assigned(room)
    moved = _updated(room, referral_id, **given)
    assert (moved.state, moved.is_consent_revoked, moved.consent_version) == ("cancelled", True, version)
    assert {"consent.revoked.v1", "referral.stopped.v1"} <= set(said(room))
    assert _updated(room, referral_id, "key-z", **given).consent_version == version
    _, kept = handlers.read_referral(room, NURSE, referral_id, "Consent", CAUSE)
    assert [one.version for one in kept.consents] == list(range(1, version + 1))


def test_a_correction_that_says_no_is_obeyed(room: Room):
    """The no is taken, whatever else the correction holds."""
    referral_id = a_referral(room)
    correction = a_submission(
        idempotency_key="key-2",
        consent=a_consent(is_permitted=False),
        person=a_person(birth_date="2999-01-01"),
    )
    moved = handlers.correct(room, NURSE, referral_id, correction, cause=CAUSE)
    assert (moved.state, moved.is_consent_revoked) == ("cancelled", True)


@pytest.mark.parametrize(
    ("given", "refusal", "is_stopped"),
    [
        ({}, {"signed_at": NOW}, True),
        ({}, {"signed_at": None}, True),
        ({}, {"signed_at": NOW - timedelta(days=1)}, False),
        ({"visit": None, "person": a_person(record_numbers=())}, {"signed_at": NOW}, True),
        (
            {"person": a_person(record_numbers=(), given_name="Robin"), "visit": None},
            {"signed_at": NOW},
            False,
        ),
        ({"source_id": "er-elsewhere"}, {"signed_at": NOW}, False),
    ],
)
def test_a_submission_that_says_no_ends_what_the_yes_began(
    room: Room, given: dict[str, Any], refusal: dict[str, Any], is_stopped: bool
):
    """For surely the same person, at the same source, and not older than the yes; it is refused in any case."""
    referral_id = a_referral(room)
    people = room.database.people.count_documents({})
    no = a_submission(
        idempotency_key="key-no", consent=a_consent(consent_id="c9", is_permitted=False, **refusal), **given
    )
    with pytest.raises(Refusal):
        handlers.submit(room, replace(NURSE, organization_id=no.source_id), no, CAUSE)
    referral, _ = handlers.read_referral(room, NURSE, referral_id, "Task", CAUSE)
    assert referral.is_consent_revoked is is_stopped
    assert room.database.people.count_documents({}) == people
    assert room.database.referrals.count_documents({}) == 1
