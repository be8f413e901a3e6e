"""What others do with entries of the same size, in the same run: pymerkle over SQLite, an audit table in PostgreSQL.

Neither is a part of Kindred.  pymerkle is under the GPL, so it stays in an environment of its own, which
PYMERKLE_PYTHON names (`python -m venv /tmp/pymerkle && /tmp/pymerkle/bin/pip install pymerkle`).  PostgreSQL is used
where its server is installed; it runs in a folder that goes away, as the user `postgres` where we are root.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_BATCH = 1_000
# In its own process, so that nothing of it is linked with us.
_PYMERKLE = """
import json, os, sys, tempfile, time
from pymerkle import SqliteTree
number, size, proofs = map(int, sys.argv[1:])
with tempfile.TemporaryDirectory() as folder:
    tree = SqliteTree(os.path.join(folder, "tree.db"))
    leaves = [os.urandom(size) for _ in range(number)]
    began = time.perf_counter()
    tree.append_entries(leaves)
    together = time.perf_counter() - began
    alone = leaves[: number // 20]
    began = time.perf_counter()
    for leaf in alone:
        tree.append_entry(leaf)
    one_by_one = time.perf_counter() - began
    began = time.perf_counter()
    for each in range(proofs):
        tree.prove_inclusion(1 + each * (number // proofs))
    proving = time.perf_counter() - began
print(json.dumps({
    "appended_together_per_s": round(number / together),
    "appended_one_by_one_per_s": round(len(alone) / one_by_one),
    "proof_ms": round(proving / proofs * 1000, 2),
}))
"""
_TABLE = """
CREATE TABLE audit (
  event_id text PRIMARY KEY, recorded timestamptz NOT NULL, actor text, subject text, event_type text, body bytea
);
CREATE INDEX ON audit (actor, recorded DESC); CREATE INDEX ON audit (subject, recorded DESC);
CREATE INDEX ON audit (event_type, recorded DESC); CREATE INDEX ON audit (recorded DESC);
"""


def pymerkle(number: int, entry_bytes: int) -> dict[str, Any] | str:
    """Entries a second and the time of a proof, or why they are not known."""
    python = os.environ.get("PYMERKLE_PYTHON", "")
    if not python:
        return "absent: PYMERKLE_PYTHON names no environment that has it"
    told = subprocess.run(
        [python, "-c", _PYMERKLE, str(number), str(entry_bytes), "50"],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def postgresql(number: int, body_bytes: int) -> dict[str, Any] | str:
    """Rows a second into a table with what a search needs, batches and single commits, or why they are not known."""
    programs = _programs()
    if programs is None:
        return "absent: no PostgreSQL server is installed"
    folder = Path(tempfile.mkdtemp(prefix="kindred-postgres-"))
    is_root = os.geteuid() == 0
    if is_root:
        shutil.chown(folder, "postgres")
    before = ["runuser", "-u", "postgres", "--"] if is_root else []

    def run(program: str, *arguments: str, stdin: str = "") -> str:
        command = [*before, str(programs / program), *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, cwd=folder, check=True, timeout=600
        )
        return done.stdout

    data = str(folder / "data")
    try:
        run("initdb", "-D", data, "-A", "trust")
        server = [
            *before,
            str(programs / "postgres"),
            "-D",
            data,
            "-k",
            str(folder),
            "-c",
            "listen_addresses=",
        ]
        with subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as postgres:
            try:
                return _filled(
                    lambda sql: run("psql", "-qAt", "-h", str(folder), "postgres", stdin=sql),
                    number,
                    body_bytes,
                )
            finally:
                postgres.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _filled(psql: Callable[[str], str], number: int, body_bytes: int) -> dict[str, Any]:
    until = time.monotonic() + 30
    while True:
        with suppress(subprocess.CalledProcessError):
            psql(_TABLE)
            break
        if time.monotonic() > until:
            raise TimeoutError("PostgreSQL does not answer")
        time.sleep(0.2)
    rows = [_row(each, body_bytes) for each in range(number)]
    batches = "".join(_insert(rows[at : at + _BATCH]) for at in range(0, number, _BATCH))
    alone = "".join(_insert([_row(number + each, body_bytes)]) for each in range(number // 20))
    told = {"rows_in_batches_per_s": round(number / _seconds(lambda: psql(batches)))}
    told["rows_one_by_one_per_s"] = round(number // 20 / _seconds(lambda: psql(alone)))
    size = int(psql("SELECT pg_total_relation_size('audit');"))
    return told | {"bytes_per_row": round(size / (number + number // 20))}


def _row(number: int, body_bytes: int) -> str:
    body = secrets.token_hex(body_bytes)
    moment = f"'2026-11-21'::timestamptz + {number} * interval '1 second'"
    actor, subject = f"nurse-{number % 40}", f"peer_{number % 500}"
    return f"('evt_{number:032x}',{moment},'{actor}','{subject}','record.read.v1','\\x{body}')"


def _insert(rows: list[str]) -> str:
    """Each statement is a transaction of its own, on disk before the next; what is there already stays."""
    return f"INSERT INTO audit VALUES {','.join(rows)} ON CONFLICT DO NOTHING;\n"


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    postgres = shutil.which("postgres")
    return Path(postgres).parent if postgres else None


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
