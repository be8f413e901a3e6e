"""Who speaks a rare language does not wait for it, on a real mongod: asked at once, from further, by phone and video."""

from __future__ import annotations

from services.matching import handlers
from tests.matching_room import CAUSE, SYSTEM, a_row, a_submission, enroll, submit

PEEKSKILL = "10566"  # 33 miles from the Bronx


def _people(room):
    """Thirteen near who speak English, three who speak Vietnamese: near, beyond the usual hour, and far away."""
    enroll(
        room,
        [
            *(a_row(f"en{n}") for n in range(13)),
            a_row("near", languages="vi:native"),
            a_row("far", languages="vi:fluent", zip=PEEKSKILL, radius_miles="100", modalities="bedside"),
            a_row("rings", languages="vi:fluent", zip="14203", modalities="phone"),
        ],
    )


def test_a_rare_language_is_sought_for_more_widely_at_once(room):
    """All who speak it are asked in the first wave; an ordinary language waits for the second."""
    _people(room)
    submit(room, a_submission("rare", languages=["vi"], modalities=["bedside"]))
    submit(room, a_submission("usual", languages=["en"], modalities=["bedside"]))
    rare, usual = room.cases.case("rare"), room.cases.case("usual")
    assert (rare.wave, rare.asked_ids) == (1, {"near", "far", "rings"})
    assert {offer.specialist_id: offer.ways for offer in rare.offers}["rings"] == {"phone"}
    assert (usual.wave, len(usual.offers)) == (1, 3)
    assert all(offer.ways == {"bedside"} for offer in usual.offers)
    assert handlers.why_not(room, "rare", "far", SYSTEM, CAUSE).rules == ()


def test_an_agreed_interpreter_makes_no_language_rare(room):
    """Everybody can be understood then, so the ladder is the usual one."""
    _people(room)
    asked = a_submission(languages=["vi"], interpreter_agreed=True, modalities=["bedside"])
    submit(room, asked)
    case = room.cases.case("ref_1")
    assert len(case.offers) == 3 and all(offer.ways == {"bedside"} for offer in case.offers)
