"""LookupService: the gRPC door by which a compliance officer finds a person's id; authorization named first."""

from __future__ import annotations

from typing import Any

from chassis import telemetry
from chassis.identity import current_caller, require
from kindred.intake.v1 import lookup_pb2, lookup_pb2_grpc
from services.intake import codec, handlers
from services.intake.bootstrap import Room
from services.intake.domain.person import Person, RecordNumber

# The officer's own duty, on behalf of the person who asks, or for a court.
PURPOSES = ("HCOMPL", "PATRQT", "HLEGAL")


class LookupServicer(lookup_pb2_grpc.LookupServiceServicer):
    """The only place where a name leads to an id."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def FindPeople(  # noqa: N802
        self, request: lookup_pb2.FindPeopleRequest, context: Any
    ) -> lookup_pb2.FindPeopleResponse:
        """Who answers to a description, the likeliest first."""
        require(current_caller(), "compliance", purposes=PURPOSES)
        codec.check(request)
        numbers = [RecordNumber(request.record_system.strip(), request.record_number.strip())]
        person = Person(
            family_name=request.family_name.strip(),
            given_name=request.given_name.strip(),
            birth_date=request.birth_date.strip(),
            record_numbers=tuple(one for one in numbers if one.value),
        )
        found = handlers.look_up(self.room, current_caller(), person, telemetry.current_cause())
        answer = lookup_pb2.FindPeopleResponse()
        for one in found:
            answer.people.add(
                peer_id=one.peer_ids[0],
                also_known_as=one.peer_ids[1:],
                family_name=one.person.family_name,
                given_name=one.person.given_name,
                birth_date=one.person.birth_date,
                likeness="certain" if one.is_certain else "possible",
                sources=one.sources,
            )
        return answer
