# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on the screen each of the four views goes, and which way it is turned and flipped.

Derivation, for a screen that faces up with the tip of the pyramid down on it: let the viewer stand
on the front side and look along the screen's +y. The front mirror rises from the edge y = -a of the
small end towards the viewer at 45 degrees: its points are (x, -a - t, t). A vertical ray from the
screen point (x, -a - v) meets it at height v and leaves towards the viewer at that height. So the
viewer sees the screen point (u, -a - v) at the right u and the height v: the picture is flipped top
to bottom (a mirror image), and hangs from y = -a downwards. The other sides follow by quarter
turns. For a screen facing down above a tip-up pyramid the far edge of the picture is its lower one:
(u, a + h - v), in the upper panel, because such a screen is looked at from below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError

Screen = Literal["up", "down"]
SCREENS: tuple[Screen, ...] = ("up", "down")

SMALLEST_SIZE = 64
"""Pixels; below this a panel has too few pixels to show a face."""
LARGEST_SIZE = 8192
"""Pixels; no screen has more, and Blender's memory would not hold the frames."""
SMALLEST_GAP, LARGEST_GAP = 0.02, 0.8
PANEL_ASPECT = 1.5
"""Width of a panel over its height: a head is about as deep as it is tall, so more is empty."""


@dataclass(frozen=True)
class Panel:
    """One of the four pictures on the screen."""

    name: str
    """``front``, ``right`` (+x of the head), ``back`` or ``left`` (-x)."""
    camera_yaw: float
    """Degrees the camera of this panel stands around the head, from the front toward +x."""
    centre: tuple[int, int]
    """Pixels from the centre of the frame to the centre of the panel, x right, y up."""
    rotation: int
    """Degrees counter-clockwise on the screen, applied after the flip."""
    mirrored: bool
    """Whether the picture is flipped top to bottom before it is turned: always, a mirror undoes it."""


@dataclass(frozen=True)
class PyramidLayout:
    """The four panels of a hologram frame, in whole pixels."""

    size: int
    """Side of the square that holds the four panels, even."""
    frame: tuple[int, int]
    """(width, height) of the whole picture, even; the square is centred in it."""
    screen: Screen
    """``up``: the screen faces up, the tip of the pyramid stands on it. ``down``: the screen faces
    down, above a pyramid with its tip up."""
    gap: float
    """Width of the small end of the pyramid over ``size``, as asked for."""
    half_gap: int
    """a: half the width of the small end."""
    panel_height: int
    """h: height of the intended picture, and of the pyramid; even. a + h = size / 2."""
    panel_width: int
    """w: width of the intended picture; even."""
    panels: tuple[Panel, Panel, Panel, Panel]
    """front, right, back, left."""
    notes: tuple[str, ...] = ()
    """What was changed about the wishes, for the user."""

    def half_width(self, v: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Half the width of the mirror's trapezoid at height ``v``, in pixels (same shape as ``v``).

        ``v`` counts up from the panel's lower edge, 0..h.
        """
        height = np.asarray(v, dtype=np.float64)
        if self.screen == "up":
            return self.half_gap + height
        return self.half_gap + self.panel_height - height

    def to_screen(self, panel: int, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Screen points of a panel's intended picture.

        Args:
            panel: 0 front, 1 right, 2 back, 3 left.
            uv: (..., 2) pixels, u right from the middle, v up from the lower edge.

        Returns:
            (..., 2) pixels from the centre of the frame, x right, y up.

        """
        points = np.asarray(uv, dtype=np.float64)
        u, v = points[..., 0], points[..., 1]
        out = self.half_gap + v if self.screen == "up" else self.half_gap + self.panel_height - v
        if self.screen == "up":
            x, y = ((u, -out), (out, u), (-u, out), (-out, -u))[panel]
        else:
            x, y = ((u, out), (out, -u), (-u, -out), (-out, u))[panel]
        return np.stack([x, y], axis=-1)


def pyramid_layout(
    size: int = 1080, gap: float = 0.2, screen: str = "up", frame: tuple[int, int] | None = None
) -> PyramidLayout:
    """Lay the four panels out.

    Args:
        size: Side of the square layout in pixels; an odd number is lowered by one (see ``notes``).
        gap: Width of the small end of the pyramid over ``size``.
        screen: ``up`` or ``down``, the way the screen faces.
        frame: (width, height) of the whole picture; ``None`` is the square itself.

    Raises:
        OptionError: A value that cannot work; the message says which would.

    """
    if screen not in SCREENS:
        raise OptionError(f"The screen faces 'up' or 'down', not '{screen}'.")
    notes: list[str] = []
    even_size = _even(size, "size", notes)
    if even_size < SMALLEST_SIZE:
        raise OptionError(f"A size of {size} pixels is too small: choose at least {SMALLEST_SIZE}.")
    if max((even_size, *(frame or ()))) > LARGEST_SIZE:
        raise OptionError(f"Pictures of more than {LARGEST_SIZE} pixels cannot work: choose a smaller size.")
    if not SMALLEST_GAP <= gap <= LARGEST_GAP:
        raise OptionError(
            f"A gap of {gap:g} leaves no room for the pyramid: choose {SMALLEST_GAP:g} to {LARGEST_GAP:g}"
            " (the width of its small end, as a share of the size)."
        )
    width, height = frame or (even_size, even_size)
    width, height = _even(width, "frame width", notes), _even(height, "frame height", notes)
    if min(width, height) < even_size:
        raise OptionError(
            f"A frame of {width}x{height} cannot hold a layout of {even_size} pixels:"
            f" choose a size of {min(width, height)} or a larger frame."
        )
    half = even_size // 2
    # h even, so that a panel turned by 90 degrees still lies on whole pixels.
    panel_height = min(2 * round((half - gap * half) / 2), 2 * ((half - 1) // 2))
    half_gap = half - panel_height
    panel_width = min(2 * half, 2 * round(PANEL_ASPECT * panel_height / 2))
    reach = half_gap + panel_height // 2
    if screen == "up":
        centres, turn = ((0, -reach), (reach, 0), (0, reach), (-reach, 0)), 90
    else:
        centres, turn = ((0, reach), (reach, 0), (0, -reach), (-reach, 0)), -90
    names = ("front", "right", "back", "left")
    panels = tuple(
        Panel(name, 90.0 * k, centre, turn * k, True)
        for k, (name, centre) in enumerate(zip(names, centres, strict=True))
    )
    return PyramidLayout(
        size=even_size,
        frame=(width, height),
        screen=screen,
        gap=gap,
        half_gap=half_gap,
        panel_height=panel_height,
        panel_width=panel_width,
        panels=cast("tuple[Panel, Panel, Panel, Panel]", panels),
        notes=tuple(notes),
    )


def compose(layout: PyramidLayout, views: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Put four intended pictures on one black frame: the reference for what Blender's sequencer does.

    Args:
        layout: The layout.
        views: front, right, back, left: each (h, w, 3) or (h, w, 4), first row on top, any dtype
            (the alpha of an integer picture is straight and counts to 255).

    Returns:
        (H, W, 3) of the same dtype. Where panels overlap, the later covers the earlier by its
        alpha; pictures without alpha add no darkness: the brighter one wins.

    """
    width, height = layout.frame
    frame = np.zeros((height, width, 3), dtype=views[0].dtype)
    quarter = 1 if layout.screen == "up" else -1
    for k, (panel, view) in enumerate(zip(layout.panels, views, strict=True)):
        if view.shape[:2] != (layout.panel_height, layout.panel_width):
            raise ValueError(
                f"view {panel.name} is {view.shape}, not {layout.panel_height} x {layout.panel_width}"
            )
        turned = np.rot90(np.flipud(view), quarter * k)
        rows, columns = turned.shape[:2]
        top = height // 2 - panel.centre[1] - rows // 2
        left = width // 2 + panel.centre[0] - columns // 2
        under = frame[top : top + rows, left : left + columns]
        under[...] = _over(turned, under)
    return frame


def _over(picture: NDArray[Any], under: NDArray[Any]) -> NDArray[Any]:
    if picture.shape[2] == 3:
        return np.maximum(picture, under)
    full = 255.0 if np.issubdtype(picture.dtype, np.integer) else 1.0
    alpha = picture[..., 3:].astype(np.float64) / full
    mixed = picture[..., :3] * alpha + under * (1.0 - alpha)
    result: NDArray[Any] = (np.round(mixed) if full > 1 else mixed).astype(picture.dtype)
    return result


def _even(value: int, what: str, notes: list[str]) -> int:
    if value % 2 == 0:
        return value
    notes.append(f"The {what} of {value} pixels was lowered to {value - 1}: video needs even numbers.")
    return value - 1


@dataclass(frozen=True)
class PyramidDimensions:
    """The pyramid that fits a screen, in millimetres."""

    small_end: float
    """2a: side of the small square opening."""
    large_end: float
    """2(a + h): side of the large square opening."""
    height: float
    """h: height of the assembled pyramid."""
    slant: float
    """h * sqrt(2): height of each trapezoid, as it is cut."""


def pyramid_dimensions(screen_mm: tuple[float, float], gap: float = 0.2) -> PyramidDimensions:
    """The pyramid whose large end is as wide as the short side of the screen.

    Faces at 45 degrees rise as much as they run: height = (large_end - small_end) / 2.

    Args:
        screen_mm: The two sides of the lit screen in millimetres, in any order.
        gap: As in :func:`pyramid_layout`.

    Raises:
        OptionError: A screen or a gap that cannot work.

    """
    short = min(screen_mm)
    if not short >= 20 or max(screen_mm) > 5000:
        raise OptionError(
            f"A screen of {screen_mm[0]:g}x{screen_mm[1]:g} mm cannot carry a pyramid:"
            " give the two sides of the lit screen in millimetres, for example 70x150."
        )
    if not SMALLEST_GAP <= gap <= LARGEST_GAP:
        raise OptionError(f"A gap of {gap:g} cannot work: choose {SMALLEST_GAP:g} to {LARGEST_GAP:g}.")
    small = gap * short
    height = (short - small) / 2
    return PyramidDimensions(small, short, height, height * float(np.sqrt(2.0)))
