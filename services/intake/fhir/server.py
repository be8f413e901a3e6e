"""The FHIR half of door 1: every path, and which function answers each of its methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.intake.bootstrap import Room
from services.intake.fhir import (
    asking,
    capability,
    changing,
    checking,
    consent_changing,
    creating,
    limited,
    outcome,
    scoped,
    showing,
    subscriptions,
)
from services.intake.smart.addresses import TOKEN, public_base

Answer = Callable[[Room, Request], Response]
# Path below /fhir -> method -> what answers it; where no method fits Starlette answers 405 and says which would.
SERVED: Mapping[str, Mapping[str, Answer]] = {
    "": {"POST": creating.bundle},
    "/": {"POST": creating.bundle},  # as many clients spell the base
    **{
        f"/{name}/$validate": {"POST": partial(checking.validate, name)}
        for name in ("Bundle", "ServiceRequest", "Task")
    },
    **{f"/{name}/_search": {"POST": partial(showing.search, name)} for name in showing.SHOWN},
    "/Task": {"GET": partial(showing.search, "Task"), "POST": partial(creating.order, "Task")},
    "/ServiceRequest": {
        "GET": partial(showing.search, "ServiceRequest"),
        "POST": partial(creating.order, "ServiceRequest"),
    },
    "/Consent": {"GET": partial(showing.search, "Consent")},
    "/Task/{id}": {
        "GET": partial(showing.read, "Task"),
        "PUT": changing.put_task,
        "PATCH": changing.patch_task,
    },
    "/ServiceRequest/{id}": {
        "GET": partial(showing.read, "ServiceRequest"),
        "PUT": changing.put_request,
    },
    "/Consent/{id}": {"GET": partial(showing.read, "Consent"), "PUT": consent_changing.put_consent},
    **{
        f"/{name}/{{id}}/_history/{{version}}": {"GET": partial(showing.vread, name)}
        for name in showing.SHOWN
    },
    **subscriptions.SERVED,
}


def routes(room: Room) -> list[Route]:
    """Every FHIR path, with the CapabilityStatement made from them and from the limits."""
    served = [_route(room, path, answers) for path, answers in SERVED.items()]
    statement = cache(partial(_statement, room, tuple(served)))

    def metadata(request: Request) -> Response:
        """GET /fhir/metadata: open to everybody, as R4 asks."""
        asking.json_wanted(request)
        return outcome.answer(statement(), is_pretty=outcome.is_pretty(request))

    return [Route("/fhir/metadata", metadata, methods=["GET"], name="metadata"), *served]


def _statement(room: Room, served: Sequence[Route]) -> capability.Resource:
    settings = room.settings
    token_url = public_base(settings.fhir_public_url, settings.http_address) + TOKEN
    return capability.statement(served, limited.most_of(settings), token_url)


def _route(room: Room, path: str, answers: Mapping[str, Answer]) -> Route:
    def answer(request: Request) -> Response:
        asking.json_wanted(request)
        method = "GET" if request.method == "HEAD" else request.method
        scoped.check(request.state.caller, path, method)
        return answers[method](room, request)

    return Route(f"/fhir{path}", answer, methods=list(answers))
