"""F-34: processes of the version before and of this one side by side, rolled both ways under load."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.local import children, processes
from cli.local.place import ROOT
from cli.local.readiness import wait_ready
from tests.driving import until
from tests.faults import evidence, parked_again
from tests.faults.ground import PATIENCE_S, Cell

pytestmark = pytest.mark.slow_faults
# Before the first tag: so many commits of the main line ago.
COMMITS_BACK = 25
APIS, WORKERS = (
    tuple(f"{service}-{role}" for service, role in processes.names() if role == wanted)
    for wanted in ("api", "worker")
)


def _git(*command: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *command], capture_output=True, text=True, check=True
    ).stdout.strip()


def previous() -> str:
    """The commit to compare with: KINDRED_PREVIOUS, else the newest tag before this one, else a while ago."""
    if named := os.environ.get("KINDRED_PREVIOUS"):
        return named
    try:
        return _git("describe", "--tags", "--abbrev=0", "HEAD^")
    except subprocess.CalledProcessError:
        return _git("rev-list", "--first-parent", "--max-count=1", f"--skip={COMMITS_BACK}", "HEAD")


@pytest.fixture(scope="module")
def before(tmp_path_factory: Any) -> Iterator[Path]:
    """A folder with the code of the version before, and nothing else of it."""
    try:
        revision = previous()
        packed = subprocess.run(
            ["git", "-C", str(ROOT), "archive", revision, "chassis", "services", "gen", "cli", "deploy"],
            capture_output=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError) as trouble:
        pytest.skip(f"the version before is not here ({type(trouble).__name__}): run this in a git checkout")
    folder: Path = tmp_path_factory.mktemp("before")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed, check=True)
    (folder / "revision").write_text(revision, encoding="utf-8")
    yield folder


def _replace(cell: Cell, name: str, code: Path) -> None:
    """The process ends when it is told to, and one of the other version takes its place and says that it is ready."""
    assert cell.ground.stop_by_term(name) == "stopped", f"{name} did not end when it was told to"
    place, part = cell.running.place, cell.ground.part(name)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "KINDRED_"))}
    env = kept | dict(part.env) | {"PYTHONPATH": f"{code}:{code / 'gen'}"}
    log = place.log / f"{name}.log"
    child = children.spawn(
        place.run, name, part.argv, env=env, log=log, cwd=code, fingerprint=part.fingerprint
    )
    wait_ready(child, lambda: processes.missing(part), PATIENCE_S)
    cell.broke(name, "now" if code == ROOT else "before")


@pytest.mark.fault("F-34")
@pytest.mark.parametrize(("first", "then"), [(WORKERS, APIS), (APIS, WORKERS)], ids=["workers", "apis"])
def test_versions_side_by_side(
    cell: Cell, before: Path, first: tuple[str, ...], then: tuple[str, ...]
) -> None:
    """F-34: today's system goes back to the version before, process by process, and forward again; no submit fails.

    On the way back the processes named first are old while the others are new, on the way forward they are new while
    the others are old: each worker beside each api, in both mixtures.  An event of a type that the old version does not
    know is parked by it, and said again once everything is new, as docs/operations.md asks; nothing else is parked.
    """
    cell.notes["before"] = (before / "revision").read_text(encoding="utf-8")[:12]
    for code, names in ((before, first), (before, then), (ROOT, first), (ROOT, then)):
        with cell.load(8, over_s=8, within_s=2 * PATIENCE_S):
            for name in names:
                _replace(cell, name, code)
    until("everything was heard", lambda: evidence.is_at_rest(cell.running), within_s=PATIENCE_S)
    cell.notes["parked by the old, said again"] = parked_again.replayed(cell.running, "unknown-type")
    cell.conclude()
