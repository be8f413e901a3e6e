"""Runs one command beside a fresh mongod and a fresh RabbitMQ of its own, then stops and forgets both.

`python -m cli.local.testbed pytest tests` is how `make test` gets its real parts; the command, a module's name or
a file, finds them in MONGO_URI and AMQP_URI.  A variable that is set already is left alone, and that part is not
started.  Tests run side by side where the broker is ours: each pytest worker has a virtual host of its own there,
named after it.  Everything the tests write lies in memory where there is room: a process that is killed loses
nothing by that, and no test cuts the power.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cli.local import children, mongod, ports, rabbit
from cli.local.faults import LocalFault
from cli.local.place import ROOT

# One more than the smallest machine has cores: much of a test is waiting (8:00 with two, 6:44 with three, measured).
WORKERS = 3


MEMORY = Path("/dev/shm")  # noqa: S108  the folder is made by mkdtemp
PREFIX = "kindred-test-"
FREE_BYTES_WANTED = 6_000_000_000
# Of a longer log the end is kept: what went wrong stands there.
LOG_BYTES_KEPT = 20_000_000
# What a test dropped is really gone when no snapshot can want it any more: after the usual 300 s, ten thousand files
# of dropped databases were open at once, and a mongod that may open 20,000 ended in the middle of the tests.
FORGETS_SOON = "--setParameter minSnapshotHistoryWindowInSeconds=30"
LAST_LINES = 15
LINE_LENGTH = 400


@contextmanager
def parts_for_tests(folder: Path) -> Iterator[dict[str, str]]:
    """The environment that names a running database and broker whose data live in `folder`."""
    (folder / "run").mkdir(parents=True, exist_ok=True)
    chosen = ports.choose(folder, "")
    os.environ.setdefault("KINDRED_MONGOD_ARGS", FORGETS_SOON)
    found: dict[str, str] = {}
    try:
        found["MONGO_URI"] = os.environ.get("MONGO_URI") or mongod.start(folder, chosen.mongod).uri
        found["AMQP_URI"] = os.environ.get("AMQP_URI") or _broker(folder, chosen)
        yield found
    finally:
        for name in ("rabbitmq", "epmd", "mongod"):
            if child := children.recall(folder / "run", name):
                children.stop(folder / "run", child, grace_s=15.0)


def _broker(folder: Path, chosen: ports.Ports) -> str:
    vhosts = [f"gw{number}" for number in range(WORKERS)]
    return rabbit.start(folder, chosen.amqp, chosen.erlang, chosen.epmd, vhosts).uri


def _side_by_side(command: Sequence[str]) -> list[str]:
    is_ours = not os.environ.get("AMQP_URI")
    return ["-n", str(WORKERS)] if command[0] == "pytest" and is_ours else []


def run(command: Sequence[str]) -> int:
    """The command's exit code, or 2 if the parts could not be started."""
    print("Starting a mongod and a RabbitMQ for the tests ...", flush=True)
    try:
        with _folder() as folder, parts_for_tests(folder) as found:
            whole = [*_command(command, folder), *_side_by_side(command)]
            code = subprocess.run(whole, env=_environment() | found, check=False).returncode
            if code:
                _tell_of_the_dead(folder)
                _keep_logs(folder)
            return code
    except LocalFault as fault:
        print(f"{fault.problem}\n{fault.remedy}", file=sys.stderr)
        return 2


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for one run, gone afterwards; what a killed run has left in memory goes first."""
    home = _roomy_memory()
    if home:
        _sweep(home)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Folders that no run holds are removed, and what still runs in them ends."""
    for folder in home.glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for run in (record.parent for record in folder.rglob("run/*.json")):
                for name in children.recorded(run):
                    if child := children.recall(run, name):
                        children.stop(run, child, grace_s=5.0)
            shutil.rmtree(folder, ignore_errors=True)


def _command(command: Sequence[str], folder: Path) -> list[str]:
    how = [] if command[0].endswith(".py") else ["-m"]
    may_run_programs = not os.statvfs(folder).f_flag & os.ST_NOEXEC
    where = [f"--basetemp={folder / 'pytest'}"] if command[0] == "pytest" and may_run_programs else []
    return [sys.executable, *how, *command, *where]


def _environment() -> dict[str, str]:
    """The caller's, but what is compiled is kept: every worker and every process would compile it again."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}


def _roomy_memory() -> Path | None:
    """The file system in memory, where this machine has one and memory to spare; else None, the usual place."""
    try:
        told = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        rows = dict(line.split(":", 1) for line in told)
        available = int(rows["MemAvailable"].split()[0]) * 1024
        free = shutil.disk_usage(MEMORY).free
    except (OSError, KeyError, ValueError):
        return None
    is_roomy = min(free, available) >= FREE_BYTES_WANTED and os.access(MEMORY, os.W_OK | os.X_OK)
    return MEMORY if is_roomy else None


def _tell_of_the_dead(folder: Path) -> None:
    """Which part ended by itself, and its last words: what failed after that says nothing of the tests."""
    for name in ("mongod", "rabbitmq"):
        log = folder / "log" / f"{name}.log"
        if log.is_file() and children.recall(folder / "run", name) is None:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            grave = [line for line in lines if '"s":"F"' in line or '"s":"E"' in line]
            last = [line[:LINE_LENGTH] for line in (*grave[-LAST_LINES:], *lines[-LAST_LINES:])]
            print(f"{name} ended during the tests. Its last words:", *last, sep="\n", file=sys.stderr)


def _keep_logs(folder: Path) -> None:
    """What the processes of a failed run logged outlives it."""
    kept = Path(tempfile.mkdtemp(prefix="kindred-logs-"))
    for log in folder.rglob("*.log"):
        if log.is_file():
            copy = kept / log.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            with log.open("rb") as whole:
                whole.seek(max(0, log.stat().st_size - LOG_BYTES_KEPT))
                copy.write_bytes(whole.read())
    print(f"The logs of all processes are in {kept}.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
