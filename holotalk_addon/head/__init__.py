# SPDX-License-Identifier: GPL-3.0-or-later
"""Face -> Head: morphable model, fitting, texture, expressions.

The axis conventions of the whole project are stated here, once:

- **Head axes** (metres): x to the person's left, which is the picture's right for a head that looks
  at the camera; y up; z out of the face, toward the camera. Right-handed. The origin lies on the
  axis the turntable turns about, at the height of the eyes.
- **Camera axes** (metres): x right, y up, z toward the viewer; the camera looks along -z.
  ``p_camera = R @ p_head + t``; t[2] is negative for a head before the camera.
- **Pictures** (pixels): x right, y down, (0, 0) is the outer corner of the first pixel, so its
  centre is (0.5, 0.5).
- **Angles** (degrees): yaw = asin(R[0,2]) > 0 turns the nose to the picture's right, pitch =
  atan2(R[1,2], R[2,2]) > 0 raises it, roll = atan2(R[0,1], R[0,0]) > 0 tilts the head clockwise.
- **Texture coordinates**: u right, v up, 0..1.

``scene.axes`` is the one place that converts head axes to Blender's.
"""
