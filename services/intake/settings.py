"""What intake reads from its environment."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ProcessSettings, setting
from services.intake.domain.consent import RECIPIENTS


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings):
    """`consent_recipients` are the identifiers and names by which a consent may name us as recipient."""

    consent_recipients: tuple[str, ...] = setting("KINDRED_CONSENT_RECIPIENTS", RECIPIENTS)
