# SPDX-License-Identifier: GPL-3.0-or-later
"""How the head moves in the loop: as yaw per frame, and as the few keys that an artist can edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError

MotionKind = Literal["turntable", "sway", "still"]
MOTIONS: tuple[MotionKind, ...] = ("turntable", "sway", "still")

SWAY_DEGREES = 30.0
FIRST_FRAME = 1
LONGEST_SECONDS = 600.0
FASTEST_FPS = 240


@dataclass(frozen=True)
class Key:
    """One keyframe of the turning."""

    frame: int
    degrees: float
    """Yaw in head axes: positive turns the nose toward +x."""
    interpolation: Literal["LINEAR", "CONSTANT"]


@dataclass(frozen=True)
class LoopMotion:
    """A loop without a jump: frame ``frames`` is followed by frame 1 like any other neighbour."""

    kind: MotionKind
    frames: int
    """Divisible by four, so that a quarter turn of the turntable is a whole number of frames."""
    fps: int

    def yaw_at(self, frame: int) -> float:
        """Degrees of yaw at a frame (1 .. ``frames``; any other frame counts round the loop)."""
        part = (frame - FIRST_FRAME) / self.frames
        if self.kind == "turntable":
            return 360.0 * (part % 1.0)
        if self.kind == "sway":
            return SWAY_DEGREES * float(np.sin(2.0 * np.pi * part))
        return 0.0

    def yaws(self) -> NDArray[np.float64]:
        """(frames,) degrees, one for each frame of the loop."""
        return np.array([self.yaw_at(f) for f in range(FIRST_FRAME, FIRST_FRAME + self.frames)])

    def keys(self) -> tuple[Key, ...]:
        """The keyframes. The last one stands at frame ``frames + 1``, outside the loop, and repeats
        the first (plus a full turn), so that nothing eases in or out at the joint.

        A turntable has two linear keys. A sway has one linear key a frame: every frame is exactly
        the sine, which no pair of Bezier handles is. A still has one key.
        """
        if self.kind == "turntable":
            last = FIRST_FRAME + self.frames
            return (Key(FIRST_FRAME, 0.0, "LINEAR"), Key(last, 360.0, "LINEAR"))
        if self.kind == "sway":
            frames = range(FIRST_FRAME, FIRST_FRAME + self.frames + 1)
            return tuple(Key(frame, self.yaw_at(frame), "LINEAR") for frame in frames)
        return (Key(FIRST_FRAME, 0.0, "CONSTANT"),)


def loop_motion(kind: str = "turntable", seconds: float = 6.0, fps: int = 24) -> LoopMotion:
    """A loop of about ``seconds``; the number of frames is rounded to a multiple of four.

    Raises:
        OptionError: An unknown motion, or a length or rate that cannot work.

    """
    if kind not in MOTIONS:
        raise OptionError(f"There is no motion '{kind}': choose turntable, sway or still.")
    if not 1 <= fps <= FASTEST_FPS:
        raise OptionError(f"{fps} frames a second cannot work: choose 1 to {FASTEST_FPS}.")
    if not 0 < seconds <= LONGEST_SECONDS:
        raise OptionError(f"A loop of {seconds:g} s cannot work: choose up to {LONGEST_SECONDS:g} s.")
    frames = max(4, 4 * round(seconds * fps / 4))
    return LoopMotion(kind, frames, fps)
