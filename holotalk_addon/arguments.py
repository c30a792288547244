# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line's options: what ``holotalk`` and its commands take."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import __version__
from .cae.completions import AUTO, KINDS, completion_names
from .outputs import STL_HEIGHT_MM


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; ``command`` names the command that was given."""
    parser = argparse.ArgumentParser(
        prog="holotalk",
        description="One portrait photo to a 3D head and a looping video for a hologram pyramid. "
        "Everything runs on this computer; no picture leaves it.",
    )
    parser.add_argument("--version", action="version", version=f"holotalk {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=summary)

    demo = command("demo", "the built-in portrait with all defaults")
    demo.add_argument("-o", "--output", type=Path, default=Path("hologram.mp4"), help="default: hologram.mp4")
    demo.add_argument(
        "--report", type=Path, metavar="FILE.json", help="seconds per stage, face, fit, warnings"
    )

    generate = command("generate", "a photo to a hologram video (.mp4) or still (.png)")
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

    analyze = command("analyze", "the faces of photos: box, score, 68 landmarks, yaw, pitch, roll")
    analyze.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    analyze.add_argument("--json", action="store_true", help="print one JSON list")

    views = command("views", "single unmirrored views: view_<yaw>.png")
    views.add_argument("photo", type=Path, metavar="PHOTO")
    views.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    views.add_argument(
        "--yaw", type=float, nargs="+", default=[-90.0, -45.0, 0.0, 45.0, 90.0], metavar="DEGREES"
    )
    views.add_argument("--size", type=int, default=512, help="side of the square pictures, default 512")
    _add_face(views)
    _add_engine(views)

    export = command("export", "the head as .glb, .obj, .ply, .stl or .blend")
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

    template = command("template", "a cut template for the pyramid, in true millimetres")
    template.add_argument(
        "--screen-mm", required=True, metavar="WxH", help="lit size of the screen, as 70x150"
    )
    template.add_argument("--gap", type=float, default=0.2, help="small end over short side, default 0.2")
    template.add_argument("--screen", choices=("up", "down"), default="up")
    template.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.svg")

    testcard = command("testcard", "letters on four sides: which way up, is it mirrored, does the gap fit")
    testcard.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.png|.mp4")
    _add_layout(testcard)

    _add_render_data(command("render-data", "labelled training data: random people, lit"))

    data = command("assets", "fetch and check the third-party data; make the head model")
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
