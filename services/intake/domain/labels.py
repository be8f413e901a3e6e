"""HL7 DS4P security labels: how sensitive a referral is, what its source forbade, and the high-water mark of a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.intake.domain.sensitivity import (
    SUBSTANCE,
    WIDER,
    confidentiality_of,
    of_attribute,
    of_code,
    wider_than,
)

if TYPE_CHECKING:
    from services.intake.domain.submission import Submission

_V3 = "http://terminology.hl7.org/CodeSystem/v3-"
CONFIDENTIALITY, ACT_CODE, ACT_REASON = _V3 + "Confidentiality", _V3 + "ActCode", _V3 + "ActReason"
# One of these for each object, from the least to the most protected.
RANKS = ("U", "L", "M", "N", "R", "V")
PART_2 = "42CFRPart2"
NO_REDISCLOSURE = "NORDSCLCD"
_POLICIES = frozenset(
    {PART_2, "HIPAASelfPay", "HIPAAPsyNotes", "HIPAANOPP", "Title38Section7332", "CommonRule"}
)
# Refrains (R4 v3-ActCode, RefrainPolicy) -> what they mean for a referral.
# kept: it goes on with the data; named: only with a consent that names us; refused: nobody can promise it here.
REFRAINS: Mapping[str, str] = {
    "NOAUTH": "kept",  # without the person's authorization: there always is one
    NO_REDISCLOSURE: "kept",
    "NORDSCLCDS": "kept",
    "NOREUSE": "kept",
    "NOPERSISTP": "kept",
    "NOPAT": "kept",
    "ORCON": "kept",  # the originator sends it themselves
    "NOORGPOL": "kept",
    "NODSCLCD": "named",
    "NODSCLCDS": "named",
    "NOLIST": "named",
    "NOCOLLECT": "refused",
    "NOINTEGRATE": "refused",
    "NORELINK": "refused",
    "NOMOU": "refused",
    "NORDSCLW": "refused",
    "NOVIP": "refused",
}
# Purposes of use that a referral is for, and the wider ones each is part of (R4 v3-ActReason).
PURPOSES: Mapping[str, tuple[str, ...]] = {
    "TREAT": (),
    "COC": ("TREAT",),
    "ETREAT": ("TREAT",),
    "CAREMGT": ("HOPERAT",),
}


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one object: one confidentiality, any number of the others."""

    confidentiality: str = "N"
    sensitivities: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    refrains: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()

    @property
    def is_part_2(self) -> bool:
        """True for what 42 CFR Part 2 protects."""
        return PART_2 in self.policies


def of(submission: Submission) -> Labels:
    """The labels of a whole referral: what its codes mean, and never less than its source labelled it.

    Where nothing at all was coded it is protected like the most usual case, a substance use disorder: that somebody
    is referred to peer support says as much (42 CFR 2.11, patient identifying information).
    """
    said = read(submission.labels)
    sensitive = set(said.sensitivities)
    for attribute in submission.experience_codes:
        sensitive |= of_attribute(attribute)
    for code in submission.codes:
        sensitive |= of_code(code) or frozenset()
    is_silent = not (submission.experience_codes or submission.codes or said.sensitivities)
    cited = submission.consent.policies if submission.consent else ()
    policies = said.policies | (_POLICIES & frozenset(cited))
    if is_silent or sensitive & SUBSTANCE:
        policies |= {PART_2}
    derived = "R" if PART_2 in policies else confidentiality_of(sensitive)
    refrains = said.refrains | ({NO_REDISCLOSURE} if PART_2 in policies else set())
    return Labels(
        confidentiality=max(derived, said.confidentiality, key=RANKS.index),
        sensitivities=frozenset(_narrowest(sensitive)),
        policies=policies,
        refrains=refrains,
        purposes=said.purposes,
    )


def _narrowest(sensitivities: Iterable[str]) -> set[str]:
    """ETH stays beside SUD, as systems look for either; else a part says it without the whole."""
    said = set(sensitivities)
    wider = {above for one in said for above in wider_than(one)}
    return (said - wider) | ({"SUD", "ETH"} if said & SUBSTANCE else set())


def read(codes: Iterable[str]) -> Labels:
    """Labels from their codes as they came; a code that is no label we know is passed over."""
    said = frozenset(codes)
    ranked = [rank for rank in RANKS if rank in said]
    return Labels(
        confidentiality=ranked[-1] if ranked else "U",
        sensitivities=said & WIDER.keys(),
        policies=said & _POLICIES,
        refrains=said & REFRAINS.keys(),
        purposes=frozenset(code for code in said if code in PURPOSES_OF_USE),
    )


PURPOSES_OF_USE = frozenset(
    {
        *("TREAT", "ETREAT", "BTG", "ERTREAT", "POPHLTH", "COC", "CLINTRL", "HOPERAT", "CAREMGT", "HCOMPL"),
        *("HLEGAL", "HQUALIMP", "HPAYMT", "HRESCH", "HMARKT", "PATRQT", "FAMRQT", "PWATRNY", "SUPNWK"),
        *("PUBHLTH", "DISASTER", "THREAT", "HSYSADMIN", "HOUTCOMS", "HPRGRP", "HACCRED", "TRAIN", "HDIRECT"),
        *("PATADMIN", "PATSFTY", "PERFMSR", "RECORDMGT", "SYSDEV", "MEMADMIN", "FRAUD", "GOV", "DONAT"),
        *("CLMATTCH", "COVAUTH", "COVERAGE", "ELIGDTRM", "ELIGVER", "ENROLLM", "REMITADV", "BIORCH"),
        *("CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH", "HDM"),
    }
)


def faults(codes: Iterable[str], *, is_named: bool) -> list[str]:
    """Why a source's own labels keep a referral from being taken; `is_named` where the consent names us.

    V wants a consent that names us; so do refrains from disclosure without a directive.  A refrain that cannot be
    kept here refuses.  A purpose of use on the data that is not one of ours is in conflict with ours (R4, Consent).
    """
    said = read(codes)
    found = []
    if said.confidentiality == "V" and not is_named:
        found.append("label-very-restricted")
    if any(REFRAINS[one] == "named" for one in said.refrains) and not is_named:
        found.append("label-wants-recipient-named")
    if any(REFRAINS[one] == "refused" for one in said.refrains):
        found.append("label-forbids")
    ours = PURPOSES.keys() | {wider for purposes in PURPOSES.values() for wider in purposes}
    if said.purposes and not said.purposes & ours:
        found.append("label-purpose-other")
    return found


def high_water(labelled: Iterable[Labels]) -> Labels:
    """The labels of a bundle: the highest confidentiality in it, and every other label that anything in it has.

    A purpose of use stays only where everything that names purposes names it.
    """
    every = list(labelled)
    purposes = [one.purposes for one in every if one.purposes]
    return Labels(
        confidentiality=max((one.confidentiality for one in every), key=RANKS.index, default="U"),
        sensitivities=frozenset().union(*(one.sensitivities for one in every)),
        policies=frozenset().union(*(one.policies for one in every)),
        refrains=frozenset().union(*(one.refrains for one in every)),
        purposes=frozenset.intersection(*purposes) if purposes else frozenset(),
    )


def security(labelled: Labels) -> list[dict[str, str]]:
    """`meta.security` of a resource or bundle: confidentiality first, then sensitivity, policy, refrain, purpose."""
    in_act_code = (labelled.sensitivities, labelled.policies, labelled.refrains)
    return [
        {"system": CONFIDENTIALITY, "code": labelled.confidentiality},
        *({"system": ACT_CODE, "code": code} for codes in in_act_code for code in sorted(codes)),
        *({"system": ACT_REASON, "code": code} for code in sorted(labelled.purposes)),
    ]
