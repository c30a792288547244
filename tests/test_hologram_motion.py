# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop's motion."""

from __future__ import annotations

import numpy as np
import pytest

from holotalk_addon.errors import OptionError
from holotalk_addon.hologram.motion import SWAY_DEGREES, loop_motion


@pytest.mark.parametrize("kind", ["turntable", "sway", "still"])
@pytest.mark.parametrize(("seconds", "fps"), [(0.01, 1), (6, 24), (1.3, 25), (2.2, 30), (60, 120), (0.9, 7)])
def test_loops_close_without_a_jump(kind, seconds, fps):
    motion = loop_motion(kind, seconds, fps)
    assert motion.frames % 4 == 0
    assert motion.frames >= 4
    assert abs(motion.frames - seconds * fps) <= max(2.0, 4.0 - seconds * fps)
    yaws = motion.yaws()
    closed = np.append(yaws, motion.yaw_at(motion.frames + 1))
    if kind == "turntable":
        closed[-1] += 360.0
        np.testing.assert_allclose(np.diff(closed), 360.0 / motion.frames)
    else:
        assert closed[-1] == pytest.approx(closed[0], abs=1e-9)
    assert np.abs(yaws).max() <= {"turntable": 360.0, "sway": SWAY_DEGREES, "still": 0.0}[kind]


@pytest.mark.parametrize("kind", ["turntable", "sway", "still"])
def test_keys_say_the_same_as_the_frames(kind):
    motion = loop_motion(kind, 1, 8)
    keys = motion.keys()
    frames = [key.frame for key in keys]
    for frame in range(1, motion.frames + 1):
        expected = np.interp(frame, frames, [key.degrees for key in keys])
        assert motion.yaw_at(frame) == pytest.approx(expected, abs=1e-9)
    assert kind == "still" or frames[-1] == motion.frames + 1


@pytest.mark.parametrize(
    "bad",
    [
        ("spin", 6, 24),
        ("still", 0, 24),
        ("still", 6, 0),
        ("still", float("nan"), 24),
        ("still", 1e9, 24),
        ("still", 6, 1000),
    ],
)
def test_impossible_motions(bad):
    with pytest.raises(OptionError, match="choose"):
        loop_motion(*bad)
