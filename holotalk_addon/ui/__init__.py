# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on in Blender's window: properties, operators, panels, preferences.

Everything is registered here and in this order. Importing this room loads nothing heavy: operators fetch what
they need when they run.
"""

from __future__ import annotations

import atexit

import bpy

from . import (
    operators_head,
    operators_hologram,
    operators_photo,
    operators_training,
    operators_view,
    panels,
    preferences,
    session,
    settings,
)

CLASSES: tuple[type, ...] = (
    *settings.CLASSES,
    *preferences.CLASSES,
    *operators_photo.CLASSES,
    *operators_hologram.CLASSES,
    *operators_head.CLASSES,
    *operators_view.CLASSES,
    *operators_training.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    """Make the add-on known to Blender.

    Raises:
        RuntimeError: another copy of it is enabled.
    """
    if hasattr(bpy.types.Scene, "holotalk"):
        raise RuntimeError("Another copy of HoloTalk is enabled: disable it in the preferences first.")
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.holotalk = bpy.props.PointerProperty(type=settings.HOLOTALK_PG_settings)
    bpy.types.WindowManager.holotalk = bpy.props.PointerProperty(type=settings.HOLOTALK_PG_state)
    session.begin()
    bpy.app.handlers.load_pre.append(operators_hologram.stop_before_load)
    bpy.app.handlers.load_post.append(operators_hologram.forget_run)
    bpy.app.handlers.undo_post.append(operators_hologram.follow_undo)
    bpy.app.handlers.redo_post.append(operators_hologram.follow_redo)
    if bpy.app.module:
        # Blender disables its add-ons when it quits; its Python module does not, and then hangs for ever on
        # freeing a property's update function (4.5 and 5.2).
        atexit.register(unregister)


def unregister() -> None:
    """Leave nothing of it behind."""
    atexit.unregister(unregister)
    bpy.app.handlers.redo_post.remove(operators_hologram.follow_redo)
    bpy.app.handlers.undo_post.remove(operators_hologram.follow_undo)
    bpy.app.handlers.load_post.remove(operators_hologram.forget_run)
    bpy.app.handlers.load_pre.remove(operators_hologram.stop_before_load)
    session.end()
    del bpy.types.WindowManager.holotalk
    del bpy.types.Scene.holotalk
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
