"""Where a measured process runs: on one core, ahead of whatever else the machine does at the time, when it may."""

from __future__ import annotations

import os


def place(core: int) -> bool:
    """Pin this process to a core (the last one there is, on a smaller machine); True when it also goes ahead of all others there.

    Round-robin real-time scheduling needs root, and makes the figures those of a core of its own: other work on the machine
    waits. Threads and children inherit it.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[min(core, len(cores) - 1)]})
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    return True
