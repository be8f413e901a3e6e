"""Where systems sign in, as they know it."""

from __future__ import annotations

CONFIGURATION = "/fhir/.well-known/smart-configuration"
TOKEN = "/auth/token"  # noqa: S105  a path


def public_base(fhir_public_url: str, http_address: str) -> str:
    """Our address as clients know it, without /fhir: never what a request's Host header says."""
    return fhir_public_url.rstrip("/").removesuffix("/fhir") or f"http://{http_address}"
