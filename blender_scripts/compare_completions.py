# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw people as several completions complete them: a sheet with the photo, and a row of views for each.

    python blender_scripts/compare_completions.py PHOTO [PHOTO ...] -o SHEET.png [--completions mirror cae]

The views are drawn plainly, without Blender: their edges are harder than in the hologram.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from holotalk_addon import pipeline
from holotalk_addon.errors import HoloTalkError
from holotalk_addon.face import read_photo
from holotalk_addon.head.completion import Completion
from holotalk_addon.head.drawing import draw_fitted
from holotalk_addon.head.view import level_view
from holotalk_addon.outputs import check_output, replacing

YAWS = (-90.0, -60.0, -30.0, 0.0, 30.0, 60.0, 90.0, 180.0)
SIDE = 256
"""Pixels of a view."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the sheet; returns 0, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SHEET.png")
    parser.add_argument("--completions", nargs="+", default=["mirror", "cae"], metavar="NAME")
    options = parser.parse_args(argv)
    try:
        check_output(options.output, (".png",))
        ways = [pipeline.completion(name) for name in options.completions]
        tools = pipeline.load_tools()
        rows = []
        for path in options.photos:
            try:
                rows.append(compared(path, tools, ways))
            except HoloTalkError as error:
                print(f"{path.name}: {error}", file=sys.stderr)
        if not rows:
            return 2
        with replacing(options.output) as beside:
            Image.fromarray(np.concatenate(rows)).save(beside)
    except HoloTalkError as error:
        print(f"compare_completions: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def compared(path: Path, tools: pipeline.Tools, ways: Sequence[Completion]) -> NDArray[np.uint8]:
    """(N * 256, 9 * 256, 3) the photo, and the views of a row for each of N completions.

    Raises:
        PhotoError: the photo cannot be read.
        FaceError: there is no face in it.
    """
    photo = read_photo(path)
    seen_head = pipeline.fitted(photo, tools, pipeline.Stages()).head
    drawn = draw_fitted(seen_head, [level_view(yaw, SIDE) for yaw in YAWS])
    rows = []
    for way in ways:
        texture = way(seen_head, lambda _fraction: None)
        rows.append(np.concatenate([one.picture(texture) for one in drawn], axis=1))
    views = (np.concatenate(rows) * 255.0 + 0.5).astype(np.uint8)
    beside = np.zeros((len(views), SIDE, 3), dtype=np.uint8)
    scale = SIDE / max(photo.width, photo.height)
    small = cv2.resize(photo.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    beside[: small.shape[0], : small.shape[1]] = small
    return np.concatenate([beside, views], axis=1)


if __name__ == "__main__":
    sys.exit(main())
