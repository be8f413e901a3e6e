"""What each part of security costs intake's doors, side by side in one run: everything on, each part off, all off.

python -m cli.local.testbed tests.bench.security_bench [rounds] [calls]
A part is switched off here and nowhere else: no setting of a service does it.  Rounds of the variants take turns, so
that a busy machine is as busy for each; the client is a process of its own.  Trust the ratios.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
from bson import Binary
from bson.codec_options import CodecOptions

from chassis import grpc_client, identity, mongo, tls
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
from tests.driving import a_referral

PARTS = ("token", "policy", "encryption", "tls", "audit")
VARIANTS = {
    "all on": frozenset[str](),
    **{f"no {part}": frozenset({part}) for part in PARTS},
    "all off": frozenset(PARTS),
}
WHO = Caller("nurse-ada", "nurse", "er-st-brigid", "TREAT")
_THREADS = 4
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


def client(address: str, keys_dir: str, is_tls: str, work: str, calls: str) -> None:
    """In a process of its own: prints calls a second of four threads, and the median of one at a time in ms."""
    folder, number = Path(keys_dir), int(calls)
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
        first = stub.SubmitReferral(a_referral(f"{mark}-first"), timeout=30).referral_id
        count = iter(range(10**9))

        def submit() -> None:
            stub.SubmitReferral(a_referral(f"{mark}-{next(count)}"), timeout=30)

        def look() -> None:
            stub.GetReferral(intake_pb2.GetReferralRequest(referral_id=first), timeout=30)

        print(json.dumps(_measured(submit if work == "submit" else look, number)))


def _measured(call: Callable[[], None], number: int) -> dict[str, float]:
    for _ in range(10):
        call()
    alone = []
    for _ in range(number // 4):
        began = time.perf_counter()
        call()
        alone.append(time.perf_counter() - began)
    threads = [
        threading.Thread(target=lambda: [call() for _ in range(number // _THREADS)]) for _ in range(_THREADS)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "per_s": number // _THREADS * _THREADS / (time.perf_counter() - began),
        "p50_ms": statistics.median(alone) * 1_000,
    }


def _asked(address: str, keys_dir: Path, off: frozenset[str], work: str, calls: int) -> dict[str, float]:
    """What the client measured, and how much processor time of ours a call took."""
    command = [
        sys.executable,
        __file__,
        "client",
        address,
        str(keys_dir),
        "no" if "tls" in off else "yes",
        work,
    ]
    began = time.process_time()
    told = subprocess.run([*command, str(calls)], capture_output=True, text=True, check=True, timeout=600)
    spent = time.process_time() - began
    return json.loads(told.stdout) | {"cpu_ms": spent / (calls + calls // 4 + 11) * 1_000}


def main(rounds: int = 5, calls: int = 400) -> None:
    """Prints each variant beside "all on" and "all off"."""
    uri = os.environ["MONGO_URI"]
    mongo.connect(uri).close()
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    print(f"load before: {os.getloadavg()}, {os.cpu_count()} cores, {rounds} rounds of {calls} calls")
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            for name, off in list(VARIANTS.items())[:: 1 if turn % 2 else -1]:
                with serving(off, uri, Path(folder) / f"{turn}-{name.replace(' ', '-')}") as (
                    address,
                    keys_dir,
                ):
                    for work in ("look", "submit"):
                        measured = _asked(address, keys_dir, off, work, calls)
                        found.setdefault((work, name), []).append(measured)
    print(f"load after: {os.getloadavg()}")
    for work in ("look", "submit"):
        _tell(work, {name: found[work, name] for name in VARIANTS})


def _tell(work: str, found: dict[str, list[dict[str, float]]]) -> None:
    told = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in found.items()
    }
    bare = told["all off"]
    print(f"\n{work}: medians; beside everything off")
    for name, one in told.items():
        less = 100 * (1 - one["per_s"] / bare["per_s"])
        more = one["p50_ms"] - bare["p50_ms"]
        cpu = 100 * (one["cpu_ms"] / bare["cpu_ms"] - 1)
        print(
            f"  {name:<14}{one['per_s']:>8.0f}/s{-less:>+7.1f} %   p50 {one['p50_ms']:>6.2f} ms {more:>+6.2f}"
            f"   our processor {one['cpu_ms']:.2f} ms {cpu:>+6.1f} %"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
