"""Who hears what: the table is whole, and the same news is the same notice."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from chassis import catalog
from services.notifications.domain.intents import (
    TABLE,
    Happening,
    Intent,
    Urgency,
    expires_at,
    notice_id,
    rule_for,
    urgency_of,
)
from services.notifications.worker import Worker
from tests.unit.notifications.notice_builders import NOW, a_happening, rule_of

README = Path(__file__).parents[3] / "services" / "notifications" / "README.md"


def test_every_intent_has_one_line():
    """Each intent stands in the table exactly once."""
    assert sorted(rule.intent for rule in TABLE) == sorted(Intent)


def test_every_event_of_the_table_exists_and_is_heard():
    """Each event of the table is a known type, and the worker listens to it."""
    heard = {name.removeprefix("on_").replace("_", "-") for name in vars(Worker)}
    for rule in TABLE:
        assert rule.event in catalog.all_types()
        noun, verb, _ = rule.event.split(".")
        assert f"{noun}-{verb}" in heard


def test_keys_and_expiries_name_facts_of_a_happening():
    """The de-duplication key and the expiry of each line name facts that a happening has."""
    names = {field.name for field in fields(Happening)}
    for rule in TABLE:
        assert {*rule.key, rule.expiry.after} <= names


def test_the_readme_shows_the_table_as_it_is():
    """The service's README holds each line of the table, column by column."""
    text = README.read_text()
    for rule in TABLE:
        what = rule.event if not rule.status else f"{rule.event} ({rule.status})"
        line = next(row for row in text.splitlines() if row.startswith(f"| {rule.intent.value} "))
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        channels = ", ".join(channel.value for channel in rule.channels)
        assert cells[1:6] == [what, rule.recipient.value, rule.urgency.value, channels, rule.quiet.value]
        assert all(name in cells[7] for name in rule.key)


@pytest.mark.parametrize("intent", list(Intent))
def test_the_same_news_to_the_same_person_has_one_id(intent):
    """Hearing the same happening again gives the same notice, however late and in whatever words (P4)."""
    first = notice_id(rule_of(intent), a_happening(intent))
    again = a_happening(intent, happened_at=NOW + timedelta(hours=1), urgency="routine", link_token="other")
    assert notice_id(rule_of(intent), again) == first


@pytest.mark.parametrize("intent", list(Intent))
def test_news_for_somebody_else_has_another_id(intent):
    """Two people never share a notice."""
    first = notice_id(rule_of(intent), a_happening(intent))
    assert notice_id(rule_of(intent), a_happening(intent, recipient_id="sp_other")) != first


def test_another_promised_arrival_is_news():
    """A source hears again when another arrival is promised."""
    rule = rule_of(Intent.HELP_ASSIGNED)
    later = a_happening(Intent.HELP_ASSIGNED, promised_arrival_at=NOW + timedelta(minutes=50))
    assert notice_id(rule, a_happening(Intent.HELP_ASSIGNED)) != notice_id(rule, later)


def test_a_call_instead_of_a_visit_is_news():
    """A source that waits at a bed hears when the same promise becomes a call."""
    rule = rule_of(Intent.HELP_ASSIGNED)
    called = a_happening(Intent.HELP_ASSIGNED, modality="phone")
    assert notice_id(rule, a_happening(Intent.HELP_ASSIGNED)) != notice_id(rule, called)


def test_the_certificates_of_two_people_are_two_notices():
    """A supervisor of two people whose certificates end on one day hears of both."""
    rule = rule_of(Intent.TEAM_CERTIFICATE_ENDING)
    first, other = (a_happening(rule.intent, matter=f"sp_{n}/IL") for n in "12")
    assert notice_id(rule, first) != notice_id(rule, other)


def test_an_offer_notice_is_worthless_at_the_deadline():
    """An offer's notice expires exactly when the offer does."""
    happening = a_happening()
    assert expires_at(rule_of(Intent.OFFER_MADE), happening) == happening.deadline_at


def test_an_arrival_nobody_promised_counts_from_the_event():
    """Without a promised arrival the notice lives from the event on."""
    happening = a_happening(Intent.HELP_ASSIGNED, promised_arrival_at=None)
    assert expires_at(rule_of(Intent.HELP_ASSIGNED), happening) == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("said", "taken"), [("immediate", Urgency.IMMEDIATE), ("", Urgency.ROUTINE), ("as-said", Urgency.ROUTINE)]
)
def test_an_offer_is_as_urgent_as_the_event_says(said, taken):
    """The urgency of an offer's notice is the event's; an unknown one is routine."""
    assert urgency_of(rule_of(Intent.OFFER_MADE), a_happening(urgency=said)) is taken


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("referral.status-changed.v1", "seeking"),
        ("referral.escalated.v1", "next-wave"),
        ("offer.accepted.v1", ""),
    ],
)
def test_what_is_not_in_the_table_is_told_to_nobody(event, status):
    """A move that no line names makes no notice."""
    assert rule_for(event, status) is None
