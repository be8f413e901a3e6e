"""May this leave, to them, for this?  Decided by what the person signed (42 CFR 2.31 as amended 2024)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from services.intake.domain import labels, provisions
from services.intake.domain.provisions import Ask, Match, Provision

_CLOCK_SKEW = timedelta(minutes=10)
# The general designation that a consent for treatment, payment and operations may use (2.31(a)(4)(i)).
TREATING_PROVIDERS = "treating-providers"
WRITTEN, ELECTRONIC, VERBAL = "written", "electronic", "verbal"


@dataclass(frozen=True, slots=True)
class Consent:
    """What the peer said.  `is_permitted` is None where the document says neither yes nor no.

    `deficiency` is the code of what the document lacks, found by the codec, or empty; `deficient_in` the part of the
    document it was found in, empty for the document itself.  The elements below are those of 2.31(a), as far as they
    came along: empty or None means that the sender did not say, not that the paper lacks it.
    """

    consent_id: str
    is_permitted: bool | None
    signed_at: datetime | None  # (a)(9)
    starts_at: datetime | None = None
    expires_at: datetime | None = None  # (a)(7); None: until revoked
    deficiency: str = ""
    version: int = 1
    deficient_in: str = ""
    discloser: str = ""  # (a)(2) who may disclose: a name, or a class
    scope: str = ""  # (a)(3) what: "full", or a description
    recipients: tuple[str, ...] = ()  # (a)(4)(i) to whom: names, or TREATING_PROVIDERS
    intermediary: str = ""  # (a)(4)(ii) through whom
    purposes: tuple[str, ...] = ()  # (a)(5) HL7 PurposeOfUse
    expiry_event: str = ""  # (a)(7) an event or a condition, in words: "end of treatment", "none"
    is_revocation_told: bool | None = None  # (a)(6)
    signed_by: str = ""  # (a)(8) "peer", or who signed for them
    signature_method: str = ""  # WRITTEN, ELECTRONIC or VERBAL (documented by staff)
    witness: str = ""
    kept_at: str = ""  # where a paper that was signed lies
    policies: tuple[str, ...] = ()  # laws the document cites: "42CFRPart2"
    is_known_false: bool = False  # (c)(4)
    revoked_at: datetime | None = None  # (c)(3)
    rule: Provision | None = None  # its rules, where it came as a computable document

    @property
    def rules(self) -> Provision:
        """Its rules; where none came, what the elements say together."""
        return self.rule or Provision(is_permit=self.is_permitted, purposes=self.purposes)


@dataclass(frozen=True, slots=True)
class Decision:
    """Permit or deny, why, under which version, for which purposes, and what the one who discloses has to do.

    `reasons` are all reasons of a denial as (field, code), the first of which is `reason_code`.  Obligations:
    `redisclosure-notice`, `consent-scope` (2.32), `withhold-<part>`, and the refrains that go on with the data.
    """

    is_permitted: bool
    reason_code: str
    consent_version: int
    purposes: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()


# As whom a consent may name us, where nothing else is set.
RECIPIENTS = ("Kindred",)
MESSAGES = {
    "consent-missing": "No consent of this person came with the referral.",
    "consent-refused": "The person did not consent.",
    "consent-restricted": "The consent is narrowed in a way that cannot be kept; one without it is needed.",
    "consent-inactive": "The consent is not in force: draft, withdrawn or entered in error.",
    "consent-revoked": "The person took the consent back.",
    "consent-false": "The consent is known to be false.",
    "consent-expired": "The consent has expired.",
    "consent-not-yet-valid": "The consent is not valid yet.",
    "consent-unsigned": "The consent has no date of signature.",
    "consent-dated-ahead": "The consent is dated in the future.",
    "consent-without-person": "The consent does not say whose it is.",
    "consent-silent": "The consent says neither permit nor deny.",
    "consent-not-written": "A consent under 42 CFR Part 2 is in writing, on paper or electronic.",
    "consent-unwitnessed": "A consent given by word of mouth needs the name of a witness.",
    "consent-incomplete": "An element that 42 CFR 2.31(a) asks for is missing.",
    "label-very-restricted": "What is labeled very restricted needs a consent that names us.",
    "label-wants-recipient-named": "The labels ask for a consent that names us.",
    "label-forbids": "A label of the source forbids what a referral needs.",
    "label-purpose-other": "The labels allow other purposes than a referral's.",
}


def decide(consent: Consent | None, ask: Ask, now: datetime) -> Decision:
    """Expired, deficient, revoked and known-false consents are refused (2.31(c)); silence is not a yes."""
    ask = replace(ask, at=now)
    reasons = _reasons(consent, ask)
    if consent is None or reasons:
        version = consent.version if consent else 0
        return Decision(False, reasons[0][1], version, reasons=tuple(reasons))
    purposes = provisions.purposes_permitted(consent.rules, ask)
    withheld = [
        f"withhold-{item.kind.lower()}"
        for item in ask.optional
        if not provisions.permits(consent.rules, ask, item, purposes[0])
    ]
    notice = ["redisclosure-notice", "consent-scope"] if labels.PART_2 in ask.policies else []
    refrains = sorted(labels.read(ask.labels).refrains)
    return Decision(True, "permitted", consent.version, purposes, (*notice, *withheld, *refrains))


def faults_of(consent: Consent | None, ask: Ask, now: datetime) -> list[tuple[str, str, str]]:
    """The reasons of a denial as (field, code, sentence); none where it is permitted."""
    return [(place, code, MESSAGES[code]) for place, code in decide(consent, ask, now).reasons]


def _reasons(consent: Consent | None, ask: Ask) -> list[tuple[str, str]]:
    if consent is None:
        return [("consent", "consent-missing")]
    if consent.revoked_at is not None:
        return [("consent", "consent-revoked")]
    if consent.is_known_false:
        return [("consent", "consent-false")]
    if consent.is_permitted is False:
        return [("consent.is_permitted", "consent-refused")]
    found = []
    if consent.deficiency:
        place = f"consent.{consent.deficient_in}" if consent.deficient_in else "consent"
        found.append((place, consent.deficiency))
    elif consent.is_permitted is None:
        found.append(("consent.is_permitted", "consent-silent"))
    found += _signature(consent, ask.at) + _validity(consent, ask.at)
    if not consent.deficiency and consent.is_permitted:
        found += _narrowing(consent, ask)
    found += [(f"consent.{name}", "consent-incomplete") for name in missing(consent) if name in ask.required]
    is_named = _names_us(consent, ask)
    return found + [("labels", code) for code in labels.faults(ask.labels, is_named=is_named)]


def _signature(consent: Consent, now: datetime) -> list[tuple[str, str]]:
    if consent.signed_at is None:
        return [("consent.signed_at", "consent-unsigned")]
    if consent.signed_at > now + _CLOCK_SKEW:
        return [("consent.signed_at", "consent-dated-ahead")]
    if consent.signature_method == VERBAL and labels.PART_2 in consent.policies:
        return [("consent.signature", "consent-not-written")]
    if consent.signature_method == VERBAL and not consent.witness:
        return [("consent.signature", "consent-unwitnessed")]
    return []


def _validity(consent: Consent, now: datetime) -> list[tuple[str, str]]:
    found = []
    if consent.expires_at is not None and consent.expires_at <= now:
        found.append(("consent.expires_at", "consent-expired"))
    if consent.starts_at is not None and consent.starts_at > now + _CLOCK_SKEW:
        found.append(("consent.starts_at", "consent-not-yet-valid"))
    return found


def _narrowing(consent: Consent, ask: Ask) -> list[tuple[str, str]]:
    """Where the rules do not permit what is asked; the first rule and element that stands in the way."""
    named = [*consent.recipients, *([consent.intermediary] if consent.intermediary else [])]
    known = {*ask.our_names, *ask.recipients, TREATING_PROVIDERS}
    if consent.rule is None and named and not known & set(named):
        return [("consent.actor", "consent-restricted")]
    if provisions.is_ambiguous(consent.rules):
        return [("consent.is_permitted", "consent-silent")]
    if provisions.purposes_permitted(consent.rules, ask):
        return []
    return [_in_the_way(consent.rules, ask)]


def _in_the_way(root: Provision, ask: Ask) -> tuple[str, str]:
    """A condition of the root that does not hold; a denial's own condition; or a rule inside."""
    fewest: list[str] | None = None
    for purpose in ask.purposes:
        one = replace(ask, purposes=(purpose,))
        holding = [pair for item in ask.items for pair in provisions.conditions(root, one, item)]
        if root.is_permit is False and root.base is True:
            failing = [name for name, found in holding if found is not Match.NO]
        else:
            failing = [name for name, found in holding if found is not Match.YES]
        if fewest is None or len(failing) < len(fewest):
            fewest = failing
    if fewest:
        return f"consent.{fewest[0]}", "consent-restricted"
    is_refusal = root.is_permit is False or (root.is_permit is None and root.base is False)
    if is_refusal:
        return "consent.is_permitted", "consent-refused"
    return "consent.provision", "consent-restricted"


def _names_us(consent: Consent, ask: Ask) -> bool:
    us = set(ask.our_names)
    if us & {*consent.recipients, consent.intermediary}:
        return True
    actors = [actor for one in consent.rules.every() if one.is_permit is not False for actor in one.actors]
    return any(actor.is_recipient and (actor.who == "us" or us & set(actor.names)) for actor in actors)


# Elements of 2.31(a) that a setting may ask of every document -> is it there?
ELEMENTS: Mapping[str, Callable[[Consent], bool]] = {
    "discloser": lambda one: bool(one.discloser),
    "scope": lambda one: bool(one.scope),
    "recipient": lambda one: bool(one.recipients or one.intermediary),
    "purpose": lambda one: bool(one.purposes),
    "revocation": lambda one: one.is_revocation_told is True,
    "expiry": lambda one: bool(one.expires_at or one.expiry_event or is_for_all_care(one)),
    "signature": lambda one: bool(one.signed_by or one.signature_method),
}


def is_for_all_care(consent: Consent) -> bool:
    """The single consent for treatment, payment and health care operations: valid until revoked (2.31(a)(7))."""
    return {"TREAT", "HPAYMT", "HOPERAT"} <= set(consent.purposes)


def missing(consent: Consent) -> list[str]:
    """Elements of 2.31(a) that did not come along; the date of signature is always asked for, see `decide`."""
    return [name for name, is_there in ELEMENTS.items() if not is_there(consent)]


def ends_at(consent: Consent, ask: Ask, now: datetime) -> datetime | None:
    """When the consent stops permitting what it permits now, by any of its periods; None: not by itself."""
    for turn in sorted({turn for turn in consent.rules.turns() if turn > now}):
        if consent.expires_at is not None and turn >= consent.expires_at:
            break
        if not provisions.purposes_permitted(consent.rules, replace(ask, at=turn)):
            return turn
    return consent.expires_at


def is_echo(new: Consent, known: Consent) -> bool:
    """True for the known consent as a door that carries no rules gives it back: it MUST NOT replace the rules."""
    if new.rule is not None:
        return new == replace(known, version=new.version)
    facts = (new.consent_id, new.is_permitted, new.signed_at, new.expires_at)
    if facts != (known.consent_id, known.is_permitted, known.signed_at, known.expires_at):
        return False
    said = {field.name: getattr(new, field.name) for field in fields(new) if field.name != "version"}
    return all(
        value in (None, "", (), False) or value == getattr(known, name) for name, value in said.items()
    )


def is_older(new: Consent, known: Consent) -> bool:
    """True where the known one was signed later: a feed that repeats what it keeps MUST NOT widen what was said since."""
    is_dated = new.signed_at is not None and known.signed_at is not None
    return is_dated and new.signed_at < known.signed_at  # type: ignore[operator]


def newest(versions: Iterable[Consent]) -> Consent | None:
    """The version that counts."""
    return max(versions, key=lambda one: one.version, default=None)
