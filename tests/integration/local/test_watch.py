"""A started system stays up: a part that ends by itself comes back, one that was told to stop does not."""

from cli.local import children, system
from tests.driving import Running, until


def test_a_killed_worker_comes_back_with_its_settings(running: Running) -> None:
    """Nobody has to notice a death at night: the watch starts the part again as it was."""
    run = running.place.run
    running.start(is_watched=True)
    watch = children.recall(run, "watch")
    assert watch is not None
    try:
        before = children.recall(run, "notifications-worker")
        assert before is not None
        running.signal("notifications-worker")
        after = until("a new worker", lambda: children.recall(run, "notifications-worker"), within_s=60.0)
        assert after.pid != before.pid
        assert after.fingerprint == before.fingerprint
        until("all parts ready", lambda: {one.state for one in system.status(running.place)} == {"ready"})
    finally:
        children.stop(run, watch, grace_s=10.0)


def test_starting_again_changes_nothing(running: Running) -> None:
    """`up` on a running system leaves every process as it is."""
    before = {one.name: one.pid for one in system.status(running.place)}
    running.start()
    assert {one.name: one.pid for one in system.status(running.place)} == before
