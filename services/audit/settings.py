"""What the audit service is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ProcessSettings, setting


@dataclass(frozen=True, kw_only=True)
class Settings(ProcessSettings):
    """The log's identity. `audit_origin` is the checkpoint's first line and the name of the signer's key."""

    audit_origin: str = setting("KINDRED_AUDIT_ORIGIN", "kindred.local/audit")
    tenant: str = setting("KINDRED_TENANT", "local")
