"""The whole system on one machine: up, down, how it stands, and forgetting its data."""

import fcntl
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cli.local import access, children, keys, needed, policy, ports, processes, shape, sign_ins
from cli.local.children import Child
from cli.local.faults import LocalFault
from cli.local.needed import Tell
from cli.local.place import ROOT, Addresses, Place, addresses, read_state, recalled, remember, write_state
from cli.local.processes import Part
from cli.local.readiness import wait_ready
from cli.local.shape import Shape

FREE_BYTES_NEEDED = 1_000_000_000
GRACE_S = {"rabbitmq": 30.0, "mongod": 30.0, "epmd": 5.0}
SERVICE_GRACE_S = 30.0
DOWN_WAITS_S = 10.0
INFRASTRUCTURE = ("rabbitmq", "epmd", "mongod")


@dataclass(frozen=True)
class Standing:
    """How one part stands now."""

    name: str
    state: str
    pid: int
    address: str
    log: str


def up(
    place: Place,
    tell: Tell,
    overrides: Mapping[str, str] | None = None,
    *,
    is_watched: bool = False,
    wanted: Shape | None = None,
) -> Addresses:
    """Starts whatever does not run yet and returns when every part said it is ready.

    MONGO_URI and AMQP_URI, where set, name a database and a broker to use instead of our own; `overrides` are
    further settings for every service.  With `is_watched` a process stays behind that starts ended parts
    again.  A new place gets the `wanted` shape, one of everything where none is named; a place keeps its shape as long
    as its data.  Two callers at once take turns.  Raises LocalFault naming what stands in the way and what to do.
    """
    place.make()
    settings = _settings_of_caller() | dict(overrides or {})
    with _turn(place):
        shape.of(place, wanted)
        remember(place, settings)
        known = _up(place, tell, settings)
        if is_watched:
            _start_watch(place)
    return known


def restore(place: Place, tell: Tell) -> None:
    """Starts what has ended, with the settings of the last `up`; does nothing after a `down`."""
    with _turn(place):
        settings = recalled(place)
        if settings is not None:
            _up(place, tell, settings)


def _up(place: Place, tell: Tell, settings: Mapping[str, str]) -> Addresses:
    _require_disk(place)
    is_in_use = any(children.recall(place.run, name) for name in children.recorded(place.run))
    chosen = ports.choose(place.var, os.environ.get("KINDRED_PORT_BASE", ""), is_in_use=is_in_use)
    keys.create(place.keys)
    access.create(place.access)
    for holder in (*ports.SERVICES, *keys.KEEPERS):
        keys.portion(place.keys, holder, place.keys / holder)
    sign_ins.prepare(place, chosen)
    policy.write(place.keys, place.keys / "audit", f"http://127.0.0.1:{chosen.witness}")
    made = shape.of(place)
    with ThreadPoolExecutor(2) as pool:
        database = pool.submit(needed.database, place, chosen, tell, made.nodes)
        broker = pool.submit(needed.broker, place, chosen, tell, made.nodes)
        known = addresses(place, chosen, database.result(), broker.result(), made.replicas)
    known = replace(known, extra={"broker_is_set_up": not os.environ.get("AMQP_URI")})
    needed.hand_out(place, known)
    write_state(place, known)
    _start_all(place, processes.parts(place, known, settings), tell)
    return known


def down(place: Place, tell: Tell) -> int:
    """Stops what `up` started in this place and nothing else; returns how many processes it stopped.

    It waits a while for its turn, so that nobody is just starting what is being stopped, but not forever: a
    start that hangs must not keep anybody from stopping.
    """
    if not place.run.exists():
        return 0
    with _turn(place, at_most_s=DOWN_WAITS_S):
        running = [
            child for name in children.recorded(place.run) if (child := children.recall(place.run, name))
        ]
        _stop_all(place, running, tell)
        place.state.unlink(missing_ok=True)
        place.settings.unlink(missing_ok=True)
    return len(running)


def _stop_all(place: Place, running: list[Child], tell: Tell) -> None:
    """The watch first, then the services side by side, then what they need, in an order that hurts nobody."""
    named = {child.name: child for child in running}
    if watch := named.pop("watch", None):
        _stop(place, watch, tell)
    last = [[named.pop(name) for name in sorted(named) if _kind(name) == kind] for kind in INFRASTRUCTURE]
    for together in (list(named.values()), *last):
        with ThreadPoolExecutor(max(1, len(together))) as pool:
            list(pool.map(lambda child: _stop(place, child, tell), together))


def _kind(name: str) -> str:
    """What a part is, whichever of its kind: "mongod" of "mongod-2"."""
    return name.rstrip("0123456789").rstrip("-")


@contextmanager
def database_alone(place: Place, tell: Tell) -> Iterator[str]:
    """The address of this place's database, up for the block with nothing else; LocalFault while a service runs."""
    place.make()
    with _turn(place):
        running = [name for name in children.recorded(place.run) if children.recall(place.run, name)]
        if others := sorted(name for name in running if _kind(name) not in INFRASTRUCTURE):
            raise LocalFault(f"Still running here: {', '.join(others)}.", "Run `make down` first.")
        access.create(place.access)
        chosen = ports.choose(place.var, os.environ.get("KINDRED_PORT_BASE", ""), is_in_use=bool(running))
        try:
            yield needed.database(place, chosen, tell, shape.of(place).nodes)
        finally:
            new = [
                name
                for name in children.recorded(place.run)
                if _kind(name) == "mongod" and name not in running
            ]
            for child in filter(None, (children.recall(place.run, name) for name in new)):
                _stop(place, child, tell)


def status(place: Place) -> list[Standing]:
    """How every part stands; empty where nothing was ever started here."""
    known = read_state(place)
    listed = {part.name: part for part in processes.parts(place, known, {})} if known else {}
    names = sorted({*children.recorded(place.run), *listed})
    return [_standing(place, name, listed.get(name)) for name in names]


def clean(place: Place) -> None:
    """Forgets all data, keys, mails and logs of this place; raises LocalFault while something still runs."""
    running = [name for name in children.recorded(place.run) if children.recall(place.run, name)]
    if running:
        raise LocalFault(f"Still running here: {', '.join(running)}.", "Run `make down` first.")
    for folder in (
        *(path.name for path in place.var.glob("mongo-*")),
        "mongo",
        "rabbit",
        "keys",
        "access",
        "kept",
        "mirror",
        "mail",
        "log",
        "run",
        "submitted",
    ):
        shutil.rmtree(place.var / folder, ignore_errors=True)
    kept = (place.var / name for name in ("ports.json", "shape.json"))
    for file in (place.state, place.settings, *kept, *_seen_before(place)):
        file.unlink(missing_ok=True)


def _seen_before(place: Place) -> list[Path]:
    """The keys and checkpoints of the log that `kindred audit` pinned and remembered."""
    return [path for pattern in ("audit.*", "monitor.*") for path in place.var.glob(pattern)]


def _start_all(place: Place, wanted: list[Part], tell: Tell) -> None:
    """Starts all parts first and waits for them together: they come up side by side."""
    started = []
    for part in wanted:
        tell(part.name, "starting")
        started.append((part, processes.start(place, part)))
    with ThreadPoolExecutor(len(started)) as pool:
        waits = [pool.submit(_wait, part, child, is_new, tell) for part, (child, is_new) in started]
        for wait in waits:
            wait.result()


def _wait(part: Part, child: Child, is_new: bool, tell: Tell) -> None:
    wait_ready(child, lambda: processes.missing(part), processes.READY_S)
    tell(part.name, f"ready after {child.age_s():.1f} s" if is_new else "was running")


def _stop(place: Place, child: Child, tell: Tell) -> None:
    tell(child.name, "stopping")
    tell(child.name, children.stop(place.run, child, GRACE_S.get(_kind(child.name), SERVICE_GRACE_S)))


def _standing(place: Place, name: str, part: Part | None) -> Standing:
    child = children.recall(place.run, name)
    if child is None:
        return Standing(name, "not running", 0, part.address if part else "", "")
    missing = processes.missing(part) if part else ""
    state = f"not ready: {missing}" if missing else "ready"
    return Standing(name, state, child.pid, part.address if part else "", child.log)


@contextmanager
def _turn(place: Place, at_most_s: float = math.inf) -> Iterator[None]:
    """Only one caller at a time starts or stops things in a place; the kernel ends the turn of one that died."""
    deadline = time.monotonic() + at_most_s
    with (place.run / ".turn").open("w") as file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        yield


def _start_watch(place: Place) -> None:
    if children.recall(place.run, "watch"):
        return
    env = os.environ | {"KINDRED_VAR": str(place.var), "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}
    argv = [sys.executable, "-m", "cli.local.watch"]
    children.spawn(place.run, "watch", argv, env=env, log=place.log / "watch.log", cwd=ROOT)


def _settings_of_caller() -> dict[str, str]:
    """KINDRED_ settings of the caller's shell that every process should see."""
    ours = {"KINDRED_VAR", "KINDRED_PORT_BASE", "KINDRED_VENV", "KINDRED_TOKEN"}
    return {k: v for k, v in os.environ.items() if k.startswith("KINDRED_") and k not in ours}


def _require_disk(place: Place) -> None:
    free = shutil.disk_usage(place.var).free
    if free < FREE_BYTES_NEEDED:
        raise LocalFault(
            f"Only {free // 1_000_000} MB are free under {place.var}; {FREE_BYTES_NEEDED // 1_000_000} are needed.",
            "Free some space, or set KINDRED_VAR to a folder on another disk.",
        )
