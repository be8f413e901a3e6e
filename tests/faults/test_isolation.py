"""F-38: grpcio and eventlet never share a process, asserted while it runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bus_driving import ROOT

PATCHED = "import eventlet; eventlet.monkey_patch(); "


def run(code: str) -> subprocess.CompletedProcess[str]:
    environ = {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", "EVENTLET_NO_GREENDNS": "yes"}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environ, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "code",
    [
        "from chassis import isolation; isolation.forbid_grpc(); import grpc",
        "import grpc; from chassis import isolation; isolation.forbid_grpc()",
        "from chassis import isolation; isolation.forbid_grpc(); from chassis import operations",
        "from chassis import isolation; isolation.forbid_eventlet(); import eventlet",
        "from chassis import isolation; isolation.forbid_eventlet(); from nameko import containers",
        "import eventlet; from chassis import isolation; isolation.forbid_eventlet()",
        "from chassis import isolation; isolation.forbid_eventlet(); from chassis.hosts import nameko_host",
    ],
)
def test_the_two_never_meet(code: str) -> None:
    """Whichever comes second is refused, directly or through one of our own modules."""
    done = run(code)
    assert done.returncode != 0
    assert "ForbiddenImport" in done.stderr


@pytest.mark.parametrize(
    "code",
    [
        PATCHED + "from chassis import isolation; isolation.forbid_grpc(); "
        "from chassis import roles, relay; from chassis.hosts import nameko_host; print('both roles load')",
        "from chassis import isolation; isolation.forbid_grpc(); from chassis.hosts import thread_host; print('x')",
        "from chassis import isolation; isolation.forbid_eventlet(); "
        "from chassis import operations, relay, roles; print('x')",
    ],
)
def test_what_belongs_together_loads(code: str) -> None:
    """The guard keeps nobody from his own modules, so its refusals above mean something."""
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_the_nameko_host_refuses_a_process_that_is_not_patched() -> None:
    """Half a patch deadlocks somewhere later; it is said at the start."""
    done = run("from chassis.hosts.nameko_host import NamekoHost; NamekoHost(None)")
    assert done.returncode != 0
    assert "monkey_patch" in done.stderr


def test_nameko_cli_is_never_imported() -> None:
    """nameko.cli needs a package that is gone; nothing of ours may lead to it."""
    done = run(
        PATCHED + "from chassis.hosts import nameko_host; import sys; sys.exit('nameko.cli' in sys.modules)"
    )
    assert done.returncode == 0, done.stderr
