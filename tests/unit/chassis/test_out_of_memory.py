"""What is taken for a lack of memory, and where a process ends because of it."""

import errno
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from pymongo.errors import AutoReconnect

from chassis import answers, out_of_memory
from chassis.envelope import Envelope
from chassis.hearing import Heard, Listening
from chassis.receiving import calling

_ENVELOPE = Envelope(
    "evt-1", "a.b.v1", "intake", datetime(2026, 1, 1, tzinfo=UTC), "ref-1", 1, 1, "c", "", "", b""
)


class Ended(BaseException):
    """In place of the end of this process."""


@pytest.fixture
def ends(monkeypatch):
    """The process would end: told as an exception."""

    def end(code):
        raise Ended(code)

    monkeypatch.setattr(out_of_memory.end_if_meant, "__defaults__", (end,))


def _wrapped(inner):
    try:
        try:
            raise inner
        except Exception as cause:
            raise AutoReconnect("gone") from cause
    except AutoReconnect as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "is_meant"),
    [
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (_wrapped(OSError(errno.ENOMEM, "Cannot allocate memory")), True),
        (_wrapped(OSError(errno.ECONNRESET, "reset")), False),
        (RuntimeError("cannot schedule new futures after shutdown"), False),
        (ValueError("can't start new thread"), False),
    ],
)
def test_a_lack_of_memory_is_known_by_its_kind(error, is_meant):
    """No allocation, no thread, ENOMEM, also below another error; nothing else."""
    assert out_of_memory.is_meant(error) is is_meant


def test_a_chain_that_bites_its_tail_is_walked_once():
    """An error that is its own context ends the walk."""
    one, other = ValueError(), KeyError()
    one.__context__, other.__context__ = other, one
    assert not out_of_memory.is_meant(one)


def test_a_listener_without_memory_ends_the_process(ends):
    """Its event is not taken for one that our code cannot handle: it comes again to the next process."""

    class Worker:
        def hear(self, _):
            raise MemoryError

    listening = Listening("hear", "a.b.v1", batch=1, wait_s=0.0)
    with pytest.raises(Ended) as ended:
        calling.call(Worker(), "audit", listening, [Heard(_ENVELOPE, None, _ENVELOPE.cause(), False)])
    assert ended.value.args == (out_of_memory.EXIT_CODE,)


_HUB = """
import eventlet
eventlet.monkey_patch()
from chassis.hosts.hub import end_without_memory
end_without_memory()
def forgotten():
    raise {error}
eventlet.hubs.get_hub().schedule_call_global(0, forgotten)
eventlet.sleep(0.01)
raise SystemExit(3)
"""


@pytest.mark.parametrize(("error", "code"), [("MemoryError", out_of_memory.EXIT_CODE), ("ValueError", 3)])
def test_a_greenlet_the_hub_cannot_resume_ends_the_process(error, code):
    """The hub would go on without it, with its message in hand for as long as the connection lasts; other errors stay."""
    argv, env = [sys.executable, "-c", _HUB.format(error=error)], {"PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(argv, env=env, capture_output=True, check=False, timeout=60)
    assert ended.returncode == code
    assert (b"process.out-of-memory" in ended.stderr) is (code == out_of_memory.EXIT_CODE)


def test_a_door_without_memory_ends_the_process(ends):
    """Whoever called hears that the connection is gone, and tries again; not that there is a bug."""
    with pytest.raises(Ended):
        answers.refusal_for(RuntimeError("can't start new thread"))
    assert answers.refusal_for(ValueError()) is None
