# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in their lanes: what the user waits for, and what goes on beside it; each with its own progress,
message, error and end.

Blender's Python module has no window, so :class:`Window` stands in for one: it calls modal operators as
Blender does, the youngest first, and holds their timers.
"""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest

import holotalk_addon
from holotalk_addon import ui
from holotalk_addon.errors import HoloTalkError
from holotalk_addon.ui import jobs, operator_base, panels, session, settings
from holotalk_addon.ui.jobs import LANES, LIVE, WORK
from holotalk_addon.ui.operator_base import JobOperator, StopOperator, idle

LONG = 30.0
"""Seconds that nothing here takes, however busy the computer is."""


@pytest.fixture
def addon(monkeypatch):
    """The add-on, enabled, in an empty file and with a window to keep alive."""
    holotalk_addon.register()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    monkeypatch.setattr(operator_base, "windowless", lambda _context: False)
    yield holotalk_addon
    if hasattr(bpy.types.Scene, "holotalk"):
        holotalk_addon.unregister()


@pytest.fixture
def window(addon):
    """A window in which nothing goes on."""
    return Window()


class Window:
    """A window, its manager and the context, as far as a modal operator sees them."""

    def __init__(self):
        self.window, self.windows = self, ()
        self.window_manager = self
        self.timers, self.operators = [], []

    @property
    def holotalk(self):
        """The real state: asked for anew, it goes with the file."""
        return bpy.context.window_manager.holotalk

    def event_timer_add(self, seconds, window):
        assert window is self
        self.timers.append(object())
        return self.timers[-1]

    def event_timer_remove(self, timer):
        self.timers.remove(timer)

    def modal_handler_add(self, operator):
        self.operators.insert(0, operator)

    def invoke(self, operator):
        """What a click on the operator's button does."""
        return operator.invoke(self, None)

    def send(self, kind, value="NOTHING"):
        """Send an event to the operators until one takes it; those that end leave."""
        for operator in list(self.operators):
            result = operator.modal(self, SimpleNamespace(type=kind, value=value))
            if result & {"FINISHED", "CANCELLED"}:
                self.operators.remove(operator)
            if "PASS_THROUGH" not in result:
                return

    def tick(self):
        self.send("TIMER")

    def escape(self):
        self.send("ESC", "PRESS")


class Puppet:
    """A job at whose strings the test pulls."""

    def __init__(self, stage="Waiting"):
        self.stage, self.fraction, self.done = stage, 0.0, False
        self.begun = self.cancelled = 0
        self.value, self.error = "it", None

    def begin(self):
        self.begun += 1

    def cancel(self):
        self.cancelled += 1

    def result(self):
        if self.error is not None:
            raise self.error
        return self.value

    def run(self):
        return self.result()


class Try(JobOperator):
    """An operator with a job from outside, in the lane of work."""

    bl_idname, bl_label, job_name = "holotalk.try_work", "Try", "TRY"

    def __init__(self, job=None):
        self.made, self.reports = job or Puppet(), []

    def report(self, kinds, text):
        self.reports.append((*kinds, text))

    def start(self, _context):
        return self.made

    def finish(self, context, result):
        self.lane_state(context).message = f"Done: {result}."
        return {"FINISHED"}


class TryLive(Try):
    """One in the lane beside it."""

    bl_idname, job_name, lane, stopped = "holotalk.try_live", "LINK", LIVE, "The link has ended."


def lane(name):
    """The state of a lane."""
    return bpy.context.window_manager.holotalk.lane(name)


def at_rest(name):
    """Whether nothing goes on in a lane, by its state and by the session."""
    own = lane(name)
    state = (own.job, own.stage, own.progress, own.cancel_asked)
    return name not in session.current().jobs and state == ("", "", 0.0, False)


def both(window):
    """A live link, and work begun after it."""
    live, work = TryLive(), Try()
    assert window.invoke(live) == window.invoke(work) == {"RUNNING_MODAL"}
    return live, work


def until(true, meanwhile=lambda: None):
    """Wait for something, for a bounded time."""
    end = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < end, "waited in vain"
        meanwhile()
        time.sleep(0.002)


# --- beside one another -------------------------------------------------------------------------------


def test_a_live_link_and_work_run_beside_one_another(window):
    live, work = both(window)
    assert session.current().jobs == {LIVE: live.made, WORK: work.made}
    assert (live.made.begun, work.made.begun) == (1, 1)
    assert (lane(LIVE).job, lane(WORK).job) == ("LINK", "TRY")
    assert len(window.timers) == 2, "a timer each"
    live.made.stage = "Following the face"
    work.made.stage, work.made.fraction = "Fitting the head", 0.5
    window.tick()
    assert (lane(LIVE).stage, lane(LIVE).progress) == ("Following the face", 0.0)
    assert (lane(WORK).stage, lane(WORK).progress) == ("Fitting the head", 0.5)
    work.made.done = True
    window.tick()
    assert at_rest(WORK)
    assert lane(WORK).message == "Done: it."
    assert (lane(LIVE).job, lane(LIVE).stage, lane(LIVE).message) == ("LINK", "Following the face", "")
    assert window.operators == [live]
    assert len(window.timers) == 1
    again = Try()
    assert window.invoke(again) == {"RUNNING_MODAL"}, "the lane is free for the next"
    live.made.done = again.made.done = True
    window.tick()
    window.tick()
    assert at_rest(LIVE)
    assert at_rest(WORK)
    assert window.operators == window.timers == []


@pytest.mark.parametrize("kind", [Try, TryLive])
def test_a_second_one_in_the_same_lane_is_refused(window, kind):
    both(window)
    second = kind()
    assert window.invoke(second) == {"CANCELLED"}
    sentence = LANES[kind.lane].busy + "."
    assert second.reports == [("ERROR", sentence)]
    assert lane(kind.lane).error == sentence
    assert second.made.begun == 0
    assert second not in window.operators
    other = LIVE if kind.lane == WORK else WORK
    assert lane(other).error == ""
    assert not at_rest(WORK)
    assert not at_rest(LIVE)


def test_blenders_own_operators_heed_the_lanes(window):
    """As registered classes, called through ``bpy.ops``; without a window they run straight through."""

    class Straight(JobOperator):
        def start(self, _context):
            return jobs.DoneJob("it")

        def finish(self, context, result):
            self.lane_state(context).message = f"Done: {result}."
            return {"FINISHED"}

    class Work(Straight, bpy.types.Operator):
        """Try it"""

        bl_idname, bl_label = "holotalk.try_work", "Try"

    class Live(Straight, bpy.types.Operator):
        """Try it beside"""

        bl_idname, bl_label, lane = "holotalk.try_live", "Try Beside", LIVE

    class Polled(Straight, bpy.types.Operator):
        """Try it if it may be"""

        bl_idname, bl_label = "holotalk.try_polled", "Try If"

        @classmethod
        def poll(cls, _context):
            return idle(cls)

    classes = (Work, Live, Polled)
    for cls in classes:
        bpy.utils.register_class(cls)
    try:
        live = TryLive()
        window.invoke(live)
        assert bpy.ops.holotalk.try_work() == bpy.ops.holotalk.try_polled() == {"FINISHED"}
        assert lane(WORK).message == "Done: it."
        with pytest.raises(RuntimeError, match="A live link is on: stop it first"):
            bpy.ops.holotalk.try_live()
        assert lane(LIVE).error == "A live link is on: stop it first."
        assert lane(WORK).message == "Done: it."
        window.invoke(Try())
        with pytest.raises(RuntimeError, match="HoloTalk is at work: wait until it is done, or press Cancel"):
            bpy.ops.holotalk.try_work()
        assert not bpy.ops.holotalk.try_polled.poll()
    finally:
        for cls in classes:
            bpy.utils.unregister_class(cls)


# --- the end of one, and of all -----------------------------------------------------------------------


def test_escape_and_cancel_stop_the_work_alone(window):
    live, work = both(window)
    window.escape()
    assert (work.made.cancelled, live.made.cancelled) == (1, 0)
    assert at_rest(WORK)
    assert lane(WORK).message == jobs.NOTHING_CHANGED
    assert work.reports == [("INFO", jobs.NOTHING_CHANGED.removesuffix("."))]
    assert not at_rest(LIVE)
    assert lane(LIVE).message == ""
    window.escape()
    window.tick()
    assert live.made.cancelled == 0, "nobody loses a link by a key that is pressed for everything"
    work = Try()
    window.invoke(work)
    assert bpy.ops.holotalk.cancel() == {"FINISHED"}
    window.tick()
    assert (work.made.cancelled, live.made.cancelled) == (1, 0)
    assert at_rest(WORK)
    assert window.operators == [live]
    assert len(window.timers) == 1
    assert not bpy.ops.holotalk.cancel.poll(), "it is not for the link"


def test_escape_reaches_the_work_through_a_younger_link(window):
    work, live = Try(), TryLive()
    window.invoke(work)
    window.invoke(live)
    assert window.operators == [live, work]
    window.escape()
    assert (work.made.cancelled, live.made.cancelled) == (1, 0)


def test_a_link_is_stopped_by_its_own_operator_alone(window):
    assert not bpy.ops.holotalk.stop_live.poll()
    live, work = both(window)
    assert bpy.ops.holotalk.stop_live() == {"FINISHED"}
    assert (lane(LIVE).cancel_asked, lane(WORK).cancel_asked) == (True, False)
    window.tick()
    window.tick()
    assert (work.made.cancelled, live.made.cancelled) == (0, 1)
    assert at_rest(LIVE)
    assert lane(LIVE).message == "The link has ended."
    assert not at_rest(WORK)
    assert lane(WORK).message == ""
    assert window.operators == [work]
    assert not bpy.ops.holotalk.stop_live.poll()


def test_opening_another_file_ends_all(window):
    live, work = both(window)
    lane(WORK).error, lane(LIVE).message = "wrong", "right"
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert (work.made.cancelled, live.made.cancelled) == (1, 1)
    assert session.current().jobs == {}
    for name in LANES:
        assert at_rest(name)
        assert (lane(name).message, lane(name).error, lane(name).details) == ("", "", "")
    # The work begins anew before the former operators have noticed.
    successor = Try()
    window.invoke(successor)
    for _ in range(3):
        window.tick()
    assert window.operators == [successor]
    assert len(window.timers) == 1
    assert session.current().jobs == {WORK: successor.made}
    assert lane(WORK).job == "TRY"
    assert (work.made.cancelled, live.made.cancelled, successor.made.cancelled) == (1, 1, 0)


def test_blender_ends_each_operator_for_itself(window):
    """It calls ``cancel`` when it quits, and after it has opened another file."""
    live, work = both(window)
    work.cancel(window)
    assert (work.made.cancelled, live.made.cancelled) == (1, 0)
    assert at_rest(WORK)
    live.cancel(window)
    assert (work.made.cancelled, live.made.cancelled) == (1, 1)
    assert at_rest(LIVE)
    assert window.timers == []
    live, work = both(window)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    live.cancel(window)
    work.cancel(window)
    assert (work.made.cancelled, live.made.cancelled) == (1, 1), "not stopped twice"


def test_disabling_the_add_on_stops_all(window):
    live, work = both(window)
    holotalk_addon.unregister()
    assert (work.made.cancelled, live.made.cancelled) == (1, 1)


def test_one_that_cannot_be_stopped_does_not_keep_the_others(window):
    live, work = both(window)

    def stuck():
        raise OSError("it does not answer")

    for made, other in ((live.made, work.made), (work.made, live.made)):
        session.current().jobs = {LIVE: live.made, WORK: work.made}
        made.cancel, other.cancelled = stuck, 0
        with pytest.raises(OSError, match="does not answer"):
            session.current().stop_jobs()
        assert other.cancelled == 1
        assert session.current().jobs == {}
        del made.cancel


# --- what is said -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [WORK, LIVE])
def test_an_error_is_said_in_its_own_lane(window, name):
    operators = dict(zip((LIVE, WORK), both(window), strict=True))
    failing = operators.pop(name)
    ((other, well),) = operators.items()
    lane(other).message, lane(other).error, lane(other).details = "all is well", "earlier", "a file"
    failing.made.error, failing.made.done = HoloTalkError("The camera is gone."), True
    window.tick()
    assert at_rest(name)
    assert (lane(name).message, lane(name).error) == ("", "The camera is gone.")
    assert failing.reports == [("ERROR", "The camera is gone.")]
    first = Path(lane(name).details)
    assert "The camera is gone." in first.read_text(encoding="utf-8")
    assert (lane(other).message, lane(other).error, lane(other).details) == (
        "all is well",
        "earlier",
        "a file",
    )
    assert not at_rest(other)
    well.made.error, well.made.done = ValueError("no head"), True
    window.tick()
    assert "no head" in lane(other).error
    assert "no head" in Path(lane(other).details).read_text(encoding="utf-8")
    assert lane(name).error == "The camera is gone."
    assert "The camera is gone." in first.read_text(encoding="utf-8"), "each has its own details"


def test_a_new_beginning_clears_its_own_lane_alone(window):
    for name in LANES:
        lane(name).error, lane(name).message, lane(name).cancel_asked = "former", "former", True
    window.invoke(TryLive())
    assert (lane(LIVE).error, lane(LIVE).message, lane(LIVE).cancel_asked) == ("", "", False)
    assert (lane(WORK).error, lane(WORK).message) == ("former", "former")


def test_every_lane_has_a_state_and_a_way_to_stop_it():
    operators = {cls.bl_idname: cls for cls in ui.CLASSES if issubclass(cls, bpy.types.Operator)}
    pointers = settings.HOLOTALK_PG_state.__annotations__
    for name, of_lane in LANES.items():
        assert "HOLOTALK_PG_lane" in pointers[name]
        assert issubclass(operators[of_lane.stop], StopOperator)
        assert operators[of_lane.stop].lane == name
        assert not of_lane.busy.endswith("."), "Blender adds the period to a tooltip"


class Drawn:
    """A layout that notes what is drawn."""

    def __init__(self, notes=None):
        self.notes = [] if notes is None else notes

    def row(self, **_):
        return Drawn(self.notes)

    def progress(self, factor, text):
        self.notes.append(("bar", round(factor, 3), text))

    def label(self, text):
        self.notes.append(("label", text))

    def operator(self, name, **_):
        self.notes.append(("button", name))


def test_the_panel_draws_the_progress_of_any_lane(window):
    live, work = both(window)
    live.made.stage, work.made.stage, work.made.fraction = "Following the face", "Fitting the head", 0.5
    window.tick()
    drawn = Drawn()
    panels.progress(drawn, window)
    panels.progress(drawn, window, LIVE)
    assert drawn.notes == [
        ("bar", 0.5, "Fitting the head  50 %"),
        ("button", "holotalk.cancel"),
        ("label", "Following the face"),
        ("button", "holotalk.stop_live"),
    ]


# --- threads ------------------------------------------------------------------------------------------


def test_a_link_of_minutes_lets_work_use_the_networks(window):
    """Real threads: the link takes the networks for each frame, the work for all of its time."""
    alone = session.current().alone
    inside, most, frames = [], [], []

    def use():
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()

    def follow(tell):
        while True:
            tell("Following the face", 0.0)
            with alone:
                use()
            frames.append(1)

    def generate(tell):
        for k in range(20):
            tell("Fitting the head", k / 20)
            use()
        return "a head"

    live = TryLive(jobs.ThreadJob(follow, {"Following the face": 0.0}, None))
    window.invoke(live)
    until(lambda: len(frames) > 3)
    for _ in range(3):
        before = len(frames)
        work = Try(jobs.ThreadJob(generate, {"Fitting the head": 1.0}, alone))
        window.invoke(work)
        until(lambda: at_rest(WORK), window.tick)
        assert lane(WORK).message == "Done: a head."
        assert lane(WORK).error == ""
        until(lambda before=before: len(frames) > before, window.tick)
    assert max(most) == 1, "the networks serve one thread at a time"
    assert not live.made.done
    assert (lane(LIVE).job, lane(LIVE).stage, lane(LIVE).progress) == ("LINK", "Following the face", 0.0)
    bpy.ops.holotalk.stop_live()
    until(lambda: at_rest(LIVE), window.tick)
    until(lambda: live.made.done)
    with pytest.raises(jobs.Cancelled):
        live.made.result()
    with alone:
        assert not inside


def test_work_can_be_stopped_while_it_waits_for_the_networks(window):
    alone = session.current().alone
    begun = threading.Event()
    with alone:
        work = Try(jobs.ThreadJob(lambda _tell: begun.set(), {"Loading": 1.0}, alone))
        window.invoke(work)
        window.escape()
        assert at_rest(WORK)
        assert not work.made.done
    until(lambda: work.made.done)
    assert not begun.is_set()


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
