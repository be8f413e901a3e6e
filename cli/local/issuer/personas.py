"""Whom the development issuer knows: plainly fictional people, one for each way of working; and anybody else by id."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chassis.identity import ROLES

HUMAN_ROLES = tuple(sorted(ROLES - {"system"}))
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@|-]{0,127}")


@dataclass(frozen=True)
class Persona:
    """Somebody, as claims say it; `about` tells people at the page where they will be let in."""

    person: str
    role: str
    organization: str = ""
    programme: str = ""
    about: str = ""

    @property
    def claims(self) -> dict[str, str]:
        """What id tokens and access tokens say of them."""
        found = {"sub": self.person, "role": self.role}
        found |= {"organization": self.organization} if self.organization else {}
        return found | ({"programme": self.programme} if self.programme else {})


PERSONAS = (
    Persona("nurse-ada", "nurse", organization="er-st-brigid", about="ER desk of St. Brigid's"),
    Persona("dr-lark", "clinician", organization="er-st-brigid", about="ER desk of St. Brigid's"),
    Persona("coordinator-ines", "coordinator", organization="er-st-brigid", about="ER desk of St. Brigid's"),
    Persona("lena", "coordinator", programme="lantern-road", about="board of Lantern Road, notices"),
    Persona("sam", "supervisor", programme="lantern-road", about="board of Lantern Road, notices"),
    Persona("officer-vera", "compliance", organization="kindred", about="compliance console"),
    Persona("engineer-eli", "engineer", organization="kindred", about="how notices go"),
)


class NobodySuch(Exception):  # noqa: N818
    """What was posted names nobody."""


def of_form(fields: Mapping[str, str]) -> Persona:
    """The persona whose button was pressed, or who was typed; raises NobodySuch."""
    for persona in PERSONAS:
        if fields.get("persona") == persona.person:
            return persona
    typed = Persona(
        fields.get("person", "").strip(),
        fields.get("role", ""),
        fields.get("organization", "").strip(),
        fields.get("programme", "").strip(),
    )
    places = [one for one in (typed.organization, typed.programme) if one]
    if typed.role not in HUMAN_ROLES or not all(_ID.fullmatch(one) for one in (typed.person, *places)):
        raise NobodySuch
    return typed
