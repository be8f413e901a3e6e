"""The reasons of a match in words fit to be read by the peer, the specialist and the coordinator."""

from __future__ import annotations

from collections.abc import Sequence

from services.matching import taxonomy, tongues
from services.matching.domain.score import Term

READERS = ("en", "es")
_TEXTS = {
    "en": {
        "wish": "They hope for: {label}",
        "shared": "In common: {label}",
        "language": "Speaks {language}",
        "closeness": "Close by",
        "free-capacity": "Has room for someone new",
    },
    "es": {
        "wish": "Le gustaría: {label}",
        "shared": "En común: {label}",
        "language": "Habla {language}",
        "closeness": "Está cerca",
        "free-capacity": "Tiene lugar para alguien más",
    },
}
_SIGNED = {"ase", "asl", "mfs", "bfi", "fsl"}


def text(term: Term, reader: str) -> str:
    """One reason in the reader's language; names only what its code names, which was released."""
    kind, _, detail = term.code.partition(":")
    words = _TEXTS[reader][kind]
    if kind == "language":
        if reader == "es" and detail in _SIGNED:
            words = "Usa {language}"
        elif detail in _SIGNED:
            words = "Uses {language}"
        return words.format(language=tongues.name(detail, reader))
    return words.format(label=taxonomy.read().label(detail, reader)) if detail else words


def reasons(terms: Sequence[Term], reader: str) -> list[str]:
    """The reasons for somebody to read: of "opioid use" and "substance use", which says less, only the first."""
    details = [term.code.partition(":")[2] for term in terms]
    said_by_another = {
        detail for detail in details if detail and any(one.startswith(f"{detail}.") for one in details)
    }
    return [
        text(term, reader)
        for term, detail in zip(terms, details, strict=True)
        if detail not in said_by_another
    ]
