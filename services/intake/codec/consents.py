"""Consents and disclosures as gRPC carries them; pure."""

from __future__ import annotations

from typing import Any

from chassis.spelling import stamp
from kindred.intake.v1 import intake_pb2
from services.intake.codec.events import consent_id
from services.intake.codec.words import moment
from services.intake.domain.consent import Consent
from services.intake.domain.disclosure import Disclosure

_WORDS = ("discloser", "scope", "intermediary", "expiry_event", "signed_by", "signature_method", "witness")
_LISTS = ("recipients", "purposes", "policies")
_WITHHELD = {"withhold-encounter": "place", "withhold-annotation": "note"}


def consent_from_proto(sent: intake_pb2.Consent) -> Consent:
    """What the caller says of it; what is not set counts as held by the paper."""
    words: dict[str, Any] = {name: getattr(sent, name) for name in _WORDS}
    lists: dict[str, Any] = {name: tuple(dict.fromkeys(getattr(sent, name))) for name in _LISTS}
    return Consent(
        consent_id=sent.consent_id,
        is_permitted=sent.is_permitted,
        signed_at=moment(sent, "signed_at"),
        expires_at=moment(sent, "expires_at"),
        is_revocation_told=sent.is_revocation_told if sent.HasField("is_revocation_told") else None,
        **words,
        **lists,
    )


def consent_to_proto(consent: Consent | None) -> intake_pb2.Consent | None:
    """The elements of the consent; its rules, where it came as a document, are in FHIR's Consent only."""
    if consent is None:
        return None
    return intake_pb2.Consent(
        consent_id=consent.consent_id,
        is_permitted=bool(consent.is_permitted),
        signed_at=stamp(consent.signed_at),
        expires_at=stamp(consent.expires_at),
        is_revocation_told=consent.is_revocation_told,
        **{name: getattr(consent, name) for name in (*_WORDS, *_LISTS)},
    )


def disclosure_to_proto(told: Disclosure) -> intake_pb2.ResolvePersonResponse:
    """What leaves, and what goes along with it."""
    safe = told.safe_contact
    return intake_pb2.ResolvePersonResponse(
        person=intake_pb2.Person(
            family_name=told.family_name,
            given_name=told.given_name,
            phones=told.phones,
            safe_contact=intake_pb2.SafeContact(
                may_leave_message=safe.may_leave_message,
                do_not_contact=safe.do_not_contact,
                who_else_answers=safe.who_else_answers,
            ),
        ),
        place=told.place,
        note=told.note,
        redisclosure_notice=told.notice.text if told.notice else "",
        consent_id=consent_id(told.referral_id),
        consent_version=told.consent_version,
        confidentiality=told.labels.confidentiality,
        consent_scope=told.consent_scope,
        withheld=[_WITHHELD.get(one, one) for one in told.withheld],
    )
