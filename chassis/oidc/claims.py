"""Whom a provider's claims speak of, in our words: a person, a role, an organization, a programme."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chassis.errors import Kind, Refusal
from chassis.identity import ROLES
from chassis.settings import SettingsFaults

_USUAL = {"person": "sub", "role": "role", "organization": "organization", "programme": "programme"}
_OPAQUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@|-]{0,127}")


@dataclass(frozen=True)
class ClaimMap:
    """Which claim says what. A name with dots is a claim of that name, or a path (`realm_access.roles`).

    `role_names` turns the provider's names of roles into ours; a name that is one of ours needs no row.
    """

    names: Mapping[str, str]
    role_names: Mapping[str, str]

    @classmethod
    def of(cls, claims: Sequence[str], roles: Sequence[str]) -> ClaimMap:
        """From settings `person=oid,role=roles` and `ED-Nurse=nurse`; raises SettingsFaults."""
        names, role_names = _rows(claims, "KINDRED_OIDC_CLAIMS"), _rows(roles, "KINDRED_OIDC_ROLES")
        faults = [
            f"KINDRED_OIDC_CLAIMS: {name} is none of {', '.join(_USUAL)}"
            for name in names
            if name not in _USUAL
        ]
        faults += [
            f"KINDRED_OIDC_ROLES: {role} is no role" for role in role_names.values() if role not in _HUMAN
        ]
        if faults:
            raise SettingsFaults(faults)
        return cls({**_USUAL, **names}, role_names)

    def person(self, claims: Mapping[str, Any]) -> str:
        """Their id; raises Refusal FORBIDDEN where it is none that can stand in our records."""
        found = _found(claims, self.names["person"])
        if not isinstance(found, str) or not _OPAQUE.fullmatch(found):
            raise Refusal(
                "person-unknown", Kind.FORBIDDEN, "The sign-in service names no person id we can use."
            )
        return found

    def roles(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """Every role of ours they have."""
        said = _found(claims, self.names["role"])
        given = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        mapped = (self.role_names.get(one, one) for one in given if isinstance(one, str))
        return frozenset(one for one in mapped if one in _HUMAN)

    def place(self, claims: Mapping[str, Any], kind: str) -> str:
        """Their "organization" or "programme", "" where they have none, or more than one."""
        found = _found(claims, self.names[kind])
        if isinstance(found, list) and len(found) == 1:
            found = found[0]
        return found if isinstance(found, str) and _OPAQUE.fullmatch(found) else ""


_HUMAN = ROLES - {"system"}


def _rows(words: Sequence[str], setting: str) -> dict[str, str]:
    rows = [word.rpartition("=") if setting.endswith("ROLES") else word.partition("=") for word in words]
    if any(not name or not value for name, _, value in rows):
        raise SettingsFaults([f"{setting} must be name=value, separated by commas"])
    return {name.strip(): value.strip() for name, _, value in rows}


def _found(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
