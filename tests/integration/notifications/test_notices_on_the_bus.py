"""Everything notifications hears, over the real bus, to real e-mails, real events and a real list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from bson import encode

from chassis import grpc_client, identity
from kindred.access.v1.events_pb2 import GlassBroken
from kindred.bus.v1.bus_pb2 import Provenance
from kindred.intake.v1.events_pb2 import ReferralRevised, ReferralStatusChanged, ReferralSubmitted
from kindred.matching.v1.events_pb2 import (
    ArrivalOverdue,
    AssignmentChosen,
    CaseMoved,
    CertificationExpiring,
    OfferMade,
    OfferWithdrawn,
    ReferralEscalated,
    SpecialistEnrolled,
)
from kindred.notifications.v1 import notifications_pb2, notifications_pb2_grpc
from tests.integration.notifications.processes import running, until

MARKED = "quillfeather.marked"


def enrolled(sealed, specialist_id, language="en", zone="UTC", revision=1, role="specialist"):
    contact = sealed(
        f"specialist-contact:{specialist_id}",
        email=f"{MARKED}.{specialist_id}@example.org",
        language=language,
        time_zone=zone,
    )
    return SpecialistEnrolled(
        specialist_id=specialist_id, role=role, revision=revision, sealed_contact=contact
    )


def submitted(sealed, referral_id):
    contact = sealed(f"source-contact:{referral_id}", email=f"{MARKED}.desk@example.org", language="en")
    return ReferralSubmitted(referral_id=referral_id, source_id="src_brigid", sealed_source_contact=contact)


def revised(sealed, referral_id):
    contact = sealed(f"source-contact:{referral_id}", email=f"{MARKED}.night-desk@example.org", language="en")
    return ReferralRevised(
        referral_id=referral_id, source_id="src_brigid", revision=2, sealed_source_contact=contact
    )


def overdue():
    event = ArrivalOverdue(
        offer_id="off_9", referral_id="ref_3", supervisor_id="wanda", reason_code="not-heard-of"
    )
    event.promised_arrival_at.FromDatetime(datetime.now(UTC))
    return event


def of_the_team():
    """What a coordinator's hand, a clock or a rematch says of people who are on the roster."""
    chosen = AssignmentChosen(offer_id="off_3", referral_id="ref_4", specialist_id="tomas", how="by-hand")
    moved = CaseMoved(offer_id="off_4", referral_id="ref_5", from_specialist_id="ines", specialist_id="tomas")
    ending = CertificationExpiring(
        specialist_id="ines", supervisor_id="wanda", state="IL", valid_until="2026-12-31", days_left=30
    )
    return {"ref_3": overdue(), "ref_4": chosen, "ref_5": moved, "ines": ending}


def made(sealed, offer_id, specialist_id, seconds=300.0):
    event = OfferMade(
        offer_id=offer_id, referral_id="ref_1", specialist_id=specialist_id, urgency="immediate"
    )
    event.sealed_link_token.CopyFrom(sealed.token(offer_id, f"{MARKED}-token-{offer_id}"))
    event.deadline_at.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return event


def assigned():
    event = ReferralStatusChanged(
        referral_id="ref_1",
        source_id="src_brigid",
        status="assigned",
        previous_status="seeking",
        modality="bedside",
    )
    event.promised_arrival_at.FromDatetime(datetime.now(UTC) + timedelta(minutes=20))
    return event


def subjects(far_side, recipient):
    return [
        taken.message["Subject"]
        for taken in far_side.accepted()
        if taken.recipient == f"{MARKED}.{recipient}@example.org"
    ]


def states(database):
    return {document["_id"]: document["state"] for document in database.notices.find()}


def test_each_intent_reaches_its_person_once(process_environ, broker, database, far_side, sealed, tmp_path):
    """A whole story, each event delivered twice, offers before their specialists: every person hears once."""
    with running("worker", process_environ, tmp_path):
        story = [
            broker.say(made(sealed, "off_1", "ines"), "off_1"),
            broker.say(made(sealed, "off_2", "tomas"), "off_2"),
            broker.say(submitted(sealed, "ref_1"), "ref_1", source="intake"),
            broker.say(enrolled(sealed, "ines", "es", "America/Chicago"), "ines"),
            broker.say(enrolled(sealed, "tomas"), "tomas"),
            broker.say(enrolled(sealed, "wanda", role="supervisor"), "wanda"),
        ]
        until("both offers sent", lambda: list(states(database).values()) == ["sent", "sent"])
        story.append(broker.say(revised(sealed, "ref_1"), "ref_1", source="intake"))
        card = {"_id": "source-contact:ref_1", "revision": 2}
        until("the correction is kept", lambda: database.contacts.find_one(card))
        story += [
            *(broker.say(event, subject) for subject, event in of_the_team().items()),
            broker.say(assigned(), "ref_1", source="intake"),
            broker.say(
                OfferWithdrawn(
                    offer_id="off_2", referral_id="ref_1", specialist_id="tomas", reason_code="taken"
                ),
                "off_2",
            ),
            broker.say(
                ReferralEscalated(referral_id="ref_2", is_exhausted=True, supervisor_id="wanda"), "ref_2"
            ),
            broker.say(ReferralEscalated(referral_id="ref_2", wave=2, supervisor_id="wanda"), "ref_2"),
        ]
        for envelope in story:
            broker.repeat(envelope)
        until("ten notices sent", lambda: list(states(database).values()) == ["sent"] * 10)
        until("the inbox is empty", lambda: inbox_is_empty(broker))
    assert sorted(subject[:24] for subject in subjects(far_side, "ines")) == [
        "Ahora otra persona tiene",
        "Por favor, responda ante",
        "Un certificado suyo venc",
    ]
    assert sorted(subjects(far_side, "tomas")[1:]) == [
        "A request is yours now: REF_4",
        "You do not need to answer any more",
    ]
    assert sorted(subject[:25] for subject in subjects(far_side, "wanda")) == [
        "A certificate in your tea",
        "A request needs you now: ",
        "Please look at a request ",
    ]
    assert (len(subjects(far_side, "desk")), len(subjects(far_side, "night-desk"))) == (0, 1)
    assert len(far_side.taken) == 10
    assert parked(database) == []


def test_a_late_offer_is_never_mailed(process_environ, broker, database, far_side, sealed, tmp_path):
    """An offer whose deadline passed on the way is said to have failed as expired; its specialist hears nothing."""
    with running("worker", process_environ, tmp_path):
        broker.say(enrolled(sealed, "ines"), "ines")
        broker.say(made(sealed, "off_late", "ines", seconds=-1), "off_late")
        until("the notice is dead", lambda: list(states(database).values()) == ["dead"])
    [document] = database.notices.find()
    assert document["reason_code"] == "expired"
    assert far_side.taken == []


def test_a_secret_that_does_not_open_is_parked_and_its_neighbors_are_not(
    process_environ, broker, database, far_side, sealed, tmp_path
):
    """An offer with a link sealed for another offer is parked; the offers of the same batch go out."""
    bad = made(sealed, "off_bad", "ines")
    bad.sealed_link_token.CopyFrom(sealed.token("off_other", "tok"))
    broker.say(enrolled(sealed, "ines"), "ines")
    for number in range(5):
        broker.say(made(sealed, f"off_{number}", "ines"), f"off_{number}")
    broker.say(bad, "off_bad")
    with running("worker", process_environ, tmp_path):
        until("five sent", lambda: list(states(database).values()) == ["sent"] * 5)
        until("one parked", lambda: len(parked(database)) == 1)


def test_no_address_or_token_is_readable_anywhere(
    process_environ, broker, database, far_side, sealed, tmp_path, mongo_client
):
    """With marked addresses and tokens, neither database nor logs nor spans nor our events show a mark (P9)."""
    spans = tmp_path / "spans.jsonl"
    with running("worker", process_environ, tmp_path, KINDRED_SPANS_FILE=str(spans)) as process:
        far_side.faults.extend(["550-data", "451-rcpt"])
        broker.say(enrolled(sealed, "ines"), "ines")
        broker.say(submitted(sealed, "ref_1"), "ref_1", source="intake")
        for number in range(4):
            broker.say(made(sealed, f"off_{number}", "ines"), f"off_{number}")
        until("all over", lambda: sorted(states(database).values()) == ["dead", "sent", "sent", "sent"])
    stored = b"".join(
        encode(row) for name in database.list_collection_names() for row in database[name].find()
    )
    assert b"off_0" in stored
    assert MARKED.encode() not in stored
    assert MARKED not in process.log.read_text()
    assert MARKED not in spans.read_text()
    assert "notice.send" in spans.read_text()
    assert any(MARKED in taken.recipient for taken in far_side.taken)  # the marks did travel


def test_what_was_sent_is_told_on_the_bus_and_listed(
    environ, amqp_uri, broker, database, far_side, sealed, tmp_path, keys_dir
):
    """notice.sent leaves over the relay; coordinators may list, nurses may not; both are in the audit trail first."""
    environ = {**environ, "KINDRED_AMQP_URI": amqp_uri}
    tap, reads, denials = (
        broker.tap(name) for name in ("notice.sent.v1", "record.read.v1", "access.denied.v1")
    )
    with running("api", environ, tmp_path) as api, running("worker", environ, tmp_path):
        broker.say(enrolled(sealed, "ines"), "ines")
        broker.say(made(sealed, "off_1", "ines"), "off_1")
        until("sent", lambda: list(states(database).values()) == ["sent"])
        [event] = until("notice.sent on the bus", lambda: broker.drain(tap))
        assert (event.recipient_id, event.referral_id, event.attempt) == ("ines", "ref_1", 1)
        address = f"127.0.0.1:{api.ready()['grpc_port']}"

        listed = ask(address, keys_dir, "coordinator", referral_id="ref_1")
        assert [(notice.notice_id, notice.state) for notice in listed.notices] == [(event.notice_id, "sent")]
        assert MARKED not in str(listed)
        with pytest.raises(grpc.RpcError) as refused:
            ask(address, keys_dir, "nurse", referral_id="ref_1")
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(grpc.RpcError) as invalid:
            ask(address, keys_dir, "engineer")
        assert invalid.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        broken_glass_is_told(address, keys_dir, broker, far_side)
        [read] = until("record.read on the bus", lambda: broker.drain(reads))
        [denied, *_] = until("access.denied on the bus", lambda: broker.drain(denials))
    assert (read.provenance.actor_id, read.record_type, list(read.criteria)) == (
        "coordinator-1",
        "Notice",
        ["referral_id"],
    )
    assert (denied.provenance.actor_id, denied.reason_code) == ("nurse-1", "role-not-allowed")
    assert MARKED not in api.log.read_text()


def broken_glass_is_told(address, keys_dir, broker, far_side):
    """Compliance names two people over gRPC; a nurse breaks the glass; both have one letter, and nobody else may name."""
    people = [
        notifications_pb2.Overseer(person_id="lena", part="supervisor", email=f"{MARKED}.lena@example.org"),
        notifications_pb2.Overseer(
            person_id="otis", part="compliance", email=f"{MARKED}.otis@example.org", language="es"
        ),
    ]
    named = notifications_pb2.NameOverseersRequest(organization_id="src_brigid", overseers=people)
    with pytest.raises(grpc.RpcError) as refused:
        call(address, keys_dir, "engineer", "NameOverseers", named)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert call(address, keys_dir, "compliance", "NameOverseers", named).count == 2
    who = Provenance(
        actor_id="nurse-17", actor_role="nurse", organization_id="src_brigid", purpose_of_use="BTG"
    )
    about = {"record_type": "Referral", "record_id": "ref_0aa7b31", "referral_id": "ref_0aa7b31"}
    event = GlassBroken(provenance=who, reason_code="care-now", **about)
    broker.repeat(broker.say(event, "ref_0aa7b31", source="intake"))
    until("both letters", lambda: subjects(far_side, "lena") and subjects(far_side, "otis"))
    assert subjects(far_side, "lena") == ["Please look at request AA7B31 today"]
    assert subjects(far_side, "otis") == ["Por favor, revise quién abrió la solicitud AA7B31"]


def ask(address, keys_dir, role, **criteria):
    return call(address, keys_dir, role, "ListNotices", notifications_pb2.ListNoticesRequest(**criteria))


def call(address, keys_dir, role, method, request):
    token = identity.mint((keys_dir / "issuer.pem").read_bytes(), actor_id=f"{role}-1", role=role)
    with grpc_client.channel(address, token=token, purpose="HOPERAT") as channel:
        stub = notifications_pb2_grpc.NotificationsServiceStub(channel)
        return getattr(stub, method)(request, timeout=5)


def inbox_is_empty(broker):
    declared = broker.connection.default_channel.queue_declare("notifications.inbox", passive=True)
    return declared.message_count == 0


def parked(database):
    return list(database.parked_events.find())
