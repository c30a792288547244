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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import __version__
from .cae.completions import AUTO, KINDS, completion_kind, completion_names
from .errors import HoloTalkError, OptionError, explain
from .outputs import (
    EXPORTS,
    STL_HEIGHT_MM,
    ExportOptions,
    beside_obj,
    check_output,
    check_results_folder,
    spare,
    write_text,
)

_VIDEO = (".mp4", ".png")


class _TerminalProgress:
    """One bar for the stage at work, on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        if stage != self._stage or self._bar is None:
            self.close()
            self._stage = stage
            self._bar = tqdm(
                total=100,
                desc=f"{stage:<24}",
                leave=False,
                bar_format="{desc} {bar} {percentage:3.0f} %  {elapsed}<{remaining}",
            )
        self._bar.update(int(100 * fraction) - self._bar.n)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _SampleProgress:
    """A bar that counts samples, with rate and time left, on standard error, where that is a terminal."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._bar: Any = None

    def __call__(self, fraction: float) -> None:
        if not sys.stderr.isatty():
            return
        done = round(fraction * self._samples)
        if self._bar is None:
            from tqdm import tqdm

            # What an earlier run has left counts as done, not toward the rate.
            self._bar = tqdm(total=self._samples, initial=done, unit="sample", smoothing=0.05, leave=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()


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
    options = _parser().parse_args(argv)
    if threading.current_thread() is threading.main_thread():
        # Asked to end, clean up as on Ctrl-C: nothing half-written stays.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = int(options.run(options))
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holotalk",
        description="One portrait photo to a 3D head and a looping video for a hologram pyramid. "
        "Everything runs on this computer; no picture leaves it.",
    )
    parser.add_argument("--version", action="version", version=f"holotalk {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(run=run)
        return sub

    demo = command("demo", _demo, "the built-in portrait with all defaults")
    demo.add_argument("-o", "--output", type=Path, default=Path("hologram.mp4"), help="default: hologram.mp4")
    demo.add_argument(
        "--report", type=Path, metavar="FILE.json", help="seconds per stage, face, fit, warnings"
    )

    generate = command("generate", _generate, "a photo to a hologram video (.mp4) or still (.png)")
    generate.add_argument("photo", type=Path, metavar="PHOTO")
    generate.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    _add_face(generate)
    generate.add_argument("--motion", choices=("turntable", "sway", "still"), default="turntable")
    generate.add_argument("--seconds", type=float, default=6.0, help="length of the loop, default 6")
    generate.add_argument("--fps", type=int, default=24, help="frames a second, default 24")
    _add_layout(generate)
    generate.add_argument(
        "--sides",
        choices=("around", "front"),
        default="around",
        help="four true sides of the head (default), or the face on all four",
    )
    _add_engine(generate)
    generate.add_argument("--save-blend", type=Path, metavar="FILE.blend", help="keep the scene as well")
    generate.add_argument(
        "--report", type=Path, metavar="FILE.json", help="seconds per stage, face, fit, warnings"
    )

    analyze = command("analyze", _analyze, "the faces of photos: box, score, 68 landmarks, yaw, pitch, roll")
    analyze.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    analyze.add_argument("--json", action="store_true", help="print one JSON list")

    views = command("views", _views, "single unmirrored views: view_<yaw>.png")
    views.add_argument("photo", type=Path, metavar="PHOTO")
    views.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    views.add_argument(
        "--yaw", type=float, nargs="+", default=[-90.0, -45.0, 0.0, 45.0, 90.0], metavar="DEGREES"
    )
    views.add_argument("--size", type=int, default=512, help="side of the square pictures, default 512")
    _add_face(views)
    _add_engine(views)

    export = command("export", _export, "the head as .glb, .obj, .ply, .stl or .blend")
    export.add_argument("photo", type=Path, metavar="PHOTO")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    export.add_argument(
        "--shape-names",
        choices=("arkit", "rpm"),
        default="arkit",
        help="rpm: beside ARKit's 52, Ready Player Me's 15 visemes, mouthOpen, eyesClosed... (.glb, .blend)",
    )
    export.add_argument(
        "--eye-bones", action="store_true", help="bones Head, LeftEye and RightEye that turn the eyes (.glb)"
    )
    export.add_argument(
        "--height-mm", type=float, metavar="MM", help=f"height of the print, default {STL_HEIGHT_MM:g} (.stl)"
    )
    _add_face(export, pictures=False)

    template = command("template", _template, "a cut template for the pyramid, in true millimetres")
    template.add_argument(
        "--screen-mm", required=True, metavar="WxH", help="lit size of the screen, as 70x150"
    )
    template.add_argument("--gap", type=float, default=0.2, help="small end over short side, default 0.2")
    template.add_argument("--screen", choices=("up", "down"), default="up")
    template.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.svg")

    testcard = command(
        "testcard", _testcard, "letters on four sides: which way up, is it mirrored, does the gap fit"
    )
    testcard.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.png|.mp4")
    _add_layout(testcard)

    _add_render_data(command("render-data", _render_data, "labelled training data: random people, lit"))

    data = command("assets", _assets, "fetch and check the third-party data; make the head model")
    data.add_argument("--check", action="store_true", help="say what is missing, fetch nothing")
    return parser


def _add_render_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("-n", "--samples", type=int, required=True, metavar="N", help="how many in all")
    parser.add_argument(
        "--preset",
        choices=("holotalk", "full"),
        default="holotalk",
        help="holotalk: grey fronts and sides of 64 pixels (default); full: photo, views and all that is "
        "known about them",
    )
    parser.add_argument("--size", type=int, metavar="PIXELS", help="side of the pictures; full: default 256")
    parser.add_argument("--seed", type=int, default=0, help="decides who the people are, default 0")
    parser.add_argument(
        "--yaws",
        type=float,
        nargs="*",
        metavar="DEGREES",
        help="views of the preset full; without degrees: the photo alone",
    )
    parser.add_argument(
        "--first-person",
        type=int,
        default=0,
        metavar="NUMBER",
        help="number of the first one; people from 1000000 on are held out of training",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes on this computer, default one for each processor; 0: this process alone",
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler whose workers shall render")


def _add_face(parser: argparse.ArgumentParser, *, pictures: bool = True) -> None:
    parser.add_argument(
        "--face",
        type=int,
        default=1,
        metavar="N",
        help="which face: 1 is the largest (default); beside a sure face doubtful ones come last",
    )
    parser.add_argument(
        "--complete",
        choices=completion_names(),
        default=AUTO,
        help="how what the photo does not show is completed. "
        + "; ".join(f"{kind.name}: {kind.does}" for kind in KINDS)
        + f"; {AUTO} (default): {KINDS[0].name}",
    )
    if pictures:
        parser.add_argument(
            "--pictures",
            type=Path,
            metavar="DIR",
            help="also write the pictures there that the completion draws itself of the person",
        )
    parser.add_argument(
        "--exposure",
        choices=("auto", "lift", "keep"),
        default="auto",
        help="brighten the photo where the face is far too dark (auto), where it is rather dark too (lift), "
        "or never (keep): black is invisible in a pyramid",
    )


def _add_layout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size", type=int, default=1080, help="side of the square layout in pixels, default 1080"
    )
    parser.add_argument(
        "--frame", metavar="WxH", help="whole picture, the layout centred in it; default: the square"
    )
    parser.add_argument("--screen", choices=("up", "down"), default="up", help="which way the screen faces")
    parser.add_argument(
        "--gap", type=float, default=0.2, help="small end of the pyramid over the size, default 0.2"
    )


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=("auto", "workbench", "eevee", "cycles"), default="auto")


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
        _say(note)
    return layout


def _say(sentence: str) -> None:
    print(f"holotalk: {sentence}", file=sys.stderr)


def _demo(options: argparse.Namespace) -> int:
    from . import assets

    check_output(options.output, _VIDEO)
    arguments = ["generate", f"--output={options.output}"]
    if options.report:
        arguments += [f"--report={options.report}"]
    return _generate(_parser().parse_args([*arguments, "--", str(assets.demo_portrait())]))


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
        write_text(options.report, json.dumps(pipeline.report(person, stages), indent=1) + "\n")
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

    stages = pipeline.Stages(_TerminalProgress())
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
        _say(warning)
    return person, stages


def _close(stages: Any) -> None:
    if isinstance(stages.tell, _TerminalProgress):
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
            entry["faces"] = [
                pipeline.face_entry(face, photo.scale) for face in find_faces(photo, tools.faces)
            ]
        except HoloTalkError as error:
            entry["error"] = " ".join(str(error).split())
            _say(entry["error"])
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
        _say(f"--size {options.size} is odd: {size} is used.")
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
    progress = _SampleProgress(options.samples)
    try:
        card = pipeline.render_data(
            order,
            options.output,
            options.samples,
            workers=options.workers,
            scheduler=options.scheduler,
            progress=progress,
            say=_say,
        )
    except KeyboardInterrupt:
        progress.close()
        _say(f"stopped; what is done is kept in {options.output}, and the same command goes on")
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


if __name__ == "__main__":
    sys.exit(main())
