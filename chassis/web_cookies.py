"""What a browser keeps of a service's pages: the session's secret, or before it a door's; and the token of every form.

The token is an HMAC under the cookie's own secret (OWASP, "signed double-submit cookie"): whoever cannot read the
HttpOnly cookie cannot make it, and SameSite=Strict keeps the cookie from other sites' forms.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Kind, Refusal
from chassis.http_server import form

FIELD = "csrf"
_FLOW_S = 900
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = "__Host-"  # only the very host, only over TLS, only for all paths (RFC 6265bis 4.1.3.2)


@dataclass(frozen=True)
class Cookies:
    """The cookies of one service's pages; `name` is the session's, the door's is derived from it."""

    name: str

    def secret(self, request: Request) -> str:
        """The session's secret as the browser sent it, or empty."""
        return request.cookies.get(_full(request, self.name), "")

    def form_token(self, request: Request) -> str:
        """What every form of this browser carries; empty where it has no cookie of ours yet."""
        secret = self.secret(request) or request.cookies.get(_full(request, self._door), "")
        return self.token_of(secret) if secret else ""

    def token_of(self, secret: str) -> str:
        """The form token that goes with a cookie's secret."""
        about = f"{self.name} form".encode()
        return hmac.new(secret.encode("utf-8", "surrogatepass"), about, hashlib.sha256).hexdigest()

    def posted(self, request: Request) -> dict[str, str]:
        """The posted fields; raises Refusal FORBIDDEN where no page of this session can have sent them."""
        fields, is_stale = self.posted_or_stale(request)
        if is_stale:
            raise _of_another_session()
        return fields

    def posted_or_stale(self, request: Request) -> tuple[dict[str, str], bool]:
        """The posted fields, and whether their token is of another session than this one.

        Raises Refusal FORBIDDEN for a form that no page of ours in this browser can have sent.
        """
        fields = form(request)
        sent, wanted = fields.pop(FIELD, ""), self.form_token(request)
        site = request.headers.get("sec-fetch-site", "same-origin")
        if site not in ("same-origin", "none") or not wanted:
            raise _of_another_session()
        return fields, not hmac.compare_digest(sent.encode(), wanted.encode())

    def keep_session(self, request: Request, response: Response, secret: str) -> None:
        """The browser sends the session's secret from now on, and its door's no more."""
        _set(request, response, self.name, secret)
        _drop(request, response, self._door)

    def first_form(self, request: Request, render: Callable[[str], Response]) -> Response:
        """The page that `render` makes with a form's token; a browser that has no cookie of ours yet gets a door's."""
        if token := self.form_token(request):
            return render(token)
        door = new_secret()
        response = render(self.token_of(door))
        _set(request, response, self._door, door)
        return response

    def drop_session(self, request: Request, response: Response) -> None:
        """The browser forgets the session."""
        _drop(request, response, self.name)

    def flow(self, request: Request) -> str:
        """The secret of a sign-in that is on its way, or empty."""
        return request.cookies.get(_full(request, self._flow), "")

    def keep_flow(self, request: Request, response: Response, secret: str) -> None:
        """The browser shows the secret when it comes back from the sign-in service: from another site, so Lax."""
        full, is_secure = _full(request, self._flow), _is_secure(request)
        response.set_cookie(
            full, secret, max_age=_FLOW_S, path="/", secure=is_secure, httponly=True, samesite="lax"
        )

    def drop_flow(self, request: Request, response: Response) -> None:
        """The sign-in is over."""
        full, is_secure = _full(request, self._flow), _is_secure(request)
        response.delete_cookie(full, path="/", secure=is_secure, httponly=True, samesite="lax")

    @property
    def _flow(self) -> str:
        return f"{self.name}-flow"

    @property
    def _door(self) -> str:
        return f"{self.name}-door"


def _of_another_session() -> Refusal:
    return Refusal("form-token-wrong", Kind.FORBIDDEN, "This form was not opened in this session.")


def new_secret() -> str:
    """A door's secret."""
    return secrets.token_urlsafe(32)


def _full(request: Request, name: str) -> str:
    return f"{_HOST}{name}" if _is_secure(request) else name


def _is_secure(request: Request) -> bool:
    """On one machine there is no TLS; anywhere else the cookie needs it, also where a proxy ends it."""
    return request.url.hostname not in _LOOPBACK


def _set(request: Request, response: Response, name: str, value: str) -> None:
    full, is_secure = _full(request, name), _is_secure(request)
    response.set_cookie(full, value, path="/", secure=is_secure, httponly=True, samesite="strict")


def _drop(request: Request, response: Response, name: str) -> None:
    full, is_secure = _full(request, name), _is_secure(request)
    response.delete_cookie(full, path="/", secure=is_secure, httponly=True, samesite="strict")
