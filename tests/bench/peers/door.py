"""The peers' door: a Starlette route that stores the referral, hands it on as the peer does, and answers 201."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from steps import Steps

_local = threading.local()


def _celery() -> Callable[[str], object]:
    from celery_tasks import match

    return match.delay


def _nameko() -> Callable[[str], object]:
    from nameko.standalone.events import event_dispatcher

    name = os.environ["PEER_DATABASE"]
    dispatch = event_dispatcher({"AMQP_URI": os.environ["AMQP_URI"]})
    return lambda referral_id: dispatch(name, "submitted", referral_id)


def _monolith() -> Callable[[str], object]:
    return lambda referral_id: None


_HANDS_ON = {"celery": _celery, "nameko": _nameko, "monolith": _monolith}


def main() -> None:
    """Serves until it is ended."""
    hand_on = _HANDS_ON[os.environ["PEER"]]()

    def accept(referral: dict[str, object]) -> str:
        if not hasattr(_local, "steps"):
            _local.steps = Steps()
        referral_id: str = _local.steps.accept(referral)
        hand_on(referral_id)
        return referral_id

    async def submit(request: Request) -> JSONResponse:
        return JSONResponse({"id": await run_in_threadpool(accept, await request.json())}, status_code=201)

    app = Starlette(routes=[Route("/referrals", submit, methods=["POST"])])
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PEER_DOOR_PORT"]), log_level="warning")


if __name__ == "__main__":
    sys.exit(main())
