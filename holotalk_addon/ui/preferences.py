# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences, and what is inside it under which licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

PACKAGE = __package__.rpartition(".")[0]
"""The add-on's own package: Blender names it ``bl_ext.<repository>.holotalk``."""

SIZE_PRESETS = (
    ("PHONE", "Phone", "1080 x 1080 pixels: any phone", 0),
    ("TABLET", "Tablet", "1536 x 1536 pixels: most tablets and laptops", 1),
    ("SQUARE_2160", "Square 2160", "2160 x 2160 pixels: 4K screens, large pyramids", 2),
    ("CUSTOM", "Custom", "Your own number of pixels", 3),
)
PRIVATE = "HoloTalk private"
"""Name of the folder for what goes again: previews, the last error, jobs of a second Blender."""
PRESET_PIXELS = {"PHONE": 1080, "TABLET": 1536, "SQUARE_2160": 2160}


class HOLOTALK_AP_preferences(bpy.types.AddonPreferences):
    """What holds for all files."""

    bl_idname = PACKAGE

    cache_folder: bpy.props.StringProperty(
        name="Cache folder",
        description="Where pictures of a render are kept while it goes on. Empty: Blender's own folder "
        "for this add-on",
        subtype="DIR_PATH",
        default="",
    )
    size_preset: bpy.props.EnumProperty(
        name="Screen size",
        description="The size that a new hologram has",
        items=SIZE_PRESETS[:3],
        default="PHONE",
    )
    show_training: bpy.props.BoolProperty(
        name="Show the Training Data Panel",
        description="Show the panel that renders labelled training data, for researchers",
        default=False,
    )

    def draw(self, context: Any) -> None:
        """Draw the preferences page."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "size_preset")
        layout.prop(self, "cache_folder")
        layout.prop(self, "show_training")
        layout.separator()
        box = layout.box()
        box.label(text="Everything runs on this computer; no picture leaves it.", icon="LOCKED")
        box.label(text="What is inside, and under which licence:")
        column = box.column(align=True)
        column.scale_y = 0.8
        for line in licence_lines():
            column.label(text=line)


def licence_lines() -> list[str]:
    """A line for each part that the add-on carries, and what that means for a business."""
    from .. import assets
    from ..networks import NETWORKS

    research = {network.key for network in NETWORKS if network.research}
    lines = [
        "HoloTalk: GPL-3.0-or-later",
        "OpenCV and LiteRT: Apache-2.0; dlib: BSL-1.0; Pillow: MIT-CMU",
        "Head model, made from MakeHuman's data: CC0-1.0",
    ]
    for package in assets.PACKAGES:
        for file in package.files:
            if not file.name.endswith((".tflite", ".dat")) or _was_left_out(file.key):
                continue
            lines.append(f"{file.name}: {file.licence}")
            if file.key in research:
                lines.append("So this add-on is not for commercial use; there is one without that model.")
    return lines


def _was_left_out(key: str) -> bool:
    from .. import assets
    from ..errors import AssetError

    try:
        return assets.is_left_out(key)
    except AssetError:
        return False  # the list is damaged: it belongs here for all that is known


def preferences(context: Any = None) -> Any:
    """The add-on's preferences, or None where it is not enabled as an add-on."""
    addon = (context or bpy.context).preferences.addons.get(PACKAGE)
    return None if addon is None else addon.preferences


def scratch_folder() -> Path:
    """The folder for what goes again, the user's alone. It is made in the folder of the preferences, else in
    Blender's own one for this add-on, and in HoloTalk's cache where this was not installed as an extension.

    Raises:
        HoloTalkError: it cannot be made, or others may look into it.
    """
    from .. import assets
    from ..outputs import private_folder

    own = preferences()
    if own is not None and own.cache_folder:
        folder = Path(bpy.path.abspath(own.cache_folder))
    elif PACKAGE.startswith("bl_ext."):
        folder = Path(bpy.utils.extension_path_user(PACKAGE, create=True))
    else:
        folder = assets.cache_dir()
    return private_folder(folder / PRIVATE)


CLASSES = (HOLOTALK_AP_preferences,)
