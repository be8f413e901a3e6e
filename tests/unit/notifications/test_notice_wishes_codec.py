"""Wishes over gRPC: only what is named changes, every fault names its field, secrets are never shown again."""

from __future__ import annotations

import pytest

from chassis.errors import Refusal
from chassis.identity import Caller
from kindred.notifications.v1 import notifications_pb2 as pb
from services.notifications import codec
from services.notifications.domain.events import ContactChanged, ContactErased
from services.notifications.domain.intents import Channel
from services.notifications.domain.windows import Window
from services.notifications.domain.wishes import Wishes
from services.notifications.handlers.people import Changed, Told

WISHES = Wishes(
    "sp_1",
    is_do_not_contact=True,
    email="ines@example.org",
    phone="+13125550123",
    webhook_url="https://hooks.example.org/x",
    webhook_secrets=("whsec_quillfeather",),
    language="es",
    time_zone="America/Chicago",
    channels=(Channel.SMS, Channel.EMAIL),
    shared=(Channel.WEBHOOK,),
    quiet=(Window(1260, 420, (4, 5)),),
    unsafe=(Window(0, 60),),
    digest_minute=480,
)
EVERY = [field.name for field in pb.Wishes.DESCRIPTOR.fields]


def asked(fields, **wishes):
    return pb.ChangeContactRequest(person_id="sp_1", fields=fields, wishes=pb.Wishes(**wishes))


def test_what_is_shown_can_be_sent_back():
    """Every field of the wishes survives the way out and in again."""
    shown = codec.contact_to_proto("sp_1", Told(WISHES, 3, {"sms": "opted-out"}))
    request = pb.ChangeContactRequest(person_id="sp_1", fields=EVERY, wishes=shown.wishes)
    wanted = codec.wanted_from_proto(request)
    assert {name: getattr(WISHES, name) for name in EVERY} == wanted
    assert (shown.version, dict(shown.standings)) == (3, {"sms": "opted-out"})


def test_a_webhooks_secret_is_shown_once():
    """The secret stands in the answer to the change that made it, and in no other."""
    assert "quillfeather" not in str(codec.contact_to_proto("sp_1", Told(WISHES, 1)))
    assert codec.changed_to_proto(Changed(2, ["webhook_secrets"], "whsec_new")).webhook_secret == "whsec_new"


def test_only_what_is_named_is_meant():
    """A field that is filled and not named stays as it was."""
    assert codec.wanted_from_proto(asked(["language"], language="es", email="a@example.org")) == {
        "language": "es"
    }


@pytest.mark.parametrize(
    ("field", "given", "place"),
    [
        ("email", "nobody", "wishes.email"),
        ("email", "a@example.org\r\nBcc: b@example.org", "wishes.email"),
        ("phone", "call me", "wishes.phone"),
        ("time_zone", "Mars/Olympus", "wishes.time_zone"),
        ("language", "not a language", "wishes.language"),
        ("channels", ["pigeon"], "wishes.channels"),
        ("person_id", None, "fields[person_id]"),
        ("webhook_secrets", None, "fields[webhook_secrets]"),
    ],
)
def test_a_wrong_value_names_its_field(field, given, place):
    """Nothing is guessed: each wrong value is refused where it stands, and is not repeated in the refusal."""
    request = asked([field], **({field: given} if given is not None else {}))
    with pytest.raises(Refusal) as refused:
        codec.wanted_from_proto(request)
    assert [fault.path for fault in refused.value.faults] == [place]
    assert "Bcc" not in str(refused.value)


def test_every_fault_is_named_at_once():
    """Two wrong fields make two faults."""
    with pytest.raises(Refusal) as refused:
        codec.wanted_from_proto(asked(["email", "phone"], email="x", phone="y"))
    assert len(refused.value.faults) == 2


@pytest.mark.parametrize(
    ("given", "kept"),
    [("312-555-0123", "+13125550123"), ("+44 20 7946 0958", "+442079460958"), ("911911", ""), ("", "")],
)
def test_a_phone_number_has_one_form(given, kept):
    """E.164, of the USA where no country is named."""
    assert codec.phone_number(given) == kept


def test_a_change_is_said_without_its_values():
    """The audit trail has who, whose and which fields; never an address."""
    by = Caller("coordinator-1", "coordinator", "prog_1", "HOPERAT")
    changed = codec.contact_event_to_proto(ContactChanged("sp_1", ("email", "quiet")), by)
    assert (changed.person_id, list(changed.fields)) == ("sp_1", ["email", "quiet"])
    assert changed.provenance.actor_id == "coordinator-1"
    assert codec.contact_event_to_proto(ContactErased("sp_1"), by).person_id == "sp_1"
