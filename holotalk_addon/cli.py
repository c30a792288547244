# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``holotalk`` command.

Bad input is one line on standard error and exit status 2. Progress bars go to standard error, and only
on a terminal; results go to standard output.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .arguments import parser
from .cae.completions import KINDS, completion_kind
from .errors import HoloTalkError, OptionError, explain
from .outputs import (
    EXPORTS,
    ExportOptions,
    beside_obj,
    check_output,
    check_results_folder,
    spare,
    write_text,
)
from .report import face_entry, report
from .terminal import SampleBar, StageBar, say

_VIDEO = (".mp4", ".png")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments, ``sys.argv[1:]`` by default.

    Returns:
        The exit status: 0, or 2 for anything the user can mend, or 130 when interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # A file's name may have letters that the terminal cannot show: escape those, never fail on them.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(argv)
    if threading.current_thread() is threading.main_thread():
        # Asked to end, clean up as on Ctrl-C: nothing half-written stays.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = _COMMANDS[options.command](options)
        sys.stdout.flush()
        return status
    except HoloTalkError as error:
        print(f"holotalk: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output has gone (`holotalk analyze ... | head`): nothing more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"holotalk: {explain(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("holotalk: stopped; nothing half-written was left", file=sys.stderr)
        return 130


def _pair(text: str, option: str, example: str) -> tuple[float, float]:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*[xX×]\s*(\d+(?:\.\d+)?)\s*", text)
    if match is None:
        raise OptionError(f"{option} {text} is not a size: write it as {example}.")
    return float(match[1]), float(match[2])


def _layout(options: argparse.Namespace) -> Any:
    from .hologram.layout import pyramid_layout

    frame = None
    if options.frame:
        width, height = _pair(options.frame, "--frame", "1920x1080")
        if width % 1 or height % 1:
            raise OptionError(f"--frame {options.frame} has broken pixels: write it as 1920x1080.")
        frame = (int(width), int(height))
    layout = pyramid_layout(options.size, options.gap, options.screen, frame)
    for note in layout.notes:
        say(note)
    return layout


def _demo(options: argparse.Namespace) -> int:
    from . import assets

    check_output(options.output, _VIDEO)
    arguments = ["generate", f"--output={options.output}"]
    if options.report:
        arguments += [f"--report={options.report}"]
    return _generate(parser().parse_args([*arguments, "--", str(assets.demo_portrait())]))


def _generate(options: argparse.Namespace) -> int:
    from . import pipeline
    from .hologram.motion import loop_motion

    check_output(options.output, _VIDEO)
    if options.save_blend:
        check_output(options.save_blend, (".blend",))
    if options.report:
        check_output(options.report, (".json",))
    pictures = _picture_paths(options)
    spare(options.photo, options.output, *pictures)
    layout = _layout(options)
    motion = loop_motion(options.motion, options.seconds, options.fps)
    person, stages = _person(options)
    try:
        pipeline.new_file()
        hologram = pipeline.build_hologram(person.head, layout, motion, options.sides, options.engine, stages)
        if options.save_blend:
            pipeline.save_blend(options.save_blend, hologram, stages)
        pipeline.render_hologram(hologram, options.output, stages)
    finally:
        _close(stages)
    pipeline.write_pictures(person, pictures)
    if options.report:
        write_text(options.report, json.dumps(report(person, stages), indent=1) + "\n")
    for path in (options.output, *pictures):
        print(path)
    return 0


def _picture_paths(options: argparse.Namespace) -> list[Path]:
    """Where the pictures go that the completion itself draws: ``left.png``, ... in the folder asked for."""
    if options.pictures is None:
        return []
    kind = completion_kind(options.complete)
    if not kind.pictures:
        drawing = ", ".join(other.name for other in KINDS if other.pictures)
        raise OptionError(
            f"The completion {kind.name} draws no pictures: leave --pictures out, or choose one that does "
            f"({drawing})."
        )
    check_results_folder(options.pictures)
    return [options.pictures / f"{name}.png" for name in kind.pictures]


def _person(options: argparse.Namespace) -> tuple[Any, Any]:
    """The person of the options' photo, and the stages so far; warnings are said."""
    from . import pipeline

    stages = pipeline.Stages(StageBar())
    pipeline.check_completion(options.complete)
    try:
        with stages.stage("Loading"):
            tools = pipeline.load_tools()
        person = pipeline.person_from_photo(
            options.photo, tools, stages, options.face, options.complete, exposure=options.exposure
        )
    finally:
        _close(stages)
    for warning in person.warnings:
        say(warning)
    return person, stages


def _close(stages: Any) -> None:
    if isinstance(stages.tell, StageBar):
        stages.tell.close()


def _analyze(options: argparse.Namespace) -> int:
    from . import pipeline
    from .face import find_faces, read_photo

    tools = pipeline.load_tools()
    entries: list[dict[str, Any]] = []
    for path in options.photos:
        entry: dict[str, Any] = {"photo": str(path)}
        try:
            photo = read_photo(path)
            entry |= {"width": photo.original_width, "height": photo.original_height}
            entry["faces"] = [face_entry(face, photo.scale) for face in find_faces(photo, tools.faces)]
        except HoloTalkError as error:
            entry["error"] = " ".join(str(error).split())
            say(entry["error"])
        entries.append(entry)
    if options.json:
        print(json.dumps(entries))
    else:
        for entry in entries:
            _print_faces(entry)
    return 2 if all("error" in entry for entry in entries) else 0


def _print_faces(entry: dict[str, Any]) -> None:
    if "error" in entry:
        return
    faces = f"{len(entry['faces'])} face{'' if len(entry['faces']) == 1 else 's'}"
    print(f"{entry['photo']}: {faces}, {entry['width']} x {entry['height']} pixels")
    for number, face in enumerate(entry["faces"], start=1):
        x, y, width, height = face["box"]
        print(
            f"  {number}: {width:.0f} x {height:.0f} at ({x:.0f}, {y:.0f}), score {face['score']:.2f}, "
            f"yaw {face['yaw']:+.0f}, pitch {face['pitch']:+.0f}, roll {face['roll']:+.0f} degrees"
        )


def _views(options: argparse.Namespace) -> int:
    from . import pipeline
    from .outputs import make_folder

    size = options.size - options.size % 2
    if not 16 <= size <= 8192:
        raise OptionError(f"--size {options.size} cannot work: choose 16 to 8192.")
    if not all(abs(yaw) <= 360 for yaw in options.yaw):
        raise OptionError("--yaw takes degrees from -360 to 360.")
    if size != options.size:
        say(f"--size {options.size} is odd: {size} is used.")
    check_results_folder(options.output)
    pictures = _picture_paths(options)
    spare(options.photo, *(options.output / f"view_{yaw:g}.png" for yaw in options.yaw), *pictures)
    person, stages = _person(options)
    make_folder(options.output)
    try:
        pipeline.new_file()
        paths = pipeline.render_views(person.head, options.yaw, options.output, size, options.engine, stages)
    finally:
        _close(stages)
    pipeline.write_pictures(person, pictures)
    for path in (*paths, *pictures):
        print(path)
    return 0


def _export(options: argparse.Namespace) -> int:
    from . import pipeline

    check_output(options.output, EXPORTS)
    offered = ExportOptions(options.shape_names, options.eye_bones, options.height_mm)
    offered.check(options.output)
    spare(options.photo, *beside_obj(options.output))
    person, stages = _person(options)
    try:
        pipeline.new_file()
        paths = pipeline.export(person.head, options.output, stages, offered)
    finally:
        _close(stages)
    for path in paths:
        print(path)
    return 0


def _template(options: argparse.Namespace) -> int:
    from .hologram.template import template_svg

    check_output(options.output, (".svg",))
    screen = _pair(options.screen_mm, "--screen-mm", "70x150")
    write_text(options.output, template_svg(screen, options.gap, options.screen))
    print(options.output)
    return 0


def _testcard(options: argparse.Namespace) -> int:
    from . import pipeline

    check_output(options.output, _VIDEO)
    pipeline.write_testcard(_layout(options), options.output)
    print(options.output)
    return 0


def _render_data(options: argparse.Namespace) -> int:
    # Matrix products on several threads add up in another order than on one: other last bits, and here and
    # there another pixel. Workers are processes of one thread each anyway. NumPy reads these when imported.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from . import pipeline
    from .learning.orders import make_order

    order = make_order(options.preset, options.seed, options.size, options.yaws, options.first_person)
    progress = SampleBar(options.samples)
    try:
        card = pipeline.render_data(
            order,
            options.output,
            options.samples,
            workers=options.workers,
            scheduler=options.scheduler,
            progress=progress,
            say=say,
        )
    except KeyboardInterrupt:
        progress.close()
        say(f"stopped; what is done is kept in {options.output}, and the same command goes on")
        return 130
    finally:
        progress.close()
    print(f"{options.output}: {card.samples} samples of {card.people} people in {len(card.shards)} shards")
    return 0


def _assets(options: argparse.Namespace) -> int:
    from . import assets

    status = assets.main(["--check"] if options.check else [])
    if status == 0 and not options.check:
        from .people.compile_model import ensure_model

        print(f"The head model: {ensure_model()}")
    return status


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "generate": _generate,
    "analyze": _analyze,
    "views": _views,
    "export": _export,
    "template": _template,
    "testcard": _testcard,
    "render-data": _render_data,
    "assets": _assets,
}


if __name__ == "__main__":
    sys.exit(main())
