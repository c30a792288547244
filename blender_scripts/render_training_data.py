# SPDX-License-Identifier: GPL-3.0-or-later
"""Render labelled training data, in or outside Blender: ``holotalk render-data`` as a script.

    python blender_scripts/render_training_data.py -o DIR -n 1000 [--preset full] ...
    blender -b --python blender_scripts/render_training_data.py -- -o DIR -n 1000 ...

Outside Blender it renders on one worker for each processor. Inside, it renders in Blender's own process. The
add-on must be enabled there: in the preferences, or by ``--addons bl_ext.user_default.holotalk`` before
``--python``.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


def main() -> int:
    """Run the command; returns its exit status."""
    inside = "--" in sys.argv and "bpy" in sys.modules
    arguments = sys.argv[sys.argv.index("--") + 1 :] if inside else sys.argv[1:]
    return int(_command_line().main(["render-data", *arguments]))


def _command_line() -> ModuleType:
    """The package's ``cli``, by whatever name Blender has given to the package."""
    try:
        return importlib.import_module("holotalk_addon.cli")
    except ModuleNotFoundError as error:
        if error.name != "holotalk_addon":
            raise
    for name in list(sys.modules):
        if name.startswith("bl_ext.") and name.endswith(".holotalk"):
            return importlib.import_module(f"{name}.cli")
    sys.exit("render_training_data: enable the HoloTalk add-on in Blender's preferences first")


if __name__ == "__main__":
    sys.exit(main())
