"""The gRPC door over real sockets: every way a call can end, and every limit."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from chassis import grpc_client, identity, logs, metrics, telemetry
from chassis.errors import GRPC_STATUS, Fault, Kind, Refusal
from chassis.grpc_server import GrpcService, KindredGrpcServer, build_server
from chassis.policy import AnyDoor
from chassis.rich_status import refused
from cli.local import keys
from kindred.operations.v1.operations_pb2 import (
    DiscardParkedRequest,
    DiscardParkedResponse,
    ListParkedRequest,
    ListParkedResponse,
    ParkedEvent,
)

MARK = "Marisol-Quintero-1987"
SERVICE = "kindred.operations.v1.OperationsService"
READ = f"/{SERVICE}/ListParked"
UNTIL_S = 10.0


@dataclass(frozen=True)
class Settings:
    """What the door reads."""

    grpc_address: str = "127.0.0.1:0"
    max_body_bytes: int = 20_000
    organization_per_s: float = 1e6
    grpc_tls_cert: str = ""
    grpc_tls_ca: str = ""


@dataclass
class Desk:
    """A service whose methods do what the test says."""

    unary: Callable[[Any, Any], Any] = lambda request, context: ListParkedResponse()
    stream: Callable[[Any, Any], Any] = lambda request, context: iter(())
    upload: Callable[[Any, Any], Any] = lambda requests, context: DiscardParkedResponse()
    denials: list[tuple[Any, str, str]] = field(default_factory=list)

    def add(self, _: object, server: grpc.Server) -> None:
        """Adds a unary, a server-streaming, a client-streaming and a two-way method under one service."""
        read, write = ListParkedRequest.FromString, ListParkedResponse.SerializeToString
        methods = {
            "ListParked": grpc.unary_unary_rpc_method_handler(lambda r, c: self.unary(r, c), read, write),
            "Watch": grpc.unary_stream_rpc_method_handler(
                lambda r, c: self.stream(r, c), read, ParkedEvent.SerializeToString
            ),
            "Upload": grpc.stream_unary_rpc_method_handler(
                lambda r, c: self.upload(r, c),
                DiscardParkedRequest.FromString,
                DiscardParkedResponse.SerializeToString,
            ),
            "Talk": grpc.stream_stream_rpc_method_handler(
                lambda r, c: self.stream(r, c), DiscardParkedRequest.FromString, ParkedEvent.SerializeToString
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))


@dataclass
class Open:
    """A running server and a way to call it."""

    desk: Desk
    server: KindredGrpcServer
    token: str

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.server.port}"

    def read(self, channel: grpc.Channel, timeout: float | None = 5.0, **rest: Any) -> Any:
        """One unary call."""
        call = channel.unary_unary(READ, ListParkedRequest.SerializeToString, ListParkedResponse.FromString)
        return call(rest.pop("request", ListParkedRequest()), timeout=timeout, **rest)

    def watch(self, channel: grpc.Channel, timeout: float | None = 5.0) -> Any:
        """One streaming call."""
        call = channel.unary_stream(
            f"/{SERVICE}/Watch", ListParkedRequest.SerializeToString, ParkedEvent.FromString
        )
        return call(ListParkedRequest(), timeout=timeout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of a local issuer."""
    return keys.create(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def door(folder: Path) -> Iterator[Open]:
    """A server with few threads, so that its limits are near."""
    desk = Desk()
    tokens = identity.TokenReader.from_file(folder / "issuer.pub.pem")
    server = build_server(
        Settings(),
        services=[GrpcService(SERVICE, desk.add, desk)],
        tokens=tokens,
        on_denied=lambda *denial: desk.denials.append(denial),
        policy=AnyDoor(),
        threads=4,
        concurrent=6,
    )
    server.start()
    token = identity.mint((folder / "issuer.pem").read_bytes(), actor_id="eng_1", role="engineer")
    yield Open(desk, server, token)
    server.stop(grace_s=0.2)


@pytest.fixture
def channel(door: Open) -> Iterator[grpc.Channel]:
    """A caller who is known."""
    with grpc_client.channel(
        door.address, token=door.token, purpose="TREAT", correlation_id="req_" + "0a" * 16
    ) as opened:
        yield opened


def failure(call: Callable[[], Any]) -> grpc.RpcError:
    """The error the call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def raising(error: BaseException) -> Callable[[Any, Any], Any]:
    """A method that raises."""

    def method(request: Any, context: Any) -> Any:
        raise error

    return method


def until(is_true: Callable[[], bool]) -> None:
    """Waits for a condition, with a deadline."""
    deadline = time.monotonic() + UNTIL_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_method_knows_caller_purpose_and_cause(door: Open, channel: grpc.Channel) -> None:
    """Inside a method the caller, the purpose of use and the request's correlation id are known."""
    seen: list[Any] = []

    def method(request: Any, context: Any) -> Any:
        seen.append((identity.current_caller(), telemetry.current_cause()))
        return ListParkedResponse()

    door.desk.unary = method
    door.read(channel)
    ((caller, cause),) = seen
    assert (caller.actor_id, caller.role, caller.purpose_of_use) == ("eng_1", "engineer", "TREAT")
    assert cause.correlation_id == "req_" + "0a" * 16


def test_one_callers_identity_never_serves_another(door: Open) -> None:
    """Threads are reused between callers; an identity is not."""
    door.desk.unary = lambda request, context: ListParkedResponse(
        parked=[ParkedEvent(detail=identity.current_caller().purpose_of_use)]
    )
    purposes = ["TREAT", "HCOMPL", "BTG", ""] * 20

    def ask(purpose: str) -> str:
        with grpc_client.channel(door.address, token=door.token, purpose=purpose) as opened:
            return door.read(opened).parked[0].detail

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, purposes)) == purposes


def test_a_call_without_a_deadline_is_refused(door: Open) -> None:
    """A call that would wait for ever is not begun."""
    begun: list[int] = []
    door.desk.unary = lambda request, context: begun.append(1) or ListParkedResponse()
    with grpc.insecure_channel(door.address) as plain:
        metadata = [("authorization", f"Bearer {door.token}")]
        error = failure(lambda: door.read(plain, timeout=None, metadata=metadata))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused(error).code == "deadline-required"
    assert begun == []


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([], "token-missing"),
        ([("authorization", "Basic eDp5")], "token-invalid"),
        ([("authorization", "Bearer")], "token-missing"),
        ([("authorization", "Bearer not.a.token")], "token-invalid"),
        ([("authorization", "Bearer " + "x" * 5_000)], "token-invalid"),
    ],
)
def test_a_missing_or_malformed_token_never_reaches_a_method(
    door: Open, sent: list[tuple[str, str]], code: str
) -> None:
    """Who cannot be known is refused before the method, and the denial is handed to the audit."""
    begun: list[int] = []
    door.desk.unary = lambda request, context: begun.append(1) or ListParkedResponse()
    with grpc.insecure_channel(door.address) as plain:
        error = failure(lambda: door.read(plain, metadata=sent))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert refused(error).code == code
    assert begun == []
    assert door.desk.denials == [(None, f"{SERVICE}/ListParked", code)]


def test_an_expired_token_and_a_foreign_one_are_refused(door: Open, folder: Path, tmp_path: Path) -> None:
    """A token that ran out, or that another issuer signed, is worth nothing."""
    other = keys.create(tmp_path / "other")
    tokens = [
        identity.mint((folder / "issuer.pem").read_bytes(), actor_id="a", role="engineer", minutes=-5),
        identity.mint((other / "issuer.pem").read_bytes(), actor_id="a", role="engineer"),
    ]
    for token in tokens:
        with grpc_client.channel(door.address, token=token) as opened:
            error = failure(lambda opened=opened: door.read(opened))
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_denial_by_role_names_the_caller(door: Open, channel: grpc.Channel) -> None:
    """A caller in the wrong role is refused, and the audit hears who it was."""

    def method(request: Any, context: Any) -> Any:
        identity.require(identity.current_caller(), "compliance")

    door.desk.unary = method
    error = failure(lambda: door.read(channel))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    ((caller, method_name, code),) = door.desk.denials
    assert (caller.actor_id, method_name, code) == ("eng_1", f"{SERVICE}/ListParked", "role-not-allowed")


@pytest.fixture
def frozen_store() -> Iterator[MongoClient[Any]]:
    """A database that takes connections and never says a word, and logs as a process writes them."""
    logs.start("example", "api")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"mongodb://127.0.0.1:{silent.getsockname()[1]}/?directConnection=true"
        with MongoClient(address, serverSelectionTimeoutMS=8_000) as client:
            yield client


def test_a_frozen_store_is_told_before_the_caller_stops_waiting(
    door: Open, channel: grpc.Channel, frozen_store: MongoClient[Any]
) -> None:
    """F-03: within the call's own deadline the caller hears UNAVAILABLE and when to come back."""
    door.desk.unary = lambda request, context: frozen_store["kindred"]["referrals"].find_one({})
    error = failure(lambda: door.read(channel, timeout=2.0))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert refused(error).code == "store-unavailable"
    assert refused(error).retry_after_s


def test_a_denial_while_the_store_is_frozen_is_told_too(folder: Path, frozen_store: MongoClient[Any]) -> None:
    """The audit of a denial waits no longer for the store than the caller does for the answer."""
    desk = Desk(unary=raising(Refusal("not-yours", Kind.FORBIDDEN)))
    server = build_server(
        Settings(),
        services=[GrpcService(SERVICE, desk.add, desk)],
        tokens=identity.TokenReader.from_file(folder / "issuer.pub.pem"),
        on_denied=lambda *_: frozen_store["kindred"]["accesses"].insert_one({}),
        policy=AnyDoor(),
    )
    server.start()
    token = identity.mint((folder / "issuer.pem").read_bytes(), actor_id="eng_1", role="engineer")
    opened = Open(desk, server, token)
    try:
        with grpc_client.channel(opened.address, token=token) as channel:
            error = failure(lambda: opened.read(channel, timeout=2.0))
    finally:
        server.stop(grace_s=0.2)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.UNAVAILABLE}))
def test_a_refusal_arrives_whole(door: Open, channel: grpc.Channel, kind: Kind) -> None:
    """Whatever kind of refusal a method raises, the client reads its code, faults and facts."""
    door.desk.unary = raising(
        Refusal(
            "some-code", kind, "Because.", faults=[Fault("a.b[0]", "required", "Say it.")], offer_id="off_1"
        )
    )
    error = failure(lambda: door.read(channel))
    assert error.code().name == GRPC_STATUS[kind]
    got = refused(error)
    assert (got.code, got.kind, got.facts) == ("some-code", kind, {"offer_id": "off_1"})
    assert got.faults == (Fault("a.b[0]", "required", "Say it."),)


def test_trouble_outside_is_unavailable_and_retried(door: Open, channel: grpc.Channel) -> None:
    """A database that is away for a moment costs the caller a retry, not an error."""
    calls: list[int] = []

    def method(request: Any, context: Any) -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise AutoReconnect(MARK)
        return ListParkedResponse()

    door.desk.unary = method
    assert door.read(channel) == ListParkedResponse()
    assert len(calls) == 3


def test_trouble_outside_that_lasts_says_when_to_come_back(door: Open) -> None:
    """UNAVAILABLE carries RetryInfo and no word of the error."""
    door.desk.unary = raising(AutoReconnect(MARK))
    with grpc.insecure_channel(door.address, options=[("grpc.enable_retries", 0)]) as plain:
        error = failure(lambda: door.read(plain, metadata=[("authorization", f"Bearer {door.token}")]))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert refused(error).retry_after_s is not None
    assert MARK not in str(error)


@pytest.mark.parametrize(
    "error", [KeyError(MARK), ValueError({"name": MARK}), AssertionError(MARK), Exception(MARK)]
)
def test_a_bug_tells_its_id_and_no_value(
    door: Open, channel: grpc.Channel, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error gives the caller an id, and the log the same id with type and line; no value in either."""
    logs.start("example", "api")
    door.desk.unary = raising(error)
    answer = failure(lambda: door.read(channel))
    assert answer.code() is grpc.StatusCode.INTERNAL
    error_id = refused(answer).facts["error_id"]
    assert MARK not in repr(answer) + str(answer.trailing_metadata())
    printed = capsys.readouterr()
    assert MARK not in printed.out + printed.err
    assert error_id in printed.out
    assert "test_doors_grpc.py" in printed.out


def test_a_call_is_not_begun_after_its_deadline(door: Open, channel: grpc.Channel) -> None:
    """A call that waited for a thread until nobody waits for it any more is not begun (F-03)."""
    begun: list[str] = []
    free = threading.Event()

    def method(request: Any, context: Any) -> Any:
        begun.append("late" if request.limit else "first")
        free.wait(UNTIL_S)
        return ListParkedResponse()

    door.desk.unary = method
    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(door.read, channel, 8.0) for _ in range(4)]
        until(lambda: len(begun) == 4)
        late = failure(lambda: door.read(channel, 0.3, request=ListParkedRequest(limit=1)))
        assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        free.set()
        for call in first:
            call.result()
    door.desk.unary = lambda request, context: ListParkedResponse()
    door.read(channel)
    assert "late" not in begun


def test_more_calls_than_the_limit_are_refused_at_once(door: Open, channel: grpc.Channel) -> None:
    """Beyond the limit a call is answered RESOURCE_EXHAUSTED instead of waiting (F-05)."""
    free = threading.Event()
    door.desk.unary = lambda request, context: free.wait(UNTIL_S) and ListParkedResponse()
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(door.read, channel, 8.0) for _ in range(12)]
        until(lambda: sum(call.done() for call in calls) == 6)
        refusals = [call.exception() for call in calls if call.done()]
        free.set()
        served = [call for call in calls if call.exception() is None]
    assert {error.code() for error in refusals} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(served) == 6


def test_a_flood_of_one_organization_does_not_keep_another_out(folder: Path) -> None:
    """Once another is inside, the flood is told to wait at its turn, and the other's next call is served."""
    one_at_a_time, free = threading.Semaphore(0), threading.Event()

    def serve(request: Any, context: Any) -> Any:
        is_flood = identity.current_caller().organization_id == "flood"
        assert one_at_a_time.acquire(timeout=UNTIL_S) if is_flood else free.wait(UNTIL_S)
        return ListParkedResponse()

    desk = Desk(unary=serve)
    server = build_server(
        Settings(),
        services=[GrpcService(SERVICE, desk.add, desk)],
        tokens=identity.TokenReader.from_file(folder / "issuer.pub.pem"),
        on_denied=lambda *_: None,
        policy=AnyDoor(),
        threads=4,
        concurrent=40,
    )
    server.start()
    pem = (folder / "issuer.pem").read_bytes()
    flood, quiet = (
        identity.mint(pem, actor_id="eng_1", role="engineer", organization_id=one)
        for one in ("flood", "quiet")
    )
    opened = Open(desk, server, flood)
    try:
        with (
            grpc_client.channel(opened.address, token=quiet) as calm,
            grpc_client.channel(opened.address, token=flood) as busy,
            ThreadPoolExecutor(24) as pool,
        ):
            first = pool.submit(opened.read, calm, 30.0)
            until(lambda: metrics.RPC_RUNNING._value.get() >= 1)
            flooding = [pool.submit(opened.read, busy, 30.0) for _ in range(20)]
            until(lambda: metrics.RPC_RUNNING._value.get() >= 4)
            one_at_a_time.release()
            until(lambda: sum(call.done() for call in flooding) > 10)
            refusals = [call.exception() for call in flooding if call.done() and call.exception()]
            free.set()
            assert opened.read(calm, 30.0) == first.result() == ListParkedResponse()
            one_at_a_time.release(20)
    finally:
        server.stop(grace_s=0.2)
    assert {refused(error).code for error in refusals} == {"share-used"}
    assert {error.code() for error in refusals} == {grpc.StatusCode.RESOURCE_EXHAUSTED}


def test_a_message_over_the_limit_is_refused(door: Open, channel: grpc.Channel) -> None:
    """A message larger than the setting never reaches the method."""
    begun: list[int] = []
    door.desk.upload = lambda requests, context: begun.extend(1 for _ in requests) or DiscardParkedResponse()
    upload = channel.stream_unary(
        f"/{SERVICE}/Upload", DiscardParkedRequest.SerializeToString, DiscardParkedResponse.FromString
    )
    error = failure(lambda: upload(iter([DiscardParkedRequest(reason="x" * 30_000)]), timeout=5))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert begun == []


def test_bytes_that_are_no_message_tell_nothing(
    door: Open, channel: grpc.Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request that cannot be parsed ends the call; neither answer nor log repeats it."""
    logs.start("example", "api")
    call = channel.unary_unary(READ, lambda raw: raw, ListParkedResponse.FromString)
    error = failure(lambda: call(b"\xff\xff" + MARK.encode(), timeout=5))
    assert error.code() is grpc.StatusCode.INTERNAL
    printed = capsys.readouterr()
    assert MARK not in str(error) + printed.out + printed.err


def test_a_stream_knows_its_caller_to_the_end(door: Open, channel: grpc.Channel) -> None:
    """Every item of a stream is made under the caller's identity."""

    def method(request: Any, context: Any) -> Any:
        for _ in range(5):
            yield ParkedEvent(detail=identity.current_caller().actor_id)

    door.desk.stream = method
    assert [item.detail for item in door.watch(channel)] == ["eng_1"] * 5


def test_a_stream_that_refuses_halfway_says_why(door: Open, channel: grpc.Channel) -> None:
    """Items that were sent stay sent; then the refusal arrives with its code."""

    def method(request: Any, context: Any) -> Any:
        yield ParkedEvent(detail="one")
        raise Refusal("gone", Kind.NOT_FOUND)

    door.desk.stream = method
    seen: list[str] = []
    error = failure(lambda: [seen.append(item.detail) for item in door.watch(channel)])
    assert seen == ["one"]
    assert refused(error).code == "gone"


def test_a_two_way_stream_is_behind_the_same_rules(door: Open, channel: grpc.Channel) -> None:
    """A conversation has identity too, and none without a token."""

    def method(requests: Any, context: Any) -> Any:
        for request in requests:
            yield ParkedEvent(detail=f"{identity.current_caller().actor_id} {request.parked_id}")

    door.desk.stream = method
    path, write, read = f"/{SERVICE}/Talk", DiscardParkedRequest.SerializeToString, ParkedEvent.FromString
    said = [DiscardParkedRequest(parked_id=text) for text in "ab"]
    known = channel.stream_stream(path, write, read)(iter(said), timeout=5)
    assert [item.detail for item in known] == ["eng_1 a", "eng_1 b"]
    with grpc.insecure_channel(door.address) as plain:
        error = failure(lambda: list(plain.stream_stream(path, write, read)(iter(said), timeout=5)))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_cancelled_stream_ends_its_method_and_leaves_no_identity(door: Open, channel: grpc.Channel) -> None:
    """A client that goes away ends the method's loop, and its thread serves the next caller as the next caller."""
    ended = threading.Event()

    def method(request: Any, context: Any) -> Any:
        try:
            while True:
                yield ParkedEvent(detail="tick")
                time.sleep(0.01)
        finally:
            ended.set()

    door.desk.stream = method
    for _ in range(6):
        ended.clear()
        call = door.watch(channel)
        next(call)
        call.cancel()
        assert ended.wait(UNTIL_S)
    door.desk.unary = lambda request, context: ListParkedResponse(
        parked=[ParkedEvent(detail=identity.current_caller().purpose_of_use)]
    )
    with grpc_client.channel(door.address, token=door.token, purpose="BTG") as other:
        assert {door.read(other).parked[0].detail for _ in range(8)} == {"BTG"}


def test_health_needs_no_token_and_follows_the_server(door: Open) -> None:
    """Health says SERVING to anybody, for the process and for each service, and NOT_SERVING first when it stops."""
    free = threading.Event()
    begun = threading.Event()

    def method(request: Any, context: Any) -> Any:
        begun.set()
        free.wait(UNTIL_S)
        return ListParkedResponse()

    door.desk.unary = method
    with grpc.insecure_channel(door.address) as plain:
        stub = health_pb2_grpc.HealthStub(plain)
        serving = health_pb2.HealthCheckResponse.SERVING
        for name in ("", SERVICE):
            assert stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5).status == serving
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=10)
        assert next(watch).status == serving
        with grpc_client.channel(door.address, token=door.token) as opened, ThreadPoolExecutor(2) as pool:
            running = pool.submit(door.read, opened, 8.0)
            assert begun.wait(UNTIL_S)
            stopped = pool.submit(door.server.stop, 8.0)
            assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
            free.set()
            assert running.result() == ListParkedResponse()
            stopped.result()


def test_stopping_under_load_starts_no_call_it_does_not_serve(door: Open) -> None:
    """While the server stops, a call is served, or was never started and its code is one our client retries (F-04)."""
    started: list[int] = []

    def method(request: Any, context: Any) -> Any:
        started.append(1)
        time.sleep(0.002)
        return ListParkedResponse()

    door.desk.unary = method
    over = threading.Event()
    codes: set[grpc.StatusCode] = set()
    served: list[int] = []

    def load() -> None:
        options = [("grpc.enable_retries", 0)]
        metadata = [("authorization", f"Bearer {door.token}")]
        with grpc.insecure_channel(door.address, options=options) as plain:
            while not over.is_set():
                try:
                    door.read(plain, 5.0, metadata=metadata)
                    served.append(1)
                except grpc.RpcError as error:
                    codes.add(error.code())
                    time.sleep(0.01)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(served) > 50)
    door.server.stop(5.0)
    until(lambda: grpc.StatusCode.UNAVAILABLE in codes)
    over.set()
    for thread in threads:
        thread.join()
    assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert len(started) == len(served)


def test_reflection_lists_our_services(door: Open) -> None:
    """Anybody can ask what is served, as grpcurl and buf curl do."""
    with grpc.insecure_channel(door.address) as plain:
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        stub = reflection_pb2_grpc.ServerReflectionStub(plain)
        (answer,) = stub.ServerReflectionInfo(iter([ask]), timeout=5)
    names = {service.name for service in answer.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names


def test_a_taken_port_is_said_at_once(door: Open) -> None:
    """Two servers never share a port without anybody knowing."""
    with pytest.raises(RuntimeError):
        build_server(Settings(grpc_address=door.address), services=[], tokens=None, on_denied=lambda *_: None)
