"""The listener on real sockets: what bad, slow, large, many and dying senders do to everybody else, which is nothing."""

from __future__ import annotations

import select
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from chassis.readiness import NotYet
from services.intake.hl7v2 import certified
from services.intake.hl7v2 import listening as listening_room
from services.intake.hl7v2.crowd import Limits
from services.intake.hl7v2.framing import framed
from services.intake.hl7v2.listening import Listener
from tests.integration.intake.intake_processes import until
from tests.integration.intake.mllp_driving import Engine
from tests.integration.notifications.certificates import THIS_MACHINE, an_authority


def echo(message: bytes) -> bytes:
    """An answer that tells which message it answers."""
    return b"MSA|AA|" + message


@contextmanager
def listening(
    handle: Callable[[bytes], bytes | None] = echo, *, tls: ssl.SSLContext | None = None, **limits: Any
) -> Iterator[Listener]:
    """A listener of this process with these limits."""
    listener = Listener(
        "127.0.0.1:0",
        handle=handle,
        refuse=lambda head: b"MSA|AR|" + head[:10],
        limits=Limits(**limits),
        tls=tls,
        threads=4,
    )
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    until("it listens", lambda: _is_there(listener))
    try:
        yield listener
    finally:
        listener.stop(10)
        thread.join(10)
        assert not thread.is_alive()


def _is_there(listener: Listener) -> bool:
    try:
        listener.check()
    except NotYet:
        return False
    return True


def test_messages_of_a_connection_are_answered_in_their_order() -> None:
    """Three messages in one packet get three answers, the first one first."""
    with listening() as listener, Engine(listener.port) as engine:
        engine.send(b"one", b"two", b"three")
        assert [engine.answer() for _ in range(3)] == [echo(b"one"), echo(b"two"), echo(b"three")]


def test_messages_that_share_a_block_get_an_answer_each() -> None:
    """An engine that puts a batch into one block is told of every message in it, in order."""
    one, other = b"MSH|^~\\&|A|1", b"MSH|^~\\&|A|2"
    with listening() as listener, Engine(listener.port) as engine:
        engine.send(b"BHS|^~\\&\r" + one + b"\r" + other + b"\rBTS|2\r", b"next")
        assert [engine.answer() for _ in range(3)] == [echo(one), echo(other), echo(b"next")]


def test_a_message_is_not_begun_before_the_last_one_was_answered() -> None:
    """What a hospital sends over one connection takes effect in its order."""
    running, most = [0], [0]
    lock = threading.Lock()

    def counted(message: bytes) -> bytes:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        return echo(message)

    with listening(counted) as listener, Engine(listener.port) as engine:
        engine.send(*[b"%d" % number for number in range(50)])
        assert [engine.answer() for _ in range(50)] == [echo(b"%d" % number) for number in range(50)]
    assert most == [1]


def test_a_message_that_takes_long_holds_up_nobody_else() -> None:
    """While one connection's message waits for the store, another's is answered."""
    gate = threading.Event()

    def handle(message: bytes) -> bytes:
        if message == b"slow":
            gate.wait(20)
        return echo(message)

    with listening(handle) as listener, Engine(listener.port) as slow, Engine(listener.port) as quick:
        slow.send(b"slow")
        assert quick.ask(b"quick") == echo(b"quick")
        gate.set()
        assert slow.answer() == echo(b"slow")


def test_half_a_message_is_cut_at_its_deadline_and_never_handled() -> None:
    """Also where a byte comes now and then: the deadline is the message's, not the byte's."""
    seen: list[bytes] = []

    def handle(message: bytes) -> bytes:
        seen.append(message)
        return echo(message)

    with (
        listening(handle, message_s=0.4) as listener,
        Engine(listener.port) as half,
        Engine(listener.port) as dripping,
        Engine(listener.port) as whole,
    ):
        half.send_raw(b"\x0bMSH|never ended")
        stop = threading.Event()

        def drip() -> None:
            dripping.send_raw(b"\x0b")
            while not stop.wait(0.05):
                try:
                    dripping.socket.sendall(b"x")
                except OSError:
                    return

        dripper = threading.Thread(target=drip)
        dripper.start()
        assert whole.ask(b"whole") == echo(b"whole")
        assert half.is_closed()
        assert dripping.is_closed()
        stop.set()
        dripper.join()
        assert whole.ask(b"again") == echo(b"again")
    assert seen == [b"whole", b"again"]


def test_an_idle_connection_is_closed() -> None:
    """A connection that says nothing for long is not kept for ever."""
    with listening(idle_s=0.3) as listener, Engine(listener.port) as engine:
        assert engine.ask(b"one") == echo(b"one")
        assert engine.is_closed()


def test_ten_megabytes_are_refused_by_word_and_harm_nobody() -> None:
    """The sender reads why, and its next message is taken on the same connection; nothing of the large one is kept."""
    held: list[int] = []
    with (
        listening(message_bytes=100_000) as listener,
        Engine(listener.port) as large,
        Engine(listener.port) as neighbor,
    ):
        hold = listener._crowd.hold
        listener._crowd.hold = lambda line, count: (held.append(count), hold(line, count))[1]
        sender = threading.Thread(target=large.send_raw, args=(framed(b"MSH|^~\\&|" + b"x" * 10_000_000),))
        sender.start()
        assert neighbor.ask(b"small") == echo(b"small")
        assert large.answer() == b"MSA|AR|MSH|^~\\&|x"
        sender.join()
        assert large.ask(b"next") == echo(b"next")
        assert neighbor.ask(b"small") == echo(b"small")
    assert max(held) < 100_000 + 2 * 65_536


def test_a_message_that_never_ends_costs_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is refused and falls silent in the middle of the message is closed; who begins a new one is answered."""
    monkeypatch.setattr(listening_room, "_LINGER_S", 0.2)
    with listening(message_bytes=1_000) as listener:
        with Engine(listener.port) as endless:
            endless.send_raw(b"\x0bMSH|^~\\&|" + b"x" * 5_000)
            assert endless.answer() == b"MSA|AR|MSH|^~\\&|x"
            assert endless.is_closed()
        with Engine(listener.port) as again:
            again.send_raw(b"\x0bMSH|^~\\&|" + b"x" * 5_000)
            assert again.answer() == b"MSA|AR|MSH|^~\\&|x"
            assert again.ask(b"MSH|^~\\&|new") == echo(b"MSH|^~\\&|new")


def test_one_address_cannot_take_every_place() -> None:
    """A flood from one machine is refused beyond its share; another machine is served."""
    with listening(per_address=5, connections=10) as listener:
        flood = [Engine(listener.port, source="127.0.0.2") for _ in range(30)]
        with Engine(listener.port, source="127.0.0.3") as other:
            assert other.ask(b"here") == echo(b"here")
        assert sum(engine.is_closed() for engine in flood[5:]) == 25
        assert flood[0].ask(b"still") == echo(b"still")
        for engine in flood:
            engine.socket.close()


def test_silent_connections_make_room_for_one_that_speaks() -> None:
    """When all places are taken, the one that said nothing for longest goes, and never one that has spoken."""
    with listening(per_address=100, connections=4) as listener, Engine(listener.port) as speaker:
        assert speaker.ask(b"one") == echo(b"one")
        silent = [Engine(listener.port) for _ in range(3)]
        for number in range(5):
            with Engine(listener.port) as newcomer:
                assert newcomer.ask(b"%d" % number) == echo(b"%d" % number)
        assert silent[0].is_closed()
        assert speaker.ask(b"two") == echo(b"two")
        for engine in silent:
            engine.socket.close()


def test_half_messages_of_many_cannot_fill_the_memory() -> None:
    """Together they may hold so much; the one that holds most goes first, and a small message gets through."""
    with listening(message_bytes=1_000_000, waiting_bytes=1_500_000) as listener:
        hoarders = [Engine(listener.port) for _ in range(3)]
        for engine in hoarders:
            engine.send_raw(b"\x0b" + b"x" * 700_000)
        with Engine(listener.port) as small:
            assert small.ask(b"small") == echo(b"small")
        hoarders[2].send_raw(b"x" * 100_000)
        ended, _, _ = select.select([engine.socket for engine in hoarders], [], [], 20)
        assert ended
        for engine in hoarders:
            engine.socket.close()


def test_what_could_not_be_stored_is_not_acknowledged() -> None:
    """With a part away the connection ends without a word, and the sender sends again later."""
    with listening(lambda _: None) as listener, Engine(listener.port) as engine:
        assert engine.ask(b"one") is None


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.1\r\n\r\n" * 500, bytes(range(256)) * 40, b"\x16\x03\x01" * 4_000]
)
def test_another_protocol_is_shown_the_door(noise: bytes) -> None:
    """Rubbish ends its own connection and nothing else."""
    with listening(message_s=1.0) as listener, Engine(listener.port) as engine, Engine(listener.port) as good:
        engine.send_raw(noise.replace(b"\x0b", b"").replace(b"\x1c", b""))
        assert engine.is_closed()
        assert good.ask(b"one") == echo(b"one")


def test_a_stop_answers_what_is_in_hand_and_closes_the_rest() -> None:
    """The message being handled gets its answer; what came after it is not begun and not acknowledged."""
    begun, gate, seen = threading.Event(), threading.Event(), []

    def handle(message: bytes) -> bytes:
        seen.append(message)
        begun.set()
        gate.wait(20)
        return echo(message)

    with listening(handle) as listener, Engine(listener.port) as idle, Engine(listener.port) as busy:
        busy.send(b"first", b"second")
        assert begun.wait(20)
        stopping = threading.Thread(target=listener.stop)
        stopping.start()
        assert idle.is_closed()
        gate.set()
        assert busy.answer() == echo(b"first")
        assert busy.is_closed()
        stopping.join(20)
        with pytest.raises(OSError):
            Engine(listener.port)
    assert seen == [b"first"]


def test_with_tls_nobody_speaks_without_a_certificate_of_ours(tmp_path: Path) -> None:
    """A known client is served; one without a certificate, and one without TLS, are not, and harm nobody."""
    authority = an_authority(tmp_path / "authority")
    server = authority.server(THIS_MACHINE)
    server.load_verify_locations(authority.file)
    server.verify_mode = ssl.CERT_REQUIRED
    known = ssl.create_default_context(cafile=str(authority.file))
    known.load_cert_chain(tmp_path / "authority" / "server.pem")
    stranger = ssl.create_default_context(cafile=str(authority.file))
    with listening(tls=server, message_s=2.0) as listener, Engine(listener.port, tls=known) as engine:
        assert engine.ask(b"one") == echo(b"one")
        with Engine(listener.port) as plain:
            plain.send_raw(framed(b"plain"))
            assert plain.is_closed()
        with pytest.raises((ssl.SSLError, ConnectionError)), Engine(listener.port, tls=stranger) as refused:
            refused.socket.sendall(framed(b"who"))
            while refused.socket.recv(100):
                pass
            raise ConnectionError("closed")
        assert engine.ask(b"two") == echo(b"two")


def test_each_message_is_handled_with_the_names_of_its_own_connections_certificate(tmp_path: Path) -> None:
    """Two engines on one listener: a thread that answers both never takes the one for the other."""
    authority, clients = an_authority(tmp_path / "authority"), []
    for name in ("engine.st-brigid.example", "engine.harbor.example"):
        authority.server(x509.DNSName(name))
        client = ssl.create_default_context(cafile=str(authority.file))
        client.load_cert_chain(tmp_path / "authority" / "server.pem")
        clients.append(client)
    server = authority.server(THIS_MACHINE)
    server.load_verify_locations(authority.file)
    server.verify_mode = ssl.CERT_REQUIRED

    def names(_: bytes) -> bytes:
        return ",".join(sorted(certified.shown.get() or ())).encode()

    with (
        listening(names, tls=server) as listener,
        Engine(listener.port, tls=clients[0]) as brigid,
        Engine(listener.port, tls=clients[1]) as harbor,
    ):
        for _ in range(3):
            assert b"engine.st-brigid.example" in brigid.ask(b"one")
            told = harbor.ask(b"two")
            assert b"engine.harbor.example" in told and b"brigid" not in told
