"""What one operation costs with the library alone, on the same mongod, broker, certificates and machine as Kindred.

Nothing of Kindred is used: no trace, no check, no outbox.  CPU in milliseconds of the process that uses the library; a
gRPC call is served, a message published (with its confirm) and taken (with its acknowledgment), a command answered by
the database (majority and journal for a write), a mail handed over on a connection that is kept.
"""

from __future__ import annotations

import smtplib
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import grpc
import psutil
from kombu import Connection
from kombu.pools import producers
from pymongo import MongoClient

from tests.driving import Running

TIMES = 600
_BODY_BYTES = 900
_METHOD = "/bare.Echo/Say"
_THREADS = 8


def costs(running: Running, request_bytes: int, document_bytes: int, mail_bytes: int) -> dict[str, float]:
    """CPU milliseconds of one operation of each library, by name."""
    folder = Path(running.known.keys_dir)
    return {
        "grpc call": _call(folder, request_bytes),
        **_commands(running.known.mongo_uri, document_bytes),
        **_messages(running.known.amqp_uri),
        "mail": _mail(running.known.smtp, mail_bytes),
    }


def _each_ms(work: Callable[[], object], times: int = TIMES) -> float:
    """CPU of this process for one of them."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e3


def _commands(uri: str, document_bytes: int) -> dict[str, float]:
    client: MongoClient[dict[str, Any]] = MongoClient(uri, w="majority", journal=True)
    rows = client["kindred_bare"]["rows"]
    text = "x" * document_bytes
    rows.insert_one({"_id": "one", "text": text})
    try:
        return {
            "database write": _each_ms(lambda: rows.insert_one({"text": text})),
            "database read": _each_ms(lambda: rows.find_one({"_id": "one"})),
        }
    finally:
        client.drop_database("kindred_bare")
        client.close()


def _messages(uri: str) -> dict[str, float]:
    body = b"x" * _BODY_BYTES
    with Connection(uri, transport_options={"confirm_publish": True}) as connection:
        channel = connection.channel()
        channel.queue_declare("bare", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        try:
            with producers[connection].acquire(block=True) as producer:
                said = _each_ms(
                    lambda: producer.publish(body, routing_key="bare", delivery_mode=2, content_type="x/y")
                )
            return {"message out": said, "message in": _heard_ms(connection, channel)}
        finally:
            channel.queue_delete("bare")


def _heard_ms(connection: Connection, channel: Any) -> float:
    heard = 0

    def on_message(message: Any) -> None:
        nonlocal heard
        channel.basic_ack(message.delivery_info["delivery_tag"])
        heard += 1

    channel.basic_qos(0, 16, False)
    channel.basic_consume("bare", callback=on_message)
    began = time.process_time()
    while heard < TIMES:
        connection.drain_events(timeout=10)
    return (time.process_time() - began) / heard * 1e3


def _mail(address: str, mail_bytes: int) -> float:
    host, _, port = address.rpartition(":")
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "a@kindred.example", "b@harbor.example", "bare"
    letter.set_content("\n".join(["x" * 70] * (mail_bytes // 71)))
    raw = letter.as_bytes(policy=SMTP)
    with smtplib.SMTP(host, int(port)) as post:
        return _each_ms(lambda: post.sendmail("a@kindred.example", ["b@harbor.example"], raw), 200)


def _call(folder: Path, request_bytes: int) -> float:
    """CPU of a server in a process of its own, under mutual TLS, for one call with the token's bytes."""
    argv = [sys.executable, "-m", "tests.bench.budget.bare", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        own, trusted = ((folder / name).read_bytes() for name in ("tls.cli.pem", "tls.ca.pem"))
        credentials = grpc.ssl_channel_credentials(trusted, own, own)
        try:
            with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
                say = channel.unary_unary(_METHOD)
                sent = [("authorization", f"Bearer {'x' * 600}"), ("x-purpose-of-use", "TREAT")]
                body = b"x" * request_bytes
                say(body, timeout=5, metadata=sent)
                began = _cpu_s(server.pid)
                with ThreadPoolExecutor(4) as pool:
                    list(pool.map(lambda _: say(body, timeout=5, metadata=sent), range(TIMES)))
                return (_cpu_s(server.pid) - began) / TIMES * 1e3
        finally:
            server.terminate()


def _cpu_s(pid: int) -> float:
    return sum(psutil.Process(pid).cpu_times()[:2])


def _serve(folder: Path) -> None:
    def say(request: bytes, context: grpc.ServicerContext) -> bytes:
        return b"x" * 60

    server = grpc.server(ThreadPoolExecutor(_THREADS))
    handler = grpc.method_handlers_generic_handler(
        "bare.Echo", {"Say": grpc.unary_unary_rpc_method_handler(say)}
    )
    server.add_generic_rpc_handlers((handler,))
    own, trusted = ((folder / name).read_bytes() for name in ("intake/tls.intake.pem", "tls.ca.pem"))
    credentials = grpc.ssl_server_credentials([(own, own)], trusted, require_client_auth=True)
    print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
