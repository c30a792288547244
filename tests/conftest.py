# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share: the loaded tools, the person of the demo portrait, the command.

Everything heavy is imported inside the fixtures: tests that need none of it stay quick.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND_SECONDS = 300
TEXTURE_SIZE = 512


@pytest.fixture(scope="session")
def tools():
    """Head model and face networks, loaded once."""
    from holotalk_addon import pipeline

    return pipeline.load_tools()


@pytest.fixture(scope="session")
def demo_person(tools):
    """The demo portrait, through all stages before Blender."""
    from holotalk_addon import assets, pipeline

    stages = pipeline.Stages()
    return pipeline.person_from_photo(assets.demo_portrait(), tools, stages, texture_size=TEXTURE_SIZE)


@pytest.fixture(scope="session")
def photos():
    """The folder of real portraits."""
    folder = os.environ.get("HOLOTALK_PHOTOS")
    if not folder:
        pytest.skip("HOLOTALK_PHOTOS is not set: no portraits to try")
    return Path(folder)


@pytest.fixture(scope="session")
def cli():
    """Run ``holotalk ARGUMENTS`` as a process of its own; its output is captured, so it has no terminal."""

    def run(*arguments, cwd=ROOT, env=None):
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | (env or {})
        return subprocess.run(
            [sys.executable, "-m", "holotalk_addon.cli", *map(str, arguments)],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=COMMAND_SECONDS,
            check=False,
        )

    return run
