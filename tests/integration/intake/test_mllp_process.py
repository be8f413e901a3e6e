"""The role `mllp` as a process: stored before acknowledged, whatever dies, and nobody let in who should not be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.intake.intake_processes import ROOT, Cable, Process, running, until
from tests.integration.intake.mllp_driving import Engine
from tests.unit.intake.hl7_builders import CON, PID, PV1, RF1, SOURCES, a_referral, fields


def new_referral(number: str, control_id: str = "") -> bytes:
    """REF^I12 of somebody new, with a consent signed just now."""
    now = datetime.now(UTC)
    signed, ends = (moment.strftime("%Y%m%d%H%M%S+0000") for moment in (now, now + timedelta(days=90)))
    con = CON.replace("20261121165500", signed).replace("20270221", ends[:8])
    pid = PID.replace("MRN-70077", f"MRN-{number}").replace("WREN^J", f"WREN{number}^J")
    pv1 = PV1.replace("V-1", f"V-{number}").replace("20261121164000", signed)
    rf1 = RF1.replace("PEER-881", f"PEER-{number}")
    return a_referral(control_id=control_id or f"P{number}", pid=pid, pv1=pv1, rf1=rf1, con=con)


@pytest.fixture(scope="module")
def cable(mongo_uri: str) -> Iterator[Cable]:
    """The way to the database."""
    host, _, port = mongo_uri.split("//")[1].split("/", maxsplit=1)[0].partition(":")
    cable = Cable(host, int(port))
    yield cable
    cable.cut()


@pytest.fixture(scope="module")
def environ(intake_environ: dict[str, str], cable: Cable) -> dict[str, str]:
    """A listener that reaches the database over the cable."""
    return intake_environ | {
        "KINDRED_MONGO_URI": f"mongodb://127.0.0.1:{cable.port}/?directConnection=true",
        "KINDRED_MLLP_ADDRESS": "127.0.0.1:0",
        "KINDRED_HL7_SOURCES": ",".join(SOURCES),
        "KINDRED_MLLP_MESSAGE_BYTES": "100000",
    }


@pytest.fixture(scope="module")
def listener(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The role `mllp`, ready."""
    with running("mllp", environ, tmp_path_factory.mktemp("mllp")) as process:
        process.ready()
        yield process


def port_of(process: Process) -> int:
    """Where it listens."""
    process.ready()
    return int(next(row["port"] for row in process.lines() if row["event"] == "listening"))


def code(answer: bytes | None) -> str:
    """MSA-1."""
    assert answer is not None
    return fields(answer, "MSA")[1]


def stored(database: Any) -> int:
    """How many referrals there are."""
    return int(database.referrals.count_documents({}))


def test_a_referral_is_stored_when_it_is_acknowledged(listener: Process, intake_database: Any) -> None:
    """AA and the referral; the same message once more over another connection is told the same."""
    before = stored(intake_database)
    with Engine(port_of(listener)) as engine:
        first = engine.ask(new_referral("1"))
    assert code(first) == "AA"
    assert stored(intake_database) == before + 1
    with Engine(port_of(listener)) as engine:
        again = engine.ask(new_referral("1", control_id="RESTAMPED"))
    assert code(again) == "AA"
    assert fields(again or b"", "RF1")[11] == fields(first or b"", "RF1")[11]
    assert stored(intake_database) == before + 1


def test_bad_messages_are_answered_and_the_next_one_is_taken(listener: Process) -> None:
    """Garbage in a block, an unknown sender, and one that is too large: each is told, nobody else is hurt."""
    with Engine(port_of(listener)) as good:
        with Engine(port_of(listener)) as bad:
            assert code(bad.ask(b"not HL7 at all")) == "AR"
            assert code(bad.ask(new_referral("2").replace(b"STBRIGID", b"NOBODY", 1))) == "AR"
            bad.send_raw(b"\x0b" + new_referral("2") + b"NTE|1||" + b"x" * 200_000)
            too_large = bad.answer() or b""
            assert code(too_large) in ("AE", "AR")
            assert b"larger than is read here" in too_large
            assert bad.is_closed()
        assert code(good.ask(new_referral("3"))) == "AA"


def test_without_the_database_nothing_is_acknowledged(
    listener: Process, cable: Cable, intake_database: Any
) -> None:
    """The connection ends without a word; sent again when the database is back, it is taken once."""
    body, before = new_referral("4"), stored(intake_database)
    cable.cut()
    with Engine(port_of(listener)) as engine:
        assert engine.ask(body) is None
    status = f"http://127.0.0.1:{listener.ready()['http_port']}/readyz"
    until("it says so", lambda: httpx.get(status).status_code == 503)
    cable.mend()

    def taken() -> bool:
        with Engine(port_of(listener)) as engine:
            return b"MSA|AA" in (engine.ask(body) or b"")

    until("taken", taken)
    assert stored(intake_database) == before + 1
    until("ready again", lambda: httpx.get(status).status_code == 200)


def test_what_a_killed_listener_acknowledged_is_there(
    environ: dict[str, str], intake_database: Any, tmp_path: Path
) -> None:
    """Killed under load: every AA has its referral, and what is sent again makes no second one."""
    bodies = [new_referral(f"5{number:02}") for number in range(40)]
    acknowledged = 0
    with running("mllp", environ, tmp_path) as doomed, Engine(port_of(doomed)) as engine:
        before = stored(intake_database)
        engine.send(*bodies)
        while acknowledged < 10:
            assert code(engine.answer()) == "AA"
            acknowledged += 1
        doomed.popen.kill()
        while engine.answer() is not None:
            acknowledged += 1
    assert before + acknowledged <= stored(intake_database) <= before + acknowledged + 1
    with running("mllp", environ, tmp_path) as second, Engine(port_of(second)) as engine:
        assert [code(engine.ask(body)) for body in bodies] == ["AA"] * len(bodies)
        second.popen.send_signal(signal.SIGTERM)
        assert engine.is_closed()
        assert second.popen.wait(30) == 0
    assert stored(intake_database) == before + len(bodies)


def test_it_does_not_listen_to_strangers_in_clear(environ: dict[str, str], tmp_path: Path) -> None:
    """Off this machine TLS with client certificates is wanted, or the operator's word; else it says why and ends."""
    done = subprocess.run(
        [sys.executable, "-m", "services.intake", "mllp"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}",
            **environ,
            "KINDRED_MLLP_ADDRESS": "0.0.0.0:0",
        },
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert "KINDRED_MLLP_TLS_CERT" in done.stderr


def test_the_log_holds_no_message(listener: Process) -> None:
    """Neither names nor numbers nor addresses."""
    text = listener.log.read_text()
    for word in ("QUILLFEATHER", "WREN", "MRN-", "PEER-", "MSH|"):
        assert word not in text
