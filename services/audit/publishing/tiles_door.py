"""The mirror over HTTP: tiles that never change, cacheable for ever, and the checkpoint, which is asked for anew.

Hashes and checkpoints say nothing about anybody and are open. Entry bundles show when which service did what kind of
deed, so they are not served here; an officer's program reads them through ReadLeaves, which is an entry in the log.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chassis.errors import Kind, Refusal
from services.audit.publishing.mirror import NEWEST, Mirror, is_entries

HOME = "/log"
_FOR_EVER = "public, max-age=31536000, immutable"


def routes(mirror: Mirror | None) -> list[BaseRoute]:
    """The doors; none where nothing is mirrored."""
    if mirror is None:
        return []

    async def show(request: Request) -> Response:
        path = request.path_params["path"]
        content = None if is_entries(path) else await run_in_threadpool(mirror.read, path)
        if content is None:
            raise Refusal("no-such-tile", Kind.NOT_FOUND, "There is no such checkpoint or tile.")
        is_text = path.endswith(("checkpoint", NEWEST))
        return Response(
            content,
            media_type="text/plain; charset=utf-8" if is_text else "application/octet-stream",
            headers={"cache-control": "no-cache" if is_text else _FOR_EVER},
        )

    return [Route(HOME + "/{path:path}", show, methods=["GET"], name="log-tiles")]
