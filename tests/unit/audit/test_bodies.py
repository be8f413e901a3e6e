"""Bodies: the AuditEvent of every event type, its sealing, and what a leaf tells of it."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis import catalog
from chassis.errors import Refusal
from kindred.audit.v1 import audit_pb2
from services.audit import codec
from services.audit.domain.classes import ACCESS_TYPES, CLASSES
from services.audit.domain.leaf import MAX_BYTES, Leaf, LeafMalformed, parse_leaf
from services.audit.fhir import audit_event, read_body
from services.audit.sealing import body_sealing
from services.audit.sealing.body_sealing import BodyUnreadable, open_body, seal_body
from tests.audit_builders import a_read, facts_of

KEY = bytes(range(32))
MOMENT = datetime(2026, 11, 21, 22, 0, 0, 123_000, tzinfo=UTC)
BALP = Path(__file__).resolve().parents[4] / "shared" / "data" / "audit-vectors" / "ihe-balp" / "json"


def _golden(event_type: str):
    message = catalog.message_class(event_type)()
    path = Path(__file__).parents[2] / "wire" / "golden" / f"{event_type}.json"
    message.ParseFromString(bytes.fromhex(json.loads(path.read_text())["body_hex"]))
    return message


def test_every_event_type_of_the_catalog_has_a_class():
    """No event that any service can say is unclassified in the log."""
    assert set(catalog.all_types()) == set(CLASSES)


@pytest.mark.parametrize("event_type", sorted(CLASSES))
def test_the_table_names_fields_that_exist(event_type):
    """The record and reason fields of each class are fields of its message."""
    fields = catalog.message_class(event_type).DESCRIPTOR.fields_by_name
    for name in (CLASSES[event_type].record_field, CLASSES[event_type].reason_field):
        assert not name or name in fields


@pytest.mark.parametrize("event_type", [*sorted(CLASSES), "weather.changed.v9"])
def test_every_body_is_a_valid_r4_audit_event(event_type):
    """fhir.resources reads the AuditEvent of every event type, also of an unknown one."""
    from fhir.resources.R4B.auditevent import AuditEvent

    known = event_type in CLASSES
    facts = facts_of(_golden(event_type)) if known else facts_of(None, content=b"abc")
    event = AuditEvent.model_validate_json(audit_event(facts))
    assert event.action in "CRUDE" and event.outcome in ("0", "4", "8")
    assert sum(agent.requestor for agent in event.agent) == 1


@pytest.mark.parametrize("event_type", sorted(CLASSES))
def test_what_is_written_is_read_back(event_type):
    """Actor, role, purpose, peer, referral, outcome and digest survive the round trip through FHIR."""
    facts = facts_of(_golden(event_type))
    body = read_body(audit_event(facts))
    assert (body.event_type, body.actor_id, body.actor_role) == (event_type, facts.actor_id, facts.actor_role)
    assert (body.purpose_of_use, body.peer_id) == (facts.purpose_of_use, facts.subject_id)
    assert (body.referral_id, body.outcome) == (facts.referral_id, facts.outcome)
    assert (body.content_digest, body.trace_id) == (facts.content_digest, facts.trace_id)


@pytest.mark.parametrize("action", ["read", "search"])
def test_a_denied_read_of_a_referral_is_found_under_its_referral(action):
    """What the row says of the referral is what the body says, whether it is shown as the record or beside it."""
    denial = catalog.message_class("access.denied.v1")(
        record_type="Referral", record_id="ref-7", action=action, reason_code="not-your-referral"
    )
    facts = facts_of(denial)
    assert facts.referral_id == "ref-7"
    assert read_body(audit_event(facts)).referral_id == "ref-7"


@pytest.mark.needs_shared_data
@pytest.mark.parametrize(
    ("action", "example"),
    [
        ("read", "AuditEvent-ex-auditBasicReadServer.json"),
        ("create", "AuditEvent-ex-auditBasicCreate1.json"),
        ("update", "AuditEvent-ex-auditBasicUpdate1.json"),
        ("search", "AuditEvent-ex-auditBasicQueryGetServer.json"),
    ],
)
def test_bodies_have_the_shape_of_ihes_examples(action, example):
    """Profile, type, action, interaction and the codes of agents, source and entities are those of IHE's example."""
    if not BALP.exists():
        pytest.skip("../shared/data/audit-vectors/ihe-balp is not beside this checkout")
    theirs = json.loads((BALP / example).read_text())
    message = a_read()
    message.action = action
    message.criteria.append("patient")
    ours = json.loads(audit_event(facts_of(message)))
    for field in ("resourceType", "type", "action", "outcome"):
        assert ours[field] == theirs[field]
    assert ours["meta"]["profile"] == theirs["meta"]["profile"]
    assert ours["subtype"][0]["code"] == theirs["subtype"][0]["code"]
    assert _codes(ours["agent"]) == _codes(theirs["agent"])
    assert ours["source"]["type"] == theirs["source"]["type"]
    roles = [entity["role"] for entity in theirs["entity"] if "role" in entity]
    ours_too = [entity["role"] for entity in ours["entity"] if "role" in entity]
    assert sorted(role["code"] for role in ours_too) == sorted(role["code"] for role in roles)


def _codes(agents: list[dict]) -> set:
    return {(agent["type"]["coding"][0]["code"], agent["requestor"]) for agent in agents}


def test_denials_say_what_was_refused_and_why():
    """A denied call is a serious failure with the refusal's code and the method."""
    from kindred.access.v1.events_pb2 import AccessDenied

    denied = AccessDenied(record_type="AuditEvent", action="kindred.audit.v1.AuditService/CheckLog")
    denied.provenance.actor_id = "nurse-17"
    denied.reason_code = "role-not-allowed"
    document = json.loads(audit_event(facts_of(denied)))
    assert document["outcome"] == "8"
    assert document["outcomeDesc"] == "role-not-allowed at kindred.audit.v1.AuditService/CheckLog"


def test_searches_name_their_criteria_only():
    """The query of a search holds the names of its criteria."""
    message = a_read()
    message.action = "search"
    message.criteria.extend(["peer_id", "recorded_from"])
    facts = facts_of(message)
    assert (facts.action, facts.interaction) == ("E", "search")
    query = next(entity["query"] for entity in json.loads(audit_event(facts))["entity"] if "query" in entity)
    assert base64.b64decode(query) == b"Referral?peer_id,recorded_from"


def test_what_is_odd_is_flagged_and_kept():
    """No actor, no number, unknown type, too long to keep: each has its flag."""
    assert facts_of(a_read(actor_id="")).flags == ("no-actor",)
    assert facts_of(a_read(), producer_seq=0).flags == ("unnumbered",)
    assert facts_of(None, content=b"x").unread == b"x"
    long = facts_of(None, content=bytes(70_000))
    assert long.flags == ("unknown-type", "content-not-kept") and long.unread == b""
    assert set(ACCESS_TYPES) <= set(CLASSES)


def test_two_contents_have_two_digests():
    """The digest tells apart events that differ in content, type, producer, number or time."""
    one = facts_of(a_read(), producer_seq=1)
    others = [
        facts_of(a_read(actor_id="other"), producer_seq=1),
        facts_of(a_read(), producer_seq=2),
        facts_of(a_read(), producer_seq=1, producer="matching"),
        facts_of(a_read(), producer_seq=1, after=timedelta(seconds=1)),
    ]
    assert one.content_digest not in {each.content_digest for each in others}
    assert one.content_digest == facts_of(a_read(), producer_seq=1).content_digest


def test_periods_are_quarters():
    """The key period is the quarter of the event's time."""
    assert facts_of(a_read()).period == "2026Q4"
    assert facts_of(a_read(), after=timedelta(days=60)).period == "2027Q1"


def test_a_sealed_body_opens_to_the_same_bytes():
    """What goes in comes out, and the ciphertext shows none of it."""
    body = audit_event(facts_of(a_read()))
    sealed = seal_body(KEY, "evt_1", body)
    assert open_body(KEY, "evt_1", sealed.ciphertext, sealed.hiding_commitment, sealed.key_commitment) == body
    assert sealed.digest == hashlib.sha256(sealed.ciphertext).digest()
    assert b"peer_rosa" not in sealed.ciphertext and len(sealed.ciphertext) < len(body) / 4


def test_sealing_twice_never_gives_the_same_bytes():
    """Nonce and blinding are fresh each time, so equal bodies do not show."""
    one, two = seal_body(KEY, "evt_1", b"same"), seal_body(KEY, "evt_1", b"same")
    assert one.ciphertext != two.ciphertext and one.hiding_commitment != two.hiding_commitment


@pytest.mark.parametrize("what", ["key", "event", "ciphertext", "hiding", "key_commitment"])
def test_a_body_opens_under_nothing_else(what):
    """Another key, event, ciphertext or commitment is refused."""
    sealed = seal_body(KEY, "evt_1", b"body")
    given = {
        "key": KEY,
        "event": "evt_1",
        "ciphertext": sealed.ciphertext,
        "hiding": sealed.hiding_commitment,
        "key_commitment": sealed.key_commitment,
    }
    was = given[what]
    given[what] = "evt_2" if what == "event" else was[:-1] + bytes([was[-1] ^ 1])
    with pytest.raises(BodyUnreadable):
        open_body(*given.values())


def test_the_dictionary_of_packed_bodies_is_frozen():
    """Every sealed body needs this exact dictionary for ever."""
    digest = hashlib.sha256(body_sealing._DICTIONARY).hexdigest()
    assert digest == "93544e50d6fafebd652413fd74aba932fd00df23011a4f9865033e486b0c8e32"


def _leaf(**changed) -> Leaf:
    fields = {
        "event_id": "evt_019ab2c4d5e67f80a1b2c3d4e5f60718",
        "producer": "intake",
        "producer_seq": 41,
        "recorded_at": MOMENT,
        "class_code": "R0",
        "body_digest": bytes(32),
        "hiding_commitment": bytes(range(32)),
        "key_commitment": bytes([255] * 32),
    }
    return Leaf(**(fields | changed))


def test_a_leaf_reads_back_and_is_small():
    """A leaf is eight readable lines of 400 bytes at most, and parses to what it was made of."""
    encoded = _leaf().encode()
    assert parse_leaf(encoded) == _leaf()
    assert encoded.decode("ascii").splitlines()[:5] == [
        "kindred-audit-leaf/1",
        "evt_019ab2c4d5e67f80a1b2c3d4e5f60718",
        "intake 41",
        "2026-11-21T22:00:00.123Z",
        "R0",
    ]
    assert (
        len(_leaf(event_id="e" * 64, producer="p" * 64, producer_seq=2**63, class_code="E8?").encode())
        <= MAX_BYTES
    )


def test_a_leaf_is_this_for_ever():
    """The bytes of one leaf, written down: a change would break every old proof."""
    digest = hashlib.sha256(_leaf().encode()).hexdigest()
    assert digest == "102c496a9065f3e420b27688071d89a50f859f96fec2d55ddad7b4e96efc22ff"


@pytest.mark.parametrize("name", ["", "a\nb", "a b", "x" * 65, "é", "~short"])
def test_a_leaf_refuses_names_that_break_lines(name):
    """A name that is empty, long, or holds spaces or newlines does not get into a leaf."""
    with pytest.raises(LeafMalformed):
        _leaf(event_id=name).encode()


@pytest.mark.parametrize(
    "encoded",
    [b"", b"kindred-audit-leaf/2\n", _leaf().encode()[:-1], _leaf().encode() + b"x\n", b"\xff" * 50],
)
def test_what_is_no_leaf_is_refused(encoded):
    """Another version, a missing or an extra line: not a leaf."""
    with pytest.raises(LeafMalformed):
        parse_leaf(encoded)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "_1",
        "2026-11-21T22:00:00Z_",
        "2026-11-21T22:00:00Z_-5",
        f"2026-11-21T22:00:00Z_{'9' * 30}",
        "0001-01-01T00:00:00+14:00_5",
    ],
)
def test_a_forged_page_token_is_a_refusal(token):
    """Neither a number nor a time outside of what the store can compare reaches it."""
    with pytest.raises(Refusal) as refused:
        codec.search_from_proto(audit_pb2.SearchEntriesRequest(page_token=token))
    assert refused.value.code == "page-token-invalid"
