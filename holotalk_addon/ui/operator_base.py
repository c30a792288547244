# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operators share: one report for everything that goes wrong, details in a file, and the modal run
of a job in its lane."""

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
from .jobs import LANES, NOTHING_CHANGED, TICK_SECONDS, WORK, Cancelled, Job
from .preferences import scratch_folder

DETAILS_NAME = "last-error-{lane}.txt"
"""Each lane has its own, as it has its own error."""
FOR_DEVELOPERS = "Save your work and try again; Details has what the developers need to mend it."


class HoloTalkOperator:
    """An operator whose :meth:`run` may raise: the user gets one sentence that says what to do."""

    bl_label: str
    bl_idname: str
    report: Callable[[set[str], str], None]
    lane: ClassVar[str] = WORK
    """Whose message and error it writes, and where its job runs: one of :data:`~.jobs.LANES`."""

    def lane_state(self, context: Any) -> Any:
        """The state of its lane."""
        return context.window_manager.holotalk.lane(self.lane)

    def execute(self, context: Any) -> set[str]:
        """Run it; errors become a report."""
        return self.guarded(context, self.run)

    def run(self, context: Any) -> set[str]:
        """What the operator does; may raise."""
        raise NotImplementedError

    def guarded(self, context: Any, do: Callable[[Any], set[str]]) -> set[str]:
        """Do something; whatever it raises is reported once, and kept with details."""
        state = self.lane_state(context)
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
        details = _write_details(self.bl_idname, self.lane, sentence)
        state.details = str(details or "")
        self.report({"ERROR"}, sentence)


def windowless(context: Any) -> bool:
    """Whether work goes straight through: there is no window to keep alive, or no second Blender to start."""
    return bpy.app.background or context.window is None or not bpy.app.binary_path


def hand_over(operator: Any, context: Any, begin: Callable[[], Any]) -> set[str]:
    """Have another operator of the same lane begin its job; what it reports, this one reports.

    Blender turns the report of an operator that another one calls into an exception.
    """
    try:
        begin()
    except RuntimeError:
        error = operator.lane_state(context).error
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
    _job: Job | None = None
    _timer: Any = None

    def start(self, context: Any) -> Job:
        """Check everything that can be checked at once, and make the job."""
        raise NotImplementedError

    def finish(self, context: Any, result: Any) -> set[str]:
        """Take the job's result, in Blender's main thread."""
        raise NotImplementedError

    def run(self, context: Any) -> set[str]:
        """Straight through."""
        self._refuse_second()
        return self.finish(context, self.start(context).run())

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Begin, and come back with the timer."""
        if windowless(context):
            return self.execute(context)
        return self.guarded(context, self._begin)

    def _begin(self, context: Any) -> set[str]:
        self._refuse_second()
        job = self.start(context)
        job.begin()
        self._job = session.current().jobs[self.lane] = job
        state = self.lane_state(context)
        state.free()
        state.job, state.stage, state.message = self.job_name, job.stage, ""
        self._timer = context.window_manager.event_timer_add(TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        redraw(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Look how far the job is; Esc stops it where the user waits for it."""
        job, state = self._job, self.lane_state(context)
        if job is None or not self._has_lane():  # another file was opened, or the add-on is going
            self._end(context)
            return {"CANCELLED"}
        escape = self.lane == WORK and event.type == "ESC" and event.value == "PRESS"
        if state.cancel_asked or escape:
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
        self.cancel(context)
        raise Cancelled(self.stopped)

    def cancel(self, context: Any) -> None:
        """Blender ends the operator (it quits, or opens another file)."""
        job = self._job if self._has_lane() else None
        self._end(context)
        if job is not None:
            job.cancel()

    def _has_lane(self) -> bool:
        """Whether its job is still that of its lane."""
        return self._job is not None and session.current().jobs.get(self.lane) is self._job

    def _end(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        jobs = session.current().jobs
        if self._has_lane():
            del jobs[self.lane]
        if self.lane not in jobs:  # else another job has begun there, and this is its state
            self.lane_state(context).free()
        self._job = None
        redraw(context)

    def _refuse_second(self) -> None:
        if self.lane in session.current().jobs:
            raise HoloTalkError(f"{LANES[self.lane].busy}.")


class StopOperator(HoloTalkOperator):
    """An operator that stops the job of its lane, and no other."""

    def run(self, context: Any) -> set[str]:
        """Ask the modal operator to stop; it does at its next tick."""
        self.lane_state(context).cancel_asked = True
        return {"FINISHED"}


def at_work(cls: Any) -> bool:
    """For polls: whether a job is at work in the operator's lane."""
    return cls.lane in session.current().jobs


def idle(cls: Any) -> bool:
    """For polls: whether nothing is at work in the operator's lane; says so where something is."""
    if at_work(cls):
        cls.poll_message_set(LANES[cls.lane].busy)
        return False
    return True


def redraw(context: Any, *, every_region: bool = False) -> None:
    """Have the sidebars of all 3D viewports drawn again, or all that they show."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if every_region or region.type == "UI":
                        region.tag_redraw()


def _write_details(operator: str, lane: str, sentence: str) -> Path | None:
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
        path = scratch_folder() / DETAILS_NAME.format(lane=lane)
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
