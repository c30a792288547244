# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on behind the window: told of its progress, stopped by Esc, ended in one place.

A job is begun and then asked now and then by a timer of the modal operator that owns it; where there is no
window the same job runs straight through.

Jobs run in lanes: one at a time in each of :data:`LANES`, and those of different lanes beside one another, so
that a live link may drive the head for as long as the user likes while a video is rendered. Each lane has its
own progress, message, error and way to be stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..pipeline import Tell

TICK_SECONDS = 0.1


@dataclass(frozen=True)
class Lane:
    """What is the same for all jobs of a lane."""

    busy: str
    """Why no second one begins; without a period, as Blender's tooltips want it."""
    stop: str
    """The operator that stops its job."""
    ends: bool
    """Whether its jobs come to an end by themselves: only then can they say how much is done."""


WORK = "work"
LIVE = "live"
LANES = {
    WORK: Lane("HoloTalk is at work: wait until it is done, or press Cancel", "holotalk.cancel", ends=True),
    LIVE: Lane("A live link is on: stop it first", "holotalk.stop_live", ends=False),
}
"""All lanes: what the user waits for, and what goes on beside it until it is stopped. Each has a property of
this name in :class:`~.settings.HOLOTALK_PG_state`."""


class Cancelled(Exception):  # noqa: N818 - not an error: the user's wish
    """The user stopped it; the text says what that means."""


NOTHING_CHANGED = "Stopped. Nothing was changed."


class Job(Protocol):
    """What the modal operator asks of a job: of those here, and of a second Blender in ``scene``."""

    stage: str
    """What it does now, for the user."""

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


class InTurn:
    """A lock whose next holder is the thread that waits for it, not the one that has just given it back.

    A thread that takes a plain lock for piece after piece may overtake who waits: on two busy cores, with
    pieces of some 12 ms, a second thread that asked 80 times waited once for 167 pieces (2 s). With this lock
    it never waited for more than the piece in hand.
    """

    def __init__(self) -> None:
        """Make it, free."""
        self._next = threading.Lock()
        self._held = threading.Lock()

    def __enter__(self) -> None:
        """Wait for it. Who waits stands at the door, where all others have to pass."""
        with self._next:
            self._held.acquire()

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self._held.release()


class ThreadJob:
    """Work without ``bpy`` in a thread of its own: Blender's window stays alive.

    The networks serve one thread at a time. A job that ends soon holds their lock, ``alone``, all the while.
    A job that goes on for minutes, such as a live link, must not, or nothing could be generated until it is
    stopped: it is made without the lock, and its work takes ``session.current().alone`` for each piece that
    uses the networks (a frame), gives it back, and tells its stage between the pieces, which is where it is
    stopped. It waits in its turn with all others, so it stands still while a hologram is generated; where it
    must not, it loads networks of its own.
    """

    def __init__(
        self,
        work: Callable[[Tell], Any],
        shares: dict[str, float],
        alone: AbstractContextManager[Any] | None,
    ) -> None:
        """Prepare the work.

        Args:
            work: told a :data:`~..pipeline.Tell` to call with its stages.
            shares: about how much of the time each stage takes, in order; their sum is 1. A job without an
                end names its stages with 0.
            alone: held while it works: a job that was stopped may take a moment to end, and the networks
                serve one thread at a time. None for work that takes it itself, piece by piece.

        """
        self._alone = nullcontext() if alone is None else alone
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
            raise Cancelled(NOTHING_CHANGED)
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
