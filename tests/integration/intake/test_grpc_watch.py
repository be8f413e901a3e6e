"""WatchReferral: each change is told, streams cost no threads, nobody else is starved, and the end is always told."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from chassis import grpc_client
from chassis.errors import Kind
from chassis.live_streams import MOST_OF_A_CALLER
from chassis.rich_status import refused
from kindred.intake.v1 import intake_pb2, intake_pb2_grpc
from tests.integration.intake.intake_processes import Bus, Er, Process, running, until
from tests.integration.intake.test_grpc_intake import a_request

WATCH_S = 60.0


@pytest.fixture(scope="module")
def stub(api: Process, er: Er) -> Iterator[Any]:
    """The gRPC door, as a nurse of St Brigid."""
    with _door(api, er) as channel:
        yield intake_pb2_grpc.IntakeServiceStub(channel)


def _door(api: Process, er: Er) -> grpc.Channel:
    return grpc_client.channel(f"127.0.0.1:{api.ready()['grpc_port']}", token=er.token, purpose=er.purpose)


def _watch(stub: Any, referral_id: str) -> Any:
    return stub.WatchReferral(intake_pb2.WatchReferralRequest(referral_id=referral_id), timeout=WATCH_S)


def _threads(process: Process) -> int:
    return len(list(Path(f"/proc/{process.popen.pid}/task").iterdir()))


def _submitted(stub: Any, number: str) -> str:
    return str(stub.SubmitReferral(a_request(number)).referral_id)


def _leave(stub: Any, referral_id: str, seconds: int) -> None:
    request = intake_pb2.ReportDepartureRequest(referral_id=referral_id)
    request.leaves_at.GetCurrentTime()
    request.leaves_at.seconds += seconds
    stub.ReportDeparture(request)


def test_a_referral_is_followed_until_it_is_closed(stub: Any, bus: Bus):
    """The state now, each change with its version, and OK after the last one; the watch is audited once."""
    referral_id = _submitted(stub, "watch-1")
    told = _watch(stub, referral_id)
    assert (next(told).summary.status, bus.said("record.read.v1", action="nothing")) == ("submitted", [])
    _leave(stub, referral_id, 1_800)
    assert next(told).summary.version == 2
    stub.RevokeConsent(intake_pb2.RevokeConsentRequest(referral_id=referral_id))
    last = next(told).summary
    assert (last.status, last.reason_code, last.version) == ("cancelled", "consent-revoked", 3)
    assert list(told) == []
    assert told.code() is grpc.StatusCode.OK
    closed = _watch(stub, referral_id)
    assert [one.summary.status for one in closed] == ["cancelled"]
    until(
        "two watches in the trail",
        lambda: len(bus.said("record.read.v1", record_id=referral_id, action="watch")) == 2,
    )


def test_who_may_not_look_may_not_watch(api: Process, er: Er, stub: Any, bus: Bus):
    """Nobody's referral, another's, no purpose, no deadline: refused at once with its code, and no stream is left."""
    referral_id = _submitted(stub, "watch-2")
    for change, wanted in (
        ({"organization_id": "er-elsewhere"}, "referral-unknown"),
        ({"purpose": ""}, "purpose-not-allowed"),
        ({"role": "specialist"}, "role-not-allowed"),
    ):
        with _door(api, replace(er, **change)) as channel, pytest.raises(grpc.RpcError) as error:
            list(_watch(intake_pb2_grpc.IntakeServiceStub(channel), referral_id))
        assert refused(error.value).code == wanted
    with pytest.raises(grpc.RpcError) as error:
        list(_watch(stub, "ref-nobody"))
    assert refused(error.value).code == "referral-unknown"
    with pytest.raises(grpc.RpcError) as error:
        list(stub.WatchReferral(intake_pb2.WatchReferralRequest(referral_id=referral_id)))
    assert refused(error.value).code == "deadline-required"


def test_more_streams_than_threads_starve_nobody(api: Process, er: Er, stub: Any):
    """A hundred and forty streams add a handful of threads; calls are answered, and every stream hears its change."""
    referral_id = _submitted(stub, "watch-3")
    before = _threads(api)
    with ExitStack() as doors:
        streams = []
        for number in range(5):
            door = doors.enter_context(_door(api, replace(er, actor_id=f"nurse-{number}")))
            other = intake_pb2_grpc.IntakeServiceStub(door)
            opened = [_watch(other, referral_id) for _ in range(28)]
            assert {next(stream).summary.version for stream in opened} == {1}
            streams += opened
        assert _threads(api) - before <= 40, "grpc's own pool of 32, four senders, and a few of the drivers"
        read = stub.GetReferral(intake_pb2.GetReferralRequest(referral_id=referral_id))
        assert read.summary.version == 1
        _leave(stub, referral_id, 600)
        assert {next(stream).summary.version for stream in streams} == {2}
        for stream in streams:
            stream.cancel()


def test_one_caller_has_a_bounded_number_of_streams(api: Process, er: Er, stub: Any):
    """One more is refused by name; a stream that is ended makes room, also when its caller just goes away."""
    referral_id = _submitted(stub, "watch-4")
    keen = replace(er, actor_id="nurse-keen")
    with _door(api, keen) as channel:
        other = intake_pb2_grpc.IntakeServiceStub(channel)
        streams = [_watch(other, referral_id) for _ in range(MOST_OF_A_CALLER)]
        assert {next(stream).summary.version for stream in streams} == {1}
        with pytest.raises(grpc.RpcError) as error:
            next(_watch(other, referral_id))
        assert (refused(error.value).code, refused(error.value).kind) == ("too-many-streams", Kind.EXHAUSTED)
        streams[0].cancel()
        until("room again", lambda: _is_watched(other, referral_id))
    with _door(api, keen) as channel:
        other = intake_pb2_grpc.IntakeServiceStub(channel)
        until("room after the channel is gone", lambda: _is_watched(other, referral_id))


def _is_watched(stub: Any, referral_id: str) -> bool:
    stream = _watch(stub, referral_id)
    try:
        return bool(next(stream).summary.version)
    except grpc.RpcError:
        return False
    finally:
        stream.cancel()


def test_a_process_that_stops_ends_its_streams_first(
    intake_environ: dict[str, str], bus: Bus, er: Er, tmp_path: Path
):
    """UNAVAILABLE with a word to watch again, at once: open streams do not hold up the end of the process."""
    with running("api", intake_environ, tmp_path) as process, _door(process, er) as channel:
        stub = intake_pb2_grpc.IntakeServiceStub(channel)
        stream = _watch(stub, _submitted(stub, "watch-5"))
        assert next(stream).summary.version == 1
        ended: list[Any] = []

        def follow() -> None:
            try:
                ended.extend(stream)
            except grpc.RpcError as error:
                ended.append(refused(error))

        follower = threading.Thread(target=follow)
        follower.start()
        process.popen.send_signal(signal.SIGTERM)
        follower.join(15)
        assert [(one.code, one.kind) for one in ended] == [("stopping", Kind.UNAVAILABLE)]
        assert process.popen.wait(15) == 0
