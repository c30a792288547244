# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading pictures as users have them: formats, orientations, depths, profiles, and broken files."""

import io
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageCms

from holotalk_addon.errors import PhotoError
from holotalk_addon.face.exif import focal_length
from holotalk_addon.face.photo import SMALLEST_SIDE, read_photo, with_believable_focal


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return skimage.data.astronaut()[:300, 80:480]  # not square: a lost orientation shows


def difference(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def exif_bytes(tags: dict[int, object], ifd: dict[int, object] | None = None) -> bytes:
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    if ifd:
        exif.get_ifd(0x8769).update(ifd)
    return exif.tobytes()


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "bmp", "ppm", "gif"])
def test_every_format_gives_the_same_picture(tmp_path, rgb, ending):
    path = tmp_path / f"portrait.{ending}"
    Image.fromarray(rgb).save(path, **({"quality": 95} if ending in ("jpg", "webp") else {}))
    photo = read_photo(path)
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.flags.c_contiguous
    assert (photo.original_width, photo.original_height, photo.scale) == (400, 300, 1.0)
    assert photo.alpha is None
    assert photo.warnings == ()
    assert difference(photo.pixels, rgb) < (6.0 if ending == "gif" else 3.0)


def test_the_ending_of_the_name_does_not_matter(tmp_path, rgb):
    path = tmp_path / "photo.txt"
    Image.fromarray(rgb).save(path, format="PNG")
    assert difference(read_photo(path).pixels, rgb) == 0.0


@pytest.mark.parametrize(
    "name", ["mit Leerzeichen.png", "Jürgen Straße.png", "-o.png", "写真.png", "100%.png"]
)
def test_odd_names(tmp_path, rgb, name, monkeypatch):
    Image.fromarray(rgb).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert difference(read_photo(name).pixels, rgb) == 0.0


# How each orientation stores an upright picture (Exif 2.32, 4.6.4 A).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_exif_orientation(tmp_path, rgb, orientation, ending):
    path = tmp_path / f"turned.{ending}"
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](rgb)))
    stored.save(path, exif=exif_bytes({0x0112: orientation}), **({"quality": 95} if ending == "jpg" else {}))
    photo = read_photo(path)
    assert (photo.original_width, photo.original_height) == (400, 300)
    assert difference(photo.pixels, rgb) < 3.0


def test_a_wrong_orientation_number_counts_as_none(tmp_path, rgb):
    path = tmp_path / "nine.png"
    Image.fromarray(rgb).save(path, exif=exif_bytes({0x0112: 9}))
    assert difference(read_photo(path).pixels, rgb) == 0.0


def test_grey_and_two_colours(tmp_path, rgb):
    grey = np.array(Image.fromarray(rgb).convert("L"))
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey).convert("1").save(tmp_path / "fax.png")
    pixels = read_photo(tmp_path / "grey.png").pixels
    assert (pixels == grey[..., None]).all()
    fax = read_photo(tmp_path / "fax.png").pixels
    assert set(np.unique(fax)) == {0, 255}


def test_sixteen_bits(tmp_path, rgb):
    grey = np.array(Image.fromarray(rgb).convert("L"))
    cv2.imwrite(str(tmp_path / "grey.png"), grey.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "grey.tif"), grey.astype(np.uint16) * 257)
    deep = rgb[..., ::-1].astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "colour.png"), deep)
    cv2.imwrite(str(tmp_path / "colour.tif"), deep)
    for name, truth in (
        ("grey.png", np.dstack([grey] * 3)),
        ("grey.tif", np.dstack([grey] * 3)),
        ("colour.png", rgb),
        ("colour.tif", rgb),
    ):
        photo = read_photo(tmp_path / name)
        assert difference(photo.pixels, truth) < 1.0, name
        assert (photo.original_width, photo.original_height) == (400, 300), name


def test_a_dim_sixteen_bit_picture_stays_dim(tmp_path):
    cv2.imwrite(str(tmp_path / "dim.png"), np.full((64, 64), 20 * 257, dtype=np.uint16))
    assert read_photo(tmp_path / "dim.png").pixels.max() == 20


def test_floating_point_tiff(tmp_path, rgb):
    grey = np.array(Image.fromarray(rgb).convert("L"))
    Image.fromarray((grey / 255.0).astype(np.float32)).save(tmp_path / "float.tif")
    assert difference(read_photo(tmp_path / "float.tif").pixels, np.dstack([grey] * 3)) < 1.0


def test_cmyk(tmp_path, rgb):
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "print.tif")
    assert difference(read_photo(tmp_path / "print.jpg").pixels, rgb) < 4.0
    assert difference(read_photo(tmp_path / "print.tif").pixels, rgb) < 2.0


def test_transparency_is_kept_and_laid_over_mid_grey(tmp_path, rgb):
    alpha = np.full(rgb.shape[:2], 255, dtype=np.uint8)
    alpha[:, :100] = 0
    alpha[:, 100:150] = 128
    Image.fromarray(np.dstack([rgb, alpha])).save(tmp_path / "cut.png")
    photo = read_photo(tmp_path / "cut.png")
    assert photo.alpha is not None
    assert (photo.alpha == alpha).all()
    assert (photo.pixels[:, :100] == 128).all()
    assert (photo.pixels[:, 150:] == rgb[:, 150:]).all()
    assert difference(photo.pixels[:, 100:150], rgb[:, 100:150] * 0.5 + 64.0) < 1.5


def test_alpha_turns_with_the_picture(tmp_path, rgb):
    alpha = np.zeros(rgb.shape[:2], dtype=np.uint8)
    alpha[:50, :80] = 255
    stored = np.ascontiguousarray(STORED[6](np.dstack([rgb, alpha])))
    Image.fromarray(stored).save(tmp_path / "cut.png", exif=exif_bytes({0x0112: 6}))
    photo = read_photo(tmp_path / "cut.png")
    assert photo.alpha is not None
    assert (photo.alpha == alpha).all()


def test_opaque_alpha_is_no_alpha(tmp_path, rgb):
    Image.fromarray(rgb).convert("RGBA").save(tmp_path / "opaque.png")
    assert read_photo(tmp_path / "opaque.png").alpha is None


def test_palette_with_a_transparent_colour(tmp_path, rgb):
    image = Image.fromarray(rgb).quantize(64)
    image.save(tmp_path / "web.png", transparency=image.getpixel((0, 0)))
    photo = read_photo(tmp_path / "web.png")
    assert photo.alpha is not None
    assert photo.alpha[0, 0] == 0
    assert 0 < (photo.alpha == 255).mean() < 1


def display_p3_like_profile() -> bytes:
    """A matrix profile with Display P3's primaries, written by hand (ICC.1:2010, chapters 7-10)."""

    def fixed(number: float) -> bytes:
        return struct.pack(">i", round(number * 65536))

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(fixed(v) for v in values)

    text = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + b"\0" * 90
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    parts = {
        b"desc": text,
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": xyz((0.51512, 0.24120, -0.00105)),
        b"gXYZ": xyz((0.29198, 0.69225, 0.04189)),
        b"bXYZ": xyz((0.15710, 0.06657, 0.78407)),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
    }
    table, body, offset = b"", b"", 128 + 4 + 12 * len(parts)
    for tag, content in parts.items():
        data = content + b"\0" * (-len(content) % 4)
        table += tag + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += b"".join(fixed(v) for v in (0.9642, 1.0, 0.8249))
    return head.ljust(128, b"\0") + struct.pack(">I", len(parts)) + table + body


def test_display_p3_becomes_srgb(tmp_path):
    flat = np.full((64, 64, 3), (200, 120, 100), dtype=np.uint8)
    Image.fromarray(flat).save(tmp_path / "phone.png", icc_profile=display_p3_like_profile())
    red, green, blue = (int(v) for v in read_photo(tmp_path / "phone.png").pixels[32, 32])
    # Display P3 is wider: the same numbers mean a stronger red, which sRGB writes with larger ones.
    assert red > 206
    assert green < 119
    assert blue < 100
    ImageCms.ImageCmsProfile(io.BytesIO(display_p3_like_profile()))


def test_a_broken_profile_is_left_out_with_a_word(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "odd.png", icc_profile=b"not a profile at all")
    photo = read_photo(tmp_path / "odd.png")
    assert difference(photo.pixels, rgb) == 0.0
    assert any("profile" in text for text in photo.warnings)


def test_a_large_picture_is_reduced_on_reading(tmp_path, rgb):
    large = np.array(Image.fromarray(rgb).resize((6000, 4500)))
    Image.fromarray(large).save(tmp_path / "large.jpg", quality=90)
    photo = read_photo(tmp_path / "large.jpg", max_side=1000)
    assert photo.pixels.shape == (750, 1000, 3)
    assert (photo.original_width, photo.original_height) == (6000, 4500)
    assert photo.scale == pytest.approx(1.0 / 6.0)
    assert photo.focal_px == pytest.approx(1500.0)
    assert difference(photo.pixels, np.array(Image.fromarray(rgb).resize((1000, 750)))) < 4.0


def pages_of(path: Path, *pages: Image.Image, **options: object) -> Path:
    pages[0].save(path, save_all=True, append_images=list(pages[1:]), **options)
    return path


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_largest_page_of_a_tiff_is_taken(tmp_path, rgb, place, big):
    page = Image.fromarray(rgb)
    pages = [page.resize((64, 48)), page.resize((200, 150))]
    pages.insert(place, page)
    photo = read_photo(pages_of(tmp_path / "scan.tif", *pages, big_tiff=big))
    assert (photo.original_width, photo.original_height) == (400, 300)
    assert difference(photo.pixels, rgb) == 0.0
    said = f"The file has 3 pages: number {place + 1}, the largest, is used."
    assert photo.warnings == ((said,) if place else ())


def test_pages_as_large_as_one_another_begin_with_the_first(tmp_path, rgb):
    photo = read_photo(pages_of(tmp_path / "scan.tif", *(Image.fromarray(a) for a in (rgb, 255 - rgb))))
    assert difference(photo.pixels, rgb) == 0.0
    assert photo.warnings == ()


def test_a_thumbnail_too_small_to_read_does_not_refuse_the_file(tmp_path, rgb):
    page = Image.fromarray(rgb)
    photo = read_photo(pages_of(tmp_path / "scan.tif", page.resize((24, 18)), page))
    assert difference(photo.pixels, rgb) == 0.0


def test_the_largest_page_of_a_sixteen_bit_tiff(tmp_path, rgb):
    """Pages that Pillow does not know: it reads none with three times 16 bits."""
    large = rgb[..., ::-1].astype(np.uint16) * 257
    small = cv2.resize(large, (64, 48), interpolation=cv2.INTER_AREA)
    assert cv2.imwritemulti(str(tmp_path / "all_deep.tif"), [small, large])
    assert cv2.imwritemulti(str(tmp_path / "eight_then_deep.tif"), [(small // 257).astype(np.uint8), large])
    for name in ("all_deep.tif", "eight_then_deep.tif"):
        photo = read_photo(tmp_path / name)
        assert (photo.original_width, photo.original_height) == (400, 300), name
        assert difference(photo.pixels, rgb) < 1.0, name


def test_each_page_is_turned_by_its_own_orientation(tmp_path, rgb):
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](rgb)))
    stored.encoderinfo = {"exif": exif_bytes({0x0112: 6})}
    thumbnail = Image.fromarray(rgb).resize((64, 48))
    photo = read_photo(pages_of(tmp_path / "scan.tif", thumbnail, stored))
    assert (photo.original_width, photo.original_height) == (400, 300)
    assert difference(photo.pixels, rgb) == 0.0


def test_a_pyramid_of_reduced_pictures_is_read_at_its_full_size(tmp_path, rgb):
    """As viewers of large scans write it: the reduced pictures in sub-directories of the first page."""
    path = tmp_path / "pyramid.tif"
    page = Image.fromarray(rgb)
    pages_of(path, page, page.resize((200, 150)))
    data = bytearray(path.read_bytes())
    _hang_second_page_under_the_first(data)
    path.write_bytes(data)
    with Image.open(path) as image:
        assert image.n_frames == 1
        assert [child.size for child in image.get_child_images()] == [(200, 150)]
    photo = read_photo(path)
    assert difference(photo.pixels, rgb) == 0.0
    assert photo.warnings == ()


def _hang_second_page_under_the_first(data: bytearray) -> None:
    """Make the second page of a little-endian TIFF a sub-directory of the first (TIFF supplement 1)."""
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    tags = bytes(data[first + 2 : first + 2 + 12 * count])
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * count)
    # A copy of the first directory with one tag more, at the end of the file; in order of their numbers.
    entries = [tags[i : i + 12] for i in range(0, len(tags), 12)]
    entries.append(struct.pack("<HHII", 330, 4, 1, second))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    data.extend(b"\0" * (len(data) % 2))
    struct.pack_into("<I", data, 4, len(data))
    data.extend(struct.pack("<H", count + 1) + b"".join(entries) + struct.pack("<I", 0))


def test_an_animation_gives_its_first_frame(tmp_path, rgb):
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    for name in ("moving.gif", "moving.png", "moving.webp"):
        options = {"lossless": True} if name.endswith("webp") else {}
        photo = read_photo(pages_of(tmp_path / name, *frames, **options))
        assert difference(photo.pixels, rgb) < 6.0, name
        assert photo.warnings == (), name


def peak_megabytes(path: Path) -> float:
    """Peak resident memory of a process of its own that reads ``path``.

    By the kernel's high-water mark of the program: ``ru_maxrss`` also counts the process that started it.
    """
    code = (
        "import re, sys; from holotalk_addon.face import read_photo; p = read_photo(sys.argv[1]);"
        "status = open('/proc/self/status').read();"
        "print(p.pixels.shape, p.original_width, re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert "4096" in done.stdout
    assert " 20000 " in done.stdout
    return int(done.stdout.split()[-1]) / 1024.0


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from Linux's /proc")
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_twenty_thousand_pixels_wide_within_memory(tmp_path, ending):
    path = tmp_path / f"panorama.{ending}"
    row = np.linspace(0, 255, 20_000).astype(np.uint8)
    wide = np.broadcast_to(row[None, :, None], (7_000, 20_000, 3))
    data = np.ascontiguousarray(wide)
    assert cv2.imwrite(str(path), data, [cv2.IMWRITE_PNG_COMPRESSION, 1] if ending == "png" else [])
    del data
    assert peak_megabytes(path) < 900.0


def test_pillow_keeps_its_own_limit(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"nothing")
    before = Image.MAX_IMAGE_PIXELS
    read_photo(tmp_path / "a.png")
    with pytest.raises(PhotoError):
        read_photo(tmp_path / "b.png")
    assert before == Image.MAX_IMAGE_PIXELS


def fake_png(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds nothing."""
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def broken(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.jpg"
    whole = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(whole, "JPEG")
    if kind == "missing":
        return path
    if kind == "folder":
        path.mkdir()
    elif kind == "bomb":
        path.write_bytes(fake_png(60_000, 60_000))
    elif kind == "hollow large PNG":
        path.write_bytes(fake_png(9_000, 9_000))
    elif kind == "null in the name":
        return folder / "a\0b.jpg"
    elif kind == "truncated PNG":
        png = io.BytesIO()
        Image.fromarray(skimage.data.astronaut()).save(png, "PNG")
        path.write_bytes(png.getvalue()[:100_000])
    elif kind in ("1x1", "narrow"):
        Image.new("RGB", (1, 1) if kind == "1x1" else (500, SMALLEST_SIDE - 1)).save(path)
    else:
        path.write_bytes(
            {
                "zero bytes": b"",
                "text": b"I am not a picture.\n" * 50,
                "truncated JPEG": whole.getvalue()[: len(whole.getvalue()) // 2],
                "only the head of a JPEG": whole.getvalue()[:300],
                "HEIC": b"\0\0\0\x24ftypheic" + b"\0" * 500,
                "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 400 400\nshowpage\n",
                "TIFF of nothing": b"II*\0\x08\0\0\0\0\0\0\0\0\0",
            }[kind]
        )
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no file"),
        ("folder", "is a folder"),
        ("zero bytes", "zero bytes"),
        ("text", "not a picture.*JPEG"),
        ("truncated JPEG", "damaged"),
        ("truncated PNG", "damaged"),
        ("only the head of a JPEG", "damaged|not a picture"),
        ("1x1", "1 x 1 pixels"),
        ("narrow", "500 x 31 pixels"),
        ("HEIC", "Convert it to JPEG"),
        ("EPS", "not a picture"),
        ("TIFF of nothing", "damaged|not a picture"),
        ("bomb", "60000 x 60000 pixels"),
        ("hollow large PNG", "damaged"),
        ("null in the name", "cannot be opened|no file"),
    ],
)
def test_bad_files_are_one_line(tmp_path, kind, says):
    path = broken(tmp_path, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PhotoError, match=says) as caught:
            read_photo(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_stop_the_reading(tmp_path, rgb):
    Image.fromarray(rgb).save(
        tmp_path / "odd.jpg", quality=95, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x7f" * 40
    )
    assert difference(read_photo(tmp_path / "odd.jpg").pixels, rgb) < 3.0


FOCAL_35, FOCAL, PLANE_X, PLANE_UNIT, PIXEL_X, PIXEL_Y = 0xA405, 0x920A, 0xA20E, 0xA210, 0xA002, 0xA003
WIDTH, HEIGHT = 0x0100, 0x0101


@pytest.mark.parametrize(
    ("tags", "size", "expected"),
    [
        ({}, (3000, 2000), (4500.0, False)),
        # 3:2, where "by the diagonal" and "over 36 mm" are the same
        ({FOCAL_35: 50}, (3000, 2000), (50 / 36 * 3000, True)),
        # 4:3, by the diagonal
        ({FOCAL_35: 26}, (4000, 3000), (26 / 43.2666 * 5000, True)),
        # 6 micrometre pixels: 1 cm / 6 um pixels a centimetre
        ({FOCAL: 50, PLANE_X: 10000 / 6, PLANE_UNIT: 3}, (6000, 4000), (50 / 0.006, True)),
        # the same, after the picture was halved
        (
            {FOCAL: 50, PLANE_X: 10000 / 6, PLANE_UNIT: 3, PIXEL_X: 6000, PIXEL_Y: 4000},
            (3000, 2000),
            (25 / 0.006, True),
        ),
        # cropped after the capture: nobody knows
        ({FOCAL_35: 50, PIXEL_X: 6000, PIXEL_Y: 4000}, (2000, 2000), (3000.0, False)),
        # cut out of a 4:3 picture: ImageWidth, as some phones write it
        ({FOCAL_35: 24, WIDTH: 4000, HEIGHT: 3000}, (1500, 1000), (2250.0, False)),
        # an editor's new size beside the camera's
        (
            {FOCAL_35: 24, PIXEL_X: 1500, PIXEL_Y: 1000, WIDTH: 4000, HEIGHT: 3000},
            (1500, 1000),
            (2250.0, False),
        ),
        # reduced as a whole, the size at capture left as it was
        ({FOCAL_35: 24, PIXEL_X: 4000, PIXEL_Y: 3000}, (1024, 768), (24 / 43.2666 * 1280, True)),
        ({FOCAL_35: 24, WIDTH: 4000, HEIGHT: 3000}, (768, 1024), (24 / 43.2666 * 1280, True)),
        # squares and 4:5 are crops even where an editor has written their size into EXIF
        ({FOCAL_35: 24, PIXEL_X: 1000, PIXEL_Y: 1000}, (1000, 1000), (1500.0, False)),
        ({FOCAL_35: 13}, (1080, 1350), (2025.0, False)),
        ({FOCAL_35: 24}, (1920, 1080), (24 / 43.2666 * 2202.9, True)),
        # turned upright by software, dimensions left as they were
        ({FOCAL_35: 50, PIXEL_X: 3000, PIXEL_Y: 2000}, (2000, 3000), (50 / 36 * 3000, True)),
        ({FOCAL_35: 0}, (3000, 2000), (4500.0, False)),
        ({FOCAL_35: 5000}, (3000, 2000), (4500.0, False)),
        ({FOCAL_35: "rubbish"}, (3000, 2000), (4500.0, False)),
        ({FOCAL: 50}, (3000, 2000), (4500.0, False)),
    ],
)
def test_focal_length(tags, size, expected):
    focal, from_exif = focal_length(tags, size)
    assert focal == pytest.approx(expected[0], rel=1e-4)
    assert from_exif is expected[1]


def test_focal_length_comes_out_of_a_file_in_working_pixels(tmp_path):
    image = Image.fromarray(skimage.data.astronaut()).resize((1200, 800))
    image.save(tmp_path / "phone.jpg", exif=exif_bytes({0x0112: 6}, {FOCAL_35: 28}))
    photo = read_photo(tmp_path / "phone.jpg", max_side=600)
    assert (photo.width, photo.height) == (400, 600)
    assert photo.focal_from_exif
    assert photo.focal_px == pytest.approx(28 / 36 * 600, rel=1e-4)


@pytest.mark.parametrize("ending", ["jpg", "tif"])
@pytest.mark.parametrize("focal_35", [13, 24])
def test_a_crop_that_kept_its_focal_length_is_said_to_be_one(tmp_path, focal_35, ending):
    image = Image.fromarray(skimage.data.astronaut())
    notes = exif_bytes({}, {FOCAL_35: focal_35})
    image.save(tmp_path / f"crop.{ending}", exif=notes)
    photo = read_photo(tmp_path / f"crop.{ending}")
    assert not photo.focal_from_exif
    assert photo.focal_px == pytest.approx(1.5 * 512)
    assert ["cropped" in text for text in photo.warnings] == [True]
    image.crop((0, 0, 512, 384)).save(tmp_path / f"whole.{ending}", exif=notes)
    photo = read_photo(tmp_path / f"whole.{ending}")
    assert photo.focal_px == pytest.approx(focal_35 / 43.2666 * 640, rel=1e-4)
    assert photo.warnings == ()


def test_a_focal_length_that_puts_the_head_into_the_lens_is_not_believed(tmp_path):
    image = Image.fromarray(skimage.data.astronaut()).resize((1200, 900))
    image.save(tmp_path / "phone.jpg", exif=exif_bytes({}, {FOCAL_35: 24}))
    photo = read_photo(tmp_path / "phone.jpg")
    assert with_believable_focal(photo, apart(200.0), 0.0) is photo  # 0.26 m
    doubted = with_believable_focal(photo, apart(220.0), 0.0)  # 0.24 m
    assert not doubted.focal_from_exif
    assert doubted.focal_px == pytest.approx(1800.0)
    assert ["cropped" in text for text in doubted.warnings] == [True]
    # Turned by 60 degrees, the same head shows half of that distance.
    assert with_believable_focal(photo, apart(110.0), 60.0).focal_px == doubted.focal_px
    # Without EXIF there is nothing to doubt.
    assert with_believable_focal(doubted, apart(900.0), 0.0) is doubted


def apart(pixels: float) -> np.ndarray:
    return np.array([[500.0, 400.0], [500.0 + pixels, 400.0]])
