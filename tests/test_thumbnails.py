# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures for the panel out of whatever file a user has chosen: drawing the panel never fails, and a
stranger's file starts no program.
"""

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

import holotalk_addon
from holotalk_addon.errors import PhotoError
from holotalk_addon.face import read_photo
from holotalk_addon.face.pictures import check_picture_or_film, open_picture
from holotalk_addon.hologram.layout import pyramid_layout
from holotalk_addon.scene.hologram_scene import new_file
from holotalk_addon.scene.virtual_pyramid import build_virtual_pyramid
from holotalk_addon.ui import session, thumbnails

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
SIDES = (200, 150)


@pytest.fixture(scope="module", autouse=True)
def addon():
    """The add-on, enabled."""
    holotalk_addon.register()
    yield
    holotalk_addon.unregister()


@pytest.fixture
def no_program(monkeypatch):
    """Nothing may start a program; Pillow's way to Ghostscript is watched too. Gives what tried."""
    asked = []

    def refuse(*arguments, **_):
        asked.append(arguments)
        raise AssertionError(f"a program was asked for: {arguments}")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", refuse)
    monkeypatch.setattr(EpsImagePlugin, "has_ghostscript", lambda: True)
    for name in ("Popen", "run", "call", "check_call", "check_output"):
        monkeypatch.setattr(subprocess, name, refuse)
    return asked


@pytest.fixture(scope="module")
def picture():
    """Colours that change over the picture, its left half red."""
    pixels = np.zeros((SIDES[1], SIDES[0], 3), np.uint8)
    pixels[:, : SIDES[0] // 2, 0] = 200
    pixels[..., 2] = np.linspace(0, 100, SIDES[1], dtype=np.uint8)[:, None]
    return Image.fromarray(pixels)


def drawn(path, faces=(), picked=1):
    """What the panel shows of a file after its next redraw: (H, W, 4) float32, or None for no picture."""
    settings = SimpleNamespace(
        photo=str(path),
        photo_path=lambda: Path(path),
        faces=[SimpleNamespace(box=box) for box in faces],
        face_number=picked,
    )
    session.end()
    session.begin()
    assert thumbnails.photo_icon(settings) == 0, "drawing does not wait for the picture"
    own = session.current()
    (key,) = own.asked
    thumbnails._make("photo", key, lambda: thumbnails._photo(path, key[2], picked))
    thumbnails.photo_icon(settings)  # without a window, Blender's icons have no numbers
    kept = own.thumbnail("photo", key)
    assert (kept is None) == (key in own.asked), "what cannot be read is not tried at every redraw"
    if kept is None:
        return None
    width, height = kept.image_size
    flat = np.empty(width * height * 4, np.float32)
    kept.image_pixels_float.foreach_get(flat)
    return flat.reshape(height, width, 4)[::-1]


def is_picture(pixels):
    """Whether it is :func:`picture`, small or not."""
    height, width = pixels.shape[:2]
    left, right = pixels[:, : width // 3, 0].mean(), pixels[:, -width // 3 :, 0].mean()
    below, above = pixels[-height // 4 :, :, 2].mean(), pixels[: height // 4, :, 2].mean()
    return left > right + 0.5 and below > above + 0.1 and pixels[..., 3].min() > 0.99


# --- a stranger's file --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["face.jpg", "face.png", "face.eps"])
def test_postscript_under_another_name_starts_no_ghostscript(tmp_path, no_program, name):
    path = tmp_path / name
    path.write_bytes(EPS)
    with Image.open(path) as as_pillow_would:
        assert as_pillow_would.format == "EPS", "else this test shows nothing"
    assert drawn(path) is None
    with pytest.raises(PhotoError, match="not a picture"):
        read_photo(path)
    with pytest.raises(PhotoError, match=re.escape(name)):
        build_virtual_pyramid(pyramid_layout(64), path)
    assert no_program == []


def test_a_list_of_films_elsewhere_is_no_film(tmp_path):
    """FFmpeg would fetch what it names, whatever the file is called."""
    new_file()
    path = tmp_path / "hologram.mp4"
    for text in (
        "#EXTM3U\n#EXT-X-VERSION:3\nhttp://example.org/a.ts\n",
        "ffconcat version 1.0\nfile a.mp4\n",
    ):
        path.write_text(text)
        with pytest.raises(PhotoError, match=r"no picture .* no film"):
            check_picture_or_film(path)
        with pytest.raises(PhotoError, match=r"hologram\.mp4"):
            build_virtual_pyramid(pyramid_layout(64), path)
    assert not len(bpy.data.images)


@pytest.mark.parametrize(
    "start",
    [
        b"\0\0\0\x20ftypisom",
        b"\0\0\0\x08wide",
        b"\x1aE\xdf\xa3matroska",
        b"OggS\0\0\0\0\0\0",
        b"RIFF\0\0\0\0AVI ",
    ],
)
def test_films_are_told_by_how_they_begin(tmp_path, start):
    path = tmp_path / "a film"
    path.write_bytes(start + bytes(64))
    check_picture_or_film(path)


def test_pictures_are_opened_in_one_place():
    """``Image.open`` knows every format that Pillow knows; :func:`open_picture` those on our list."""
    package = Path(holotalk_addon.__file__).parent
    found = {p.name for p in package.rglob("*.py") if "Image.open(" in p.read_text(encoding="utf-8")}
    # Compiling the head model opens pictures out of the pinned archive of MakeHuman's data alone.
    assert found == {"pictures.py", "compile_regions.py"}


# --- odd files ----------------------------------------------------------------------------------------


def test_a_picture_is_drawn(tmp_path, picture):
    picture.save(tmp_path / "a.png")
    shown = drawn(tmp_path / "a.png")
    assert shown.shape == (*SIDES[::-1], 4)
    assert is_picture(shown)


def saved_as(picture, kind, path):
    pixels = np.asarray(picture)
    if kind == "CMYK JPEG":
        picture.convert("CMYK").save(path, "JPEG", quality=95)
    elif kind == "16-bit PNG":
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(path, "PNG")
    elif kind == "GIF with frames":
        others = [Image.new("RGB", picture.size, colour) for colour in ("green", "blue")]
        picture.save(path, "GIF", save_all=True, append_images=others)
    elif kind == "WebP with frames":
        others = [Image.new("RGB", picture.size, colour) for colour in ("green", "blue")]
        picture.save(path, "WEBP", save_all=True, append_images=others, lossless=True)
    elif kind == "TIFF with a small first page":
        picture.resize((40, 30)).save(path, "TIFF", save_all=True, append_images=[picture])
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(path, "PNG", exif=exif)
    return path


@pytest.mark.parametrize(
    "kind", ["CMYK JPEG", "GIF with frames", "WebP with frames", "TIFF with a small first page", "turned"]
)
def test_an_odd_picture_is_drawn(tmp_path, picture, kind):
    shown = drawn(saved_as(picture, kind, tmp_path / "odd.jpg"))
    assert shown.shape == (*SIDES[::-1], 4)
    assert is_picture(shown)


def test_sixteen_bits_are_drawn_as_bright_as_they_are(tmp_path, picture):
    shown = drawn(saved_as(picture, "16-bit PNG", tmp_path / "deep.png"))
    assert shown[..., :3].max() == pytest.approx(200 / 255, abs=0.01)
    assert shown[..., :3].min() == 0


def test_a_transparent_colour_of_a_palette_is_clear(tmp_path):
    palette = Image.new("P", (64, 64), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.paste(0, (0, 0, 32, 64))
    palette.save(tmp_path / "p.png", transparency=0)
    shown = drawn(tmp_path / "p.png")
    assert shown[:, :30, 3].max() == 0
    assert np.allclose(shown[:, 34:], (0, 0, 1, 1), atol=0.01)


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (1, 1), (32, 20_000)])
def test_a_line_of_pixels_does_no_harm(tmp_path, size):
    Image.new("RGB", size, "red").save(tmp_path / "line.png")
    shown = drawn(tmp_path / "line.png")
    assert shown is None or (shown.shape[0] <= thumbnails.SIDE and shown.shape[1] >= 1)
    if min(size) >= 32:
        assert shown is not None


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "webp", "tif"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.95])
def test_a_truncated_file_does_no_harm(tmp_path, picture, ending, kept):
    path = tmp_path / f"half.{ending}"
    picture.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    drawn(path)
    with pytest.raises(PhotoError, match="half"):
        read_photo(path)


def test_no_file_a_folder_and_noise_do_no_harm(tmp_path):
    (tmp_path / "noise.jpg").write_bytes(np.random.default_rng(3).bytes(5000))
    for name in ("none.jpg", "noise.jpg", "."):
        assert drawn(tmp_path / name) is None


def test_faces_are_drawn_where_they_are(tmp_path):
    Image.new("RGB", (900, 600), "black").save(tmp_path / "two.png")
    boxes = ((0.1, 0.2, 0.2, 0.3), (0.6, 0.2, 0.2, 0.3))
    shown = drawn(tmp_path / "two.png", boxes, picked=2)
    assert shown.shape == (thumbnails.SIDE, thumbnails.SIDE, 4)
    picked = np.all(np.abs(shown[..., :3] * 255 - thumbnails.PICKED) < 2, axis=2)
    other = np.all(np.abs(shown[..., :3] * 255 - thumbnails.OTHER) < 2, axis=2)
    assert np.nonzero(other)[1].mean() < 256 < np.nonzero(picked)[1].mean()


def test_a_picture_is_opened_in_threads_without_losing_pillows_own_limit(tmp_path, picture):
    from concurrent.futures import ThreadPoolExecutor

    picture.save(tmp_path / "a.png")
    before = Image.MAX_IMAGE_PIXELS

    def read(_):
        with open_picture(tmp_path / "a.png") as opened:
            return opened.size

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(400))) == {SIDES}
    assert before == Image.MAX_IMAGE_PIXELS
