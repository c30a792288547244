# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast HoloTalk is, and how much memory it takes: what ``evaluate.py`` says of this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from holotalk_addon import assets, pipeline


def speed(tools: pipeline.Tools) -> None:
    """Print how long each stage, a turntable, and enabling the add-on take."""
    from holotalk_addon.hologram.layout import pyramid_layout
    from holotalk_addon.hologram.motion import loop_motion
    from holotalk_addon.scene import hologram_scene, render
    from holotalk_addon.scene.head_subject import HeadSubject

    stages = pipeline.Stages()
    photo = assets.demo_portrait()
    pipeline.person_from_photo(photo, tools, pipeline.Stages())  # warm caches, as for a second photo
    person = pipeline.person_from_photo(photo, tools, stages)
    total = sum(seconds for _, seconds in stages.seconds)
    print("| stage | seconds | share |\n|---|---|---|")
    for name, seconds in stages.seconds:
        print(f"| {name} | {seconds:.2f} | {seconds / total:.0%} |")
    print(f"| photo to head | {total:.2f} | |")

    layout, motion = pyramid_layout(), loop_motion("turntable", seconds=2.0, fps=24)
    with tempfile.TemporaryDirectory() as folder:
        hologram_scene.new_file()
        hologram = hologram_scene.build_hologram(HeadSubject(person.head), layout, motion)
        start = time.perf_counter()
        render.render_hologram(hologram, Path(folder) / "turntable.mp4")
        turntable = time.perf_counter() - start
        start = time.perf_counter()
        _plain_renders(hologram, Path(folder))
        plain = time.perf_counter() - start
    print(
        f"\nA turntable, {motion.frames} frames at {layout.size} pixels, video included: {turntable:.1f} s, "
        f"{turntable / motion.frames:.2f} s a frame; four cameras rendered plainly for every frame: "
        f"{plain:.1f} s; ratio {turntable / plain:.2f}."
    )
    _enabling()


def _enabling() -> None:
    """How long Blender takes to enable the add-on: in processes of their own, where nothing is loaded yet."""
    code = (
        "import time\nimport bpy\nbegan = time.perf_counter()\n"
        "import holotalk_addon\nholotalk_addon.register()\nprint('SECONDS', time.perf_counter() - began)"
    )
    found = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        found += [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("SECONDS")]
    print(f"\nEnabling the add-on: {np.median(found):.3f} s, the median of five.")


def _plain_renders(hologram: Any, folder: Path) -> None:
    """The plain way: every camera, every frame, a render call each."""
    import bpy

    from holotalk_addon.scene.quiet import quiet

    with quiet():
        for name in hologram.views:
            scene = bpy.data.scenes[name]
            for frame in range(1, hologram.motion.frames + 1):
                scene.frame_set(frame)
                scene.render.filepath = str(folder / f"{name}_{frame:04d}.png")
                bpy.ops.render.render(write_still=True, scene=name)


def memory(_tools: pipeline.Tools) -> None:
    """Print the peak resident memory of a ``generate`` at the default size, measured on a child process.

    By the kernel's high-water mark of the program: ``ru_maxrss`` also counts the process that started it.
    """
    if sys.platform != "linux":
        print("The peak of memory is read from /proc, which this system does not have.")
        return
    program = (
        "import re, sys; from holotalk_addon import cli; status = cli.main(sys.argv[1:]); "
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]; "
        "print(peak, file=sys.stderr); sys.exit(status)"
    )
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "hologram.mp4")
        arguments = ["generate", str(assets.demo_portrait()), "-o", output, "--seconds", "1"]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
        )
    peak = int(done.stderr.split()[-1]) / 1024**2
    print(f"Peak resident memory of `holotalk generate` at the default size, 24 frames: {peak:.2f} GB.")
