"""What may be in a log line, tried with marked values that must never be in one."""

from __future__ import annotations

import ast
import json
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import kombu
import pytest
from kombu.mixins import ConsumerMixin

from chassis import logs

MARK = "Marisol-Quintero-1987"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    """Starts the logs; call the result for the lines so far, each parsed. Other tests get their logging back."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook, sys.unraisablehook
    logs.start("example", "api", "info")

    def read() -> list[dict[str, object]]:
        out = capsys.readouterr()
        assert MARK not in out.out
        assert MARK not in out.err
        return [json.loads(line) for line in out.out.splitlines()]

    yield read
    root.handlers[:], root.level, sys.excepthook, threading.excepthook, sys.unraisablehook = before
    logging.raiseExceptions = True


def test_ids_and_counts_are_written(lines: object) -> None:
    """A line says what happened, to which id, in which service and role."""
    logs.get().info("referral.stored", referral_id="ref_01", offer_count=3, taken_s=0.5, is_ready=True)
    (line,) = lines()
    assert line["event"] == "referral.stored"
    assert (line["referral_id"], line["offer_count"], line["taken_s"]) == ("ref_01", 3, 0.5)
    assert (line["service"], line["role"], line["level"]) == ("example", "api", "info")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": MARK},
        {"patient": MARK},
        {"body": {"name": MARK}},
        {"referral_id": f"{MARK} and a sentence"},
        {"referral_id": {"name": MARK}},
        {"referral_ids": [f"{MARK} x"]},
        {"address_id": f"{MARK}@example.org"},
        {"correlation_id": MARK + "\n" + MARK},
        {f"field of {MARK}": 1},
    ],
)
def test_what_is_not_allowed_is_dropped(lines: object, fields: dict[str, object]) -> None:
    """A field with an unknown name, or a value that could be a sentence, is dropped and only its name is told."""
    logs.get().warning("something", **fields)
    (line,) = lines()
    assert line["dropped"]


def test_an_event_with_a_value_in_it_loses_its_text(lines: object) -> None:
    """An event that is no plain text is not written."""
    logs.get().info(f"sent to {MARK}@example.org")
    (line,) = lines()
    assert line["event"] == "unnamed"


def test_an_error_is_a_type_and_a_place(lines: object) -> None:
    """An exception is logged as its type and line, never as its words."""
    try:
        raise KeyError(MARK) from ValueError(MARK)
    except KeyError as error:
        logs.get().error("bug", exc_info=error)
    (line,) = lines()
    assert line["error"] == "KeyError"
    assert line["cause_code"] == "ValueError"
    assert str(line["where"]).startswith("tests/unit/chassis/test_logs.py:")


@pytest.mark.parametrize(
    "name", ["kombu", "amqp", "nameko.messaging", "uvicorn.error", "pymongo.topology", "grpc"]
)
def test_other_peoples_messages_are_never_written(lines: object, name: str) -> None:
    """A library's message, its arguments and its error's words stay out; logger, file and line stay in."""
    logger = logging.getLogger(name)
    logger.error("Can't decode message body: %r", MARK)
    logger.warning(f"body was {MARK}")
    logger.info(MARK)
    try:
        raise UnicodeError(MARK)
    except UnicodeError:
        logger.exception(f"again {MARK}")
    written = lines()
    assert [line["library"] for line in written] == [name] * 3
    assert written[2]["error"] == "UnicodeError"
    assert all("test_logs.py:" in str(line["where"]) for line in written)


def test_a_body_that_kombu_cannot_decode_is_not_logged(lines: object) -> None:
    """Kombu's own complaint about an undecodable message holds the raw body; ours does not (RELIABILITY, finding 1)."""
    with kombu.Connection("memory://") as connection:
        queue = kombu.Queue("broken", kombu.Exchange("broken"), routing_key="broken", channel=connection)
        queue.declare()
        producer = kombu.Producer(connection, exchange=queue.exchange, routing_key="broken")
        producer.publish(f'{{"name": "{MARK}"', content_type="application/json", content_encoding="utf-8")
        complain = ConsumerMixin().on_decode_error
        with kombu.Consumer(connection, [queue], callbacks=[_take], on_decode_error=complain):
            connection.drain_events(timeout=5)
    (line,) = lines()
    assert str(line["library"]).startswith("kombu")


def test_a_logger_made_before_the_start_is_caught_too(lines: object) -> None:
    """A library that put a handler of its own on its logger has it taken away."""
    early = logging.getLogger("early.bird")
    early.addHandler(logging.StreamHandler())
    early.propagate = False
    logs.start("example", "api", "info")
    early.error(MARK)
    (line,) = lines()
    assert line["library"] == "early.bird"


def test_uncaught_errors_of_threads_are_reduced(lines: object) -> None:
    """A thread that dies says which type and line, and no traceback with values is printed."""

    def die() -> None:
        raise RuntimeError(MARK)

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    (line,) = lines()
    assert line["error"] == "RuntimeError"


def test_bound_fields_are_on_every_line_of_a_request(lines: object) -> None:
    """A correlation id bound around a request is on its lines and on no later one."""
    with logs.bound(correlation_id="req_1"):
        logs.get().info("inside")
    logs.get().info("outside")
    inside, outside = lines()
    assert inside["correlation_id"] == "req_1"
    assert "correlation_id" not in outside


def test_a_closed_stdout_does_not_fail_the_work(monkeypatch: pytest.MonkeyPatch, lines: object) -> None:
    """Nobody reading the log is no reason to fail a request."""

    class Gone:
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None: ...

    monkeypatch.setattr(sys, "stdout", Gone())
    logs.get().info("still working")


def test_every_event_in_the_code_is_a_constant() -> None:
    """No log call in the code builds its event from values."""
    loose = []
    for folder in ("chassis", "services", "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if _is_log_call(node) and not _is_constant_text(node.args[0]):
                    loose.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert loose == []


def _take(body: object, message: object) -> None:
    raise AssertionError("it was decoded")


def _is_log_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("debug", "info", "warning", "error", "critical")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
        and bool(node.args)
    )


def _is_constant_text(node: ast.AST) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_constant_text(node.body) and _is_constant_text(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
