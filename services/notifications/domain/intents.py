"""Who hears about what: one table, which is the rule and its documentation at once (DOMAIN 6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Intent(StrEnum):
    """Why somebody hears."""

    OFFER_MADE = "offer-made"
    OFFER_WITHDRAWN = "offer-withdrawn"
    ASSIGNMENT_ENDED = "assignment-ended"
    CHECKIN_DUE = "checkin-due"
    CHECKIN_MISSED = "checkin-missed"
    HELP_ASSIGNED = "help-assigned"
    PERSON_MET = "person-met"
    PERSON_NOT_MET = "person-not-met"
    HELP_SOUGHT_AGAIN = "help-sought-again"
    REFERRAL_UNFILLED = "referral-unfilled"
    SUPERVISOR_NEEDED = "supervisor-needed"
    ARRIVAL_UNHEARD = "arrival-unheard"
    ARRIVAL_TOO_LATE = "arrival-too-late"
    REQUEST_GIVEN = "request-given"
    REQUEST_TAKEN_OVER = "request-taken-over"
    CERTIFICATE_ENDING = "certificate-ending"
    CERTIFICATE_ENDED = "certificate-ended"
    TEAM_CERTIFICATE_ENDING = "team-certificate-ending"
    TEAM_CERTIFICATE_ENDED = "team-certificate-ended"
    GLASS_BROKEN = "glass-broken"
    GLASS_TO_REVIEW = "glass-to-review"
    CASE_TO_REVIEW = "case-to-review"
    REQUEST_RECEIVED = "request-received"
    HELP_COMING = "help-coming"
    HELP_LATER = "help-later"
    CALL_COMING = "call-coming"


class Recipient(StrEnum):
    """Who hears."""

    SPECIALIST = "specialist"
    SOURCE = "source"
    SUPERVISOR = "supervisor"
    COMPLIANCE = "compliance"
    # Only who is said to be safe to write to (docs/decisions/0049-what-a-peer-is-told.md).
    PEER = "peer"


class Channel(StrEnum):
    """How they hear."""

    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"
    APPRISE = "apprise"
    IN_APP = "in-app"


class Quiet(StrEnum):
    """What quiet hours do to a notice. Unsafe times hold every notice back, whatever stands here."""

    WAITS = "waits"
    BREAKS_IF_IMMEDIATE = "breaks-if-immediate"


class Urgency(StrEnum):
    """How soon it matters. AS_SAID takes the urgency the event names."""

    AS_SAID = "as-said"
    IMMEDIATE = "immediate"
    URGENT = "urgent"
    ROUTINE = "routine"


@dataclass(frozen=True)
class Expiry:
    """A notice is worthless from `grace` after the moment named `after`, or after the event where it names none."""

    after: str
    grace: timedelta = timedelta()


@dataclass(frozen=True)
class Rule:
    """One line of the table."""

    intent: Intent
    event: str
    # Where one event type tells several things: which of them. Empty: every event of the type.
    status: str
    recipient: Recipient
    urgency: Urgency
    # In this order, unless the person chose another; one without an address is passed over.
    channels: tuple[Channel, ...]
    quiet: Quiet
    expiry: Expiry
    # The facts that make two happenings the same news to the same person: one notice for both (P4).
    key: tuple[str, ...]

    @property
    def may_wait(self) -> bool:
        """True where nothing is lost if it is read in the evening, so that a digest may hold it."""
        return self.urgency is Urgency.ROUTINE

    @property
    def is_renewable(self) -> bool:
        """True where an operator may send it after its time: nobody's answer is waited for any more otherwise."""
        return self.expiry.after == "happened_at"


_AT_DEADLINE = Expiry("deadline_at")
_AT_ARRIVAL = Expiry("promised_arrival_at")
_HOUR_PAST_ARRIVAL = Expiry("promised_arrival_at", timedelta(hours=1))
_ONE_HOUR = Expiry("happened_at", timedelta(hours=1))
_ONE_DAY = Expiry("happened_at", timedelta(days=1))
_ONE_WEEK = Expiry("happened_at", timedelta(days=7))

_PEOPLE = (Channel.EMAIL, Channel.SMS, Channel.WEBHOOK, Channel.APPRISE)
# A peer has one number that somebody called safe, and nothing else is known of them.
_PEERS = (Channel.SMS,)
_SOURCES = (Channel.EMAIL, Channel.WEBHOOK, Channel.APPRISE)
_WAITS, _BREAKS = Quiet.WAITS, Quiet.BREAKS_IF_IMMEDIATE

# fmt: off
# ruff: noqa: E501  a table is read across
TABLE: Final[tuple[Rule, ...]] = (
    #    intent                          event                         status                   recipient             urgency            channels  quiet    expiry              key
    Rule(Intent.OFFER_MADE,              "offer.made.v1",              "",                      Recipient.SPECIALIST, Urgency.AS_SAID,   _PEOPLE,  _BREAKS, _AT_DEADLINE,       ("offer_id",)),
    Rule(Intent.OFFER_WITHDRAWN,         "offer.withdrawn.v1",         "",                      Recipient.SPECIALIST, Urgency.URGENT,    _PEOPLE,  _WAITS,  _ONE_HOUR,          ("offer_id",)),
    Rule(Intent.ASSIGNMENT_ENDED,        "assignment.ended.v1",        "",                      Recipient.SPECIALIST, Urgency.IMMEDIATE, _PEOPLE,  _BREAKS, _ONE_DAY,           ("offer_id",)),
    Rule(Intent.CHECKIN_DUE,             "checkin.due.v1",             "",                      Recipient.SPECIALIST, Urgency.URGENT,    _PEOPLE,  _WAITS,  _AT_DEADLINE,       ("referral_id", "number")),
    Rule(Intent.CHECKIN_MISSED,          "checkin.missed.v1",          "",                      Recipient.SUPERVISOR, Urgency.URGENT,    _PEOPLE,  _WAITS,  _ONE_DAY,           ("referral_id", "number")),
    Rule(Intent.PERSON_MET,              "referral.status-changed.v1", "met",                   Recipient.SOURCE,     Urgency.ROUTINE,   _SOURCES, _WAITS,  _ONE_DAY,           ("referral_id",)),
    Rule(Intent.PERSON_NOT_MET,          "referral.status-changed.v1", "not-met",               Recipient.SOURCE,     Urgency.URGENT,    _SOURCES, _WAITS,  _ONE_DAY,           ("referral_id",)),
    Rule(Intent.HELP_ASSIGNED,           "referral.status-changed.v1", "assigned",              Recipient.SOURCE,     Urgency.IMMEDIATE, _SOURCES, _WAITS,  _HOUR_PAST_ARRIVAL, ("referral_id", "promised_arrival_at", "modality")),
    Rule(Intent.HELP_SOUGHT_AGAIN,       "referral.status-changed.v1", "sought-again",          Recipient.SOURCE,     Urgency.IMMEDIATE, _SOURCES, _WAITS,  _ONE_HOUR,          ("referral_id", "version")),
    Rule(Intent.REFERRAL_UNFILLED,       "referral.status-changed.v1", "unfilled",              Recipient.SOURCE,     Urgency.IMMEDIATE, _SOURCES, _WAITS,  _ONE_DAY,           ("referral_id",)),
    Rule(Intent.SUPERVISOR_NEEDED,       "referral.escalated.v1",      "exhausted",             Recipient.SUPERVISOR, Urgency.IMMEDIATE, _PEOPLE,  _BREAKS, _ONE_DAY,           ("referral_id",)),
    Rule(Intent.ARRIVAL_UNHEARD,         "arrival.overdue.v1",         "not-heard-of",          Recipient.SUPERVISOR, Urgency.IMMEDIATE, _PEOPLE,  _BREAKS, _ONE_DAY,           ("offer_id", "promised_arrival_at")),
    Rule(Intent.ARRIVAL_TOO_LATE,        "arrival.overdue.v1",         "leaves-before-arrival", Recipient.SUPERVISOR, Urgency.IMMEDIATE, _PEOPLE,  _BREAKS, _ONE_DAY,           ("offer_id", "promised_arrival_at")),
    Rule(Intent.REQUEST_GIVEN,           "assignment.chosen.v1",       "by-hand",               Recipient.SPECIALIST, Urgency.IMMEDIATE, _PEOPLE,  _BREAKS, _ONE_DAY,           ("offer_id",)),
    Rule(Intent.REQUEST_TAKEN_OVER,      "case.moved.v1",              "",                      Recipient.SPECIALIST, Urgency.URGENT,    _PEOPLE,  _WAITS,  _ONE_DAY,           ("offer_id",)),
    Rule(Intent.CERTIFICATE_ENDING,      "certification.expiring.v1",  "own-ending",            Recipient.SPECIALIST, Urgency.ROUTINE,   _PEOPLE,  _WAITS,  _ONE_WEEK,          ("matter", "last_day", "number")),
    Rule(Intent.CERTIFICATE_ENDED,       "certification.expiring.v1",  "own-ended",             Recipient.SPECIALIST, Urgency.URGENT,    _PEOPLE,  _WAITS,  _ONE_WEEK,          ("matter", "last_day")),
    Rule(Intent.TEAM_CERTIFICATE_ENDING, "certification.expiring.v1",  "team-ending",           Recipient.SUPERVISOR, Urgency.ROUTINE,   _PEOPLE,  _WAITS,  _ONE_WEEK,          ("matter", "last_day", "number")),
    Rule(Intent.TEAM_CERTIFICATE_ENDED,  "certification.expiring.v1",  "team-ended",            Recipient.SUPERVISOR, Urgency.URGENT,    _PEOPLE,  _WAITS,  _ONE_WEEK,          ("matter", "last_day")),
    Rule(Intent.GLASS_BROKEN,            "glass.broken.v1",            "supervisor",            Recipient.SUPERVISOR, Urgency.URGENT,    _PEOPLE,  _WAITS,  _ONE_WEEK,          ("referral_id", "matter")),
    Rule(Intent.GLASS_TO_REVIEW,         "glass.broken.v1",            "compliance",            Recipient.COMPLIANCE, Urgency.URGENT,    _PEOPLE,  _WAITS,  _ONE_WEEK,          ("referral_id", "matter")),
    Rule(Intent.CASE_TO_REVIEW,          "review.opened.v1",           "",                      Recipient.COMPLIANCE, Urgency.URGENT,    _PEOPLE,  _WAITS,  _ONE_WEEK,          ("matter",)),
    Rule(Intent.REQUEST_RECEIVED,        "referral.submitted.v1",      "",                      Recipient.PEER,       Urgency.URGENT,    _PEERS,   _WAITS,  _ONE_HOUR,          ("referral_id",)),
    Rule(Intent.HELP_COMING,             "referral.status-changed.v1", "assigned-to-peer",      Recipient.PEER,       Urgency.IMMEDIATE, _PEERS,   _WAITS,  _AT_ARRIVAL,        ("referral_id", "promised_arrival_at", "modality")),
    Rule(Intent.HELP_LATER,              "referral.status-changed.v1", "sought-again-to-peer",  Recipient.PEER,       Urgency.IMMEDIATE, _PEERS,   _WAITS,  _ONE_HOUR,          ("referral_id", "version")),
    Rule(Intent.CALL_COMING,             "checkin.due.v1",             "to-peer",               Recipient.PEER,       Urgency.URGENT,    _PEERS,   _WAITS,  _AT_DEADLINE,       ("referral_id", "number")),
)
# fmt: on
_BY_EVENT: Final = {(rule.event, rule.status): rule for rule in TABLE}
_BY_INTENT: Final = {rule.intent: rule for rule in TABLE}
# What may still be said of a referral that was stopped: whoever was asked need not answer, nor come; and that
# somebody read past a policy, which nobody gets out of by stopping it.
AFTER_STOP: Final = frozenset(
    {Intent.OFFER_WITHDRAWN, Intent.ASSIGNMENT_ENDED, Intent.GLASS_BROKEN, Intent.GLASS_TO_REVIEW}
)
# What a move of the referral makes untrue as long as it waits: somebody else comes, or the call was made.
OVERTAKEN_BY_A_MOVE: Final = frozenset({Intent.HELP_COMING, Intent.HELP_LATER, Intent.CALL_COMING})


@dataclass(frozen=True)
class Happening:
    """What another service said that somebody may have to hear of; ids and times, no PHI."""

    event: str
    happened_at: datetime
    referral_id: str
    recipient_id: str
    contact_id: str
    status: str = ""
    offer_id: str = ""
    deadline_at: datetime | None = None
    promised_arrival_at: datetime | None = None
    modality: str = ""
    version: int = 0
    number: int = 0
    urgency: str = ""
    # The last day of what ends, as 2026-12-31, and which of several such things of whom it is; ids only.
    last_day: str = ""
    matter: str = ""
    peer_id: str = ""
    organization_id: str = ""
    purpose_of_use: str = ""
    # The bearer token of the recipient's answer page: a secret, never shown in a log or a repr.
    link_token: str = field(default="", repr=False)


def rule_for(event: str, status: str = "") -> Rule | None:
    """The line of the table for an event, or None where nobody hears."""
    return _BY_EVENT.get((event, status)) or _BY_EVENT.get((event, ""))


def rule_of(intent: Intent) -> Rule:
    """The line of the table for an intent; every intent has one."""
    return _BY_INTENT[intent]


def notice_id(rule: Rule, happening: Happening) -> str:
    """The one id of this news to this person; the same happening always gives the same id (P4)."""
    facts = [getattr(happening, name) for name in rule.key]
    words = [rule.intent.value, happening.recipient_id, *(_text(fact) for fact in facts)]
    return "ntc_" + hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32]


def expires_at(rule: Rule, happening: Happening) -> datetime:
    """From when on the notice is worthless."""
    start: datetime = getattr(happening, rule.expiry.after) or happening.happened_at
    return start + rule.expiry.grace


def urgency_of(rule: Rule, happening: Happening) -> Urgency:
    """The urgency of the notice; routine where the event was to say and said nothing."""
    if rule.urgency is not Urgency.AS_SAID:
        return rule.urgency
    known = {urgency.value for urgency in Urgency} - {Urgency.AS_SAID.value}
    return Urgency(happening.urgency) if happening.urgency in known else Urgency.ROUTINE


def _text(fact: str | int | datetime | None) -> str:
    return fact.isoformat() if isinstance(fact, datetime) else str(fact or "")
