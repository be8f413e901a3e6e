"""What moves is told: rest-hooks and engines on real sockets, with the faults far sides have, and a killed worker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from kindred.matching.v1.events_pb2 import OfferAccepted
from tests.integration.intake.intake_processes import Bus, Er, Process, running, until
from tests.integration.intake.outward_driving import PACE, Desk, move, refer
from tests.integration.intake.outward_sides import EngineSide, Heard, Subscriber, control_id, state_of

HL7_SOURCE = "er-with-engine"


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineSide]:
    """The engine of one hospital."""
    side = EngineSide().start()
    yield side
    side.stop()


@pytest.fixture(scope="module")
def intake_environ(
    mongo_uri: str, amqp_uri: str, intake_database: Any, intake_keys: Path, engine: EngineSide
) -> dict[str, str]:
    """A quick pace, and receivers on this machine."""
    return {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": intake_database.name,
        "KINDRED_AMQP_URI": amqp_uri,
        "KINDRED_KEYS_DIR": str(intake_keys),
        "KINDRED_FHIR_PUBLIC_URL": "https://kindred.example/fhir",
        "KINDRED_HL7_RECEIVERS": f"{HL7_SOURCE}=127.0.0.1:{engine.port}",
        **PACE,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where logs go."""
    return tmp_path_factory.mktemp("outward")


@pytest.fixture(scope="module")
def worker(intake_environ: dict[str, str], bus: Bus, folder: Path) -> Iterator[Process]:
    """The role `worker`."""
    with running("worker", intake_environ, folder) as process:
        process.ready()
        yield process


@pytest.fixture
def side() -> Iterator[Subscriber]:
    """A subscriber's server."""
    side = Subscriber().start()
    yield side
    side.stop()


@pytest.fixture
def desk(er: Er, worker: Process, request: Any) -> Desk:
    """One of its own for every test."""
    return Desk(er, re.sub(r"[^a-z0-9-]", "-", f"er-{request.node.name}".lower()))


def er_version(desk: Desk, referral_id: str) -> int:
    """The Task's version now."""
    return int(desk.er.get(f"Task/{referral_id}").json()["meta"]["versionId"])


def verified(heard: Heard, secret: str) -> bool:
    """What the library of Standard Webhooks says to the signature."""
    try:
        Webhook(secret).verify(heard.body or b"", heard.headers, json_parse=False)
    except TypeError:
        Webhook(secret).verify(heard.body.decode() or "{}", heard.headers)
    except WebhookVerificationError:
        return False
    return True


def test_a_subscriber_is_asked_first_and_then_told_ids_only(desk: Desk, side: Subscriber, bus: Bus):
    """Handshake, active, one signed notification per version with ids and nothing else; its numbers count."""
    subscription_id, secret = desk.active(side, channel={"header": ["Authorization: Bearer s3cret"]})
    assert [one.kind for one in side.heard] == ["handshake"]
    referral_id = refer(desk, "told")
    move(bus, referral_id)
    until("the notification", lambda: side.of(referral_id))
    bus.say(OfferAccepted(referral_id=referral_id, offer_id=f"off-{referral_id}", modality="bedside"))
    first, second = until("both", lambda: side.of(referral_id)[:2] if len(side.of(referral_id)) > 1 else None)
    assert (first.version, second.version) == (2, 3)
    assert (first.number, second.number) == ("1", "2")
    for heard in side.heard:
        assert verified(heard, secret)
        assert not verified(replace(heard, body=heard.body + b" "), secret)
        assert heard.headers["authorization"] == "Bearer s3cret"
        assert heard.path == "/news?from=kindred"
    assert first.headers["webhook-id"] != second.headers["webhook-id"]
    text = (first.body + second.body).decode()
    for word in ("Marlowe", "MRN", "assigned", "accepted", "seeking", "bedside", "1988"):
        assert word not in text
    assert json.loads(first.body)["type"] == "history"
    shown = desk.shown(subscription_id)
    assert shown["status"] == "active"
    assert "extension" not in shown["channel"]
    assert "s3cret" not in json.dumps(shown)


def test_a_new_task_is_told_too(desk: Desk, side: Subscriber):
    """Who subscribes to every Task hears of a new one, before anybody is asked."""
    desk.active(side, criteria="Task")
    referral_id = refer(desk, "new")
    until("its first version", lambda: [one.version for one in side.of(referral_id)] == [1])


def test_a_hidden_header_follows_the_endpoint_to_no_other_host(desk: Desk, side: Subscriber):
    """Whoever moves a subscription elsewhere says its secret again; on the same host it stays as it was."""
    subscription_id, _ = desk.active(side, channel={"header": ["Authorization: Bearer s3cret"]})
    shown = desk.shown(subscription_id)
    shown["channel"]["endpoint"] = f"http://localhost:{side.port}/elsewhere"
    refused = desk.put(shown)
    assert refused.status_code == 400
    assert refused.json()["issue"][0]["expression"] == ["Subscription.channel.header[0]"]
    shown["channel"]["endpoint"] = f"http://127.0.0.1:{side.port}/another-path"
    assert desk.put(shown).status_code == 200
    heard = until("its handshake", lambda: [one for one in side.heard if one.path == "/another-path"])
    assert heard[0].headers["authorization"] == "Bearer s3cret"


def test_only_what_was_asked_for_is_told(desk: Desk, side: Subscriber, bus: Bus, er: Er):
    """Criteria are kept, an empty payload is an empty body, and another organization's referrals are not ours."""
    other = Desk(er, desk.er.organization_id + "-other")
    desk.active(side, criteria="Task?business-status=5.1.1", channel={"payload": "application/fhir+json"})
    mine, theirs = refer(desk, "mine"), refer(other, "theirs")
    for referral_id in (mine, theirs):
        move(bus, referral_id)
        bus.say(OfferAccepted(referral_id=referral_id, offer_id=f"off-{referral_id}"))
    until("the assignment", lambda: side.of(mine))
    version = er_version(desk, mine)
    assert [one.version for one in side.of(mine)] == [version]
    empty = Subscriber().start()
    made = desk.subscribe(empty.url)
    resource = desk.shown(made.json()["id"])
    resource["channel"] = {"type": "rest-hook", "endpoint": empty.url}
    assert desk.put(resource).status_code == 200
    until("its handshake", lambda: any(one.body == b"" for one in empty.heard))
    assert side.of(theirs) == []
    empty.stop()


@pytest.mark.parametrize("fault", ["500", "302", "drop", "drip"])
def test_a_failing_subscriber_is_tried_again_with_the_same_id(
    desk: Desk, side: Subscriber, bus: Bus, fault: str
):
    """After an error, a redirect, silence or a drip the same message comes again, marked; the error is shown."""
    subscription_id, secret = desk.active(side)
    side.faults.extend([fault, fault])
    referral_id = refer(desk, "again")
    move(bus, referral_id)
    until("the third try", lambda: len(side.of(referral_id)) == 3)
    tries = side.of(referral_id)
    assert len({one.headers["webhook-id"] for one in tries}) == 1
    assert [one.headers["x-kindred-attempt"] for one in tries] == [
        "1",
        "2; possible-repeat",
        "3; possible-repeat",
    ]
    assert all(verified(one, secret) for one in tries)
    assert not [one for one in side.heard if one.path == "/elsewhere"]
    until("active again", lambda: desk.shown(subscription_id)["status"] == "active")


def test_a_newer_version_replaces_one_that_was_not_taken(desk: Desk, side: Subscriber, bus: Bus):
    """While nobody listens the referral moves twice; then one message tells the newest version."""
    subscription_id, _ = desk.active(side)
    side.stop()
    referral_id = refer(desk, "newest")
    move(bus, referral_id)
    until("the first failure", lambda: desk.shown(subscription_id)["status"] == "error")
    assert desk.shown(subscription_id)["error"] == "no-connection"
    bus.say(OfferAccepted(referral_id=referral_id, offer_id=f"off-{referral_id}"))
    until(
        "assigned", lambda: bus.said("referral.status-changed.v1", referral_id=referral_id, status="assigned")
    )
    side.start()
    until("the newest", lambda: side.of(referral_id)[-1:] and side.of(referral_id)[-1].version == 3)
    assert [one.version for one in side.of(referral_id)] == [3]
    assert "repeat" not in side.of(referral_id)[0].headers["x-kindred-attempt"]


def test_a_subscription_is_off_after_failing_often_and_comes_back_when_asked(
    desk: Desk, side: Subscriber, bus: Bus
):
    """Off, said so, audited, counted as an alarm; asked for again it shakes hands and has what it missed."""
    subscription_id, _ = desk.active(side)
    side.standing_fault = "503"
    referral_id = refer(desk, "off")
    move(bus, referral_id)
    until("off", lambda: desk.shown(subscription_id)["status"] == "off")
    told = len(side.heard)
    shown = desk.shown(subscription_id)
    # On a busy machine a try may end without its answer; each new kind of error is a change of its own.
    assert shown["error"] in ("http-503", "no-answer")
    side.standing_fault = ""
    version = int(shown["meta"]["versionId"])
    changes = until(
        "every change in the trail",  # the relay takes them there after they can be read here
        lambda: len(found := bus.said("record.read.v1", record_id=subscription_id)) >= 4 and found,
    )
    assert [one.action for one in changes][:4] == ["create", "update", "update", "update"]
    assert {one.provenance.actor_id for one in changes} == {"his", "system:intake"}
    assert desk.put(shown | {"meta": {"versionId": str(version - 1)}}).status_code == 412
    assert desk.put(shown | {"status": "requested"}).status_code == 200
    until("what it missed", lambda: [one for one in side.heard[told:] if one.kind == "event-notification"])
    kinds = [one.kind for one in side.heard[told:]]
    assert kinds[0] == "handshake" and set(kinds) == {"handshake", "event-notification"}


def test_gone_is_off_at_once_and_deleted_is_silence(desk: Desk, side: Subscriber, bus: Bus):
    """410 switches it off with the first answer; a deleted one is unknown, and nobody is told."""
    subscription_id, _ = desk.active(side)
    side.faults.append("410")
    referral_id = refer(desk, "gone")
    move(bus, referral_id)
    until("off", lambda: desk.shown(subscription_id)["status"] == "off")
    assert len(side.of(referral_id)) == 1
    assert desk.delete(subscription_id).status_code == 204
    assert desk.er.get(f"Subscription/{subscription_id}").status_code == 404
    assert desk.er.get("Subscription").json()["total"] == 0


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"criteria": "Patient?name=x"}, "Subscription.criteria"),
        ({"criteria": "Task?status:not=failed"}, "Subscription.criteria"),
        ({"criteria": "Task?status=unheard-of"}, "Subscription.criteria"),
        ({"channel": {"type": "email"}}, "Subscription.channel.type"),
        ({"channel": {"payload": "application/fhir+xml"}}, "Subscription.channel.payload"),
        ({"channel": {"header": ["Host: elsewhere"]}}, "Subscription.channel.header[0]"),
        ({"channel": {"header": ["X-A: b\r\nX-C: d"]}}, "Subscription.channel.header[0]"),
        ({"channel": {"endpoint": "ftp://far.example/x"}}, "Subscription.channel.endpoint"),
        ({"channel": {"endpoint": "https://user:word@far.example/x"}}, "Subscription.channel.endpoint"),
        ({"status": "error"}, "Subscription.status"),
        ({"status": "unknown"}, "Subscription.status"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(desk: Desk, given: dict[str, Any], place: str):
    """400, an OperationOutcome with the element, and nothing is stored."""
    refused = desk.subscribe("http://127.0.0.1:1/x", **given)
    assert refused.status_code == 400, refused.text
    assert place in [one["expression"][0] for one in refused.json()["issue"]]
    assert desk.er.get("Subscription").json()["total"] == 0


def test_a_subscription_is_its_organization_s_own(desk: Desk, side: Subscriber, er: Er, bus: Bus):
    """Another organization sees nothing of it, a nurse may not make one, and a stale version changes nothing."""
    subscription_id, _ = desk.active(side)
    other = Desk(er, "er-somebody-else")
    shown = desk.shown(subscription_id)
    assert other.er.get(f"Subscription/{subscription_id}").status_code == 404
    assert other.put(shown).status_code == 404
    assert other.delete(subscription_id).status_code == 404
    until("three denials", lambda: len(bus.said("access.denied.v1", record_id=subscription_id)) == 3)
    nurse = Desk(er, desk.er.organization_id)
    nurse.er = replace(nurse.er, role="nurse")
    assert nurse.subscribe(side.url).status_code == 403
    assert desk.put(shown, **{"If-Match": 'W/"99"'}).status_code == 412
    bare = {name: value for name, value in shown.items() if name != "meta"}
    assert [desk.put(bare).status_code, desk.put(bare, **{"If-Match": "x"}).status_code] == [400, 400]
    assert desk.put(bare, **{"If-Match": f'W/"{shown["meta"]["versionId"]}"'}).status_code == 200
    assert [one["resource"]["id"] for one in desk.er.get("Subscription").json()["entry"]] == [subscription_id]


@pytest.fixture
def hospital(er: Er, worker: Process, engine: EngineSide) -> Iterator[Desk]:
    """The one that has an engine."""
    engine.standing_fault = ""
    engine.faults.clear()
    engine.taken.clear()
    yield Desk(er, HL7_SOURCE)
    engine.standing_fault = ""


def of(engine: EngineSide, referral_id: str) -> list[bytes]:
    """What the engine has of one referral."""
    return [one for one in engine.taken if referral_id.encode() in one]


def test_an_engine_hears_each_state_once(hospital: Desk, engine: EngineSide, bus: Bus, request: Any):
    """Two moves are two messages in their order, each read with the audit trail told before."""
    referral_id = refer(hospital, request.node.name)
    move(bus, referral_id)
    until("seeking", lambda: len(of(engine, referral_id)) == 1)
    bus.say(OfferAccepted(referral_id=referral_id, offer_id=f"off-{referral_id}"))
    until("assigned", lambda: len(of(engine, referral_id)) == 2)
    assert [state_of(one) for one in of(engine, referral_id)] == ["seeking", "assigned"]
    reads = until("both reads", lambda: bus.said("record.read.v1", referral_id=referral_id)[1:])
    assert reads[0].provenance.actor_id == "system:intake"


@pytest.mark.parametrize("fault", ["none", "half-close", "AE", "stale-then-AA"])
def test_an_engine_that_does_not_answer_is_told_again(
    hospital: Desk, engine: EngineSide, bus: Bus, fault: str, request: Any
):
    """No answer, half a goodbye, an error, another message's answer: the same control id until it says AA."""
    engine.faults.append(fault)
    referral_id = refer(hospital, request.node.name)
    move(bus, referral_id)
    wanted = 1 if fault == "stale-then-AA" else 2
    until("taken", lambda: len(of(engine, referral_id)) == wanted)
    bus.say(OfferAccepted(referral_id=referral_id, offer_id=f"off-{referral_id}"))
    until("the next", lambda: state_of(of(engine, referral_id)[-1]) == "assigned")
    ids = [control_id(one) for one in of(engine, referral_id)]
    assert ids[:wanted] == [ids[0]] * wanted
    assert len(ids) == wanted + 1
    assert ids[-1] != ids[0]


def test_a_message_refused_for_good_is_not_sent_again(
    hospital: Desk, engine: EngineSide, bus: Bus, worker: Process, request: Any
):
    """AR ends this message with an alarm; the next state is told all the same."""
    engine.faults.append("AR")
    referral_id = refer(hospital, request.node.name)
    move(bus, referral_id)
    port = worker.ready()["http_port"]

    def alarm() -> bool:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        return 'kindred_outward_stopped_total{kind="hl7v2",reason="ar"} 1.0' in text

    until("the alarm", alarm)
    assert len(of(engine, referral_id)) == 1
    bus.say(OfferAccepted(referral_id=referral_id, offer_id=f"off-{referral_id}"))
    until("the next", lambda: [state_of(one) for one in of(engine, referral_id)] == ["seeking", "assigned"])


def test_nothing_secret_or_personal_is_in_the_worker_s_log(worker: Process):
    """Neither endpoints, nor secrets, nor names."""
    text = worker.log.read_text()
    for word in ("s3cret", "whsec_", "Marlowe", "from=kindred", "127.0.0.1:"):
        assert word not in text


def test_secrets_wait_in_the_database_as_ciphertext(intake_database: Any, desk: Desk, side: Subscriber):
    """Neither the endpoint nor a header nor the signing secret can be read there."""
    _, secret = desk.active(side, channel={"header": ["X-Key: topsecret-key"]})
    for name in intake_database.list_collection_names():
        for document in intake_database[name].find():
            for word in ("topsecret-key", secret, "from=kindred"):
                assert word not in repr(document)
