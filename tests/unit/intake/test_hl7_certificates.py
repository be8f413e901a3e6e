"""A hospital's client certificate speaks for that hospital and for no other."""

from __future__ import annotations

from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.settings import SettingsFaults
from services.intake.hl7v2 import certified, handling, message
from services.intake.mllp import MllpSettings

BRIGID, HARBOR = "engine.st-brigid.example", "urn:engine:harbor"
THEIRS = (f"er-st-brigid={BRIGID}", f"er-harbor={HARBOR}")
SOURCES = ("STBRIGID=er-st-brigid", "HARBOR=er-harbor")


def spoken(facility: str, names: frozenset[str] | None, certificates: tuple[str, ...] = THEIRS) -> str:
    """For which source a message of this facility is taken over a connection with these names, or why it is not."""
    denials: list[str] = []
    settings = SimpleNamespace(hl7_sources=SOURCES, hl7_time_zone="UTC", hl7_certificates=certificates)
    access = SimpleNamespace(record_denied=lambda *_, reason_code, **__: denials.append(reason_code))
    header = message.header_of(f"MSH|^~\\&|ADT|{facility}|K|K|20261122||ADT^A03|1|P|2.5\r".encode())

    def ask() -> str:
        certified.shown.set(names)
        room: Any = SimpleNamespace(settings=settings, access=access)
        try:
            return handling._sender(room, header).source_id
        except certified.NotCertified as refusal:
            assert denials == [refusal.code]
            return refusal.code

    return copy_context().run(ask)


@pytest.mark.parametrize(
    ("facility", "names", "told"),
    [
        ("STBRIGID", frozenset({BRIGID}), "er-st-brigid"),
        ("HARBOR", frozenset({HARBOR, "another"}), "er-harbor"),
        ("HARBOR", frozenset({BRIGID}), "sender-not-certified"),
        ("STBRIGID", frozenset({HARBOR}), "sender-not-certified"),
        ("STBRIGID", frozenset({"some.other.example"}), "sender-not-certified"),
        ("STBRIGID", frozenset(), "sender-not-certified"),
        ("HARBOR", None, "er-harbor"),
    ],
)
def test_a_certificate_speaks_for_its_own_facility_only(facility: str, names: Any, told: str):
    """Over another hospital's certificate, or nobody's, it is refused, on record; without TLS the listener is local."""
    assert spoken(facility, names) == told


def test_a_source_that_has_no_certificate_is_not_heard_where_others_have():
    """Who forgot one hospital in the setting has not opened it to all."""
    assert spoken("HARBOR", frozenset({BRIGID}), THEIRS[:1]) == "sender-not-certified"
    assert spoken("HARBOR", frozenset({BRIGID}), ()) == "er-harbor"


def test_the_names_are_those_that_the_authority_signed():
    """DNS names, URIs and the common name; an address or a mail name is nobody's."""
    told = {
        "subject": ((("organizationName", "St. Brigid"),), (("commonName", BRIGID),)),
        "subjectAltName": (
            ("DNS", "a.example"),
            ("URI", HARBOR),
            ("IP Address", "10.0.0.7"),
            ("email", "x@y"),
        ),
    }
    assert certified.names_of(told) == {BRIGID, "a.example", HARBOR}
    assert certified.names_of(None) == frozenset()


@pytest.mark.parametrize(
    ("certificates", "fault"),
    [
        ((), "names no client certificate of: er-harbor, er-st-brigid"),
        (THEIRS[:1], "of: er-harbor"),
        (("x",), "is not"),
    ],
)
def test_several_hospitals_behind_one_authority_need_their_names_said(
    certificates: tuple[str, ...], fault: str
):
    """Else each of them could speak for every other: the process does not start."""
    given: Any = {
        "mongo_uri": "x",
        "mongo_database": "x",
        "amqp_uri": "x",
        "keys_dir": "x",
        "hl7_sources": SOURCES,
        "mllp_tls_cert": "c",
        "mllp_tls_client_ca": "a",
    }
    with pytest.raises(SettingsFaults, match=fault):
        MllpSettings(**given, hl7_certificates=certificates)
    MllpSettings(**given, hl7_certificates=THEIRS)
    MllpSettings(**given | {"hl7_sources": SOURCES[:1]})
