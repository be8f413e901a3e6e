"""OperationsService: what an engineer does with the parked and the published events of one service. Runs in `api`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import telemetry, topology
from chassis.access import AccessLog
from chassis.delivery import Delivery
from chassis.errors import Fault, Kind, Refusal
from chassis.identity import Caller, current_caller, require
from chassis.parked import Parked, ParkedEvents
from chassis.publishing import Outgoing, Publisher
from kindred.operations.v1 import operations_pb2 as pb
from kindred.operations.v1 import operations_pb2_grpc

_MOST = 1_000
_PARKED = "ParkedEvent"
_PUBLISHED = "PublishedEvent"
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """Lists, replays and gives up parked events, and says published ones again; each is audited by `access` first.

    `replay` is the service's own `Relay.replay`.
    """

    def __init__(
        self, parked: ParkedEvents, access: AccessLog, amqp_uri: str, replay: Callable[[datetime], int]
    ) -> None:
        self._parked = parked
        self._access = access
        self._amqp_uri = amqp_uri
        self._replay = replay

    def ListParked(self, request: pb.ListParkedRequest, context: Any) -> pb.ListParkedResponse:  # noqa: N802
        """The oldest parked events, without their bodies."""
        caller = _engineer()
        self._audit(caller, "", "list")
        listed = self._parked.listed(min(request.limit or 100, _MOST))
        return pb.ListParkedResponse(parked=[_to_proto(row) for row in listed])

    def ReplayParked(self, request: pb.ReplayParkedRequest, context: Any) -> pb.ReplayParkedResponse:  # noqa: N802
        """The events are in the service's inbox again, confirmed by the broker; raises Refusal UNAVAILABLE."""
        caller = _engineer()
        messages = []
        for parked_id, delivery in self._parked.open(list(request.parked_ids)[:_MOST]):
            self._audit(caller, parked_id, "replay")
            messages.append(self._outgoing(parked_id, delivery))
        replayed = self._publish(messages)
        closed = [self._parked.close(each, "replayed", caller.actor_id, "") for each in replayed]
        if len(replayed) < len(messages):
            raise Refusal(
                "broker-unavailable",
                Kind.UNAVAILABLE,
                "Not every event could be put back; list them again.",
                retry_after_s=5,
                replayed=len(replayed),
            )
        return pb.ReplayParkedResponse(replayed=sum(closed))

    def DiscardParked(  # noqa: N802
        self, request: pb.DiscardParkedRequest, context: Any
    ) -> pb.DiscardParkedResponse:
        """The event is given up, with who and why; raises Refusal INVALID without a reason, NOT_FOUND."""
        caller = _engineer()
        if not request.reason.strip():
            raise Refusal("reason-missing", Kind.INVALID, "Say why the event is given up.")
        self._audit(caller, request.parked_id, "discard")
        if not self._parked.close(request.parked_id, "discarded", caller.actor_id, request.reason.strip()):
            raise Refusal("parked-event-not-found", Kind.NOT_FOUND, "No such event is parked.")
        return pb.DiscardParkedResponse()

    def ReplayPublished(  # noqa: N802
        self, request: pb.ReplayPublishedRequest, context: Any
    ) -> pb.ReplayPublishedResponse:
        """Everything published is on its way again, from a moment on; safe to repeat. Raises Refusal INVALID.

        A call that is cut off by its deadline has put a part on its way: the next one finds the rest.
        """
        caller = _engineer()
        since = _moment(request)
        self._access.record_read(
            caller,
            record_type=_PUBLISHED,
            record_id="",
            action="replay",
            criteria=["since"] if request.HasField("since") else [],
            cause=telemetry.current_cause(),
        )
        return pb.ReplayPublishedResponse(replayed=self._replay(since))

    def _audit(self, caller: Caller, parked_id: str, action: str) -> None:
        self._access.record_read(
            caller,
            record_type=_PARKED,
            record_id=parked_id,
            action=action,
            cause=telemetry.current_cause(),
        )

    def _publish(self, messages: list[Outgoing]) -> list[str]:
        if not messages:
            return []
        publisher = Publisher(self._amqp_uri)
        try:
            return publisher.publish(messages, window=1).confirmed
        finally:
            publisher.drop()

    def _outgoing(self, parked_id: str, delivery: Delivery) -> Outgoing:
        return Outgoing(
            key=parked_id,
            line=parked_id,
            exchange=topology.again_name(self._parked.service),
            routing_key=topology.inbox_name(self._parked.service),
            properties={**delivery.properties, "delivery_mode": 2},
            headers=delivery.headers,
            body=delivery.body,
        )


def _engineer() -> Caller:
    caller = current_caller()
    require(caller, "engineer")
    return caller


def _moment(request: pb.ReplayPublishedRequest) -> datetime:
    if not request.HasField("since"):
        return _EVER
    try:
        return request.since.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        fault = Fault("since", "out-of-range", "This is outside the calendar.")
        raise Refusal("since-unreadable", Kind.INVALID, "The moment is none.", faults=[fault]) from None


def _to_proto(row: Parked) -> pb.ParkedEvent:
    parked_at = Timestamp()
    parked_at.FromDatetime(row.parked_at)
    return pb.ParkedEvent(
        parked_id=row.parked_id,
        event_id=row.event_id,
        event_type=row.event_type,
        reason_code=row.reason,
        detail=row.detail,
        parked_at=parked_at,
        size_bytes=row.size_bytes,
    )
