# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's rules that imports tell of: rooms in order, no circles, Blender in two rooms alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from holotalk_addon.learning.code_digest import imports as all_imports
from holotalk_addon.learning.code_digest import module_name, modules

PACKAGE = Path(__file__).resolve().parents[1] / "holotalk_addon"
ROOMS = (
    "face",
    "head",
    "wardrobe",
    "people",
    "learning",
    "cae",
    "performance",
    "rgbd",
    "hologram",
    "scene",
    "live",
    "ui",
)
"""In the order in which data flows: a room imports from rooms before it alone."""
GROUND = {
    "errors", "progress", "outputs", "pins", "cache", "fetching", "assets", "networks", "silence", "",
}  # fmt: skip
"""Modules at the root that every room may import; "" is the package, for its version."""

TYING = {"pipeline", "cli", "arguments", "terminal", "report"}
"""Modules at the root that reach for the rooms, or are the command line's."""

KNOWN = modules(PACKAGE)
MODULES = list(KNOWN.values())
NAMES = {path: path.relative_to(PACKAGE).as_posix() for path in MODULES}
dotted = partial(module_name, package=PACKAGE)
imports = partial(all_imports, package=PACKAGE, known=KNOWN)


def room_of(name: str) -> str:
    """The room of a module's name in the package; a module at the root is its own."""
    return name.split(".", maxsplit=1)[0]


def test_a_room_imports_from_rooms_before_it():
    """What is at the package's root ties the rooms: ``ui`` alone may reach for it."""
    wrong = {}
    for path in MODULES:
        own = room_of(dotted(path))
        if own in ROOMS:
            allowed = {*ROOMS[: ROOMS.index(own) + 1], *GROUND, *(["pipeline"] if own == "ui" else [])}
            found = {
                name for name in imports(path) if name.startswith(".") and room_of(name[1:]) not in allowed
            }
            wrong |= {NAMES[path]: found} if found else {}
    assert not wrong


def test_there_is_no_other_room():
    there = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert there <= set(ROOMS)
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", *GROUND - {""}, *TYING}


def test_no_circle():
    """Not even by imports inside functions, nor by those for types alone."""
    graph = {
        dotted(path): sorted(name[1:] for name in imports(path) if name.startswith(".")) for path in MODULES
    }
    done: set[str] = set()
    way: list[str] = []

    def visit(name: str) -> None:
        if name in done or not name:
            return
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        way.append(name)
        for other in graph.get(name, ()):
            visit(other)
        way.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)


def test_blender_in_scene_and_ui_alone():
    blender = {"bpy", "bmesh", "mathutils", "gpu", "gpu_extras", "blf", "bpy_extras", "aud"}
    using = {path: {name.partition(".")[0] for name in imports(path)} & blender for path in MODULES}
    assert {room_of(dotted(path)) for path, found in using.items() if found} == {"scene", "ui"}


def test_keras_where_networks_are_trained_alone():
    keras = {"keras", "tensorflow", "torch", "jax"}
    using = [path for path in MODULES if {name.partition(".")[0] for name in imports(path)} & keras]
    assert using
    assert not [
        NAMES[path]
        for path in using
        if room_of(dotted(path)) != "learning" and not path.stem.endswith("_training")
    ]


def test_enabling_imports_nothing_heavy():
    """At the top of the package there is nothing but what Blender needs to register it."""
    assert set(imports(PACKAGE / "__init__.py", top_alone=True)) <= {"__future__"}


def test_the_page_that_describes_the_house_is_up_to_date(load_script):
    script = load_script("describe_house")
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.described(page) == page, "run python blender_scripts/describe_house.py"
    rooms = [name for name in ROOMS if (PACKAGE / name).is_dir()]
    named = [f"holotalk_addon/{room}" for room in rooms]
    assert script.folders(page) == ["holotalk_addon", *named, "blender_scripts"]


def test_no_module_is_too_long():
    """The table of pins apart, which is data."""
    scripts = sorted((PACKAGE.parent / "blender_scripts").glob("*.py"))
    lines = {path.name: path.read_text(encoding="utf-8").count("\n") for path in [*MODULES, *scripts]}
    assert not {name: count for name, count in lines.items() if count > 450 and name != "pins.py"}
