# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operators share: one report for everything that goes wrong, details in a file, and the modal run
of a job."""

from __future__ import annotations

import platform
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import bpy

from .. import __version__
from ..errors import HoloTalkError, explain
from . import session
from .jobs import NOTHING_CHANGED, TICK_SECONDS, Cancelled, Job
from .preferences import scratch_folder

DETAILS_NAME = "last-error.txt"
FOR_DEVELOPERS = "Save your work and try again; Details has what the developers need to mend it."


class HoloTalkOperator:
    """An operator whose :meth:`run` may raise: the user gets one sentence that says what to do."""

    bl_label: str
    bl_idname: str
    report: Callable[[set[str], str], None]

    def execute(self, context: Any) -> set[str]:
        """Run it; errors become a report."""
        return self.guarded(context, self.run)

    def run(self, context: Any) -> set[str]:
        """What the operator does; may raise."""
        raise NotImplementedError

    def guarded(self, context: Any, do: Callable[[Any], set[str]]) -> set[str]:
        """Do something; whatever it raises is reported once, and kept with details."""
        state = context.window_manager.holotalk
        state.message = state.error = state.details = ""
        try:
            return do(context)
        except Cancelled as stopped:
            state.message = str(stopped)
            self.report({"INFO"}, state.message.removesuffix("."))
        except HoloTalkError as error:
            self._fail(state, " ".join(str(error).split()))
        except ModuleNotFoundError as error:
            # Blender unpacks the parts from wheels, and such alone as are for its own Python.
            python = ".".join(platform.python_version_tuple()[:2])
            self._fail(
                state,
                f"A part of HoloTalk is missing ({error.name}): remove the add-on in Blender's preferences "
                f"and install its zip again, that for Python {python}, on which this Blender runs.",
            )
        except MemoryError:
            self._fail(state, "The memory is full: close other programs, or choose a smaller size.")
        except OSError as error:
            self._fail(state, explain(error))
        except Exception as error:  # noqa: BLE001 - an add-on must never end in a traceback in a console
            self._fail(
                state, f"Something went wrong in HoloTalk ({type(error).__name__}: {error}). {FOR_DEVELOPERS}"
            )
        return {"CANCELLED"}

    def _fail(self, state: Any, sentence: str) -> None:
        state.message, state.error = "", sentence
        details = _write_details(self.bl_idname, sentence)
        state.details = str(details or "")
        self.report({"ERROR"}, sentence)


def windowless(context: Any) -> bool:
    """Whether work goes straight through: there is no window to keep alive, or no second Blender to start."""
    return bpy.app.background or context.window is None or not bpy.app.binary_path


def hand_over(operator: Any, context: Any, begin: Callable[[], Any]) -> set[str]:
    """Have another operator begin its job; what it reports, this one reports.

    Blender turns the report of an operator that another one calls into an exception.
    """
    try:
        begin()
    except RuntimeError:
        error = context.window_manager.holotalk.error
        if not error:
            raise
        operator.report({"ERROR"}, error)
        return {"CANCELLED"}
    return {"FINISHED"}


class JobOperator(HoloTalkOperator):
    """An operator whose work is a job: modal with progress in a window, straight through without one."""

    job_name: ClassVar[str]
    """What the state calls it while it is at work."""
    stopped: ClassVar[str] = NOTHING_CHANGED
    """What it means to have stopped it, for the user."""
    _timer: Any = None

    def start(self, context: Any) -> Job:
        """Check everything that can be checked at once, and make the job."""
        raise NotImplementedError

    def finish(self, context: Any, result: Any) -> set[str]:
        """Take the job's result, in Blender's main thread."""
        raise NotImplementedError

    def run(self, context: Any) -> set[str]:
        """Straight through."""
        _refuse_second()
        return self.finish(context, self.start(context).run())

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Begin, and come back with the timer."""
        if windowless(context):
            return self.execute(context)
        return self.guarded(context, self._begin)

    def _begin(self, context: Any) -> set[str]:
        _refuse_second()
        job = self.start(context)
        job.begin()
        session.current().job = job
        state = context.window_manager.holotalk
        state.job, state.stage, state.progress, state.message = self.job_name, job.stage, 0.0, ""
        state.cancel_asked = False
        self._timer = context.window_manager.event_timer_add(TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        redraw(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Look how far the job is; Esc stops it."""
        job, state = session.current().job, context.window_manager.holotalk
        if job is None:  # another file was opened, or the add-on is going
            self._end(context)
            return {"CANCELLED"}
        if state.cancel_asked or (event.type == "ESC" and event.value == "PRESS"):
            return self.guarded(context, self._stop)
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if not job.done:
            if (job.stage, job.fraction) != (state.stage, state.progress):
                state.stage, state.progress = job.stage, job.fraction
                redraw(context)
            return {"PASS_THROUGH"}
        self._end(context)
        return self.guarded(context, lambda c: self.finish(c, job.result()))

    def _stop(self, context: Any) -> set[str]:
        job = session.current().job
        if job is not None:
            job.cancel()
        self._end(context)
        raise Cancelled(self.stopped)

    def cancel(self, context: Any) -> None:
        """Blender ends the operator (it quits, or opens another file)."""
        job = session.current().job
        if job is not None:
            job.cancel()
        self._end(context)

    def _end(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        session.current().job = None
        state = context.window_manager.holotalk
        state.job, state.stage, state.progress, state.cancel_asked = "", "", 0.0, False
        redraw(context)


def redraw(context: Any, *, every_region: bool = False) -> None:
    """Have the sidebars of all 3D viewports drawn again, or all that they show."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if every_region or region.type == "UI":
                        region.tag_redraw()


def _refuse_second() -> None:
    if session.current().job is not None:
        raise HoloTalkError("HoloTalk is at work already: wait until it is done, or press Cancel.")


def _write_details(operator: str, sentence: str) -> Path | None:
    """Write what a developer needs to the details file; None where even that cannot be written."""
    lines = [
        sentence,
        "",
        f"HoloTalk {__version__}, {operator}, {datetime.now(UTC).isoformat(timespec='seconds')}",
        f"Blender {bpy.app.version_string}, Python {platform.python_version()}, {platform.platform()}",
        *_versions(),
        "",
        traceback.format_exc(),
    ]
    try:
        path = scratch_folder() / DETAILS_NAME
        path.write_text("\n".join(lines), encoding="utf-8")
    except (OSError, HoloTalkError):
        return None
    return path


def _versions() -> list[str]:
    from importlib import metadata

    names = ("numpy", "opencv-python-headless", "dlib-bin", "ai-edge-litert", "pillow")
    found = []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name}: not there")
    return found
