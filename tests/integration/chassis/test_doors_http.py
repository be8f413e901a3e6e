"""The HTTP door over real sockets: limits, slow clients, identity, and one answer for whatever a route raises."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.errors import AutoReconnect
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from chassis import http_requests, http_server, http_streams, identity, logs, metrics, telemetry
from chassis.errors import HTTP_STATUS, Kind, Refusal
from chassis.http_server import HttpServer, build_app, form, serve, waiting_app
from chassis.policy import AnyDoor
from chassis.readiness import NotYet, Readiness
from cli.local import keys

MARK = "Marisol-Quintero-1987"
LIMIT = 50_000
UNTIL_S = 10.0


@dataclass(frozen=True)
class Settings:
    """What the door reads."""

    max_body_bytes: int = LIMIT
    organization_per_s: float = 1e6


@dataclass
class Desk:
    """Routes that do what the test says."""

    route: Callable[[Request], Response] = lambda request: JSONResponse({})
    denials: list[tuple[Any, str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def check(self) -> None:
        """A readiness check that the test turns."""
        if self.missing:
            raise NotYet(self.missing[0])


@dataclass
class Open:
    """A running server, a client that is known, and the desk behind it."""

    desk: Desk
    server: HttpServer
    client: httpx.Client
    token: str

    def raw(self, sent: bytes) -> socket.socket:
        """A connection on which some bytes were already sent."""
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=UNTIL_S)
        connection.sendall(sent)
        return connection


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of a local issuer."""
    return keys.create(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def door(folder: Path) -> Iterator[Open]:
    """A server with one route for everything."""
    desk = Desk()

    def route(request: Request) -> Response:
        return desk.route(request)

    async def patient(request: Request) -> Response:
        return desk.route(request)

    async def stream(request: Request) -> Response:
        async def parts() -> Any:
            yield b"half"
            raise KeyError(MARK)

        return StreamingResponse(parts(), media_type="text/plain")

    app = build_app(
        Settings(),
        routes=[
            Route("/things/{thing_id}", route, methods=["GET", "POST"]),
            Route("/async", patient, methods=["POST"]),
            Route("/stream", stream),
        ],
        tokens=identity.TokenReader.from_file(folder / "issuer.pub.pem"),
        readiness={"database": desk.check},
        on_denied=lambda *denial: desk.denials.append(denial),
        policy=AnyDoor(),
    )
    server = serve(app, "127.0.0.1:0")
    token = identity.mint((folder / "issuer.pem").read_bytes(), actor_id="eng_1", role="engineer")
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=UNTIL_S) as client:
        yield Open(desk, server, client, token)
    server.stop(0.5)


def raising(error: BaseException) -> Callable[[Request], Response]:
    """A route that raises."""

    def route(request: Request) -> Response:
        raise error

    return route


def closes(connection: socket.socket) -> bytes:
    """What the server still said before it closed."""
    said = b""
    try:
        while part := connection.recv(65_536):
            said += part
    except ConnectionResetError:
        pass
    return said


def test_a_route_knows_caller_body_and_cause(door: Open) -> None:
    """A route in the thread pool finds the caller, the purpose, the body and the request's own id."""
    seen: list[Any] = []

    def route(request: Request) -> Response:
        caller = identity.current_caller()
        assert request.state.caller is caller
        seen.append((caller, request.state.body, telemetry.current_cause(), threading.current_thread().name))
        return JSONResponse({})

    door.desk.route = route
    headers = {"x-purpose-of-use": "TREAT", "x-request-id": "0192f3a4-0000-7000-8000-00000000c0de"}
    answer = door.client.post("/things/1", content=b"abc", headers=headers)
    ((caller, body, cause, thread),) = seen
    assert (caller.actor_id, caller.purpose_of_use, body, cause.correlation_id) == (
        "eng_1",
        "TREAT",
        b"abc",
        headers["x-request-id"],
    )
    assert answer.headers["x-request-id"] == headers["x-request-id"]
    assert thread != "http"


def test_without_a_token_a_page_is_served_and_nobody_is_known(door: Open) -> None:
    """A route open to all is reached without a token; asking who calls refuses."""
    door.desk.route = lambda request: JSONResponse({"is_known": request.state.caller is not None})
    open_to_all = httpx.get(f"{door.client.base_url}/things/1")
    assert open_to_all.json() == {"is_known": False}
    door.desk.route = lambda request: JSONResponse({"actor": identity.current_caller().actor_id})
    refused = httpx.get(f"{door.client.base_url}/things/1")
    assert refused.status_code == 401
    assert refused.json()["code"] == "token-missing"
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_one_callers_identity_never_serves_another(door: Open) -> None:
    """Connections and threads are reused between callers; an identity is not."""
    door.desk.route = lambda request: JSONResponse(identity.current_caller().purpose_of_use)
    purposes = ["TREAT", "HCOMPL", "BTG", ""] * 25

    def ask(purpose: str) -> str:
        return door.client.get("/things/1", headers={"x-purpose-of-use": purpose}).json()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, purposes)) == purposes


@pytest.mark.parametrize("sent", ["Basic eDp5", "Bearer", "Bearer a.b.c", "Bearer " + "x" * 5_000])
def test_a_malformed_token_never_reaches_a_route(door: Open, sent: str) -> None:
    """A token that cannot be read is refused before the route, and the denial is handed to the audit."""
    begun: list[int] = []
    door.desk.route = lambda request: begun.append(1) or JSONResponse({})
    answer = door.client.post("/things/1", content=b"x" * 10_000, headers={"authorization": sent})
    assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid")
    assert begun == []
    assert [denial[2] for denial in door.desk.denials] == ["token-invalid"]


def test_a_denial_names_caller_and_route_not_path(door: Open) -> None:
    """The audit hears who was denied at which route."""
    door.desk.route = lambda request: identity.require(identity.current_caller(), "compliance")
    assert door.client.get("/things/7").status_code == 403
    ((caller, method, code),) = door.desk.denials
    assert (caller.actor_id, method, code) == ("eng_1", "GET /things/{thing_id}", "role-not-allowed")


@pytest.mark.parametrize("kind", list(Kind))
def test_a_refusal_has_its_status_and_its_facts(door: Open, kind: Kind) -> None:
    """Every kind of refusal is rendered with the status of the table."""
    door.desk.route = raising(Refusal("some-code", kind, "Because.", retry_after_s=3, offer_id="off_1"))
    answer = door.client.get("/things/1")
    assert answer.status_code == HTTP_STATUS[kind]
    assert (answer.json()["code"], answer.json()["facts"]) == ("some-code", {"offer_id": "off_1"})
    assert answer.headers["retry-after"] == "3"


def test_trouble_outside_is_503_with_a_time_to_come_back(door: Open) -> None:
    """A database that is away is said so, without a word of its error."""
    door.desk.route = raising(AutoReconnect(MARK))
    answer = door.client.get("/things/1")
    assert (answer.status_code, answer.json()["code"]) == (503, "store-unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert MARK not in answer.text


@pytest.mark.parametrize("path", ["/things/1", "/async"])
def test_a_bug_tells_its_id_and_no_value(door: Open, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unexpected error gives the caller an id, and the log the same id with type and line; no value in either."""
    logs.start("example", "api")
    door.desk.route = raising(KeyError(MARK))
    answer = door.client.post(path, params={"q": MARK}, content=MARK)
    assert answer.status_code == 500
    printed = capsys.readouterr()
    assert MARK not in answer.text + printed.out + printed.err
    assert answer.json()["facts"]["error_id"] in printed.out
    assert answer.json()["facts"]["error_id"] in answer.json()["message"]
    assert "test_doors_http.py" in printed.out


def test_an_answer_that_breaks_halfway_is_cut(door: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """Half an answer is never taken for a whole one, and the error's words are not logged."""
    logs.start("example", "api")
    with pytest.raises(httpx.RemoteProtocolError):
        door.client.get("/stream")
    printed = capsys.readouterr()
    assert "KeyError" in printed.out
    assert MARK not in printed.out + printed.err


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "no-such-path"), ("DELETE", "/things/1", 405, "no-such-method")],
)
def test_what_is_not_there_is_refused_in_the_same_form(
    door: Open, method: str, path: str, status: int, code: str
) -> None:
    """An unknown path or method gets the service's own error form."""
    answer = door.client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_over_the_limit_is_413_and_never_reaches_the_route(door: Open) -> None:
    """Told by its length or only as it streams, a body over the limit is refused and the client sees why."""
    begun: list[int] = []
    door.desk.route = lambda request: begun.append(len(request.state.body)) or JSONResponse({})

    def chunks() -> Iterator[bytes]:
        for _ in range(600):
            yield b"x" * 10_000

    for content in (b"x" * (LIMIT + 1), b"x" * 6_000_000, chunks()):
        answer = door.client.post("/things/1", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert door.client.post("/things/1", content=b"x" * LIMIT).status_code == 200
    assert begun == [LIMIT]


def test_an_endless_body_is_cut(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that never stops sending is answered, then cut."""
    monkeypatch.setattr(http_streams, "_LINGER_S", 0.3)
    connection = door.raw(b"POST /things/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            try:
                connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            except OSError:
                over.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert over.wait(UNTIL_S)
    sender.join()
    connection.close()


def test_a_client_that_waits_for_our_word_gets_it_before_it_sends(door: Open) -> None:
    """With "Expect: 100-continue" a body that is too large is refused before a byte of it is sent."""
    head = (
        f"POST /things/1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {LIMIT + 1}\r\n\r\n"
    )
    connection = door.raw(head.encode())
    said = closes(connection)
    assert said.startswith(b"HTTP/1.1 413")
    connection.close()


def test_a_slow_body_is_408(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not arrive in time is given up, and the connection with it."""
    monkeypatch.setattr(http_streams, "BODY_S", 0.3)
    connection = door.raw(b"POST /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
    said = closes(connection)
    assert said.startswith(b"HTTP/1.1 408")
    assert b"body-too-slow" in said
    connection.close()


@pytest.mark.parametrize("sent", [b"", b"GET /things/1 HT", b"GET /things/1 HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_slow_head_is_cut(door: Open, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """A connection on which no whole request head arrives in time is closed."""
    monkeypatch.setattr(http_server, "HEAD_S", 0.3)
    connection = door.raw(sent)
    assert closes(connection) == b""
    connection.close()


def test_a_slow_head_after_a_good_request_is_cut_too(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was used once has no more patience than a new one."""
    monkeypatch.setattr(http_server, "HEAD_S", 0.3)
    connection = door.raw(b"GET /things/1 HTTP/1.1\r\nHost: x\r\n\r\n")
    said = b""
    while not said.endswith(b"{}"):
        said += connection.recv(65_536)
    connection.sendall(b"GET /thi")
    assert closes(connection) == b""
    connection.close()


def test_slow_clients_do_not_keep_others_waiting(door: Open) -> None:
    """A hundred connections that send nothing leave the next request unharmed."""
    idle = [door.raw(b"POST /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n") for _ in range(100)]
    assert door.client.get("/things/1").status_code == 200
    for connection in idle:
        connection.close()


def test_a_client_that_leaves_in_the_middle_does_no_harm(
    door: Open, capsys: pytest.CaptureFixture[str]
) -> None:
    """A body that breaks off never reaches a route, and is no bug."""
    logs.start("example", "api")
    begun: list[int] = []
    door.desk.route = lambda request: begun.append(1) or JSONResponse({})
    connection = door.raw(b"POST /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
    connection.close()
    assert door.client.get("/things/1").status_code == 200
    assert begun == [1]
    assert '"bug"' not in capsys.readouterr().out


def test_garbage_is_refused_and_not_repeated(door: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that are no HTTP get 400; neither answer nor log repeats them."""
    logs.start("example", "api")
    connection = door.raw(MARK.encode() + b"\x00\x01\r\n\r\n")
    said = closes(connection)
    printed = capsys.readouterr()
    assert said.startswith(b"HTTP/1.1 400")
    assert MARK.encode() not in said
    assert MARK not in printed.out + printed.err
    connection.close()


def test_too_many_at_once_are_told_to_come_back(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit a request is refused at once instead of waiting (F-05)."""
    monkeypatch.setattr(http_requests, "_MOST_RUNNING", 4)
    free = threading.Event()
    door.desk.route = lambda request: JSONResponse({"free": free.wait(UNTIL_S)})
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(door.client.get, "/things/1") for _ in range(10)]
        deadline = time.monotonic() + UNTIL_S
        while sum(call.done() for call in asked) < 7:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert door.client.get("/healthz").status_code == 200
        free.set()
    statuses = sorted(call.result().status_code for call in asked)
    assert statuses == [200] * 3 + [429] * 7


def test_slow_bodies_hold_no_place(door: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many who send a byte and wait keep nobody else out."""
    monkeypatch.setattr(http_requests, "_MOST_RUNNING", 4)
    head = b"POST /things/1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"
    slow = [door.raw(head) for _ in range(10)]
    until_inside(10)
    assert door.client.get("/things/2").status_code == 200
    for connection in slow:
        connection.close()


def until_inside(count: int) -> None:
    """Waits until so many requests are being served."""
    deadline = time.monotonic() + UNTIL_S
    while metrics.HTTP_RUNNING._value.get() != count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_flood_of_one_organization_leaves_room_for_another(
    door: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who floods the door gets 429 with Retry-After at its share, while another hospital is served."""
    monkeypatch.setattr(http_requests, "_MOST_RUNNING", 16)
    free = threading.Event()
    door.desk.route = lambda request: JSONResponse({"free": free.wait(UNTIL_S)})
    pem = (folder / "issuer.pem").read_bytes()
    other = identity.mint(pem, actor_id="nurse_2", role="nurse", organization_id="er-quiet")
    headers = {"authorization": f"Bearer {other}"}
    with ThreadPoolExecutor(16) as pool:
        quiet = pool.submit(door.client.get, "/things/2", headers=headers)
        until_inside(1)
        asked = [pool.submit(door.client.get, "/things/1") for _ in range(14)]
        deadline = time.monotonic() + UNTIL_S
        while sum(call.done() for call in asked) < 6:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        again = pool.submit(door.client.get, "/things/3", headers=headers)
        until_inside(10)
        free.set()
        told = [call.result() for call in asked]
        assert (quiet.result().status_code, again.result().status_code) == (200, 200)
    refusals = [answer for answer in told if answer.status_code == 429]
    assert len(refusals) == 6 and all(answer.headers["retry-after"] == "1" for answer in refusals)
    assert {answer.json()["code"] for answer in refusals} == {"share-used"}


def test_a_page_carries_its_protection(door: Open) -> None:
    """HTML may not be framed, load foreign code or hand its address on; nothing is kept in caches."""
    door.desk.route = lambda request: HTMLResponse("<p>hello")
    headers = door.client.get("/things/1").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_a_form_is_read_or_refused(door: Open) -> None:
    """A posted form gives its fields; anything else is refused by name."""
    door.desk.route = lambda request: JSONResponse(form(request))
    assert door.client.post("/things/1", data={"answer": "accept", "note": ""}).json() == {
        "answer": "accept",
        "note": "",
    }
    assert door.client.post("/things/1", json={}).json()["code"] == "form-expected"
    bad = {"content-type": "application/x-www-form-urlencoded"}
    assert door.client.post("/things/1", content=b"a=%ff", headers=bad).json()["code"] == "form-unreadable"
    many = "&".join(f"f{n}=1" for n in range(500)).encode()
    assert door.client.post("/things/1", content=many, headers=bad).json()["code"] == "form-unreadable"


def test_readiness_says_what_is_missing(door: Open) -> None:
    """/readyz names what is away; /healthz stays 200, because the process lives."""
    assert door.client.get("/readyz").json()["is_ready"]
    door.desk.missing.append("away")
    deadline = time.monotonic() + UNTIL_S
    while (answer := door.client.get("/readyz")).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["database"]
    assert answer.json()["checks"] == {"database": "away"}
    assert door.client.get("/healthz").json() == {"is_alive": True}


def test_a_method_nobody_knows_makes_no_metric_of_its_own(door: Open) -> None:
    """Whoever asks, unknown to us, cannot write words of theirs into metrics, nor fill the memory with them."""
    for number in range(3):
        assert door.client.request(f"MARLOWE{number}", "/").status_code in (404, 405)
    text = door.client.get("/metrics").text
    assert "MARLOWE" not in text and 'method="OTHER"' in text


def test_metrics_count_by_route_and_never_by_path(door: Open) -> None:
    """A metric's label is the route's template: no id and no query ever becomes a label."""
    door.client.get(f"/things/{MARK}", params={"q": MARK})
    door.client.get(f"/nowhere/{MARK}")
    text = door.client.get("/metrics").text
    assert 'route="/things/{thing_id}"' in text
    assert MARK not in text


def test_a_span_is_named_by_route_and_continues_the_trace(door: Open, tmp_path: Path) -> None:
    """The request's span belongs to the caller's trace and holds neither path nor query."""

    @dataclass(frozen=True)
    class Where:
        spans_file: str = str(tmp_path / "spans")
        otlp_endpoint: str = ""

    telemetry.start("example", "api", Where())
    try:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        door.desk.route = lambda request: JSONResponse(telemetry.current_cause().traceparent)
        inside = door.client.get(f"/things/{MARK}?q={MARK}", headers={"traceparent": parent}).json()
    finally:
        # As a process does: the door first. The answer leaves before its span ends.
        door.server.stop(UNTIL_S)
        telemetry.stop()
    text = (tmp_path / "spans").read_text()
    span = json.loads(text)
    assert MARK not in text
    assert span["name"] == "GET /things/{thing_id}"
    assert (span["trace_id"], span["parent_id"]) == (parent.split("-")[1], parent.split("-")[2])
    assert inside == f"00-{span['trace_id']}-{span['span_id']}-01"
    assert span["attributes"] == {"method": "GET", "route": "/things/{thing_id}", "status": 200}


def test_before_the_doors_are_open_every_path_says_when_to_come_back() -> None:
    """While a process waits for its database it answers 503 with Retry-After, with any token and to any path."""

    def waiting() -> None:
        raise NotYet("ServerSelectionTimeoutError")

    server = serve(waiting_app(Settings(), Readiness({"database": waiting})), "127.0.0.1:0")
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
            answer = client.post("/fhir", content=b"{}", headers={"authorization": "Bearer x"})
            assert (answer.status_code, answer.json()["code"]) == (503, "starting")
            assert int(answer.headers["retry-after"]) >= 1
            assert client.get("/healthz").status_code == 200
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["missing"]) == (503, ["database"])
    finally:
        server.stop(0.5)


def test_stopping_lets_running_requests_end(door: Open) -> None:
    """A request that runs when the server stops is answered; the port is closed to new ones."""
    begun, free = threading.Event(), threading.Event()

    def route(request: Request) -> Response:
        begun.set()
        free.wait(UNTIL_S)
        return JSONResponse({"is_done": True})

    door.desk.route = route
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(door.client.get, "/things/1")
        assert begun.wait(UNTIL_S)
        stopping = pool.submit(door.server.stop, 8.0)
        deadline = time.monotonic() + UNTIL_S
        while _accepts(door.server.port):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        free.set()
        assert running.result().json() == {"is_done": True}
        stopping.result()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
