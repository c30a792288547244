# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on in Blender's window: properties, operators, panels, preferences.

Everything is registered here and in this order. Importing this room loads nothing heavy: operators fetch what
they need when they run.
"""

from __future__ import annotations

import atexit
from typing import Any

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

CLASSES: tuple[Any, ...] = (
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
    for handlers, function in _handlers():
        handlers.append(function)
    if bpy.app.module:
        # Blender disables its add-ons when it quits. Its Python module disables those alone that were enabled
        # in the preferences, and hangs for ever on freeing another one's update functions (4.5 and 5.2).
        atexit.register(unregister)


def unregister() -> None:
    """Leave nothing of it behind.

    Only what is there is removed: at the end of Blender's Python module it is called twice, and another
    add-on that clears a list of handlers takes ours along.
    """
    atexit.unregister(unregister)
    for handlers, function in _handlers():
        if function in handlers:
            handlers.remove(function)
    session.end()
    if settings.HOLOTALK_PG_settings.is_registered:  # else the properties are another copy's
        for owner in (bpy.types.WindowManager, bpy.types.Scene):
            if hasattr(owner, "holotalk"):
                del owner.holotalk
    for cls in reversed(CLASSES):
        if cls.is_registered:
            bpy.utils.unregister_class(cls)


def _handlers() -> tuple[tuple[list[Any], Any], ...]:
    """Blender's lists of what it calls, each with what it calls of ours."""
    lists = bpy.app.handlers
    return (
        (lists.load_pre, operators_hologram.stop_before_load),
        (lists.load_post, operators_hologram.forget_run),
        (lists.undo_post, operators_hologram.follow_undo),
        (lists.redo_post, operators_hologram.follow_redo),
    )
