# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives the real Blender from within: steps, waiting, mouse and keyboard, screenshots, what was checked.

A step is a generator: it acts, yields to let Blender go on for a moment, looks again. Buttons are found as
a user finds them, with the mouse: the pointer goes over a region until Blender says that what is under it
is the operator or the property looked for. Events are real ones, from the X server.
"""

import contextlib
import faulthandler
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import bpy

TICK = 0.02
"""Seconds between two looks."""

SETTLE = 10
"""Ticks in which Blender has certainly drawn again, or taken notice of the pointer."""

ROW = 16
"""Pixels between two places looked at: less than a button's height."""

ACROSS = (0.5, 0.25, 0.83, 0.92)
"""Where in a region's width buttons are looked for."""

SCROLL = 40
"""Pixels of one step of scrolling."""

SOMETHING = 12.0
"""Standard deviation of grey values (0..255) above which a view is not empty: lines alone have less."""

STILL = 6
"""Grey values by which a view that is drawn may still change: EEVEE goes on refining it."""

Steps = Generator[None, None, None]


class StepError(Exception):
    """A step cannot go on: something waited for did not come."""


@dataclass
class Record:
    """What became of one step. ``longest_pause`` is the longest time (s) in which Blender did not answer."""

    name: str
    state: str = "not reached"
    seconds: float = 0.0
    longest_pause: float = 0.0
    checks: list[dict] = field(default_factory=list)
    shots: list[str] = field(default_factory=list)
    figures: dict[str, float | str] = field(default_factory=dict)
    trouble: str = ""


@dataclass(frozen=True)
class Found:
    """A button: the operator's call or the property's path, and where it is (X's pixels, y down)."""

    what: str
    x: int
    y: int


class Session:
    """Runs steps one after another from Blender's timers and writes down what happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shots = folder / "shots"
        self.shots.mkdir(exist_ok=True)
        self.width, self.height = map(int, os.environ["HOLOTALK_GUI_SIZE"].split("x"))
        self.records: list[Record] = []
        self._steps: list[tuple[Record, Callable[[Session], Steps], tuple[str, ...]]] = []
        self._known: dict[str, Found] = {}
        self._looked = 0.0
        self._stacks = (folder / "stacks.txt").open("w")
        faulthandler.register(signal.SIGUSR1, file=self._stacks, all_threads=True)

    # -- running ---------------------------------------------------------------------------------

    def step(self, *needs: str) -> Callable:
        """Decorator: the function is the next step. It is left out when one it needs went wrong."""

        def add(function: Callable[["Session"], Steps]) -> Callable:
            record = Record(function.__name__)
            self.records.append(record)
            self._steps.append((record, function, needs))
            return function

        return add

    def start(self) -> None:
        """Begin when Blender has drawn itself."""
        self._all = self._run()
        bpy.app.timers.register(self._tick, first_interval=1.0, persistent=True)

    def _tick(self) -> float | None:
        (self.folder / "alive").touch()
        try:
            next(self._all)
        except StopIteration:
            self._write(done=True)
            # As a user who closes the window: add-ons are switched off and settings saved on the way.
            with in_window():
                bpy.ops.wm.quit_blender()
            return None
        return TICK

    def _run(self) -> Steps:
        self._write()
        for record, function, needs in self._steps:
            failed = [other.name for other in self.records if other.name in needs and other.state != "passed"]
            if failed:
                record.state, record.trouble = "left out", f"{failed[0]} did not pass"
                continue
            self.record = record
            record.state = "running"
            self._write()
            yield from self._one(function)
            self._write()

    def _one(self, function: Callable[["Session"], Steps]) -> Steps:
        record, began = self.record, time.monotonic()
        self._looked = began
        try:
            for _ in function(self):
                yield
                now = time.monotonic()
                record.longest_pause = max(record.longest_pause, round(now - self._looked, 2))
                self._looked = now
            record.state = "passed" if all(check["ok"] for check in record.checks) else "failed"
        except Exception as error:  # noqa: BLE001  any step's error is a result to be written down
            record.state = "failed"
            known = isinstance(error, StepError)
            record.trouble = str(error) if known else traceback.format_exc()
            yield from self.shot(f"failed_{record.name}")
            self.key("Escape")
        record.seconds = round(time.monotonic() - began, 2)

    def _write(self, done: bool = False) -> None:
        content = {
            "blender": bpy.app.version_string,
            "python": ".".join(map(str, sys.version_info[:3])),
            "done": done,
            "steps": [asdict(record) for record in self.records],
        }
        part = self.folder / "result.part"
        part.write_text(json.dumps(content, indent=1))
        part.replace(self.folder / "result.json")

    # -- what a step does ------------------------------------------------------------------------

    def check(self, what: str, ok: object, detail: object = "") -> None:
        """Write down whether something is as it must be; the step goes on."""
        self.record.checks.append({"what": what, "ok": bool(ok), "detail": str(detail)})

    def figure(self, name: str, value: float | str) -> None:
        """Write down a number that is measured, not judged."""
        self.record.figures[name] = round(value, 2) if isinstance(value, float) else value

    def wait(self, ticks: int = SETTLE) -> Steps:
        """Let Blender go on for a while."""
        for _ in range(ticks):
            yield

    def until(self, condition: Callable[[], object], seconds: float, what: str) -> Steps:
        """Let Blender go on until something is so.

        Raises:
            StepError: it is not so within that time.

        """
        ends = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > ends:
                raise StepError(f"waited {seconds:g} s in vain: {what}")
            yield

    def shot(self, name: str) -> Steps:
        """Take a picture of the whole screen, numbered in order."""
        for window in bpy.context.window_manager.windows:
            for area in window.screen.areas:
                area.tag_redraw()
        yield from self.wait()
        number = sum(len(record.shots) for record in self.records) + 1
        file = self.shots / f"{number:02d}_{name}.png"
        subprocess.run(["import", "-window", "root", str(file)], check=True, capture_output=True, timeout=60)
        self.record.shots.append(file.name)

    def drawn(self, area: bpy.types.Area, seconds: float) -> Steps:
        """Wait until something is seen in the middle of an area and it stays as it is.

        Blender does not tell whether it still compiles shaders; it shows an empty view meanwhile.

        Raises:
            StepError: nothing comes to be seen.

        """
        ends, before = time.monotonic() + seconds, b""
        while True:
            now = self._middle(area)
            mean = sum(now) / len(now)
            spread = (sum((value - mean) ** 2 for value in now) / len(now)) ** 0.5
            change = max((abs(a - b) for a, b in zip(now, before, strict=False)), default=255)
            if spread > SOMETHING and change <= STILL:
                return
            if time.monotonic() > ends:
                raise StepError(
                    f"waited {seconds:g} s in vain: a view that stays (spread {spread:.1f}, change {change})"
                )
            before = now
            yield from self.wait(int(1.0 / TICK))

    def _middle(self, area: bpy.types.Area) -> bytes:
        """The middle third of an area as 32 x 32 grey values."""
        left, top = self.corner(area, area)
        width, height = area.width // 3, area.height // 3
        place = f"{width}x{height}+{left + width}+{top + height}"
        command = ["import", "-window", "root", "-crop", place, "+repage", "-resize", "32x32!"]
        grab = subprocess.run(
            [*command, "-depth", "8", "gray:-"], check=True, capture_output=True, timeout=60
        )
        return grab.stdout

    # -- mouse and keyboard ----------------------------------------------------------------------

    def xdotool(self, *arguments: object) -> str:
        """Real events: ``mousemove X Y``, ``click 1``, ``key Escape``; returns what it prints."""
        command = ["xdotool", *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def key(self, name: str) -> None:
        """Press and release a key, such as ``ctrl+z``, where the pointer is."""
        self.xdotool("key", name)

    def move(self, x: int, y: int) -> Steps:
        """Put the pointer somewhere, in two moves: a jump alone is not always noticed."""
        self.xdotool("mousemove", x - 1, y, "mousemove", x, y)
        yield
        yield

    def bring_in(self) -> Steps:
        """Move every window on to the screen: there is no window manager here to do it."""
        found = self.xdotool("search", "--onlyvisible", "--class", "blender").split()
        for number in found:
            facts = self.xdotool("getwindowgeometry", "--shell", number)
            place = {name: int(value) for name, value in re.findall(r"^(\w+)=(-?\d+)$", facts, re.M)}
            left, top, width, height = (place[name] for name in ("X", "Y", "WIDTH", "HEIGHT"))
            if left < 0 or top < 0 or left + width > self.width or top + height > self.height:
                middle = max(0, (self.width - width) // 2), max(0, (self.height - height) // 2)
                self.xdotool("windowmove", number, *middle)
        yield from self.wait()

    def point(self, area: bpy.types.Area, across: float = 0.5, up: float = 0.5) -> Steps:
        """Put the pointer over a part of an area (fractions of its size)."""
        left, top = self.corner(area, area)
        yield from self.move(int(left + across * area.width), int(top + (1.0 - up) * area.height))

    def corner(self, area: bpy.types.Area, part: bpy.types.Area | bpy.types.Region) -> tuple[int, int]:
        """Where the upper left corner of an area, or of a region in it, is on the screen."""
        window = window_of(area)
        return window.x + part.x, self.height - window.y - part.y - part.height

    def click(self, area: bpy.types.Area, what: str, region: str = "UI", across: float = 0.5) -> Steps:
        """Find a button with the pointer and click on it; see :meth:`find`.

        Raises:
            StepError: there is none.

        """
        found = yield from self.find(area, what, region, across)
        yield from self.move(found.x, found.y)
        yield from self.wait(3)
        self.xdotool("click", 1)
        yield from self.wait(3)

    def find(
        self, area: bpy.types.Area, what: str, region: str = "UI", across: float = 0.5
    ) -> Generator[None, None, Found]:
        """Look for a button from the top of a region to its end, scrolling.

        Args:
            area: the editor.
            what: an operator such as ``holotalk.generate``, or the end of a property's path such as
                ``.holotalk.motion``.
            region: the type of the region in it.
            across: where in the region's width to look first, which saves time.

        Raises:
            StepError: it is nowhere.

        """
        place = next(one for one in area.regions if one.type == region)
        known = self._known.get(what)
        if known and (yield from self._is_there(area, place, known.x, known.y, what)):
            return known
        self._scroll(area, place, bpy.ops.view2d.scroll_up, 100)
        yield from self.wait()
        for _ in range(12):
            left, top = self.corner(area, place)
            for share in dict.fromkeys((across, *ACROSS)):
                x = int(left + share * place.width)
                for y in range(top + 6, top + place.height - 4, ROW):
                    if (yield from self._is_there(area, place, x, y, what)):
                        self._known[what] = Found(what, x, y)
                        return self._known[what]
            before = place.view2d.region_to_view(0, 0)[1]
            self._scroll(area, place, bpy.ops.view2d.scroll_down, place.height // SCROLL // 2)
            yield from self.wait()
            if place.view2d.region_to_view(0, 0)[1] == before:
                break
        raise StepError(f"there is no button for {what}")

    def _is_there(self, area, region, x: int, y: int, what: str) -> Generator[None, None, bool]:
        yield from self.move(x, y)
        under = self._under_pointer(area, region)
        return re.search(re.escape(what) + r"(?!\w)", under) is not None

    @staticmethod
    def _scroll(area: bpy.types.Area, region: bpy.types.Region, way: Callable, times: int) -> None:
        """Scroll a region. Not with the wheel: where all of it fits, that zooms the view behind."""
        with in_window(area, region=region), contextlib.suppress(RuntimeError):
            for _ in range(times):
                way()

    @staticmethod
    def _under_pointer(area: bpy.types.Area, region: bpy.types.Region) -> str:
        """The call of the operator, or the path of the property, whose button is under the pointer."""
        manager = bpy.context.window_manager
        with in_window(area, region=region):
            for copy, options in (
                (bpy.ops.ui.copy_python_command_button, {}),
                (bpy.ops.ui.copy_data_path_button, {"full_path": True}),
            ):
                manager.clipboard = ""
                with contextlib.suppress(RuntimeError):  # no such button here
                    if copy.poll():
                        copy(**options)
                if manager.clipboard:
                    return manager.clipboard
        return ""


def window_of(area: bpy.types.Area) -> bpy.types.Window:
    """The window in which an area is."""
    return next(
        window
        for window in bpy.context.window_manager.windows
        if any(one == area for one in window.screen.areas)
    )


@contextlib.contextmanager
def in_window(area: bpy.types.Area | None = None, **members: object) -> Iterator[None]:
    """Timers run without a window in the context; operators want one (the area's, or the first)."""
    if area is None:
        window = bpy.context.window_manager.windows[0]
    else:
        window, members["area"] = window_of(area), area
    with bpy.context.temp_override(window=window, **members):
        yield


def areas(kind: str) -> list[bpy.types.Area]:
    """All editors of a type, such as ``VIEW_3D``, in all windows."""
    return [
        area
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == kind
    ]


def region(area: bpy.types.Area, kind: str) -> bpy.types.Region:
    """One of an area's regions, such as ``UI``."""
    return next(one for one in area.regions if one.type == kind)
