# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for what other processes and threads do, within a bound."""

import os
import time

LONGEST_S = 120
"""Far more than anything takes: what hangs is told from what is slow."""


def wait_until(done, what, process=None, seconds=LONGEST_S):
    """Until ``done()``; a process that it takes must not have ended by then."""
    end = time.monotonic() + seconds
    while not done():
        assert process is None or process.poll() is None, f"{what}: the process ended too soon"
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.01)


def group_is_there(process):
    """Whether any process is left of those that a process has started in a group of its own."""
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
