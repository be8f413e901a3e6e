"""Keeps a started system up: whatever part ends without being told to is started again.

A worker whose broker loop hangs ends itself (`chassis/hosts/beat.py`); this is who starts the next one.  Run as
`python -m cli.local.watch` by `kindred up`, stopped first by `kindred down`.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress

from cli.local import children, place, system
from cli.local.faults import LocalFault
from cli.local.place import Place

NAME = "watch"
LOOK_EVERY_S = 5.0
PAUSES_S = (0.2, 1.0, 3.0, 10.0, 30.0)
QUIET_S = 120.0


def watch(here: Place) -> None:
    """Starts ended parts again until this process is told to stop; slower each time if they keep ending."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what we started and what ended leaves no zombie
    ended_lately = 0
    last_end = 0.0
    while True:
        _rest_until_one_ends(here)
        ended = [name for name in children.recorded(here.run) if not children.recall(here.run, name)]
        if not ended:
            continue
        ended_lately = 0 if time.monotonic() - last_end > QUIET_S else ended_lately + 1
        last_end = time.monotonic()
        _say(f"ended by itself: {', '.join(ended)}")
        select.select([], [], [], PAUSES_S[min(ended_lately, len(PAUSES_S) - 1)])
        try:
            system.restore(here, lambda name, state: _say(f"{name}: {state}"))
        except LocalFault as fault:
            _say(f"{fault.problem} {fault.remedy}")


def _rest_until_one_ends(here: Place) -> None:
    """Returns when a recorded process ends, or after a while, to learn about newly recorded ones."""
    handles = []
    try:
        for name in children.recorded(here.run):
            child = children.recall(here.run, name)
            if child is None:
                return
            with suppress(ProcessLookupError):
                handles.append(os.pidfd_open(child.pid))
        select.select(handles, [], [], LOOK_EVERY_S)
    finally:
        for handle in handles:
            os.close(handle)


def _say(line: str) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(f"{moment} {line}", flush=True)


if __name__ == "__main__":
    watch(place.here())
    sys.exit(0)
