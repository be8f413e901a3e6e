"""A worker process whose far side is an SMS API: killed between the send and its answer, and asked over gRPC after."""

from __future__ import annotations

import grpc
import pytest

from chassis import grpc_client, identity
from kindred.matching.v1.events_pb2 import SpecialistEnrolled
from kindred.notifications.v1 import notifications_pb2 as pb
from kindred.notifications.v1 import notifications_pb2_grpc
from tests.integration.notifications.processes import running, until
from tests.integration.notifications.test_notices_killed import an_offer_event, sent

OFFERS = 6
PERSON = "sp_ines"


def test_killed_between_an_sms_and_its_answer(sms_environ, broker, database, posted_side, sealed, tmp_path):
    """kill -9 after the third SMS: each of six arrives, and what may be a repeat says so in the log (P4)."""
    contact = sealed(f"specialist-contact:{PERSON}", phone="+1 312 555 0123", language="es")
    broker.say(SpecialistEnrolled(specialist_id=PERSON, revision=1, sealed_contact=contact), PERSON)
    for number in range(OFFERS):
        broker.say(an_offer_event(sealed, f"off_{number}"), f"off_{number}")
    step = "notice.after_send_before_settle=kill@3"
    with running("worker", sms_environ, tmp_path, KINDRED_FAILPOINTS=step) as process:
        assert process.ended() == -9
    with running("worker", sms_environ, tmp_path):
        until("every SMS sent", lambda: sent(database) == OFFERS)
    bodies = {taken.fields["StatusCallback"].rpartition("/")[0] for taken in posted_side.taken}
    assert len(bodies) == OFFERS
    attempts = [attempt for row in database.notices.find() for attempt in row["attempts"]]
    unknown = [attempt for attempt in attempts if attempt["outcome"] == "unknown"]
    repeats = [attempt for attempt in attempts if attempt["is_possible_repeat"]]
    assert len(repeats) == len(unknown) >= 1
    assert {attempt["channel"] for attempt in attempts} == {"sms"}


def ask(address, keys_dir, method, request, *, actor_id=PERSON, role="specialist", purpose="PATRQT"):
    token = identity.mint((keys_dir / "issuer.pem").read_bytes(), actor_id=actor_id, role=role)
    with grpc_client.channel(address, token=token, purpose=purpose) as channel:
        stub = notifications_pb2_grpc.NotificationsServiceStub(channel)
        return getattr(stub, method)(request, timeout=5)


def test_how_i_am_reached_is_mine_to_say(environ, amqp_uri, broker, database, tmp_path, keys_dir):
    """Over gRPC: read, changed with a version, refused to others and with a wrong value, erased; each on the bus."""
    environ = {**environ, "KINDRED_AMQP_URI": amqp_uri}
    taps = {name: broker.tap(name) for name in ("contact.changed.v1", "contact.erased.v1", "record.read.v1")}
    with running("api", environ, tmp_path) as api:
        address = f"127.0.0.1:{api.ready()['grpc_port']}"
        wishes = pb.Wishes(email="marked.quillfeather@example.org", channels=["email"])
        change = pb.ChangeContactRequest(person_id=PERSON, wishes=wishes, fields=["email", "channels"])
        assert ask(address, keys_dir, "ChangeContact", change).version == 1
        told = ask(address, keys_dir, "GetContact", pb.GetContactRequest(person_id=PERSON))
        assert told.wishes.email == "marked.quillfeather@example.org"
        wrong = pb.ChangeContactRequest(
            person_id=PERSON, wishes=pb.Wishes(phone="call me"), fields=["phone"], version=1
        )
        for method, request, who, code in (
            ("ChangeContact", change, PERSON, grpc.StatusCode.FAILED_PRECONDITION),
            ("ChangeContact", wrong, PERSON, grpc.StatusCode.INVALID_ARGUMENT),
            (
                "GetContact",
                pb.GetContactRequest(person_id=PERSON),
                "sp_other",
                grpc.StatusCode.PERMISSION_DENIED,
            ),
            (
                "EraseContact",
                pb.EraseContactRequest(person_id=PERSON),
                "sp_other",
                grpc.StatusCode.PERMISSION_DENIED,
            ),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                ask(address, keys_dir, method, request, actor_id=who)
            assert refused.value.code() is code
            assert "quillfeather" not in str(refused.value)
        ask(address, keys_dir, "EraseContact", pb.EraseContactRequest(person_id=PERSON))
        assert ask(address, keys_dir, "GetContact", pb.GetContactRequest(person_id=PERSON)).is_erased
        [changed] = until("contact.changed", lambda: broker.drain(taps["contact.changed.v1"]))
        [erased] = until("contact.erased", lambda: broker.drain(taps["contact.erased.v1"]))
        reads = until("the reads", lambda: broker.drain(taps["record.read.v1"]))
    assert sorted(changed.fields) == ["channels", "email"]
    assert (erased.person_id, erased.provenance.actor_id) == (PERSON, PERSON)
    assert {read.record_type for read in reads} == {"Contact"}
    assert "quillfeather" not in api.log.read_text()
