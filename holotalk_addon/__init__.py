# SPDX-License-Identifier: GPL-3.0-or-later
"""HoloTalk: one portrait photo to a 3D head and a looping video for a hologram pyramid.

Rooms, in the order in which data flows (a room imports only from rooms before it):
``face`` (photo -> faces), ``head`` (face -> fitted, textured head), ``cae`` (what the photo does not show),
``hologram`` (pyramid geometry and loop motion), ``scene`` (Blender), ``ui`` (its window). ``pipeline`` ties
them, ``cli`` is the ``holotalk`` command. Importing this package loads nothing heavy.
"""

__version__ = "0.1.0"


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    from . import ui

    ui.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled."""
    from . import ui

    ui.unregister()
