"""In which order the files of tests run, and which of them stay together on one worker."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# All files that look at the whole system, in the order in which they run on the same one: whoever says little comes
# first, since some say everything again; whoever looks for traces of all the others comes last.
WHOLE_SYSTEM = (
    "tests/integration/local/test_kindred_command.py",
    "tests/integration/local/test_watch.py",
    "tests/journeys/test_monitored.py",
    "tests/security/test_least_right_users.py",
    "tests/security/test_doctor_of_a_system.py",
    "tests/journeys/test_life_of_a_referral.py",
    "tests/journeys/test_shard_keys.py",
    "tests/journeys/test_revocation_is_quick.py",
    "tests/journeys/test_everything_said_again.py",
    "tests/journeys/test_broker_is_disposable.py",
    "tests/integration/local/test_submit_files.py",
    "tests/journeys/test_nothing_lost.py",
    "tests/security/test_phi_scan.py",
)
# These walk through and attack the doors of all four services, opened once.
DOORS = (
    "tests/security/test_access_walk.py",
    "tests/security/test_hostile_input.py",
    "tests/security/test_glass_and_emergency.py",
    "tests/security/test_limits.py",
)
# These share one whole system to break, and these one broker and one database to freeze.
CELLS = "tests/faults/test_cells_"
FAULTS = "tests/faults/"
# A whole cluster to be broken: one at a time, and not beside the system that the others break.
CLUSTER = "tests/cluster/"
# What takes longest is begun first, so that no worker is left alone with it at the end.
LONGEST_FIRST = (
    CELLS,
    *WHOLE_SYSTEM,
    FAULTS,
    "tests/integration/chassis/test_doors_roles.py",
    "tests/web/",
    "tests/integration/audit/",
    "tests/integration/notifications/",
    "tests/store/test_audit_attacks.py",
    "tests/store/test_audit_log.py",
    "tests/integration/",
)


def turn(nodeid: str) -> int:
    """When this test runs: the less, the earlier; the same for all that may run in any order."""
    starts = (number for number, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start))
    return next(starts, len(LONGEST_FIRST))


class Together(LoadScopeScheduling):
    """A file stays on one worker, and so do all files that share one whole system, or one broker to freeze."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in WHOLE_SYSTEM:
            return "one whole system"
        if file in DOORS:
            return "the doors"
        if file.startswith(CELLS):
            return CELLS
        return FAULTS if file.startswith((FAULTS, CLUSTER)) else file
