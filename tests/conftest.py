# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share: the loaded tools, the person of the demo portrait, the command, the built add-on.

Everything heavy is imported inside the fixtures: tests that need none of it stay quick.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import zlib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMAND_SECONDS = 300
TEXTURE_SIZE = 512
KEPT_ZIPS = 4


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
def load_script():
    """``load_script(name)``: a script of ``blender_scripts``, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "blender_scripts")  # they import one another

        def load(name):
            spec = importlib.util.spec_from_file_location(name, ROOT / "blender_scripts" / f"{name}.py")
            module = importlib.util.module_from_spec(spec)
            patch.setitem(sys.modules, name, module)  # dataclasses look themselves up there
            spec.loader.exec_module(module)
            return module

        yield load


@pytest.fixture(scope="session")
def evaluate(load_script):
    """The script that measures, as a module."""
    return load_script("evaluate")


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


@pytest.fixture
def demo():
    """The path of the demo portrait."""
    from holotalk_addon import assets

    return assets.demo_portrait()


@pytest.fixture
def holotalk(monkeypatch, tools, capfd):
    """Run the command in this process: (exit status, standard output, standard error)."""
    from holotalk_addon import pipeline
    from holotalk_addon.cli import main

    monkeypatch.setattr(pipeline, "load_tools", lambda: tools)
    # A small texture is soon painted; the real size is seen where the command runs as a process.
    monkeypatch.setattr("holotalk_addon.head.texture.DEFAULT_SIZE", 512)

    def run(*arguments):
        capfd.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        output, error = capfd.readouterr()
        # Blender's chatter goes through sys.stdout, which pytest has put in another place than the
        # descriptor that the command silences: the tests with a real process show that it is silent.
        lines = [line for line in output.splitlines(keepends=True) if not line.lower().startswith("info")]
        return status, "".join(lines), error

    return run


@pytest.fixture(scope="session")
def npm(tmp_path_factory):
    """``npm(PACKAGE, ...)`` installs packages of npm's and returns the folder that ``node_modules`` is in."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed: apt-get install nodejs npm")

    def install(*packages):
        folder = tmp_path_factory.mktemp("npm")
        command = [shutil.which("npm"), "install", "--no-audit", "--no-fund", *packages]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install {' '.join(packages)} within two minutes")
        if done.returncode:
            pytest.skip(f"npm cannot install {' '.join(packages)}: {done.stderr.strip()[-200:]}")
        return folder

    return install


@pytest.fixture(scope="session")
def build_addon():
    """The script that builds the add-on, as a module."""
    spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_addon"] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def zip_for(build_addon):
    """``zip_for("cp313")``: the built add-on for this system and a Python, as wheels name it.

    It lies in the cache under a key of everything in it: built once for all processes and sessions, and never
    stale. The newest few are kept.
    """
    from holotalk_addon import assets

    here = {"Linux": "linux-x64", "Windows": "windows-x64", "Darwin": "macos-arm64"}[platform.system()]
    root = assets.cache_dir() / "addon_zips"

    def made(python):
        targets = build_addon.TARGETS.items()
        name = next(name for name, one in targets if one.platform == here and python in one.pythons)
        root.mkdir(parents=True, exist_ok=True)
        with assets.alone(root / "build.lock"):
            entries = build_addon.gather(name)
            key = hashlib.sha256((ROOT / "build_addon.py").read_bytes())
            key.update(f"{sys.version} {zlib.ZLIB_RUNTIME_VERSION}".encode())
            for entry in entries:
                key.update(f"{entry.name} {entry.sha256}\n".encode())
            path = root / key.hexdigest()[:24] / build_addon.zip_name(name)
            path.parent.mkdir(exist_ok=True)
            path.parent.touch()  # the newest now
            if not path.is_file():
                build_addon.build(entries, path)
            folders = sorted((f for f in root.iterdir() if f.is_dir()), key=lambda f: f.stat().st_mtime)
            for old in folders[:-KEPT_ZIPS]:
                shutil.rmtree(old)
        return path

    return made


@pytest.fixture(scope="session")
def addon_zip(zip_for):
    """The built add-on for the Blender that the tests run with."""
    return zip_for(f"cp{sys.version_info.major}{sys.version_info.minor}")


@pytest.fixture(scope="session")
def bare_blender(tmp_path_factory):
    """Run code in Blender's Python module where nothing is installed but that module and what it brings.

    ``bare_blender(code, *arguments, user=FOLDER)``: the user's Blender folder is FOLDER; ``HOLOTALK_CACHE``
    is an empty folder in which nothing can be written; there is no network: a connection raises.
    """
    from holotalk_addon.cache import RECORD

    site = tmp_path_factory.mktemp("bare") / "site-packages"
    site.mkdir()
    for name in _with_requirements("bpy"):
        files = metadata.files(name) or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            (site / top).symlink_to(files[0].locate().parents[len(files[0].parts) - 1] / top)
    cache = site.parent / "cache"
    cache.mkdir(mode=0o555)
    starter = (
        "import os, sys, traceback\n"
        f"sys.path.append({str(site)!r})\n"
        "def no_network(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'):\n"
        "        raise AssertionError(f'the network was asked for: {arguments}')\n"
        "sys.addaudithook(no_network)\n"
        "code, status = sys.argv.pop(1), 0\n"
        "try:\n"
        "    exec(code, {'__name__': '__main__'})\n"
        "except BaseException:\n"
        "    traceback.print_exc()\n"
        "    status = 1\n"
        "sys.stdout.flush(), sys.stderr.flush()\n"
        "os._exit(status)\n"  # the clean end of Blender 4.5's module may wait forever for a thread of its own
    )

    def run(code, *arguments, user):
        done = subprocess.run(
            # -I and -S: neither this environment's packages nor PYTHONPATH; -B: no __pycache__.
            [sys.executable, "-I", "-S", "-B", "-c", starter, code, *map(str, arguments)],
            env={"PATH": os.defpath, "HOME": str(user), "BLENDER_USER_RESOURCES": str(user)}
            | {"HOLOTALK_CACHE": str(cache), "LIBGL_ALWAYS_SOFTWARE": "1"},
            cwd=user,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=COMMAND_SECONDS,
            check=False,
        )
        # Root may write there all the same: then there is the record of the files that were checked.
        assert [path for path in cache.iterdir() if path.name != RECORD] == []
        return done

    return run


def _with_requirements(name, seen=None):
    """The distribution and all that it needs to run, by name."""
    from packaging.requirements import Requirement

    seen = set() if seen is None else seen
    if name.lower() not in seen:
        seen.add(name.lower())
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                _with_requirements(requirement.name, seen)
    return seen
