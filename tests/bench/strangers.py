"""People of the benches: each has a name, a birth date and a phone of their own, as most patients have.

`crowded` is the worst case of the search for the same person: one given name, birth date and phone for everybody.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

from kindred.intake.v1 import intake_pb2
from tests.bundles import a_bundle
from tests.driving import a_referral

_LETTERS = str.maketrans("0123456789abcdef", "bakelimonurstixo")
_FIRST_BIRTH = date(1940, 1, 1)
_BIRTH_DAYS = 23_000


def described(number: str) -> dict[str, str]:
    """Family and given name, birth date and phone of the stranger with this number; always the same ones."""
    digest = hashlib.sha256(number.encode()).hexdigest()
    born = _FIRST_BIRTH + timedelta(days=int(digest[:8], 16) % _BIRTH_DAYS)
    return {
        "family": digest[8:16].translate(_LETTERS).title(),
        "given": digest[16:22].translate(_LETTERS).title(),
        "born": born.isoformat(),
        "phone": f"+1518{2_000_000 + int(digest[22:30], 16) % 7_999_999:07}",
    }


def referral(number: str, *, crowded: bool = False) -> intake_pb2.SubmitReferralRequest:
    """A referral over gRPC."""
    made = a_referral(number)
    if not crowded:
        who = described(number)
        made.person.family_name, made.person.given_name = who["family"], who["given"]
        made.person.birth_date, made.person.phones[0] = who["born"], who["phone"]
    return made


def bundle(number: str, *, crowded: bool = False, **resources: Any) -> dict[str, Any]:
    """A referral as a FHIR Bundle; `resources` as a_bundle takes them."""
    made = a_bundle(number, **resources)
    if not crowded:
        who = described(number)
        patient = next(
            entry["resource"] for entry in made["entry"] if entry["resource"]["resourceType"] == "Patient"
        )
        patient["name"] = [{"family": who["family"], "given": [who["given"]]}]
        patient["birthDate"] = who["born"]
        patient["telecom"][0]["value"] = who["phone"]
    return made
