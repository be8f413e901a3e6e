"""Routes that ask the policy before their endpoint runs; a route without a line in the table is not served."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.policy import DoorWithoutPolicy, Policy, being_served


def guarded(routes: Sequence[BaseRoute], policy: Policy) -> list[BaseRoute]:
    """The routes, each asking the policy; raises DoorWithoutPolicy for one that no line speaks of."""
    for route in routes:
        if not isinstance(route, Route):
            raise DoorWithoutPolicy(repr(route))
        for method in _methods(route):
            policy.rows(f"{method} {route.path}")
        inner = route.app.inner if isinstance(route.app, _Guarded) else route.app
        route.app = _Guarded(inner, policy, route.path)
    return list(routes)


def _methods(route: Route) -> list[str]:
    """What it serves; HEAD is GET without a body, and a route that names no method serves GET."""
    return sorted((route.methods or {"GET"}) - {"HEAD"})


class _Guarded:
    """One route's endpoint behind the policy: a token is asked about here, a session by the page's own door."""

    def __init__(self, inner: ASGIApp, policy: Policy, path: str) -> None:
        self.inner, self._policy, self._path = inner, policy, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the route; raises Refusal."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        door = f"{method} {self._path}"
        self._policy.admit(door, scope["state"]["caller"])
        with being_served(self._policy, door):
            await self.inner(scope, receive, send)
