"""What the browser keeps of the desk: the session's id, or before it a door's; and the token of every form, bound to it.

The token is an HMAC under the cookie's own secret (OWASP, "signed double-submit cookie"): whoever cannot read the
HttpOnly cookie cannot make it, and SameSite=Strict keeps the cookie from other sites' forms.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Kind, Refusal
from chassis.http_server import form

FIELD = "csrf"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = "__Host-"  # only the very host, only over TLS, only for all paths (RFC 6265bis 4.1.3.2)
_SESSION, _DOOR = "kindred-desk", "kindred-desk-door"


def session_secret(request: Request) -> str:
    """The session's id as the browser sent it, or empty."""
    return request.cookies.get(_prefix(request) + _SESSION, "")


def form_token(request: Request) -> str:
    """What every form of this browser carries; empty where it has no cookie of ours yet."""
    secret = session_secret(request) or request.cookies.get(_prefix(request) + _DOOR, "")
    return token_of(secret) if secret else ""


def token_of(secret: str) -> str:
    """The form token that goes with a cookie's secret."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"kindred desk form", hashlib.sha256).hexdigest()


def posted(request: Request) -> tuple[dict[str, str], bool]:
    """The posted fields, and whether their token is of another session than this one.

    Raises Refusal FORBIDDEN for a form that no page of ours in this browser can have sent.
    """
    fields = form(request)
    sent, wanted = fields.pop(FIELD, ""), form_token(request)
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none") or not wanted:
        raise Refusal("form-token-wrong", Kind.FORBIDDEN, "This form was not opened in this session.")
    return fields, not hmac.compare_digest(sent.encode(), wanted.encode())


def keep_session(request: Request, response: Response, secret: str) -> None:
    """The browser sends the session's id from now on, and its door's no more."""
    _set(request, response, _SESSION, secret)
    _drop(request, response, _DOOR)


def keep_door(request: Request, response: Response, secret: str) -> None:
    """The browser has something a form's token can be bound to before anybody signs in."""
    _set(request, response, _DOOR, secret)


def drop_session(request: Request, response: Response) -> None:
    """The browser forgets the session."""
    _drop(request, response, _SESSION)


def new_secret() -> str:
    """A door's secret."""
    return secrets.token_urlsafe(32)


def _prefix(request: Request) -> str:
    return _HOST if _is_secure(request) else ""


def _is_secure(request: Request) -> bool:
    """On one machine there is no TLS; anywhere else the cookie needs it, also where a proxy ends it."""
    return request.url.hostname not in _LOOPBACK


def _set(request: Request, response: Response, name: str, value: str) -> None:
    response.set_cookie(
        _prefix(request) + name, value, path="/", secure=_is_secure(request), httponly=True, samesite="strict"
    )


def _drop(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(
        _prefix(request) + name, path="/", secure=_is_secure(request), httponly=True, samesite="strict"
    )
