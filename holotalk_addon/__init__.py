# SPDX-License-Identifier: GPL-3.0-or-later
"""HoloTalk: one portrait photo to a 3D head and a looping video for a hologram pyramid.

Rooms, in the order in which data flows (a room imports only from rooms before it):
``face`` (photo -> faces), ``head`` (face -> fitted, textured head), ``hologram`` (pyramid geometry
and loop motion), ``scene`` (Blender). ``pipeline`` ties them, ``cli`` is the ``holotalk`` command.
Importing this package loads nothing heavy.
"""

__version__ = "0.1.0"
