# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs, and the lock that they share."""

import threading
import time

import pytest

from holotalk_addon.ui import jobs

LONG = 30.0
"""Seconds that nothing here takes, however busy the computer is."""


def until(true, meanwhile=lambda: None):
    """Wait for something, for a bounded time."""
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end, "waited in vain"
        meanwhile()
        time.sleep(0.002)


def test_who_waits_for_the_networks_is_not_overtaken():
    alone = jobs.InTurn()
    for _ in range(50):
        order, taken, let_go = [], threading.Event(), threading.Event()

        def greedy(order=order, taken=taken, let_go=let_go):
            with alone:
                taken.set()
                let_go.wait(LONG)
                order.append("first piece")
            with alone:
                order.append("second piece")

        def patient(order=order):
            with alone:
                order.append("who waited")

        threads = [threading.Thread(target=greedy, daemon=True)]
        threads[0].start()
        assert taken.wait(LONG)
        threads.append(threading.Thread(target=patient, daemon=True))
        threads[1].start()
        until(alone._next.locked)
        let_go.set()
        for thread in threads:
            thread.join(LONG)
        assert order == ["first piece", "who waited", "second piece"]


def test_the_lock_is_given_back_when_a_piece_fails():
    alone = jobs.InTurn()
    with pytest.raises(ValueError, match="no face"), alone:
        raise ValueError("no face")
    with alone:
        pass
