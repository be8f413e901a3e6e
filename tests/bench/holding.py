"""Holds a process to one core, as a container's static CPU policy does.

A Python process runs on one core at a time; let loose on several, its threads hand the interpreter's lock from core
to core, and that costs more than it brings.
"""

from __future__ import annotations

import os

import psutil


def hold(pid: int, number: int) -> None:
    """Every thread of the process, and those to come, run on one of the cores: the `number`-th, counted round."""
    cores = sorted(os.sched_getaffinity(0))
    core = {cores[number % len(cores)]}
    os.sched_setaffinity(pid, core)
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, core)
