# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering labelled training data from the panel."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ..errors import OptionError
from .jobs import Job
from .operator_base import JobOperator, idle
from .preferences import scratch_folder
from .settings import current_settings


class HOLOTALK_OT_render_data(JobOperator, bpy.types.Operator):
    """Render pictures of random people with everything that is known about them; goes on where it stopped"""

    bl_idname = "holotalk.render_data"
    bl_label = "Render Training Data"
    bl_options: ClassVar[set[str]] = {"REGISTER"}
    job_name = "TRAINING"
    stopped = "Stopped. What is done is kept: the same button goes on."

    @classmethod
    def poll(cls, context: Any) -> bool:
        """One thing at a time."""
        return idle(cls)

    def start(self, context: Any) -> Job:
        """Make the job."""
        from ..scene.second_blender import SecondBlender

        settings = current_settings(context)
        if not settings.data_folder:
            raise OptionError("The training data has no folder yet: choose one.")
        return SecondBlender(
            "pipeline:render_data_for_panel",
            settings.data_preset.lower(),
            bpy.path.abspath(settings.data_folder),
            settings.data_samples,
            settings.data_seed,
            stage="Rendering people",
            scratch=scratch_folder(),
        )

    def finish(self, context: Any, result: Any) -> set[str]:
        """Say how much there is."""
        self.lane_state(context).message = f"The folder holds {result} samples."
        self.report({"INFO"}, f"The folder holds {result} samples")
        return {"FINISHED"}


CLASSES = (HOLOTALK_OT_render_data,)
