"""The processes that hold a key and a memory and nothing else: the signer and the witness.

Neither has a database, a broker or a service's keys. Each answers over HTTP, with threads of the standard library.
"""

from __future__ import annotations

import hmac
import socketserver
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

from chassis import core_files, failpoints, lifecycle, logs
from chassis.clock import SystemClock
from chassis.lifecycle import Stopping
from chassis.readiness import Readiness, page
from chassis.settings import SettingsFaults, read, setting
from chassis.thread_each import ThreadEach
from services.audit.domain.entry import LogBroken
from services.audit.keepers.asking import PREVIOUS
from services.audit.keepers.remembered import RememberedNotes
from services.audit.keepers.signer import Signer
from services.audit.keepers.witness import SIZE_TYPE, Witness, WitnessRefused
from services.audit.tlog.checkpoints import CheckpointRefused, parse_checkpoint
from services.audit.tlog.cosignatures import Cosigner
from services.audit.tlog.notes import NoteSigner, NoteVerifier
from services.audit.tlog.submissions import SubmissionMalformed, decode_submission

_SLOW_CLIENT_S = 5.0
_MOST_BYTES = 64_000
log = logs.get()

# status, content type, body
Answer = tuple[int, str, bytes]
# method, path, headers, body -> the answer, or None for a path that is not served
Route = Callable[[str, str, Mapping[str, str], bytes], Answer | None]


@dataclass(frozen=True, kw_only=True)
class KeeperSettings:
    """What such a process is told. `keys_dir` holds its key and what it must know of others; `state_dir` its memory."""

    keys_dir: Path = setting("KINDRED_KEYS_DIR")
    state_dir: Path = setting("KINDRED_STATE_DIR")
    http_address: str = setting("KINDRED_HTTP_ADDRESS", "127.0.0.1:0")
    audit_origin: str = setting("KINDRED_AUDIT_ORIGIN", "kindred.local/audit")
    witness_name: str = setting("KINDRED_WITNESS_NAME", "kindred.local/witness")
    log_level: str = setting("KINDRED_LOG_LEVEL", "info")
    failpoints: str = setting("KINDRED_FAILPOINTS", "")


def run_signer(environ: Mapping[str, str]) -> int:
    """Signs until told to stop. Its folder holds `audit.signer.pem` and `audit.signer.token`."""
    return _run("signer", environ, lambda settings: signer_route(*build_signer(settings)))


def run_witness(environ: Mapping[str, str]) -> int:
    """Cosigns until told to stop. Its folder holds `witness.pem` and `audit.signer.pub.pem`."""
    return _run("witness", environ, lambda settings: witness_route(build_witness(settings)))


def build_signer(settings: KeeperSettings) -> tuple[Signer, str]:
    """The signer, and the token that those who may ask it send."""
    key = NoteSigner.from_pem(settings.audit_origin, (settings.keys_dir / "audit.signer.pem").read_bytes())
    token = (settings.keys_dir / "audit.signer.token").read_text(encoding="ascii").strip()
    return Signer(RememberedNotes(settings.state_dir), key), token


def build_witness(settings: KeeperSettings) -> Witness:
    """The witness of the logs whose names begin with the origin, all under one key."""
    pem = (settings.keys_dir / "audit.signer.pub.pem").read_bytes()
    origin = settings.audit_origin

    def key_of(name: str) -> NoteVerifier | None:
        is_ours = name == origin or name.startswith(f"{origin}/")
        return NoteVerifier.from_pem(name, pem) if is_ours else None

    key = Cosigner.from_pem(settings.witness_name, (settings.keys_dir / "witness.pem").read_bytes())
    return Witness(RememberedNotes(settings.state_dir), key, key_of, SystemClock())


def signer_route(signer: Signer, token: str) -> Route:
    """POST /sign and GET /last/<origin>, for those who send the token."""

    def route(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if not hmac.compare_digest(headers.get("authorization", ""), f"Bearer {token}"):
            return 401, "text/plain", b"signer-token-missing\n"
        if (method, path) == ("POST", "/sign"):
            return _sign(signer, bytes.fromhex(headers.get(PREVIOUS, "")), body)
        if method == "GET" and path.startswith("/last/"):
            note = signer.last_note(unquote(path.removeprefix("/last/")))
            return (200, "text/plain; charset=utf-8", note) if note else (404, "text/plain", b"none\n")
        return None

    return route


def _sign(signer: Signer, previous: bytes, body: bytes) -> Answer:
    """200 with the note; 409 with the size it has signed up to; 422 with what is wrong and where."""
    try:
        submission = decode_submission(body)
        checkpoint = parse_checkpoint(submission.checkpoint.decode())
        last = signer.known(checkpoint.origin, previous)
        if last is not None and last.size != submission.old_size and last != checkpoint:
            return 409, SIZE_TYPE, f"{last.size}\n".encode()
        note = signer.sign(checkpoint, lambda _: list(submission.proof), previous)
    except (SubmissionMalformed, CheckpointRefused, UnicodeDecodeError):
        return 400, "text/plain", b"malformed\n"
    except LogBroken as broken:
        log.error("not signed", code=broken.code)
        return 422, "text/plain", f"{broken.code}\n{broken.detail}".encode()
    return 200, "text/plain; charset=utf-8", note


def witness_route(witness: Witness) -> Route:
    """POST /add-checkpoint (C2SP tlog-witness), and GET /last/<origin> for monitors; open to everybody."""

    def route(method: str, path: str, _: Mapping[str, str], body: bytes) -> Answer | None:
        if (method, path) == ("POST", "/add-checkpoint"):
            try:
                return 200, "text/plain; charset=utf-8", witness.add_checkpoint(body)
            except WitnessRefused as refused:
                if refused.status == 422:
                    log.error("a log contradicts what it showed before", status=refused.status)
                return refused.status, refused.content_type, refused.body.encode()
        if method == "GET" and path.startswith("/last/"):
            note = witness.last(unquote(path.removeprefix("/last/")))
            return (200, "text/plain; charset=utf-8", note) if note else (404, "text/plain", b"none\n")
        return None

    return route


def _run(role: str, environ: Mapping[str, str], build: Callable[[KeeperSettings], Route]) -> int:
    try:
        core_files.forbid(is_production=False)
        settings = read(KeeperSettings, environ)
        failpoints.enable(settings.failpoints)
        logs.start("audit", role, settings.log_level)
        route = build(settings)
    except (SettingsFaults, OSError, ValueError) as fault:
        sys.stderr.write(f"kindred audit {role} cannot start:\n{fault}\n")
        return lifecycle.EXIT_SETTINGS
    stopping = Stopping()
    stopping.listen()
    readiness = Readiness({"memory": lambda: _require_folder(settings.state_dir)})
    with lifecycle.listening(settings.http_address):
        server = open_server(settings.http_address, route, readiness)
    Thread(target=server.serve_forever, args=(0.2,), name=role, daemon=True).start()
    log.info("ready", http_port=server.server_address[1])
    stopping.wait()
    readiness.stop()
    server.shutdown()
    server.server_close()
    return lifecycle.end(stopping)


def _require_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def open_server(address: str, route: Route, readiness: Readiness) -> HTTPServer:
    """Listens; `serve_forever` answers. Raises OSError where the address cannot be bound."""
    host, _, port = address.rpartition(":")
    return _Server((host.strip("[]"), int(port)), _handler(route, readiness))


class _Server(ThreadEach, HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def server_bind(self) -> None:
        # HTTPServer asks DNS for the host's name here, which can take long or fail; nobody needs it.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "kindred", self.server_address[1]


def _handler(route: Route, readiness: Readiness) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SLOW_CLIENT_S
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            self._say(page(path, readiness) or self._routed("GET", b""))

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdigit() or int(length) > _MOST_BYTES:
                self.close_connection = True
                self._say((413, "text/plain", b"too large, or no length\n"))
                return
            self._say(self._routed("POST", self.rfile.read(int(length))))

        def _routed(self, method: str, body: bytes) -> Answer:
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                answer = route(method, self.path.partition("?")[0], headers, body)
            except Exception as bug:
                log.error("unexpected error", exc_info=bug)
                answer = 500, "text/plain", b"internal\n"
            return answer or (404, "text/plain", b"no such path\n")

        def _say(self, answer: Answer) -> None:
            status, content_type, body = answer
            self.send_response_only(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.send_header("cache-control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the default writes client and path to stderr."""

    return Handler
