"""What each part of security costs intake's doors, side by side in one run: everything on, each part off, all off.

python -m cli.local.testbed tests.bench.security_bench [seconds]     PARTS=token,tls WORK=look for some of it
A part is switched off here and nowhere else: no setting of a service does it.  Every variant stands ready from the
beginning, with a client process of its own, and they take turns in slices of about a third of a second in an order
that is drawn anew each round.  What is told is the median of what a variant was in each round beside "all off" in the
same round, so that a machine that becomes slower or faster becomes so for all of them.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
from bson import Binary
from bson.codec_options import CodecOptions

from chassis import garbage, grpc_client, identity, mongo, roles, tls
from chassis.grpc_server import GrpcService, build_server
from chassis.identity import Caller
from chassis.policy import AnyDoor
from chassis.settings import read
from cli.local import authority, keys
from kindred.intake.v1 import intake_pb2, intake_pb2_grpc
from services.intake import bootstrap
from services.intake.servicer import IntakeServicer
from services.intake.settings import Settings
from services.intake.watching import Hub
from tests.bench import strangers

PARTS = ("token", "policy", "encryption", "tls", "audit")
WORKS = ("look", "submit")
ALL_ON, ALL_OFF = "all on", "all off"
WHO = Caller("nurse-ada", "nurse", "er-st-brigid", "TREAT")
_THREADS = 4
_ALONE, _TOGETHER = 16, {"look": 160, "submit": 80}
_AWARE: CodecOptions[Any] = CodecOptions(tz_aware=True)


class _AnyToken:
    """Believes whoever calls."""

    def read(self, token: str, purpose: str = "") -> Caller:
        """One nurse, whoever it is."""
        return WHO


def _without(room: Any, off: frozenset[str]) -> Any:
    """The room with these parts switched off; it shares nothing with another one but the database's server."""
    if "encryption" in off:
        room.vault.seal = lambda _, value, *, is_first=False: Binary(bson.encode(value, codec_options=_AWARE))
        room.vault.open = lambda sealed: bson.decode(bytes(sealed), codec_options=_AWARE)
    if "audit" in off:
        room.access._write = lambda *_: None
    return room


@contextmanager
def serving(off: frozenset[str], mongo_uri: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Intake's gRPC door with these parts off; its address and the folder of the keys."""
    keys_dir = keys.create(folder / "keys")
    name = f"kindred_bench_{secrets.token_hex(4)}"
    environ = {
        "KINDRED_MONGO_URI": mongo_uri,
        "KINDRED_MONGO_DATABASE": name,
        "KINDRED_AMQP_URI": "amqp://nobody@127.0.0.1:1/",
        "KINDRED_KEYS_DIR": str(keys_dir),
        "KINDRED_ORGANIZATION_PER_S": "1000000",
    }
    settings = read(Settings, environ)
    room = _without(bootstrap.build_room(settings), off)
    bootstrap.prepare(room)
    files = {} if "tls" in off else _files(keys_dir)
    server = build_server(
        replace(settings, grpc_address="127.0.0.1:0", **files),
        services=[
            GrpcService(
                "kindred.intake.v1.IntakeService",
                intake_pb2_grpc.add_IntakeServiceServicer_to_server,
                IntakeServicer(room, Hub(room.database)),
            )
        ],
        tokens=_AnyToken() if "token" in off else room.tokens,
        on_denied=lambda *_: None,
        policy=AnyDoor() if "policy" in off else None,
    )
    server.start()
    yield f"127.0.0.1:{server.port}", keys_dir
    server.stop(1.0)
    room.database.client.drop_database(name)
    room.database.client.close()


def _files(keys_dir: Path) -> dict[str, str]:
    return {
        "grpc_tls_cert": str(keys_dir / authority.file_of("intake")),
        "grpc_tls_ca": str(keys_dir / authority.AUTHORITY),
    }


def client(address: str, keys_dir: str, is_tls: str) -> None:
    """In a process of its own: for each line "work alone together" that it reads, what that many calls took."""
    folder = Path(keys_dir)
    token = identity.mint(
        (folder / "issuer.pem").read_bytes(),
        actor_id=WHO.actor_id,
        role=WHO.role,
        organization_id=WHO.organization_id,
    )
    files = tls.Files(folder / authority.file_of(authority.CALLER), folder / authority.AUTHORITY)
    with grpc_client.channel(
        address, token=token, purpose="TREAT", named=files if is_tls == "yes" else None
    ) as channel:
        stub = intake_pb2_grpc.IntakeServiceStub(channel)
        mark = secrets.token_hex(4)
        first = stub.SubmitReferral(strangers.referral(f"{mark}-first"), timeout=30).referral_id
        count = iter(range(10**9))

        def submit() -> None:
            stub.SubmitReferral(strangers.referral(f"{mark}-{next(count)}"), timeout=30)

        def look() -> None:
            stub.GetReferral(intake_pb2.GetReferralRequest(referral_id=first), timeout=30)

        for line in sys.stdin:
            work, alone, together = line.split()
            told = _measured(submit if work == "submit" else look, int(alone), int(together))
            print(json.dumps(told), flush=True)


def _measured(call: Callable[[], None], alone: int, together: int) -> dict[str, float]:
    """The median of one at a time in ms, and calls a second of four threads."""
    times = []
    for _ in range(alone):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    each = together // _THREADS
    threads = [threading.Thread(target=lambda: [call() for _ in range(each)]) for _ in range(_THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "per_s": each * _THREADS / (time.perf_counter() - began),
        "p50_ms": statistics.median(times) * 1_000,
    }


class Asked:
    """One variant's client, waiting for its turn."""

    def __init__(self, address: str, keys_dir: Path, off: frozenset[str]) -> None:
        is_tls = "no" if "tls" in off else "yes"
        argv = [sys.executable, __file__, "client", address, str(keys_dir), is_tls]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def slice(self, work: str) -> dict[str, float]:
        """What the client measured, and how much processor time of ours a call took."""
        calls, began = _TOGETHER[work], time.process_time()
        assert self._process.stdin
        assert self._process.stdout
        print(work, _ALONE, calls, file=self._process.stdin, flush=True)
        told = json.loads(self._process.stdout.readline())
        return told | {"cpu_ms": (time.process_time() - began) / (calls + _ALONE) * 1_000}

    def close(self) -> None:
        """The process has ended."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)


def variants(parts: list[str]) -> dict[str, frozenset[str]]:
    """Everything on, each of these parts off, everything off."""
    each = {f"no {part}": frozenset({part}) for part in parts}
    return {ALL_ON: frozenset(), **each, ALL_OFF: frozenset(PARTS)}


def main(seconds: int = 120) -> None:
    """Prints each variant beside "all off"."""
    uri = os.environ["MONGO_URI"]
    mongo.connect(uri).close()
    shown = variants(os.environ.get("PARTS", ",".join(PARTS)).split(","))
    works = os.environ.get("WORK", ",".join(WORKS)).split(",")
    rounds: list[dict[tuple[str, str], dict[str, float]]] = []
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        asked = {}
        for name, off in shown.items():
            place = Path(folder) / name.replace(" ", "-")
            asked[name] = Asked(*stack.enter_context(serving(off, uri, place)), off)
            stack.callback(asked[name].close)
        roles.take_short_turns()  # as the process of an api does, which this one stands for
        garbage.look_seldom()
        turns = [(work, name) for work in works for name in shown]
        for work, name in turns:
            asked[name].slice(work)  # connections, keys, plans of the database
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            random.shuffle(turns)
            rounds.append({(work, name): asked[name].slice(work) for work, name in turns})
    print(f"{len(rounds)} rounds, {os.cpu_count()} cores, load {before[0]:.1f} to {os.getloadavg()[0]:.1f}")
    for work in works:
        _tell(work, {name: [one[work, name] for one in rounds] for name in shown})
    if set(works) == set(WORKS):
        both = {name: [_both(one["submit", name], one["look", name]) for one in rounds] for name in shown}
        _tell("one submit and one look", both)


def _both(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """The two calls one after the other, as somebody makes them who sends and then looks at what was sent."""
    told = {key: one[key] + other[key] for key in one}
    return told | {"per_s": 1 / (1 / one["per_s"] + 1 / other["per_s"])}


def _tell(work: str, found: dict[str, list[dict[str, float]]]) -> None:
    print(f"\n{work}: medians; each round beside everything off in that round")
    bare = found[ALL_OFF]
    for name, ours in found.items():
        at = {key: statistics.median(one[key] for one in ours) for key in ours[0]}
        pairs = list(zip(ours, bare, strict=True))
        rate = [100 * (one["per_s"] / other["per_s"] - 1) for one, other in pairs]
        more = statistics.median(one["p50_ms"] - other["p50_ms"] for one, other in pairs)
        cpu = statistics.median(100 * (one["cpu_ms"] / other["cpu_ms"] - 1) for one, other in pairs)
        low, _, high = statistics.quantiles(rate, n=4)
        print(
            f"  {name:<14}{at['per_s']:>8.0f}/s{statistics.median(rate):>+7.1f} % ({low:+.0f} to {high:+.0f})"
            f"   p50 {at['p50_ms']:>6.2f} ms {more:>+6.2f}   our processor {at['cpu_ms']:.2f} ms {cpu:>+6.1f} %"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
