"""Processes we started, known again later by pid and start time, never by name."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Child:
    """One process of ours; `born` is its start time in clock ticks since boot (proc(5), field 22)."""

    name: str
    pid: int
    born: int
    log: str
    fingerprint: str = ""

    def is_alive(self) -> bool:
        """True if the pid still belongs to the process we started and it has not exited."""
        return _born(self.pid) == self.born

    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.born / os.sysconf("SC_CLK_TCK")


def spawn(
    folder: Path,
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path,
    fingerprint: str = "",
) -> Child:
    """Starts a process in a session of its own and writes its record to `folder/<name>.json`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        started = subprocess.Popen(
            argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=cwd,
            start_new_session=True,
        )  # fmt: skip
    child = Child(name, started.pid, _born(started.pid) or 0, str(log), fingerprint)
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / f"{name}.json"
    draft = record.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(child)), encoding="utf-8")
    draft.replace(record)
    return child


def recall(folder: Path, name: str) -> Child | None:
    """The recorded process of that name if it still runs, else None."""
    record = folder / f"{name}.json"
    if not record.exists():
        return None
    child = Child(**json.loads(record.read_text(encoding="utf-8")))
    return child if child.is_alive() else None


def recorded(folder: Path) -> list[str]:
    """The names of all processes with a record, running or not."""
    return sorted(path.stem for path in folder.glob("*.json"))


def wait_exit(child: Child, timeout_s: float) -> bool:
    """True if the process is gone within the time; returns at the moment it ends."""
    deadline = time.monotonic() + timeout_s
    while child.is_alive():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        _rest_until_exit(child.pid, min(left, 1.0))
    return True


def stop(folder: Path, child: Child, grace_s: float) -> str:
    """Ends the process: TERM, and KILL to its whole session after the grace; "stopped" or "killed"."""
    ended = "stopped"
    with suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGCONT)
        os.kill(child.pid, signal.SIGTERM)
    if not wait_exit(child, grace_s):
        ended = "killed"
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        wait_exit(child, 10.0)
    (folder / f"{child.name}.json").unlink(missing_ok=True)
    return ended


def _rest_until_exit(pid: int, timeout_s: float) -> None:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([watched], [], [], timeout_s)
    finally:
        os.close(watched)
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _born(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])
