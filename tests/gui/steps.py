# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user does with HoloTalk, from the zip to the video, in a real Blender: runs inside it.

The folder of this file is the session's; ``install.json`` beside it says where the zip is. Photos lie in
the home's ``Pictures``, videos go to its ``Videos``.
"""

import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
HOME = FOLDER.parent
sys.path.insert(0, str(FOLDER))  # a script of Blender's command line is not a module

import bpy  # noqa: E402
from window import Session, Steps, areas, in_window, region  # noqa: E402

ADDON = "bl_ext.user_default.holotalk"
PHOTO = HOME / "Pictures" / "portrait.png"
GROUP = HOME / "Pictures" / "two people.png"
NOBODY = HOME / "Pictures" / "nobody.png"
BROKEN = HOME / "Pictures" / "broken.jpg"
VIDEO = HOME / "Videos" / "hologram.mp4"

# How long is waited for, in seconds; a busy computer with two cores and no graphics card takes its time.
SOON = 20
FIND = 90
GENERATE = 300
RENDER = 300
SHADERS = 240

CANCEL = 0.83
"""Where in the sidebar's width the cross beside the progress bar is."""

session = Session(FOLDER)
bpy.context.preferences.view.show_splash = False


def viewport() -> bpy.types.Area:
    """The largest 3D viewport."""
    return max(areas("VIEW_3D"), key=lambda area: area.width * area.height)


def state():
    """What HoloTalk is doing that the user waits for."""
    return bpy.context.window_manager.holotalk.work


def shown() -> bpy.types.Scene:
    """The scene in the main window."""
    return bpy.context.window_manager.windows[0].scene


def hologram() -> bpy.types.Scene | None:
    """The hologram's scene."""
    return bpy.data.scenes.get("Hologram")


def settings():
    """The settings that count."""
    return (hologram() or shown()).holotalk


def keys():
    """The shape keys of the head."""
    heads = [one for one in bpy.data.objects if one.type == "MESH" and one.data.shape_keys]
    return max(heads, key=lambda one: len(one.data.shape_keys.key_blocks)).data.shape_keys.key_blocks


def file_dump() -> dict[str, list]:
    """Everything that has a name in the file, and each scene's render settings."""
    dump: dict[str, list] = {}
    for name in dir(bpy.data):
        items = getattr(bpy.data, name)
        if isinstance(items, bpy.types.bpy_prop_collection):
            dump[name] = sorted(item.name_full for item in items)
    for scene in bpy.data.scenes:
        values = {
            f"{owner.bl_rna.identifier}.{prop.identifier}": repr(getattr(owner, prop.identifier))
            for owner in (scene.render, scene.view_settings)
            for prop in owner.bl_rna.properties
            if prop.type not in ("COLLECTION", "POINTER")
        }
        objects = [f"{one.name} {[list(row) for row in one.matrix_world]}" for one in scene.objects]
        frames = [scene.frame_start, scene.frame_end, scene.frame_current]
        dump[f"scene {scene.name}"] = [*values.items(), *objects, *frames, str(scene.camera)]
    return dump


def differences(before: dict[str, list], after: dict[str, list]) -> str:
    """What differs between two dumps, for the report; empty where nothing does."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    lines = []
    for name in names:
        old, new = before.get(name, []), after.get(name, [])
        gone, new = [one for one in old if one not in new], [one for one in new if one not in old]
        lines.append(f"{name}: gone {gone}, new {new}")
    return "; ".join(lines)


memory: dict = {}
"""What one step leaves for a later one."""


def idle() -> bool:
    """Whether nothing is at work."""
    return state().job == ""


def at_work(job: str) -> bool:
    """Whether a job is at work."""
    return state().job == job


def choose_file(s: Session, file: Path, button: str) -> Steps:
    """In the file browser that has opened: the folder, the name, and the button."""
    yield from s.until(lambda: areas("FILE_BROWSER"), SOON, "the file browser")
    area = areas("FILE_BROWSER")[0]
    yield from s.until(lambda: area.spaces.active.params is not None, SOON, "the file browser's settings")
    yield from s.bring_in()
    area.spaces.active.params.directory = str(file.parent).encode()
    area.spaces.active.params.filename = file.name
    yield from s.wait(20)
    yield from s.shot(f"file_browser_{button}")
    yield from s.click(area, "file.execute", "EXECUTE", across=0.92)
    yield from s.until(lambda: not areas("FILE_BROWSER"), SOON, "the file browser closes")


def look_at(s: Session, photo: Path) -> Steps:
    """Have HoloTalk look for faces in another photo, without the file browser."""
    with in_window(viewport()):
        bpy.ops.holotalk.open_photo("INVOKE_DEFAULT", filepath=str(photo))
    yield from s.wait()
    if areas("FILE_BROWSER"):  # it asks although it was told
        yield from choose_file(s, photo, "again")
    yield from s.until(idle, FIND, f"the faces of {photo.name}")


def close_report(s: Session) -> Steps:
    """Have the box with an operator's report of an error go."""
    s.key("Escape")
    yield from s.wait()


@session.step()
def install(s: Session) -> Steps:
    """The zip, as Install from Disk does it."""
    zip_file = json.loads((FOLDER / "install.json").read_text())["zip"]
    memory["types"] = set(dir(bpy.types))
    with in_window():
        result = bpy.ops.extensions.package_install_files(
            repo="user_default", filepath=zip_file, enable_on_install=True
        )
    s.check("it installs", result == {"FINISHED"}, result)
    s.check("it is enabled", ADDON in bpy.context.preferences.addons)
    heavy = {"cv2", "dlib", "ai_edge_litert"} & set(sys.modules)
    s.check("nothing heavy is loaded", not heavy, heavy)
    yield from s.shot("installed")


@session.step("install")
def tab(s: Session) -> Steps:
    """The sidebar, and the tab in it."""
    yield from s.point(viewport(), 0.3)
    s.key("n")
    yield from s.until(lambda: viewport().spaces.active.show_region_ui, SOON, "the sidebar")
    yield from s.wait()
    bar = region(viewport(), "UI")
    bar.active_panel_category = "HoloTalk"
    yield from s.shot("tab")
    s.check("the tab is shown", bar.active_panel_category == "HoloTalk", bar.active_panel_category)
    for operator in ("generate", "preview_frame", "render_video"):
        s.check(f"no {operator} before there is a photo", not getattr(bpy.ops.holotalk, operator).poll())


@session.step("tab")
def choose_photo(s: Session) -> Steps:
    """The button, the file browser, the faces."""
    yield from s.click(viewport(), "holotalk.open_photo")
    yield from choose_file(s, PHOTO, "photo")
    yield from s.until(lambda: state().job or settings().looked_at, SOON, "the search for faces")
    yield from s.until(idle, FIND, "the faces")
    s.check("the photo is kept", settings().photo_path() == PHOTO, settings().photo)
    s.check("one face", len(settings().faces) == 1, len(settings().faces))
    s.check("no error", not state().error, state().error)
    yield from s.shot("face_found")


@session.step("choose_photo")
def photo_of_two(s: Session) -> Steps:
    """Several faces are boxed and numbered, and one is picked."""
    yield from look_at(s, GROUP)
    s.check("two faces", len(settings().faces) == 2, len(settings().faces))
    yield from s.shot("two_faces")
    settings().face_number = 2
    yield from s.shot("second_face")


@session.step("choose_photo")
def photo_of_nobody(s: Session) -> Steps:
    """A picture without a face says so and what to do."""
    yield from look_at(s, NOBODY)
    told = state().error or settings().photo_warnings or state().message
    s.check("it says that there is no face", "face" in told.lower(), told)
    yield from s.shot("no_face")


@session.step("choose_photo")
def photo_broken(s: Session) -> Steps:
    """A file that is no picture says so and what to do."""
    try:
        yield from look_at(s, BROKEN)
    except RuntimeError as error:  # an operator's report of an error comes to Python as this
        s.figure("report", str(error).strip())
    s.check("it says what is wrong", state().error, state().error)
    yield from s.shot("broken_file")
    yield from close_report(s)
    yield from look_at(s, PHOTO)
    s.check("the error goes when the next photo is good", not state().error, state().error)
    s.check("one face", len(settings().faces) == 1, len(settings().faces))


@session.step("choose_photo")
def cancel(s: Session) -> Steps:
    """Cancel stops and leaves the file as it was."""
    before = file_dump()
    yield from s.click(viewport(), "holotalk.generate")
    yield from s.until(lambda: at_work("GENERATE"), SOON, "the work begins")
    yield from s.until(lambda: state().progress > 0.02 or idle(), GENERATE, "progress")
    s.check("it tells its stage", state().stage, state().stage)
    yield from s.shot("generating")
    s.check("it is still at work", at_work("GENERATE"), state().message)
    yield from s.click(viewport(), "holotalk.cancel", across=CANCEL)
    yield from s.until(idle, SOON, "it stops")
    difference = differences(before, file_dump())
    s.check("the file is as it was", not difference, difference)
    s.check("it is no error", not state().error, state().error)
    yield from s.shot("cancelled")


@session.step("choose_photo")
def escape(s: Session) -> Steps:
    """So does Esc."""
    before = file_dump()
    yield from s.click(viewport(), "holotalk.generate")
    yield from s.until(lambda: at_work("GENERATE"), SOON, "the work begins")
    yield from s.point(viewport(), 0.3)
    s.key("Escape")
    yield from s.until(idle, SOON, "it stops")
    difference = differences(before, file_dump())
    s.check("the file is as it was", not difference, difference)


@session.step("choose_photo")
def generate(s: Session) -> Steps:
    """The hologram, with progress, in a window that stays alive."""
    memory["before"], memory["scene"] = file_dump(), shown().name
    yield from s.click(viewport(), "holotalk.generate")
    yield from s.until(lambda: at_work("GENERATE"), SOON, "the work begins")
    seen: list[tuple[str, float]] = []
    looks = 0
    while not idle():
        seen.append((state().stage, round(state().progress, 3)))
        looks += 1
        yield
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    s.figure("stages", ", ".join(stages))
    s.check("the window was alive all the time", looks > 10, looks)
    s.check("several stages were told", len(stages) > 2, stages)
    s.check("progress only grows", [p for _, p in seen] == sorted(p for _, p in seen))
    s.check("no error", not state().error, f"{state().error} {state().details}")
    s.check("the hologram is shown", hologram() and shown() == hologram(), shown().name)
    yield from s.drawn(viewport(), SHADERS)
    yield from s.shot("hologram")
    left = memory["before"][f"scene {memory['scene']}"]
    s.check("the user's scene is as it was", file_dump()[f"scene {memory['scene']}"] == left)


@session.step("generate")
def undo_redo(s: Session) -> Steps:
    """One Undo takes all of it away, one Redo brings it back."""
    yield from s.point(viewport(), 0.3)
    s.key("ctrl+z")
    yield from s.until(lambda: hologram() is None, SOON, "Undo removes the hologram")
    yield from s.wait()
    s.check("the user's scene is shown", shown().name == memory["scene"], shown().name)
    difference = differences(memory["before"], file_dump())
    s.check("nothing of it is left", not difference, difference)
    yield from s.shot("undone")
    yield from s.point(viewport(), 0.3)
    s.key("ctrl+shift+z")
    yield from s.until(hologram, SOON, "Redo brings it back")
    yield from s.wait()
    s.check("the hologram is shown again", shown() == hologram(), shown().name)
    s.check("the head is there", len(keys()) > 50, len(keys()))
    yield from s.drawn(viewport(), SHADERS)
    yield from s.shot("redone")


@session.step("generate")
def generate_again(s: Session) -> Steps:
    """A second run replaces the first and adds nothing."""
    names = {kind: found for kind, found in file_dump().items() if not kind.startswith("scene ")}
    yield from s.click(viewport(), "holotalk.generate")
    yield from s.until(lambda: at_work("GENERATE"), SOON, "the work begins")
    yield from s.until(idle, GENERATE, "the second run")
    s.check("no error", not state().error, state().error)
    after = {kind: found for kind, found in file_dump().items() if not kind.startswith("scene ")}
    difference = differences(names, after)
    s.check("the same names as before", not difference, difference)
    with in_window(viewport()):
        bpy.ops.holotalk.show_hologram()


@session.step("generate")
def look(s: Session) -> Steps:
    """Settings change the scene at once, without a new run."""
    one = settings()
    s.check("a loop of 6 s at 24 frames", hologram().frame_end == 144, hologram().frame_end)
    one.seconds = 2.0
    s.check("two seconds are 48 frames", hologram().frame_end == 48, hologram().frame_end)
    yield from s.click(viewport(), ".holotalk.motion")
    yield from s.shot("motion_menu")
    s.key("Down")
    s.key("Down")
    yield from s.wait(3)
    s.key("Return")
    yield from s.until(lambda: settings().motion != "TURNTABLE", SOON, "the menu's choice")
    s.figure("motion", settings().motion)
    one.screen = "DOWN"
    yield from s.shot("screen_down")
    one.screen, one.motion, one.gap = "UP", "SWAY", 0.3
    yield from s.shot("gap")
    one.gap = 0.2
    s.check("no error", not state().error, state().error)
    s.check("nothing was computed anew", idle())


@session.step("generate")
def panels(s: Session) -> Steps:
    """The four panels over the viewport, and away again."""
    with in_window(viewport(), region=region(viewport(), "WINDOW")):
        bpy.ops.holotalk.show_panels("INVOKE_DEFAULT")
    yield from s.drawn(viewport(), SHADERS)
    yield from s.shot("panels")
    with in_window(viewport(), region=region(viewport(), "WINDOW")):
        bpy.ops.holotalk.show_panels("INVOKE_DEFAULT")
    yield from s.shot("panels_off")


@session.step("generate")
def preview(s: Session) -> Steps:
    """One frame, with the time that all will take."""
    one = settings()
    one.size_preset, one.size, one.motion, one.seconds, one.fps = "CUSTOM", 256, "SWAY", 1.0, 12
    yield from s.click(viewport(), "holotalk.preview_frame")
    yield from s.until(lambda: at_work("PREVIEW"), SOON, "the preview begins")
    yield from s.until(idle, RENDER, "the preview")
    s.check("no error", not state().error, state().error)
    told = bpy.context.window_manager.holotalk
    picture = Path(told.preview)
    s.check("there is a picture", told.preview and picture.is_file(), picture)
    s.check("it says how long the video takes", told.estimate > 0, told.estimate)
    yield from s.shot("preview")


@session.step("generate")
def cancel_render(s: Session) -> Steps:
    """Cancel stops a render; no video is there, half or whole."""
    settings().seconds = 6.0
    yield from s.click(viewport(), "holotalk.render_video")
    yield from choose_file(s, VIDEO.with_name("stopped.mp4"), "video")
    yield from s.until(lambda: at_work("RENDER"), SOON, "the render begins")
    yield from s.until(lambda: state().progress > 0.0 or idle(), RENDER, "progress")
    yield from s.shot("rendering")
    s.check("it is still at work", at_work("RENDER"), state().message)
    yield from s.click(viewport(), "holotalk.cancel", across=CANCEL)
    yield from s.until(idle, SOON, "it stops")
    left = sorted(file.name for file in VIDEO.parent.iterdir())
    s.check("no file is left", not left, left)


@session.step("generate")
def render(s: Session) -> Steps:
    """The video, in a second Blender, while this one goes on."""
    settings().seconds = 1.0
    before = file_dump()
    with in_window(viewport()):
        bpy.ops.holotalk.render_video("INVOKE_DEFAULT", filepath=str(VIDEO))
    yield from s.wait()
    if areas("FILE_BROWSER"):
        yield from choose_file(s, VIDEO, "video")
    yield from s.until(lambda: at_work("RENDER"), SOON, "the render begins")
    yield from s.point(viewport(), 0.3)
    for shown_now in (False, True):
        s.key("n")
        yield from s.until(
            lambda wanted=shown_now: viewport().spaces.active.show_region_ui == wanted or idle(),
            SOON,
            "the sidebar answers to its key",
        )
    s.check("the window answered while it rendered", not idle())
    seen: list[float] = []
    while not idle():
        seen.append(state().progress)
        yield
    s.check("the window was alive all the time", len(seen) > 10, len(seen))
    s.check("progress only grows", seen == sorted(seen))
    s.check("it moved", len(set(seen)) > 2, sorted(set(seen)))
    s.check("no error", not state().error, f"{state().error} {state().details}")
    s.check("the video is there", VIDEO.is_file() and VIDEO.read_bytes()[4:8] == b"ftyp")
    left = sorted(file.name for file in VIDEO.parent.iterdir())
    s.check("and nothing else", left == [VIDEO.name], left)
    difference = differences(before, file_dump())
    s.check("the file is as it was", not difference, difference)
    yield from s.shot("rendered")


@session.step("generate")
def expression(s: Session) -> Steps:
    """A preset moves the face."""
    before = [key.value for key in keys()]
    with in_window(viewport()):
        bpy.ops.holotalk.expression(preset="SMILE")
    changed = [key.name for key, value in zip(keys(), before, strict=True) if key.value != value]
    s.check("a smile moves both corners of the mouth", len([n for n in changed if "mile" in n]) >= 2, changed)
    yield from s.drawn(viewport(), SHADERS)
    yield from s.shot("smile")
    with in_window(viewport()):
        bpy.ops.holotalk.expression(preset="NEUTRAL")
    yield from s.drawn(viewport(), SHADERS)
    yield from s.shot("neutral")


@session.step("generate")
def virtual_pyramid(s: Session) -> Steps:
    """What the viewer will see, as a scene to look at."""
    with in_window(viewport(), region=region(viewport(), "WINDOW")):
        result = bpy.ops.holotalk.virtual_pyramid("INVOKE_DEFAULT")
    s.figure("result", str(result))
    yield from s.until(lambda: idle() and "Pyramid" in shown().name, RENDER, "the pyramid's frame")
    s.check("no error", not state().error, state().error)
    yield from s.drawn(viewport(), SHADERS)
    yield from s.shot("virtual_pyramid")


@session.step("generate")
def export(s: Session) -> Steps:
    """The head for other programs, and the template to cut."""
    folder = HOME / "Documents"
    with in_window(viewport()):
        for ending in ("glb", "obj", "ply"):
            file = folder / f"head.{ending}"
            bpy.ops.holotalk.export(filepath=str(file))
            s.check(f"{file.name} is there", file.is_file() and file.stat().st_size > 10_000)
        bpy.ops.holotalk.save_template(filepath=str(folder / "pyramid.svg"))
    s.check("the template is there", b"<svg" in (folder / "pyramid.svg").read_bytes()[:1000])
    s.check("no error", not state().error, state().error)
    yield from s.shot("exported")


@session.step("generate")
def save_and_reopen(s: Session) -> Steps:
    """The settings and the hologram are in the .blend."""
    file = HOME / "Documents" / "hologram.blend"
    with in_window(viewport(), region=region(viewport(), "WINDOW")):
        bpy.ops.holotalk.show_hologram("INVOKE_DEFAULT")  # the pyramid was shown last
    kept = (settings().photo, settings().motion, settings().seconds, settings().size)
    with in_window():
        bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.open_mainfile(filepath=str(file))  # in no window's name: that window goes with the old file
    yield from s.wait(30)
    now = (settings().photo, settings().motion, settings().seconds, settings().size)
    s.check("the settings are the same", now == kept, f"{kept} {now}")
    s.check("the hologram is there", hologram() and shown() == hologram())
    settings().seconds = 2.0
    frames = round(2.0 * settings().fps)
    s.check("settings still act on it", hologram().frame_end == frames, hologram().frame_end)
    yield from s.drawn(viewport(), SHADERS)
    yield from s.shot("reopened")


@session.step("install")
def preferences(s: Session) -> Steps:
    """The add-on's page in the preferences."""
    with in_window():
        bpy.ops.screen.userpref_show()
    yield from s.until(lambda: areas("PREFERENCES"), SOON, "the preferences")
    yield from s.bring_in()
    with in_window(areas("PREFERENCES")[0]):
        bpy.ops.preferences.addon_show(module=ADDON)
    bpy.context.window_manager.addon_search = "HoloTalk"
    yield from s.wait(20)
    yield from s.shot("preferences")
    with in_window(areas("PREFERENCES")[0]):
        bpy.ops.wm.window_close()


@session.step("install")
def disable(s: Session) -> Steps:
    """Switched off it leaves nothing."""
    for _ in range(3):
        with in_window():
            bpy.ops.preferences.addon_disable(module=ADDON)
        left = sorted(name for name in set(dir(bpy.types)) - memory["types"] if "holotalk" in name.lower())
        s.check("no class is left", not left, left)
        s.check("no property is left", not hasattr(bpy.types.Scene, "holotalk"))
        s.check("no property of the window is left", not hasattr(bpy.types.WindowManager, "holotalk"))
        handlers = [
            f"{name}: {function.__module__}"
            for name in dir(bpy.app.handlers)
            if isinstance(functions := getattr(bpy.app.handlers, name), list)
            for function in functions
            if "holotalk" in getattr(function, "__module__", "")
        ]
        s.check("no handler is left", not handlers, handlers)
        yield from s.wait()
        with in_window():
            bpy.ops.preferences.addon_enable(module=ADDON)
        s.check("it comes back", hasattr(bpy.types.Scene, "holotalk"))
        yield from s.wait()
    yield from s.shot("switched_off_and_on")


session.start()
