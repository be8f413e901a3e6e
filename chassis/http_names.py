"""What a request is called in metrics, spans and the audit trail: names of ours, never a caller's words."""

from __future__ import annotations

from starlette.types import Scope

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def method_of(scope: Scope) -> str:
    """The request's method where HTTP has it, else "OTHER"."""
    method: str = scope["method"]
    return method if method in _METHODS else "OTHER"


def route_of(scope: Scope) -> str:
    """The template of the route that was taken, such as "/fhir/Task/{id}"; "none" where no route fits."""
    path = getattr(scope.get("route"), "path", None)
    return "none" if path is None else f"{scope.get('root_path', '')}{path}" or "/"
