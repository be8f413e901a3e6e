"""Whose turn it is to append: one at a time, a dead holder is waited out, and nobody waits for ever."""

from __future__ import annotations

import threading
import time

from pymongo.read_concern import ReadConcern

from services.audit.store.lease import Lease


def test_one_is_inside_at_a_time_and_knows_whether_another_was(database):
    """Four threads of four holders, thirty turns each: never two inside; who comes again alone is told so."""
    inside, most, told = [0], [0], []

    def turns(lease):
        for _ in range(30):
            with lease.held() as is_as_left:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                told.append(is_as_left)
                time.sleep(0)
                inside[0] -= 1

    threads = [threading.Thread(target=turns, args=(Lease(database, "head"),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most[0], len(told)) == (1, 120)
    alone = Lease(database, "head")
    seen = []
    for lease in (alone, alone, Lease(database, "head"), alone):
        with lease.held() as is_as_left:
            seen.append(is_as_left)
    assert seen == [False, True, False, False]


def test_a_holder_that_died_is_waited_out(database):
    """What was never given back is free when its time is over."""
    dead = Lease(database, "head", lasts_s=0.2)
    assert dead._take() is not None
    with Lease(database, "head", lasts_s=5.0).held() as is_as_left:
        assert not is_as_left


def test_whoever_waits_too_long_goes_on_without(database):
    """The lease spares work and nothing more: a holder that neither works nor dies stops nobody for ever."""
    stuck = Lease(database, "head", lasts_s=60.0)
    assert stuck._take() is not None
    with Lease(database, "head", lasts_s=0.1).held() as is_as_left:
        assert not is_as_left
    assert stuck._take() == stuck._holder


def test_logs_have_leases_of_their_own(database):
    """Who appends to one log does not wait for another's."""
    with Lease(database, "heads/head").held(), Lease(database, "root_heads/head").held():
        # Leases are written without waiting for a majority, so they are read without one.
        leases = database["leases"].with_options(read_concern=ReadConcern("local"))
        assert leases.count_documents({}) == 2
