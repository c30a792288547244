# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how fast training data is rendered, against a plain script, and where the time goes.

    python blender_scripts/evaluate_data.py [--people 8] [--plain 8] [--full 2]

Times are of one core: processor time of this process, whatever else the computer does. The plain script
does what one would write first, with the same people, lamps and picture sizes: for every sample a new file,
a new head object with shape keys, subdivision and a packed texture, Cycles' own settings but for as many
light paths as make the noise bearable, and one render call for the front and one for the side.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holotalk_addon.head.view import level_view
from holotalk_addon.learning.orders import make_order
from holotalk_addon.scene.photo_session import PhotoSession

FIRST_PERSON = 2_000_000


class Clock:
    """Processor seconds by what they went into."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def around(self, owner: Any, name: str, label: str) -> None:
        """Have every call of a function or method counted."""
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return inner(*arguments, **named)
            finally:
                self.seconds[label] += time.process_time() - start

        setattr(owner, name, timed)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--people", type=int, default=8, help="of the preset holotalk, default 8")
    parser.add_argument("--plain", type=int, default=8, help="samples of the plain script, default 8")
    parser.add_argument("--full", type=int, default=2, help="people of the preset full, default 2")
    options = parser.parse_args(argv)
    start = time.process_time()
    session = PhotoSession(make_order(first_person=FIRST_PERSON))
    print(f"Once in each worker: model, workshop and studio {time.process_time() - start:.1f} s.\n")
    ours = _ours(session, options.people)
    session.order = make_order("full", first_person=FIRST_PERSON)
    if options.full:
        _full(session, options.full)
    people = [session.person(FIRST_PERSON + i // 5) for i in range(options.plain)]
    making = _seconds(lambda: [session.person(FIRST_PERSON + i // 5) for i in range(options.plain)])
    session.close()
    plain = (making + _plain(people)) / options.plain
    print(
        f"Plain script: {plain:.2f} s a sample, {1 / plain:.2f} samples a second and core; "
        f"ratio {plain / ours:.1f}."
    )
    return 0


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _ours(session: PhotoSession, people: int) -> float:
    """Print the figures of the preset ``holotalk``; returns seconds a sample."""
    session(FIRST_PERSON + people)  # shaders are compiled
    clock = Clock()
    _watch(clock, session)
    total = _seconds(lambda: [session(FIRST_PERSON + i) for i in range(people)])
    samples = people * session.order.samples_a_person
    _table("holotalk", clock, total, samples)
    return total / samples


def _full(session: PhotoSession, people: int) -> None:
    clock = Clock()
    _watch(clock, session)
    total = _seconds(lambda: [session(FIRST_PERSON + i) for i in range(people)])
    _table("full", clock, total, people)


def _watch(clock: Clock, session: PhotoSession) -> None:
    import bpy  # noqa: F401

    from holotalk_addon.scene import studio as training_studio

    for owner, name, label in (
        (session, "person", "making the person"),
        (session, "_truth", "truth"),
        (session._studio, "photograph", "studio"),
        (training_studio, "render_call", "rendering"),
    ):
        # The session is watched twice: keep the newer clock alone.
        inner = getattr(owner, name)
        original = getattr(inner, "watched", inner)
        setattr(owner, name, original)
        clock.around(owner, name, label)
        getattr(owner, name).watched = original


def _table(preset: str, clock: Clock, total: float, samples: int) -> None:
    seconds = dict(clock.seconds)
    seconds["setting up, reading pictures"] = seconds.pop("studio") - seconds["rendering"]
    seconds["all else"] = total - sum(seconds.values())
    print(
        f"Preset {preset}: {samples / total:.2f} samples a second and core ({total / samples:.3f} s each).\n"
    )
    print("| where the time goes | s a sample | share |\n|---|---|---|")
    for label, value in sorted(seconds.items(), key=lambda entry: -entry[1]):
        print(f"| {label} | {value / samples:.3f} | {value / total:.0%} |")
    print(flush=True)


def _plain(people: Sequence[tuple[Any, Any]]) -> float:
    """Seconds of the plain way for these people, one sample of each."""
    import bpy
    from PIL import Image

    from holotalk_addon.hologram.motion import LoopMotion
    from holotalk_addon.scene import compat, hologram_scene
    from holotalk_addon.scene import studio as training_studio
    from holotalk_addon.scene.head_object import make_head_object
    from holotalk_addon.scene.materials import lit_materials
    from holotalk_addon.scene.quiet import quiet
    from holotalk_addon.scene.view_camera import place_camera

    def sample(person: Any, shot: Any, yaw: float, folder: Path) -> None:
        hologram_scene.new_file()
        world = bpy.data.worlds.new("Plain")
        for node in compat.node_tree(world).nodes:
            if node.type == "BACKGROUND":
                node.inputs["Color"].default_value = (*shot.horizon, 1.0)
        still = LoopMotion("still", 1, 24)
        scene = hologram_scene.make_scene("Plain", (64, 64), still, "workbench", world)
        scene.render.engine = "CYCLES"
        scene.cycles.samples = training_studio.PATHS_ALONE
        scene.render.threads_mode, scene.render.threads = "FIXED", 1
        head = make_head_object(person.head, scene.collection)
        for prop in person.props:
            training_studio.PropStand(scene, 0).show(prop)
        for number, lamp in enumerate(shot.lamps):
            obj = training_studio.make_lamp(scene, number)
            training_studio.place_lamp(obj, lamp, np.eye(3))
        camera = bpy.data.objects.new("Plain", bpy.data.cameras.new("Plain"))
        scene.collection.objects.link(camera)
        scene.camera = camera
        with lit_materials(list(head.data.materials)), quiet():
            for turn in (yaw, yaw - 90.0):
                place_camera(camera, level_view(turn, 64))
                scene.render.filepath = str(folder / "plain.png")
                bpy.ops.render.render(write_still=True, scene=scene.name)
                with Image.open(folder / "plain.png") as picture:
                    np.asarray(picture.convert("L"))

    with tempfile.TemporaryDirectory(prefix="holotalk-") as folder:
        sample(*people[0], 0.0, Path(folder))
        start = time.process_time()
        for number, (person, shot) in enumerate(people):
            sample(person, shot, 10.0 * (number % 5), Path(folder))
        return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
