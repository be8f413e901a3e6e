"""Runs one command beside a fresh mongod and a fresh RabbitMQ of its own, then stops and forgets both.

`python -m cli.local.testbed pytest tests` is how `make test` gets its real parts; the command, a module's name or
a file, finds them in MONGO_URI and AMQP_URI.  A variable that is set already is left alone, and that part is not
started.  Tests run side by side where the broker is ours: each pytest worker has a virtual host of its own there,
named after it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.local import children, mongod, ports, rabbit
from cli.local.faults import LocalFault
from cli.local.place import ROOT

# One more than the smallest machine has cores: much of a test is waiting (8:00 with two, 6:44 with three, measured).
WORKERS = 3


@contextmanager
def parts_for_tests(folder: Path) -> Iterator[dict[str, str]]:
    """The environment that names a running database and broker whose data live in `folder`."""
    (folder / "run").mkdir(parents=True, exist_ok=True)
    chosen = ports.choose(folder, "")
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
    folder = Path(tempfile.mkdtemp(prefix="kindred-test-"))
    print("Starting a mongod and a RabbitMQ for the tests ...", flush=True)
    try:
        with parts_for_tests(folder) as found:
            env = os.environ | found | {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}
            how = [] if command[0].endswith(".py") else ["-m"]
            whole = [sys.executable, *how, *command, *_side_by_side(command)]
            return subprocess.run(whole, env=env, check=False).returncode
    except LocalFault as fault:
        print(f"{fault.problem}\n{fault.remedy}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
