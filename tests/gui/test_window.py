# SPDX-License-Identifier: GPL-3.0-or-later
"""HoloTalk in a real Blender window: `make gui-test`. One session, and a test for each of its steps.

The steps are in ``steps.py`` and run inside Blender; ``chroot.py`` makes the Blender. Without
``HOLOTALK_GUI`` in the environment nothing of this runs, so that `make test` needs neither root nor a
network. ``HOLOTALK_GUI_SHOTS`` names a folder that the screenshots, the result and Blender's output are
copied to.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import chroot
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
SESSION_SECONDS = 1200
ENVIRONMENT = {
    "PATH": chroot.SYSTEM_PATH,
    "LC_ALL": "C.UTF-8",
    "HOME": chroot.HOME,
    "BLENDER_USER_RESOURCES": f"{chroot.HOME}/.config/blender",
    "LIBGL_ALWAYS_SOFTWARE": "1",
}

pytestmark = pytest.mark.skipif(
    "HOLOTALK_GUI" not in os.environ, reason="a window's test: run `make gui-test`"
)


def step_names():
    """The steps' names in their order; ``steps.py`` itself can only be imported in Blender."""
    functions = [node for node in ast.parse((HERE / "steps.py").read_text()).body if _is_step(node)]
    return [function.name for function in functions]


def _is_step(node):
    return isinstance(node, ast.FunctionDef) and any(
        ast.unparse(one).startswith("session.step(") for one in node.decorator_list
    )


@pytest.fixture(scope="session")
def debian():
    """The chroot, made where it is not there yet."""
    reason = chroot.why_not()
    if reason:
        pytest.skip(f"no real Blender window: {reason}")
    made = chroot.Chroot(chroot.root_folder())
    made.set_up()
    return made


@pytest.fixture(scope="session")
def home(tmp_path_factory, debian, zip_for):
    """A new user's home: the zip for Debian's Blender downloaded, some pictures."""
    from PIL import Image

    from holotalk_addon import assets

    folder = tmp_path_factory.mktemp("home")
    for name in (".gui", "Downloads", "Pictures", "Videos", "Documents"):
        (folder / name).mkdir()
    for script in ("session.py", "steps.py", "window.py"):
        shutil.copy(HERE / script, folder / ".gui")
    addon_zip = zip_for(debian.python())
    shutil.copy(addon_zip, folder / "Downloads")
    zip_file = f"{chroot.HOME}/Downloads/{addon_zip.name}"
    (folder / ".gui" / "install.json").write_text(json.dumps({"zip": zip_file}))
    pictures = folder / "Pictures"
    shutil.copy(assets.demo_portrait(), pictures / "portrait.png")
    portrait = Image.open(pictures / "portrait.png").convert("RGB")
    group = Image.new("RGB", (2 * portrait.width, portrait.height))
    group.paste(portrait, (0, 0))
    group.paste(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (portrait.width, 0))
    group.save(pictures / "two people.png")
    Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(pictures / "nobody.png")
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    return folder


@pytest.fixture(scope="session")
def result(debian, home):
    """What became of the session, as ``window.py`` wrote it, with the exit status and Blender's output."""
    inside = f"{chroot.HOME}/.gui"
    command = ["python3", f"{inside}/session.py", str(SESSION_SECONDS), f"{inside}/steps.py"]
    began = time.monotonic()
    try:
        done = subprocess.run(
            debian.command(command, home=home),
            env=ENVIRONMENT,
            check=False,
            capture_output=True,
            text=True,
            timeout=SESSION_SECONDS + 60,
        )
    finally:
        _keep(home)
    log = home / ".gui" / "blender.log"
    output = log.read_text(errors="replace") if log.exists() else done.stdout + done.stderr
    written = home / ".gui" / "result.json"
    if not written.exists():
        pytest.fail(f"Blender did not come to the first step (status {done.returncode}):\n{output[-3000:]}")
    found = json.loads(written.read_text()) | {"status": done.returncode, "output": output}
    print(f"\nBlender {found['blender']}, Python {found['python']}, {time.monotonic() - began:.0f} s")
    for step in found["steps"]:
        figures = ", ".join(f"{name} {value}" for name, value in step["figures"].items())
        print(
            f"  {step['name']:20} {step['state']:9} {step['seconds']:6.1f} s, "
            f"longest pause {step['longest_pause']:.1f} s  {figures}"
        )
    return found


def _keep(home):
    """Copy what is to be looked at to where the user wants it."""
    kept = os.environ.get("HOLOTALK_GUI_SHOTS")
    if not kept:
        return
    Path(kept).mkdir(parents=True, exist_ok=True)
    for file in [*(home / ".gui").glob("*.json"), *(home / ".gui").glob("*.log"), *home.glob("Videos/*")]:
        shutil.copy(file, kept)
    for file in sorted((home / ".gui" / "shots").glob("*.png")):
        shutil.copy(file, kept)


@pytest.mark.parametrize("name", step_names())
def test_step(result, name):
    step = next(one for one in result["steps"] if one["name"] == name)
    if step["state"] == "left out":
        pytest.skip(step["trouble"])
    wrong = [f"{check['what']}: {check['detail']}" for check in step["checks"] if not check["ok"]]
    assert step["state"] == "passed", "\n".join([step["state"], step["trouble"], *wrong])
    assert step["checks"] or step["shots"]


def test_blender_ends_well(result):
    assert result["done"], "the session did not come to its end"
    assert result["status"] == 0, result["output"][-3000:]


def test_no_complaint_on_the_console(result):
    bad = ("Traceback", "Error:", "ERROR", "leaked", "register_class(")
    lines = [line for line in result["output"].splitlines() if any(word in line for word in bad)]
    assert not lines, "\n".join(lines)


def test_the_video_plays(result, home):
    import imageio_ffmpeg

    frames = imageio_ffmpeg.read_frames(str(home / "Videos" / "hologram.mp4"), pix_fmt="rgb24")
    facts = next(frames)
    pictures = list(frames)
    assert facts["codec"] == "h264"
    assert facts["size"] == (256, 256)
    assert len(pictures) == 12
    assert all(max(picture) > 100 for picture in pictures), "frames without a head"
    assert pictures[0] != pictures[3], "nothing moves"


def test_training_data_without_a_window(result, debian, home):
    shutil.copy(HERE.parents[1] / "blender_scripts" / "render_training_data.py", home / ".gui")
    script = ["--python", f"{chroot.HOME}/.gui/render_training_data.py", "--"]
    addon = ["--factory-startup", "--addons", "bl_ext.user_default.holotalk"]
    order = ["-o", f"{chroot.HOME}/data", "-n", "1", "--preset", "holotalk"]
    command = debian.command(["blender", "-b", *addon, *script, *order], home=home)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(home / "data" / "shard_00000.npz") as shard:
        assert min(shard["front"].max(), shard["side"].max()) > 100, "black pictures"


def test_nothing_stays_mounted(result, debian):
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    assert not [place for place in mounted if Path(place).is_relative_to(debian.root)]


def test_the_end_of_a_session_ends_everything_in_it(debian, tmp_path):
    # Killed without a chance to tidy up, as by the system when memory is full.
    starter = f"import subprocess; subprocess.run({debian.command(['sleep', '12345'], home=tmp_path)!r})"
    process = subprocess.Popen([sys.executable, "-c", starter], env={"PATH": chroot.SYSTEM_PATH})
    ends = time.monotonic() + 60
    while not _running("12345") and time.monotonic() < ends:
        time.sleep(0.1)
    assert _running("12345")
    process.kill()
    process.wait()
    while _running("12345") and time.monotonic() < ends:
        time.sleep(0.1)
    assert not _running("12345")


def _running(argument):
    """Whether `sleep ARGUMENT` runs."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().split(b"\0")[:2] == [b"sleep", argument.encode()]:
                return True
        except OSError:
            continue
    return False
