# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``holotalk`` command: what it writes, what it prints, and what it refuses in one line.

Most tests call ``main`` in this process with the tools loaded once; what a process alone can show
(exit status, standard error, import time) is run as one.
"""

import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import skimage.data
from cli_parts import QUICK, check_face, contents, refused
from PIL import Image

from holotalk_addon import __version__, assets, pipeline
from holotalk_addon.errors import OutputError
from holotalk_addon.outputs import check_folder, replacing

# --- bad photos --------------------------------------------------------------------------------------


def _truncated(path):
    Image.fromarray(skimage.data.astronaut()).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:9000])


def _small_face(path):
    # The face of the portrait is about 90 pixels wide.
    with Image.open(assets.demo_portrait()) as picture:
        small = picture.convert("RGB").resize((100, 100), Image.Resampling.LANCZOS)
    ground = Image.new("RGB", (160, 160), (128, 128, 128))
    ground.paste(small, (30, 30))
    ground.save(path)


BAD_PHOTOS = {
    "no picture.jpg": (lambda p: p.write_text("I am not a picture."), "picture"),
    "truncated.jpg": (_truncated, "truncated|damaged|incomplete|cut|end"),
    "empty.png": (lambda p: p.write_bytes(b""), "empty"),
    "one pixel.png": (lambda p: Image.new("RGB", (1, 1)).save(p), "1 ?x ?1|small|No face"),
    "grey.png": (lambda p: Image.new("L", (300, 200), 128).save(p), "No face"),
    "coffee.png": (lambda p: Image.fromarray(skimage.data.coffee()).save(p), "No face"),
    "far away.png": (_small_face, r"only \d+ pixels wide"),
    "folder.jpg": (lambda p: p.mkdir(), "folder"),
    "missing.jpg": (lambda p: None, "no file|not exist|missing|not found|no such"),
}


@pytest.mark.parametrize("command", ["generate", "export", "views"])
@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_a_bad_photo_is_refused_in_one_line(holotalk, tmp_path, name, command):
    make, word = BAD_PHOTOS[name]
    make(tmp_path / name)
    results = tmp_path / "results"
    results.mkdir()
    target = {"generate": "x.mp4", "export": "x.glb", "views": "views"}[command]
    line = refused(holotalk(command, tmp_path / name, "-o", results / target))
    assert re.search(word, line, re.IGNORECASE), line
    assert contents(results) == []


def test_a_bad_photo_is_refused_by_the_real_command(cli, tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    done = cli("generate", tmp_path / "x.jpg", "-o", tmp_path / "x.mp4")
    refused((done.returncode, done.stdout, done.stderr))
    assert contents(tmp_path) == ["x.jpg"]


def test_the_seventh_of_three_faces_is_refused(holotalk, photos, tmp_path):
    path = photos / "group-2.jpg"
    if not path.exists():
        pytest.skip("group-2.jpg is not in HOLOTALK_PHOTOS")
    line = refused(holotalk("generate", path, "-o", tmp_path / "x.png", "--face", 7))
    assert "7" in line
    assert "3" in line
    assert contents(tmp_path) == []


@pytest.mark.parametrize("number", ["0", "-1", "2"])
def test_a_face_that_is_not_there_is_refused(holotalk, demo, tmp_path, number):
    line = refused(holotalk("generate", demo, "-o", tmp_path / "x.png", "--face", number))
    assert "only one face" in line
    assert contents(tmp_path) == []


# --- bad outputs -------------------------------------------------------------------------------------


@pytest.fixture
def no_work(monkeypatch):
    """Refusals about the output come before any work."""

    def work(*_arguments, **_keywords):
        raise AssertionError("the photo was read before the output was checked")

    monkeypatch.setattr(pipeline, "person_from_photo", work)


BAD_OUTPUTS = [
    ("generate", "missing/x.mp4", "does not exist"),
    ("generate", "a file/x.mp4", "does not exist|not a folder"),
    ("generate", "a folder.mp4", "is a folder"),
    ("generate", "x.avi", r"\.mp4 or \.png"),
    ("generate", "x", r"\.mp4 or \.png"),
    ("generate", ".mp4", r"\.mp4 or \.png"),
    ("export", "missing/x.glb", "does not exist"),
    ("export", "x.fbx", r"\.glb"),
    ("export", "a folder.obj", "is a folder"),
    ("views", "missing/views", "does not exist"),
]


@pytest.mark.parametrize(("command", "name", "word"), BAD_OUTPUTS)
def test_a_bad_output_is_refused_before_any_work(holotalk, no_work, demo, tmp_path, command, name, word):
    (tmp_path / "a file").write_text("")
    for suffix in (".mp4", ".obj"):
        (tmp_path / f"a folder{suffix}").mkdir()
    before = contents(tmp_path)
    line = refused(holotalk(command, demo, "-o", tmp_path / name))
    assert re.search(word, line), line
    assert contents(tmp_path) == before


@pytest.mark.parametrize("option", ["--report", "--save-blend"])
@pytest.mark.parametrize("name", ["missing/x.json", "missing/x.blend", "x.txt"])
def test_bad_side_outputs_are_refused_before_any_work(holotalk, no_work, demo, tmp_path, option, name):
    refused(holotalk("generate", demo, "-o", tmp_path / "x.png", option, tmp_path / name))
    assert contents(tmp_path) == []


def test_views_into_a_file_are_refused(holotalk, demo, tmp_path):
    (tmp_path / "views").write_text("mine")
    line = refused(holotalk("views", demo, "-o", tmp_path / "views", "--size", 64, "--engine", "workbench"))
    assert "is a file" in line
    assert (tmp_path / "views").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_refused(holotalk, no_work, demo, tmp_path, monkeypatch):
    """The superuser may write everywhere, so the system's answer stands in."""
    monkeypatch.setattr(os, "access", lambda _path, mode: not mode & os.W_OK)
    line = refused(holotalk("generate", demo, "-o", tmp_path / "x.mp4"))
    assert "cannot be written" in line
    with pytest.raises(OutputError):
        check_folder(tmp_path)
    assert contents(tmp_path) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere"
)
def test_a_read_only_folder_is_refused(holotalk, no_work, demo, tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "cannot be written" in refused(holotalk("generate", demo, "-o", tmp_path / "x.mp4"))
    finally:
        tmp_path.chmod(0o700)


def test_an_output_is_replaced_in_one_step_or_not_at_all(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("former")
    with pytest.raises(ZeroDivisionError), replacing(path) as beside:
        beside.write_text("half")
        assert path.read_text() == "former"
        _ = 1 / 0
    assert path.read_text() == "former"
    assert contents(tmp_path) == ["result.txt"]
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "former"
        assert beside.parent == tmp_path  # the same disk, so that renaming is one step
    assert path.read_text() == "new"
    assert contents(tmp_path) == ["result.txt"]
    fresh = tmp_path / "fresh.txt"
    fresh.write_text("")
    assert path.stat().st_mode == fresh.stat().st_mode


# --- bad options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ("--size", "10"),
        ("--size", "0"),
        ("--size", "-200"),
        ("--gap", "0"),
        ("--gap", "0.95"),
        ("--gap", "nan"),
        ("--frame", "640x480"),
        ("--frame", "0x0"),
        ("--frame", "wide"),
        ("--frame", "1920"),
        ("--seconds", "0"),
        ("--seconds", "-3"),
        ("--seconds", "nan"),
        ("--seconds", "1e9"),
        ("--fps", "0"),
        ("--fps", "100000"),
    ],
    ids=" ".join,
)
def test_values_that_cannot_work_are_refused_before_any_work(holotalk, no_work, demo, tmp_path, options):
    line = refused(holotalk("generate", demo, "-o", tmp_path / "x.mp4", *options))
    assert re.search(r"choose|write it as", line, re.IGNORECASE), line
    assert contents(tmp_path) == []


@pytest.mark.parametrize(
    "options",
    [
        ("--motion", "dance"),
        ("--engine", "quake"),
        ("--screen", "sideways"),
        ("--sides", "both"),
        ("--complete", "magic"),
        ("--size", "large"),
        ("--fps", "23.976"),
        ("--face", "left"),
        ("--no-such-option",),
    ],
    ids=" ".join,
)
def test_unknown_options_end_with_a_usage_line(holotalk, no_work, demo, tmp_path, options):
    status, output, error = holotalk("generate", demo, "-o", tmp_path / "x.mp4", *options)
    assert status == 2
    assert output == ""
    assert error.startswith("usage: holotalk")
    assert options[0] in error.splitlines()[-1]
    assert contents(tmp_path) == []


@pytest.mark.parametrize(
    "size",
    [
        "8",
        "0",
        "-64",
        "100000",
    ],
)
def test_views_of_an_impossible_size_are_refused(holotalk, demo, tmp_path, size):
    refused(holotalk("views", demo, "-o", tmp_path / "views", "--size", size, "--engine", "workbench"))
    assert contents(tmp_path) == []


def test_no_command_and_no_output_end_with_a_usage_line(holotalk, demo):
    for arguments in ((), ("generate", demo), ("views", demo), ("dance",)):
        status, output, error = holotalk(*arguments)
        assert status == 2
        assert output == ""
        assert error.startswith("usage: holotalk")


# --- small commands ----------------------------------------------------------------------------------


def test_version_is_printed_without_loading_anything_heavy(cli):
    done = cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"holotalk {__version__}\n", "")


def test_help_names_every_command(holotalk):
    status, output, _ = holotalk("--help")
    assert status == 0
    for name in ("demo", "generate", "analyze", "views", "export", "template", "testcard"):
        assert re.search(rf"^\s+{name}\s", output, re.MULTILINE), name


def test_the_template_is_in_true_millimetres(holotalk, tmp_path):
    path = tmp_path / "pyramid ü.svg"
    status, output, error = holotalk("template", "--screen-mm", "70x150", "-o", path)
    assert (status, output, error) == (0, f"{path}\n", "")
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    assert root.tag.endswith("svg")
    assert root.get("width").endswith("mm")
    assert contents(tmp_path) == ["pyramid ü.svg"]
    for options in (
        ("--screen-mm", "phone"),
        ("--screen-mm", "1x1"),
        ("--screen-mm", "70x150", "--gap", "2"),
    ):
        refused(holotalk("template", *options, "-o", tmp_path / "other.svg"))
    refused(holotalk("template", "--screen-mm", "70x150", "-o", tmp_path / "other.pdf"))
    assert contents(tmp_path) == ["pyramid ü.svg"]


def test_the_testcard_has_the_layouts_size(holotalk, tmp_path):
    path = tmp_path / "card.png"
    status, output, error = holotalk("testcard", "-o", path, "--size", 201, "--frame", "320x240")
    assert (status, output) == (0, f"{path}\n")
    assert error.splitlines() == [line for line in error.splitlines() if line.startswith("holotalk: ")]
    assert "200" in error  # the odd size was lowered, said so
    with Image.open(path) as picture:
        assert picture.size == (320, 240)
        assert picture.mode == "RGB"
        pixels = np.asarray(picture)
    assert (pixels[:, :60] == 0).all()  # the square is centred on black
    assert pixels.max() > 200
    assert contents(tmp_path) == ["card.png"]


def test_a_testcard_video(holotalk, tmp_path):
    path = tmp_path / "card.mp4"
    status, output, _ = holotalk("testcard", "-o", path, "--size", 128)
    assert (status, output) == (0, f"{path}\n")
    assert path.read_bytes()[4:8] == b"ftyp"
    assert contents(tmp_path) == ["card.mp4"]


# --- generate ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_still_with_its_report(cli, demo, tmp_path):
    output, report = tmp_path / "x.png", tmp_path / "x.json"
    output.write_bytes(b"a former result")
    done = cli(
        *("generate", demo, "-o", output, "--report", report, "--motion", "still"),
        *("--engine", "workbench", "--size", 256, "--save-blend", tmp_path / "x.blend"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{output}\n"
    # No progress bars without a terminal. (Mesa may complain of a missing graphics card when Blender starts.)
    assert [line for line in done.stderr.splitlines() if not line.startswith(("EGL", "libEGL", "MESA"))] == []
    with Image.open(output) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (256, 256))
        pixels = np.asarray(picture)
    assert (pixels[:20, :20] == 0).all()
    assert (pixels[110:146, 110:146] == 0).all()  # the gap
    for turns in range(4):  # four heads
        assert np.rot90(pixels, turns)[150:, 90:166].max() > 100
    found = json.loads(report.read_text())
    assert set(found) >= {"stages", "face", "fit", "warnings"}
    names = [stage["name"] for stage in found["stages"]]
    assert names[0] == "Loading"
    assert names[-1] == "Rendering"
    assert len(names) == len(set(names)) >= 8
    assert all(stage["seconds"] >= 0 for stage in found["stages"])
    check_face(found["face"], 512, 512)
    assert 0 < found["fit"]["nme_percent"] <= 1.3
    assert found["warnings"] == []
    assert contents(tmp_path) == ["x.blend", "x.json", "x.png"]


def test_a_short_video(holotalk, demo, tmp_path):
    path = tmp_path / "x.mp4"
    path.write_bytes(b"a former result")
    status, output, _ = holotalk(
        *("generate", demo, "-o", path, "--seconds", "0.34", "--fps", "12", "--size", "192"),
        *("--engine", "workbench", "--save-blend", tmp_path / "x.blend"),
    )
    assert (status, output) == (0, f"{path}\n")
    content = path.read_bytes()
    assert content[4:8] == b"ftyp"
    assert b"moov" in content
    assert b"avc1" in content
    assert contents(tmp_path) == ["x.blend", "x.mp4"]
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    assert about["source_size"] == (192, 192)
    assert about["fps"] == 12
    frames = [np.frombuffer(frame, np.uint8).reshape(192, 192, 3) for frame in reader]
    assert len(frames) == 4
    assert all(frame.max() > 100 for frame in frames)
    assert not np.array_equal(frames[0], frames[1])


def test_the_same_photo_and_options_give_the_same_still(holotalk, demo, tmp_path):
    pictures = []
    for name in ("a.png", "b.png"):
        assert holotalk("generate", demo, "-o", tmp_path / name, *QUICK, "--motion", "still")[0] == 0
        with Image.open(tmp_path / name) as picture:
            pictures.append(np.asarray(picture))
    assert np.array_equal(*pictures)


def test_stopping_leaves_nothing_and_says_so(holotalk, demo, tmp_path, monkeypatch):
    def stop(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "build_hologram", stop)
    status, output, error = holotalk("generate", demo, "-o", tmp_path / "x.mp4", *QUICK)
    assert (status, output, error) == (130, "", "holotalk: stopped; nothing half-written was left\n")
    assert contents(tmp_path) == []


# --- views and export --------------------------------------------------------------------------------


def _roughness(lit):
    """How far the left and the right outline of a head stray from a smooth curve, in pixels."""
    rows = np.flatnonzero(lit.any(axis=1))
    band = lit[rows[0] + len(rows) // 4 : rows[0] + 3 * len(rows) // 4]
    height = np.arange(len(band))
    outlines = band.argmax(axis=1), band.shape[1] - 1 - band[:, ::-1].argmax(axis=1)
    return [np.std(x - np.polyval(np.polyfit(height, x, 3), height)) for x in outlines]


def test_views_show_the_head_from_all_sides_on_black(holotalk, demo, tmp_path):
    folder = tmp_path / "views"
    status, output, _ = holotalk(
        *(
            "views",
            demo,
            "-o",
            folder,
            "--yaw",
            "-90",
            "0",
            "22.5",
            "90",
            "--size",
            "160",
            "--engine",
            "workbench",
        )
    )
    assert status == 0
    names = ["view_-90.png", "view_0.png", "view_22.5.png", "view_90.png"]
    assert sorted(names) == contents(folder)
    assert output.splitlines() == [str(folder / name) for name in names]
    pictures = {}
    for name in names:
        with Image.open(folder / name) as picture:
            assert (picture.mode, picture.size) == ("RGB", (160, 160))
            pictures[name] = np.asarray(picture).astype(int)
        assert (pictures[name][[0, -1]] == 0).all()
        assert (pictures[name][:, [0, -1]] == 0).all()
        assert 0.1 < (pictures[name].sum(axis=2) > 30).mean() < 0.8
    # Brow, nose, lips and chin make the outline of the face rough; that of the back of the head is smooth.
    for name, face_is_on_the_right in (("view_90.png", True), ("view_-90.png", False)):
        left, right = _roughness(pictures[name].sum(axis=2) > 30)
        assert (right > 1.5 * left) if face_is_on_the_right else (left > 1.5 * right), (name, left, right)
    # The two profiles are the two sides of one head: nearly mirror images in outline.
    right, left = (pictures[name].sum(axis=2) > 30 for name in ("view_90.png", "view_-90.png"))
    assert (right & left[:, ::-1]).sum() > 0.9 * (right | left[:, ::-1]).sum()
    assert (right & left).sum() < 0.95 * (right | left).sum()


def test_views_in_an_existing_folder_leave_other_files_alone(holotalk, demo, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "view_0.png").write_bytes(b"a former view")
    status, _, error = holotalk(
        "views", demo, "-o", tmp_path, "--yaw", "0", "--size", "65", "--engine", "workbench"
    )
    assert status == 0
    assert "64 is used" in error
    assert contents(tmp_path) == ["mine.txt", "view_0.png"]
    with Image.open(tmp_path / "view_0.png") as picture:
        assert picture.size == (64, 64)


@pytest.mark.parametrize(
    ("name", "files", "start"),
    [
        ("head.glb", ["head.glb"], b"glTF"),
        ("head.obj", ["head.mtl", "head.obj", "head_hair_texture.png", "head_texture.png"], b"#"),
        ("head.ply", ["head.ply"], b"ply\n"),
        ("head.stl", ["head.stl"], b"A head by HoloTalk, in millimetres"),
        ("head.blend", ["head.blend"], None),
    ],
)
def test_export_writes_the_head(holotalk, demo, tmp_path, name, files, start):
    status, output, error = holotalk("export", demo, "-o", tmp_path / name)
    assert status == 0, error
    assert contents(tmp_path) == files
    written = output.splitlines()
    assert written[0] == str(tmp_path / name)
    assert sorted(Path(line).name for line in written) == files
    content = (tmp_path / name).read_bytes()
    assert len(content) > 100_000
    if start is not None:
        assert content.startswith(start)
    else:  # a .blend is compressed with Zstandard
        assert content.startswith((b"BLENDER", b"\x28\xb5\x2f\xfd"))
    if name == "head.obj":
        text = content.decode()
        assert "mtllib head.mtl" in text
        assert text.count("\nv ") > 5000
        assert "map_Kd head_texture.png" in (tmp_path / "head.mtl").read_text()
    if name == "head.glb":
        length = int.from_bytes(content[12:16], "little")
        scene = json.loads(content[20 : 20 + length])
        meshes = {mesh["name"]: mesh for mesh in scene["meshes"]}
        assert set(meshes) == {"HoloTalk Head", "HoloTalk Hair"}
        assert len(meshes["HoloTalk Head"]["extras"]["targetNames"]) == 52
        assert scene["images"]


def test_export_has_options_for_other_programs(holotalk, demo, tmp_path):
    status, _, error = holotalk(
        "export", demo, "-o", tmp_path / "head.glb", "--shape-names", "rpm", "--eye-bones"
    )
    assert status == 0, error
    content = (tmp_path / "head.glb").read_bytes()
    length = int.from_bytes(content[12:16], "little")
    scene = json.loads(content[20 : 20 + length])
    assert {"Head", "LeftEye", "RightEye"} < {node["name"] for node in scene["nodes"]}
    meshes = {mesh["name"]: mesh for mesh in scene["meshes"]}
    assert {"viseme_PP", "mouthOpen", "jawOpen"} < set(meshes["HoloTalk Head"]["extras"]["targetNames"])


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("head.obj", ["--shape-names", "rpm"], "no shapes to name"),
        ("head.stl", ["--eye-bones"], "export a .glb"),
        ("head.glb", ["--height-mm", "80"], "for a .stl"),
        ("head.stl", ["--height-mm", "5"], "20 to 1000 mm"),
    ],
)
def test_export_options_of_another_format_are_refused(holotalk, demo, tmp_path, name, options, says):
    assert says in refused(holotalk("export", demo, "-o", tmp_path / name, *options))
    assert contents(tmp_path) == []


def test_the_photo_is_never_overwritten(holotalk, demo, tmp_path):
    photo = tmp_path / "me.png"
    photo.write_bytes(Path(demo).read_bytes())
    before = photo.read_bytes()
    refused(holotalk("generate", photo, "-o", photo, *QUICK))
    in_the_way = tmp_path / "head_texture.png"
    in_the_way.write_bytes(before)
    refused(holotalk("export", in_the_way, "-o", tmp_path / "head.obj"))
    assert photo.read_bytes() == in_the_way.read_bytes() == before
    assert contents(tmp_path) == ["head_texture.png", "me.png"]


def test_a_name_that_is_too_long_is_one_line(holotalk, demo, tmp_path):
    refused(holotalk("generate", demo, "-o", tmp_path / ("x" * 300 + ".png"), *QUICK))
    assert contents(tmp_path) == []


def test_a_full_disk_is_one_line(monkeypatch, tmp_path, capsys):
    import errno

    from holotalk_addon import cli as command_line

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(command_line, "write_text", full)
    status = command_line.main(["template", "--screen-mm", "70x150", "-o", str(tmp_path / "p.svg")])
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "disk is full" in line
    assert "free some space" in line
