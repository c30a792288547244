# SPDX-License-Identifier: GPL-3.0-or-later
"""The hologram pyramid as geometry: panels, framing, loop motion, cut template, test card.

Everything here is plain numpy, never ``bpy``. Two pictures of the pyramid are used throughout:

- **The screen** is looked at square on, x right and y up, in pixels from the centre of the frame.
- **The intended picture** of a panel is what its viewer must see in the mirror: u right from the
  middle of the panel, v up from the panel's lower edge, in pixels.

A pyramid of four mirrors at 45 degrees stands on the screen (screen facing up, tip down on it) or
below it (screen facing down, tip up). With 2a the width of its small end and h its height, both in
pixels of the screen, a mirror shows the trapezoid |u| <= a + v (up) or |u| <= a + h - v (down).
"""
