# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on behind the window: told of its progress, stopped by Esc, ended in one place.

A job is begun and then asked now and then by a timer of the modal operator that owns it; where there is no
window the same job runs straight through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..pipeline import Tell

TICK_SECONDS = 0.1


class Cancelled(Exception):  # noqa: N818 - not an error: the user's wish
    """The user stopped it; the text says what that means."""


NOTHING_CHANGED = "Stopped. Nothing was changed."


class Job(Protocol):
    """What the modal operator asks of a job."""

    stage: str
    """What it does now, for the user."""
    stopped: str
    """What it means to have stopped it, for the user."""

    @property
    def fraction(self) -> float:
        """How much of it is done, 0..1."""

    @property
    def done(self) -> bool:
        """Whether :meth:`result` may be called."""

    def begin(self) -> None:
        """Start it; returns at once."""

    def cancel(self) -> None:
        """Stop it, and leave nothing of it behind."""

    def result(self) -> Any:
        """What it made; raises what went wrong."""

    def run(self) -> Any:
        """All of it at once, where there is no window to keep alive; returns the result."""


class ThreadJob:
    """Work without ``bpy`` in a thread of its own: Blender's window stays alive."""

    stopped = NOTHING_CHANGED

    def __init__(self, work: Callable[[Tell], Any], shares: dict[str, float], alone: threading.Lock) -> None:
        """Prepare the work.

        Args:
            work: told a :data:`~..pipeline.Tell` to call with its stages.
            shares: about how much of the time each stage takes, in order; their sum is 1.
            alone: held while it works: a job that was stopped may take a moment to end, and the networks
                serve one thread at a time.

        """
        self._alone = alone
        self.stage = next(iter(shares), "")
        self.fraction = 0.0
        self._work = work
        self._shares = shares
        self._stop = threading.Event()
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._go, name="HoloTalk", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Have the work end at the next word of its progress; its result is dropped."""
        self._stop.set()

    def result(self) -> Any:
        """What the work returned; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def run(self) -> Any:
        """Do the work here and now."""
        with self._alone:
            return self._work(self._tell)

    def _go(self) -> None:
        try:
            with self._alone:
                if not self._stop.is_set():
                    self._value = self._work(self._tell)
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            self._error = error

    def _tell(self, stage: str, part: float) -> None:
        if self._stop.is_set():
            raise Cancelled(self.stopped)
        before = 0.0
        for name, share in self._shares.items():
            if name == stage:
                self.stage = stage
                self.fraction = min(1.0, before + share * part)
                return
            before += share


class DoneJob:
    """Nothing left to do: what the operator asked for is there already."""

    stage = ""
    stopped = NOTHING_CHANGED
    fraction = 1.0
    done = True

    def __init__(self, value: Any = None) -> None:
        """The job whose result is ``value``."""
        self._value = value

    def begin(self) -> None:
        """There is nothing to start."""

    def cancel(self) -> None:
        """There is nothing to stop."""

    def result(self) -> Any:
        """The value."""
        return self._value

    def run(self) -> Any:
        """The value."""
        return self._value


class RenderJob:
    """A render: in a second Blender where there is a window, else straight through in this one."""

    stage = "Rendering"
    stopped = NOTHING_CHANGED

    def __init__(self, output: Path, scratch: Path | None) -> None:
        """Prepare a render of the open file's hologram to ``output`` (.mp4 or .png)."""
        self._output = output
        self._scratch = scratch
        self._render: Any = None

    def begin(self) -> None:
        """Start the second Blender."""
        from ..scene.background import BackgroundRender

        self._render = BackgroundRender(self._output, self._scratch)
        self._render.begin()

    @property
    def fraction(self) -> float:
        """How much is rendered, 0..1."""
        return 0.0 if self._render is None else float(self._render.fraction)

    @property
    def done(self) -> bool:
        """Whether the second Blender has ended."""
        return self._render is None or bool(self._render.done)

    def cancel(self) -> None:
        """Stop the second Blender; an output of earlier stays as it was."""
        if self._render is not None:
            self._render.cancel()

    def result(self) -> float:
        """Put the output in its place; returns the seconds that the whole video takes."""
        return float(self._render.result())

    def run(self) -> float:
        """Render in this Blender."""
        from ..outputs import check_output
        from ..scene.background import render_here

        return render_here(check_output(self._output, (".mp4", ".png")))


class TrainingDataJob:
    """Training data, rendered in a second Blender where there is a window, else straight through here."""

    stage = "Rendering people"
    stopped = "Stopped. What is done is kept: the same button goes on."

    def __init__(self, order: tuple[str, str, int, int], scratch: Path | None) -> None:
        """Prepare it: ``order`` is what :func:`~..training_data.render_for_panel` takes."""
        self._order = order
        self._scratch = scratch
        self._blender: Any = None

    def begin(self) -> None:
        """Start the second Blender."""
        from ..scene.background import SecondBlender

        self._blender = SecondBlender("training_data:render_for_panel", self._scratch)
        self._blender.begin(*self._order, with_file=False)

    @property
    def fraction(self) -> float:
        """How much is rendered, 0..1."""
        return 0.0 if self._blender is None else float(self._blender.fraction)

    @property
    def done(self) -> bool:
        """Whether the second Blender has ended."""
        return self._blender is None or bool(self._blender.done)

    def cancel(self) -> None:
        """Stop it; the people who are done stay in the folder."""
        if self._blender is not None:
            self._blender.cancel()

    def result(self) -> int:
        """How many samples the folder holds."""
        try:
            return int(self._blender.result())
        finally:
            self._blender.clear()

    def run(self) -> int:
        """Render in this Blender."""
        from ..progress import silent
        from ..training_data import render_for_panel

        return render_for_panel(*self._order, silent)
