# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's zip: what is in it, that it is built the same way each time, and that Blender can use it."""

import errno
import hashlib
import importlib.util
import json
import os
import posixpath
import subprocess
import sys
import time
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from holotalk_addon import assets
from holotalk_addon.cache import RECORD
from holotalk_addon.errors import AssetError, OptionError
from holotalk_addon.people import compile_model

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "holotalk_addon"
PYTHONS = {name: {"cp311", "cp313"} for name in ("linux-x64", "windows-x64", "macos-arm64")}
PYTHONS["linux-x64-python3.14"] = {"cp314"}
TO_COME = 4_000_000
"""Bytes that weights of ours which are not there yet may take."""
PREDICTOR = "shape_predictor_68_face_landmarks.dat"


@pytest.fixture(scope="module")
def members(addon_zip):
    """The entries of the zip, by name."""
    with zipfile.ZipFile(addon_zip) as archive:
        return {info.filename: info for info in archive.infolist()}


@pytest.fixture(scope="module")
def read(addon_zip):
    def read(name):
        with zipfile.ZipFile(addon_zip) as archive:
            return archive.read(name)

    return read


@pytest.fixture(scope="module")
def light(build_addon):
    """What goes into a zip without the large model, less the wheels: quick to write."""
    entries = build_addon.gather("linux-x64", landmarks=False)
    return [entry for entry in entries if not entry.name.startswith("wheels/")]


def one_line(capsys):
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert "Traceback" not in captured.err
    assert lines[-1].startswith("build_addon: ")
    return lines[-1]


# --- what is inside ---------------------------------------------------------------------------------


def test_the_program_is_inside_as_it_is_and_nothing_else_of_the_checkout(members, read):
    expected = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "__pycache__" not in path.parts
    }
    assert {name for name in members if name.endswith(".py")} == expected
    assert read("pipeline.py") == (PACKAGE / "pipeline.py").read_bytes()
    assert read("LICENSE") == (ROOT / "LICENSE").read_bytes()
    for name in members:
        assert "__pycache__" not in name
        assert not any(part.startswith(".") or part == "tests" for part in name.split("/")), name
    folders = {name.split("/")[0] for name in members if "/" in name}
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - rooms <= {"data", "licences", "model_weights", "wheels"}


def test_the_data_of_run_time_is_inside_and_listed(members, read, build_addon):
    data = {name.removeprefix("data/") for name in members if name.startswith("data/")}
    pins = {file.key: file for package in assets.PACKAGES for file in package.files}
    model = compile_model.model_path().name
    assert data == {pins[key].name for key in build_addon.DATA} | {
        "astronaut.png", model, assets.LIST, "makehuman.zip"
    }  # fmt: skip
    assert PREDICTOR in data
    listed = dict(line.split("  ")[::-1] for line in read(f"data/{assets.LIST}").decode().splitlines())
    weights = {name for name in members if name.startswith("model_weights/")}
    assert "model_weights/cae.tflite" in weights
    assert listed.keys() == (data - {assets.LIST}) | {f"../{name}" for name in weights}
    for name, sha256 in listed.items():
        assert hashlib.sha256(read(posixpath.normpath(f"data/{name}"))).hexdigest() == sha256, name
    for key in build_addon.DATA:
        assert listed[pins[key].name] == pins[key].sha256


def test_every_network_that_is_asked_for_is_inside(build_addon, tools):
    """What the faces load, the completions that the panel offers, and the parsing network."""
    from holotalk_addon.cae.completions import KINDS
    from holotalk_addon.face import FaceModels
    from holotalk_addon.networks import NETWORKS

    asked = []
    FaceModels.load(lambda key: asked.append(key) or assets.find(key))
    assert sorted(build_addon.DATA) == sorted(asked)
    inside = {n.key for n in NETWORKS if not n.left_out}
    assert inside == {*asked, "parsing", *(k.network for k in KINDS if k.offered and k.network)}


def test_wheels_are_the_published_ones_and_the_manifest_names_them(members, read, build_addon):
    manifest = tomllib.loads(read("blender_manifest.toml").decode())
    (platform,) = manifest["platforms"]
    wheels = build_addon.wheels_for(platform)  # of the first zip for it, which has the platform's name
    assert manifest["wheels"] == [f"./wheels/{wheel.name}" for wheel in wheels]
    assert {name for name in members if name.endswith(".whl")} == {f"wheels/{w.name}" for w in wheels}
    for wheel in wheels:
        assert hashlib.sha256(read(f"wheels/{wheel.name}")).hexdigest() == wheel.sha256


def test_licences_of_everything_are_inside(addon_zip, read, build_addon):
    third_party = read("THIRD_PARTY.txt").decode()
    assert "NOT FOR COMMERCIAL USE" in third_party
    assert b"Apache License" in read("licences/mediapipe.txt")
    assert b"CC0 1.0 Universal" in read("licences/makehuman.md")
    assert "data/dlib_face_recognition_resnet_model_v1.dat" in third_party
    with zipfile.ZipFile(addon_zip) as archive:
        for name in archive.namelist():
            if name.endswith(".whl"):
                with archive.open(name) as stream, zipfile.ZipFile(stream) as wheel:
                    texts = [n for n in wheel.namelist() if ".dist-info/" in n and "LICENSE" in n]
                assert texts, name
                assert "/".join(name.split("-")[:1]) in third_party
            if name.startswith("data/") and name.endswith((".tflite", ".dat", ".png", ".zip")):
                assert name in third_party


def test_manifest(read, build_addon):
    import holotalk_addon

    manifest = tomllib.loads(read("blender_manifest.toml").decode())
    assert manifest["id"] == "holotalk"
    assert manifest["version"] == holotalk_addon.__version__
    assert manifest["blender_version_min"] == "4.5.0"
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]
    assert "files" in manifest["permissions"]
    assert "network" not in manifest["permissions"], "nothing is fetched at run time"
    for reason in manifest["permissions"].values():
        assert len(reason) <= 64
        assert not reason.endswith(".")


# --- the table of wheels ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(PYTHONS))
def test_each_zip_has_a_wheel_of_everything_for_each_python(build_addon, name):
    assert set(build_addon.TARGETS) == set(PYTHONS)
    wheels = build_addon.wheels_for(name)
    by_package = {}
    for wheel in wheels:
        by_package.setdefault(wheel.distribution, set()).add(wheel.tags.split("-")[0])
    assert by_package == {
        "opencv_python_headless": {"cp37"},  # abi3: one for all
        "dlib_bin": PYTHONS[name],
        "ai_edge_litert": PYTHONS[name],
        "pillow": PYTHONS[name],
    }
    assert sum(wheel.size for wheel in wheels) < 120_000_000


def test_each_wheel_is_in_a_zip_of_its_platform(build_addon):
    names = [wheel.name for name in build_addon.TARGETS for wheel in build_addon.wheels_for(name)]
    assert set(names) == {wheel.name for wheel in build_addon.WHEELS}
    twice = {name for name in names if names.count(name) > 1}
    assert len(twice) == 1, "the one for all Pythons of Linux"
    assert "-abi3-manylinux" in twice.pop()


def test_blender_takes_each_wheel_for_its_platform(build_addon):
    script, _tags = build_addon.blender_tool()
    spec = importlib.util.spec_from_file_location("blender_ext", script)
    tool = importlib.util.module_from_spec(spec)
    sys.modules["blender_ext"] = tool
    spec.loader.exec_module(tool)
    fits = tool.blender_platform_compatible_with_wheel_platform_from_filepath
    for name, target in build_addon.TARGETS.items():
        for wheel in build_addon.WHEELS:
            ours = wheel.tags.endswith(target.ending)
            assert fits(target.platform, f"wheels/{wheel.name}") == ours
        names = [wheel.name for wheel in build_addon.wheels_for(name)]
        pythons = {tuple(int(n) for n in (tag[2], tag[3:])) for tag in PYTHONS[name]}
        assert tool.python_versions_from_wheels(names) == pythons


def test_wheels_are_those_that_the_checkout_runs_with(build_addon):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = dict(line.split("==") for line in project["dependencies"] if "==" in line)
    versions = {w.distribution.replace("_", "-"): w.version for w in build_addon.WHEELS}
    assert len(pinned) == 3
    assert pinned.items() <= versions.items()


# --- the same each time -----------------------------------------------------------------------------


def test_the_same_inputs_give_the_same_bytes(build_addon, light, tmp_path):
    build_addon.write_zip(light, tmp_path / "a.zip")
    before = os.umask(0o077)
    try:
        time.sleep(2.1)  # times in a zip count in steps of two seconds
        again = build_addon.gather("linux-x64", landmarks=False)
        again = [entry for entry in again if not entry.name.startswith("wheels/")]
        build_addon.write_zip(again, tmp_path / "b.zip")
    finally:
        os.umask(before)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_times_modes_and_order_are_fixed(members):
    names = list(members)
    assert names[0] == "blender_manifest.toml"
    assert names[1:] == sorted(names[1:])
    assert {info.date_time for info in members.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr for info in members.values()} == {0o100644 << 16}


def test_blenders_own_build_gives_the_name(build_addon, addon_zip):
    import holotalk_addon

    version = holotalk_addon.__version__
    assert build_addon.zip_name("macos-arm64") == f"holotalk-{version}-macos_arm64.zip"
    assert build_addon.zip_name("linux-x64", landmarks=False) == (
        f"holotalk-{version}-linux_x64-without_68_points.zip"
    )
    assert build_addon.zip_name("linux-x64-python3.14") == f"holotalk-{version}-linux_x64_python3.14.zip"


# --- judged by Blender's own tool -------------------------------------------------------------------


def test_blenders_own_tool_accepts_the_zip(build_addon, addon_zip):
    """Raises what the tool says against it."""
    build_addon.validate(addon_zip, build_addon.blender_tool())


@pytest.mark.parametrize("name", list(PYTHONS))
def test_blenders_own_tool_accepts_the_wheels_of_each_zip(build_addon, light, tmp_path, name):
    wheels = build_addon.wheels_for(name)
    platform = build_addon.TARGETS[name].platform
    manifest = replace(light[0], source=build_addon._manifest(platform, wheels).encode())
    assert light[0].name == "blender_manifest.toml"
    empty = [build_addon.Entry(f"wheels/{wheel.name}", b"", "") for wheel in wheels]
    assert build_addon.build([manifest, *light[1:], *empty], tmp_path / "a.zip")


def test_each_zip_has_room_for_weights_to_come(build_addon, members, addon_zip):
    """The zips differ by their wheels alone, but for a few bytes: that one is built tells the size of all."""
    rest = addon_zip.stat().st_size - sum(
        info.compress_size for name, info in members.items() if name.startswith("wheels/")
    )
    sizes = {name: rest + sum(w.size for w in build_addon.wheels_for(name)) for name in PYTHONS}
    assert max(sizes.values()) < build_addon.LARGEST - TO_COME, sizes
    assert min(sizes.values()) > 100_000_000, sizes


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b'"Render"]', b'"Holograms"]', "Holograms"),
        (b"3D models", b"3D models.", "punctuation"),
        (b'schema_version = "1.0.0"', b"", "schema_version"),
    ],
)
def test_what_blenders_own_tool_refuses_is_not_built(build_addon, light, tmp_path, old, new, complaint):
    manifest = light[0]
    assert manifest.name == "blender_manifest.toml"
    assert old in manifest.read()
    broken = [replace(manifest, source=manifest.read().replace(old, new)), *light[1:]]
    with pytest.raises(build_addon.BuildError, match=f"Blender's tool refuses.*{complaint}") as caught:
        build_addon.build(broken, tmp_path / "a.zip")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_without_blenders_module_the_zip_is_built_and_not_validated(
    build_addon, light, tmp_path, monkeypatch
):
    monkeypatch.setattr(build_addon.importlib.util, "find_spec", lambda name: None)
    assert build_addon.build(light, tmp_path / "a.zip") is False
    assert zipfile.is_zipfile(tmp_path / "a.zip")


# --- the command ------------------------------------------------------------------------------------


def test_the_command_builds_and_says_what_is_inside(build_addon, light, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build_addon, "gather", lambda name, landmarks: light)
    output = tmp_path / "new" / "dist"
    assert build_addon.main(["--without-68-points", "windows-x64", "-o", str(output)]) == 0
    (path,) = output.iterdir()
    assert path.name == build_addon.zip_name("windows-x64", landmarks=False)
    said = capsys.readouterr().out
    assert str(path) in said
    assert "MB  data/iris_landmark.tflite" in said
    assert f"{path.stat().st_size / 1e6:.2f} MB  in all" in said
    assert "validated by Blender's own tool" in said
    rows = [line.split(" MB ")[0] for line in said.splitlines() if " MB  " in line]
    assert sum(map(float, rows[:-1])) == pytest.approx(float(rows[-1]), abs=0.2)


def test_unknown_platform(build_addon, tmp_path, capsys):
    assert build_addon.main(["linux-arm64", "-o", str(tmp_path)]) == 2
    assert "choose from linux-x64, linux-x64-python3.14, windows-x64, macos-arm64" in one_line(capsys)
    with pytest.raises(OptionError):
        build_addon.wheels_for("atari")


def test_too_large(build_addon, light, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build_addon, "gather", lambda name, landmarks: light)
    monkeypatch.setattr(build_addon, "LARGEST", 1_000_000)
    assert build_addon.main(["linux-x64", "-o", str(tmp_path)]) == 2
    assert "more than 1" in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "The disk is full"), (errno.EIO, "mend that")]
)
def test_a_disk_in_trouble(build_addon, light, tmp_path, monkeypatch, capsys, number, message):
    real = zipfile.ZipFile.writestr

    def write(self, info, *args, **kwargs):
        if info.filename.startswith("scene/"):
            raise OSError(number, os.strerror(number))
        return real(self, info, *args, **kwargs)

    monkeypatch.setattr(build_addon, "gather", lambda name, landmarks: light)
    monkeypatch.setattr(zipfile.ZipFile, "writestr", write)
    (tmp_path / build_addon.zip_name("linux-x64")).write_bytes(b"the last one")
    assert build_addon.main(["linux-x64", "-o", str(tmp_path)]) == 2
    assert message in one_line(capsys)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"the last one"]


def test_an_output_that_is_a_file(build_addon, tmp_path, capsys):
    (tmp_path / "dist").write_bytes(b"")
    assert build_addon.main(["linux-x64", "-o", str(tmp_path / "dist")]) == 2
    assert "mend that" in one_line(capsys)


def test_versions_that_disagree(build_addon, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build_addon.holotalk_addon, "__version__", "9.9.9")
    assert build_addon.main(["linux-x64", "--without-68-points", "-o", str(tmp_path)]) == 2
    assert "has 9.9.9: make them the same" in one_line(capsys)


def test_a_head_model_that_is_not_there_is_compiled(build_addon, monkeypatch, tmp_path, capsys):
    from holotalk_addon.head.morphable_model import load_model

    model = load_model(compile_model.ensure_model())
    path = tmp_path / "compiled" / "head_model_0123456789ab.npz"
    monkeypatch.setattr(compile_model, "model_path", lambda: path)
    monkeypatch.setattr(compile_model, "compile_model", lambda anny, landmark, progress: model)
    entries = {entry.name: entry for entry in build_addon.gather("linux-x64", landmarks=False)}
    assert "compiling the head model" in one_line(capsys)
    assert entries[f"data/{path.name}"].source == path
    assert f"  {path.name}\n" in entries[f"data/{assets.LIST}"].read().decode()


def test_a_python_without_the_packages_says_what_to_run(tmp_path):
    code = (
        "import sys, runpy; sys.modules['numpy'] = None; sys.argv[0] = 'build_addon.py';"
        "sys.path.insert(0, '.'); runpy.run_path('build_addon.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "linux-x64", "--without-68-points", "-o", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "which lacks numpy: run `make zip`" in line


def test_the_weights_that_litert_runs_are_inside_with_their_cards(build_addon, tmp_path, monkeypatch):
    folder = tmp_path / "model_weights"
    folder.mkdir()
    baseline = ("holotalk.md", "holotalk.tflite")  # offered by no button
    for name in ("README.md", "cae.md", "cae.tflite", "cae.keras", "tried.tflite", ".notes", *baseline):
        (folder / name).write_bytes(b"anything")
    monkeypatch.setattr(build_addon, "ROOT", tmp_path)
    names = ["README.md", "cae.md", "cae.tflite"]
    assert [e.name for e in build_addon._weights()] == [f"model_weights/{name}" for name in names]


# --- fetching the wheels ----------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder that pip gets everything from, with one wheel for another system in it; an empty cache."""
    monkeypatch.setenv("HOLOTALK_CACHE", str(tmp_path / "cache"))
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


def small_wheel(build_addon, shop, tags, content=b"x = 1\n"):
    info = "tiny_part-1.0.dist-info"
    path = shop / f"tiny_part-1.0-{tags}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_part.py", content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-part\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tags}\n")
        wheel.writestr(f"{info}/RECORD", "")
    content = path.read_bytes()
    return build_addon.Wheel(
        "tiny_part", "1.0", tags, len(content), hashlib.sha256(content).hexdigest(), "CC0-1.0"
    )


@pytest.mark.parametrize(
    "tags",
    [
        "cp313-cp313-win_amd64",
        "cp311-cp311-macosx_14_0_arm64",
        "cp314-cp314-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
        "cp37-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
    ],
)
def test_a_wheel_is_fetched_for_any_system_and_kept_unmodified(build_addon, shop, tags):
    others = "cp312-cp312-win_amd64", "cp313-cp313-manylinux_2_28_x86_64"
    for other in others:
        small_wheel(build_addon, shop, other, b"another\n")
    wheel = small_wheel(build_addon, shop, tags)
    assert assets.fetch(packages=[wheel.package]) == [wheel.package]
    path = assets.find(wheel.name, [wheel.package])
    assert path.read_bytes() == (shop / wheel.name).read_bytes()
    assert assets.fetch(packages=[wheel.package]) == []


def test_a_wheel_that_is_not_the_pinned_one_is_refused(build_addon, shop):
    wheel = replace(small_wheel(build_addon, shop, "cp313-cp313-win_amd64"), sha256="0" * 64)
    with pytest.raises(AssetError, match=r"of tiny_part 1\.0 is not the file") as caught:
        assets.fetch(packages=[wheel.package])
    assert "\n" not in str(caught.value)


def test_without_a_network_one_line_and_what_arrived_is_kept(
    build_addon, shop, monkeypatch, capsys, tmp_path
):
    first = small_wheel(build_addon, shop, "cp313-cp313-win_amd64")
    second = replace(first, distribution="not_there", sha256="0" * 64)
    monkeypatch.setattr(build_addon, "WHEELS", (first, second))
    monkeypatch.setattr(build_addon.assets, "PACKAGES", ())
    assert build_addon.main(["windows-x64", "-o", str(tmp_path / "dist")]) == 2
    assert "not_there 1.0 could not be downloaded" in one_line(capsys)
    assert assets.find(first.name, [first.package]).is_file()
    assert list((tmp_path / "dist").iterdir()) == []


# --- without the 68-point model ---------------------------------------------------------------------

ANALYZE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from holotalk import assets, pipeline
from holotalk.face import find_faces, read_photo, landmarks68_from_mesh
tools = pipeline.load_tools()
assets.verify()
(face,) = find_faces(read_photo(assets.demo_portrait()), tools.faces)
print(json.dumps({
    "source": tools.faces.landmarks68_source, "missing": assets.missing(),
    "landmarks68": face.landmarks68.tolist(),
    "read_off": landmarks68_from_mesh(face.mesh).tolist(),
}))
"""


def unpacked(build_addon, entries, folder):
    """A zip unpacked as Blender does it, its wheels aside."""
    build_addon.write_zip(entries, folder / "a.zip")
    with zipfile.ZipFile(folder / "a.zip") as archive:
        archive.extractall(folder / "extensions" / "holotalk")
    return folder / "extensions"


def written(cache):
    """What an add-on that carries everything has put into the cache, but for the record of its checks."""
    return [path.name for path in cache.rglob("*") if path.name != RECORD]


def run_unpacked(code, folder, cache):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-I", "-B", "-c", code, str(folder)],
        env=environment | {"HOLOTALK_CACHE": str(cache)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_without_the_68_point_model_the_mesh_gives_the_landmarks(build_addon, light, tmp_path, demo_person):
    names = {entry.name for entry in light}
    assert f"data/{PREDICTOR}" not in names
    third_party = next(entry for entry in light if entry.name == "THIRD_PARTY.txt").read().decode()
    assert PREDICTOR not in third_party
    assert "built without" in third_party
    done = run_unpacked(ANALYZE, unpacked(build_addon, light, tmp_path), tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["source"] == "mesh"
    assert told["missing"] == []
    assert told["landmarks68"] == told["read_off"]
    assert written(tmp_path / "cache") == []
    dlibs = demo_person.face.landmarks68
    error = np.linalg.norm(np.array(told["landmarks68"]) - dlibs, axis=1).mean()
    assert error / np.linalg.norm(dlibs[36] - dlibs[45]) < 0.05  # measured: 0.028


LOAD = """
import sys
sys.path.insert(0, sys.argv[1])
from holotalk import pipeline
from holotalk.errors import AssetError
try:
    pipeline.load_tools()
except AssetError as error:
    print(error)
"""


def change_a_byte(path):
    content = path.read_bytes()
    path.write_bytes(content[:100_000] + bytes([content[100_000] ^ 1]) + content[100_001:])


@pytest.mark.parametrize(
    "damage",
    [
        "cut off", "a byte differs", "missing", "of another version", "no 68 points",
        "a byte of a network differs", "a byte of our weights differs", "our weights are not on the list",
    ],
)  # fmt: skip
def test_a_damaged_installation_says_to_install_the_zip_again(build_addon, light, tmp_path, damage):
    folder = unpacked(build_addon, light, tmp_path)
    data = folder / "holotalk" / "data"
    model = data / compile_model.model_path().name
    content = model.read_bytes()
    if damage == "cut off":
        model.write_bytes(content[:-100])
    elif damage == "a byte differs":
        change_a_byte(model)
    elif damage == "missing":
        model.unlink()
    elif damage == "a byte of a network differs":
        change_a_byte(data / "face_landmark.tflite")
    elif damage == "a byte of our weights differs":
        change_a_byte(folder / "holotalk" / "model_weights" / "parsing.tflite")
    elif damage == "our weights are not on the list":
        lines = (data / assets.LIST).read_text().splitlines(keepends=True)
        (data / assets.LIST).write_text("".join(line for line in lines if "parsing" not in line))
    elif damage == "of another version":
        with (folder / "holotalk" / "people" / "attributes.py").open("a") as stream:
            stream.write("# a newer program over an older one's data\n")
    else:  # a zip with the model, of which the model has gone: not the same as one built without it
        with (data / assets.LIST).open("a") as stream:
            stream.write(f"{'0' * 64}  {PREDICTOR}\n")
    done = run_unpacked(LOAD, folder, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "install its zip again" in line
    assert written(tmp_path / "cache") == []


# --- in Blender -------------------------------------------------------------------------------------

REFUSE = """
import bpy, sys
try:
    bpy.ops.extensions.package_install_files(
        repo="user_default", filepath=sys.argv[1], enable_on_install=True)
except RuntimeError as error:
    print("REFUSED", error)
print("ENABLED", "bl_ext.user_default.holotalk" in bpy.context.preferences.addons)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has two zips")
def test_blender_says_which_python_the_zip_must_be_for(build_addon, light, bare_blender, tmp_path):
    """No line of ours is run then: the name of the other zip has that Python in it."""
    wheels = build_addon.wheels_for("linux-x64-python3.14")
    manifest = replace(light[0], source=build_addon._manifest("linux-x64", wheels).encode())
    program = [entry for entry in light if entry.name.endswith(".py")]
    build_addon.write_zip([], tmp_path / "empty.zip")
    empty = [build_addon.Entry(f"wheels/{wheel.name}", tmp_path / "empty.zip", "") for wheel in wheels]
    build_addon.write_zip([manifest, *program, *empty], tmp_path / "a.zip")
    (tmp_path / "user").mkdir()
    said = bare_blender(REFUSE, tmp_path / "a.zip", user=tmp_path / "user").stdout
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"This Python version ({here}) isn't compatible with (3.14)" in said.partition("REFUSED")[2]
    assert "ENABLED False" in said
    assert "python3.14" in build_addon.zip_name("linux-x64-python3.14")


INSTALL = """
import importlib, json, pathlib, sys, time
import bpy
heavy = ("cv2", "dlib", "ai_edge_litert", "PIL")
status = bpy.ops.extensions.package_install_files(
    repo="user_default", filepath=sys.argv[1], enable_on_install=True)
enabled = [name for name in heavy if name in sys.modules]
pipeline = importlib.import_module("bl_ext.user_default.holotalk.pipeline")
assets = importlib.import_module("bl_ext.user_default.holotalk.assets")
folder = pathlib.Path(pipeline.__file__).parent
def tree():
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}
before = tree()
tools = pipeline.load_tools()
assets.verify()
person = pipeline.person_from_photo(assets.demo_portrait(), tools, pipeline.Stages(), texture_size=512)
result = {
    "status": sorted(status), "enabled": enabled, "source": tools.faces.landmarks68_source,
    "nme": person.fit.nme_percent, "angles": [person.face.yaw, person.face.pitch, person.face.roll],
    "texture": list(person.head.texture.shape), "untouched": tree() == before, "folder": str(folder),
    "files": {name: sys.modules[name].__file__ for name in (*heavy, "_dlib_pybind11", "numpy")},
}
print("RESULT", json.dumps(result))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="links to folders take rights that a user may not have")
def test_blender_installs_the_zip_and_makes_a_head_with_what_is_inside_alone(
    addon_zip, bare_blender, tmp_path, demo_person
):
    user = tmp_path / "user"
    user.mkdir()
    done = bare_blender(INSTALL, addon_zip, user=user)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout + done.stderr
    result = json.loads(lines[0].removeprefix("RESULT "))
    assert result["status"] == ["FINISHED"]
    assert result["enabled"] == [], "enabling the add-on imports nothing heavy"
    assert Path(result["folder"]).is_relative_to(user)
    numpys = result["files"].pop("numpy")
    for name, file in result["files"].items():
        assert Path(file).is_relative_to(user / "extensions" / ".local"), (name, file)
    assert not Path(numpys).is_relative_to(user), "Blender's own NumPy is used"
    assert result["untouched"], "the add-on writes into its own folder"
    assert result["source"] == "dlib"
    assert result["texture"] == [512, 512, 4]
    # The same person as in the checkout, with its other versions of the libraries.
    face = demo_person.face
    assert result["nme"] == pytest.approx(demo_person.fit.nme_percent, abs=0.05)
    assert np.allclose(result["angles"], (face.yaw, face.pitch, face.roll), atol=0.2)
