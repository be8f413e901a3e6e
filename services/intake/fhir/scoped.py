"""What a system's token must be scoped for, by path and method; a person's role says it elsewhere."""

from __future__ import annotations

from chassis.errors import Kind, Refusal
from chassis.identity import Caller
from services.intake.smart import scopes

# (shape of the path below its type, method) -> the letter of SMART's scopes, version 2.
_LETTERS = {
    ("", "GET"): "s",
    ("", "POST"): "c",
    ("/_search", "POST"): "s",
    ("/{id}", "GET"): "r",
    ("/{id}", "PUT"): "u",
    ("/{id}", "PATCH"): "u",
    ("/{id}", "DELETE"): "d",
    ("/{id}/_history/{version}", "GET"): "r",
}
_BUNDLE = ("ServiceRequest", "c")


def needed(path: str, method: str) -> tuple[str, str] | None:
    """Resource type and letter; None where nothing is kept or shown (`$validate`)."""
    name, slash, rest = path.lstrip("/").partition("/")
    if not name:
        return _BUNDLE
    if rest.startswith("$"):
        return None
    return name, _LETTERS[slash + rest, method]


def check(caller: Caller | None, path: str, method: str) -> None:
    """The token covers it; raises Refusal FORBIDDEN scope-missing."""
    wanted = needed(path, method)
    if caller is not None and wanted is not None:
        require(caller, *wanted)


def require(caller: Caller, resource_type: str, letter: str) -> None:
    """As `check`, for what a body or a header asks beside its path: an update in a Bundle, a search in a condition."""
    if not permits(caller, resource_type, letter):
        scope = f"system/{resource_type}.{letter}"
        raise Refusal("scope-missing", Kind.FORBIDDEN, f"This needs the scope {scope}.", needed=scope)


def permits(caller: Caller, resource_type: str, letter: str) -> bool:
    """True where the caller's token is no system's, or covers it."""
    return not caller.scopes or scopes.permits(caller.scopes, resource_type, letter)
