"""The FHIR half of audit's HTTP door: search, read, create and what is offered; authorization named first."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis import telemetry
from chassis.errors import Kind, Refusal
from chassis.identity import current_caller, require
from services.audit.fhir import outside
from services.audit.reading_room import ReadingRoom
from services.audit.search import asked, bundle, finding

# A compliance officer in the course of duty, or on behalf of the person who asks who saw their record.
SEARCHED_FOR = ("HCOMPL", "PATRQT", "HLEGAL")
_MOST_FIELDS = 100


def routes(room: ReadingRoom) -> list[Route]:
    """Every FHIR path of the log."""

    def served(answer: Callable[[ReadingRoom, Request], Response]) -> Callable[[Request], Response]:
        return lambda request: answer(room, request)

    return [
        Route("/fhir/metadata", served(metadata), methods=["GET"]),
        Route("/fhir/AuditEvent", served(search), methods=["GET"], name="search"),
        Route("/fhir/AuditEvent", served(create), methods=["POST"], name="create"),
        Route("/fhir/AuditEvent/_search", served(search), methods=["POST"], name="post-search"),
        Route("/fhir/AuditEvent/{id}", served(read), methods=["GET"], name="read"),
    ]


def metadata(room: ReadingRoom, request: Request) -> Response:
    """What is offered; open to everybody, as R4 asks."""
    return bundle.answer(bundle.capability(str(request.url).removesuffix("/metadata")))


def search(room: ReadingRoom, request: Request) -> Response:
    """A page of the entries that match, each with its proof; the search is itself an entry."""
    require(current_caller(), "compliance", purposes=SEARCHED_FOR)
    given = _parameters(request)
    wanted = asked.read(given, room.clock.now())
    page = finding.search(room, wanted, current_caller(), telemetry.current_cause())
    return bundle.answer(bundle.searchset(request, given, wanted, page))


def read(room: ReadingRoom, request: Request) -> Response:
    """One entry, with checkpoint and proof as extensions of its `meta`."""
    require(current_caller(), "compliance", purposes=SEARCHED_FOR)
    page = finding.read_one(room, request.path_params["id"], current_caller(), telemetry.current_cause())
    if not page.hits:
        raise Refusal("no-such-entry", Kind.NOT_FOUND, "There is no such entry.")
    hit = page.hits[0]
    proof = page.proofs.get(hit.number)
    signed = proof.checkpoint if proof else page.covered.head.checkpoint
    said = [bundle.checkpoint(signed)] + ([bundle.proof_extension(hit, proof)] if proof else [])
    meta = hit.document.get("meta", {})
    return bundle.answer(hit.document | {"meta": meta | {"extension": [*meta.get("extension", ()), *said]}})


def create(room: ReadingRoom, request: Request) -> Response:
    """Another system's AuditEvent is stored as it came; what is odd about it is said and flagged, never refused."""
    require(current_caller(), "system")
    received = outside.receive(room, current_caller(), request.state.body, telemetry.current_cause())
    issues = [
        ("warning", "invariant", fault.what, "Stored and flagged.", fault.path) for fault in received.faults
    ]
    issues = issues or [("information", "informational", "stored", "Stored.", "")]
    location = f"{str(request.url).rstrip('/')}/{received.resource_id}"
    return bundle.answer(bundle.outcome(issues), 201 if received.is_new else 200, {"location": location})


def _parameters(request: Request) -> list[tuple[str, str]]:
    """Those of the address, and of a posted form, in their order."""
    given = list(request.query_params.multi_items())
    if request.method == "POST":
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise Refusal("form-expected", Kind.INVALID, "Send application/x-www-form-urlencoded.")
        try:
            text = request.state.body.decode()
            given += parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
        except ValueError:
            raise Refusal("form-unreadable", Kind.INVALID, "The form cannot be read.") from None
    return given
