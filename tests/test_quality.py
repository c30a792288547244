# SPDX-License-Identifier: GPL-3.0-or-later
"""What about a face will hurt the result: light, covers; and what is done about it."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from faces import faces, models, photo
from PIL import Image

from holotalk_addon import pipeline
from holotalk_addon.errors import OptionError
from holotalk_addon.face import find_faces, photo_from_pixels, read_photo
from holotalk_addon.face.exposure import LIT, brightened, face_exposure, with_light
from holotalk_addon.face.mesh import FACE_OVAL
from holotalk_addon.face.quality import face_warnings, is_covered

PORTRAITS = ["astronaut", "carell.jpg", "connelly.jpg", "lawrence.jpg", "justin.png", "sample_4.jpg"]
PORTRAITS += [f"stock-emotions-a-{n}.jpg" for n in range(1, 9)]


def linear(srgb: np.ndarray) -> np.ndarray:
    value = srgb / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def in_light(pixels: np.ndarray, times: float, noise: float = 0.0) -> np.ndarray:
    """The same picture under so many times the light, with the noise of a small sensor if asked for."""
    light = linear(pixels) * times
    if noise:
        grain = np.random.default_rng(0).normal(size=light.shape)
        light = light + noise * grain * np.sqrt(light + 0.01)
    light = np.clip(light, 0.0, 1.0)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255.0 * encoded + 0.5).astype(np.uint8)


def said(pixels: np.ndarray, name: str = "astronaut") -> str:
    face = faces(name)[0]
    return " ".join(face_warnings(pixels, face.mesh, face.yaw))


def patch(pixels: np.ndarray, points: list[int]) -> np.ndarray:
    """(N, 3) linear light between some points of the demo portrait's mesh."""
    inside = np.zeros(pixels.shape[:2], dtype=np.uint8)
    outline = cv2.convexHull(faces("astronaut")[0].mesh[points, :2].astype(np.float32))
    cv2.fillConvexPoly(inside, outline.astype(np.int32), 1)
    return linear(pixels[inside > 0].astype(float))


CHEEKS = [50, 101, 36, 205]


# --- light ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("times", "words"), [(0.1, "too dark"), (0.05, "too dark"), (4.0, "burnt out")])
def test_too_little_and_too_much_light_are_said(times, words):
    assert words in said(in_light(skimage.data.astronaut(), times))


@pytest.mark.parametrize("times", [0.25, 0.5, 1.0])
def test_a_dim_face_is_no_fault(times):
    assert said(in_light(skimage.data.astronaut(), times)) == ""


@pytest.mark.parametrize("name", PORTRAITS)
def test_ordinary_portraits_are_neither_dark_nor_burnt_nor_covered(name):
    text = said(photo(name).pixels, name)
    assert not [word for word in ("dark", "burnt", "covered") if word in text]


@pytest.mark.parametrize("name", ["astronaut", "lawrence.jpg", "stock-emotions-a-4.jpg"])
def test_a_face_in_a_tenth_of_its_light_is_brightened(name):
    pixels, mesh = photo(name).pixels, faces(name)[0].mesh
    dark = photo_from_pixels(in_light(pixels, 0.1))
    lit = with_light(dark, mesh)
    assert "brightened" in lit.warnings[0]
    assert face_exposure(lit.pixels, mesh).bright == pytest.approx(LIT, rel=0.05)
    assert not [text for text in face_warnings(lit.pixels, mesh, 0.0) if "dark" in text or "burnt" in text]
    assert with_light(dark, mesh, "keep") is dark
    assert with_light(lit, mesh) is lit


def test_a_dim_face_is_brightened_where_that_is_asked_for():
    mesh = faces("astronaut")[0].mesh
    dim = photo_from_pixels(in_light(skimage.data.astronaut(), 0.25))
    assert with_light(dim, mesh) is dim
    assert face_exposure(with_light(dim, mesh, "lift").pixels, mesh).bright == pytest.approx(LIT, rel=0.05)


def test_brightening_keeps_the_colours_and_takes_the_blotches():
    mesh = faces("astronaut")[0].mesh
    dark = in_light(skimage.data.astronaut(), 0.1, noise=0.02)
    bright = face_exposure(dark, mesh).bright
    truth = patch(skimage.data.astronaut(), CHEEKS)
    lit = patch(brightened(dark, bright, float(np.ptp(mesh[:, 0]))), CHEEKS)
    mere_gain = patch(in_light(dark, LIT / bright), CHEEKS)

    def share(light: np.ndarray) -> np.ndarray:
        return light / light.sum(axis=1, keepdims=True)

    assert share(lit).mean(axis=0) == pytest.approx(share(truth).mean(axis=0), abs=0.015)
    blotches, were = ((share(part) - share(truth)).std(axis=0).max() for part in (lit, mere_gain))
    assert blotches < 0.6 * were  # measured: 0.51
    # The light's own detail stays.
    assert np.corrcoef(lit.sum(axis=1), mere_gain.sum(axis=1))[0, 1] > 0.9


def test_brightening_bends_softly_below_white():
    """A lamp behind a dark face: what is brighter stays brighter, and keeps its colour."""
    ramp = np.linspace(0.0, 255.0, 512)
    pixels = np.repeat((ramp[None, :, None] * [1.0, 0.8, 0.6]).astype(np.uint8), 64, axis=0)
    lit = brightened(pixels, LIT / 8.0, 100.0).astype(int)
    light = linear(lit[32].astype(float)) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > -0.004).all()
    assert light[60] == pytest.approx(
        8.0 * linear(pixels[32, 60].astype(float)) @ [0.2126, 0.7152, 0.0722], rel=0.1
    )
    assert (lit[32, 400] >= lit[32, 300]).all()
    assert lit[32, 300, 0] > lit[32, 300, 2]


def test_strips_of_a_high_picture_meet_without_a_seam():
    rng = np.random.default_rng(1)
    pixels = cv2.GaussianBlur(rng.integers(0, 60, (1100, 80, 3), dtype=np.uint8), (0, 0), 2.0)
    whole, shifted = (brightened(part, 0.05, 200.0) for part in (pixels, pixels[40:]))
    assert np.array_equal(whole[500:560], shifted[460:520])


def test_the_light_of_a_face_beyond_the_picture_is_no_fault():
    mesh = faces("astronaut")[0].mesh - [2000.0, 0.0, 0.0]
    exposure = face_exposure(skimage.data.astronaut(), mesh)
    assert (exposure.bright, exposure.burnt) == (1.0, 0.0)


def test_the_face_is_measured_in_the_brightened_photo(tools):
    dark = photo_from_pixels(in_light(skimage.data.astronaut(), 0.1, noise=0.01))
    taken = pipeline.take_face(dark, tools, pipeline.Stages())
    lit, face = taken.photo, taken.face
    assert lit.pixels.mean() > 2.0 * dark.pixels.mean()
    assert face is taken.faces[0]
    assert np.abs(face.mesh[:, :2] - faces("astronaut")[0].mesh[:, :2]).mean() < 2.0
    assert not [text for text in face.warnings if "dark" in text]
    kept = pipeline.take_face(dark, tools, pipeline.Stages(), exposure="keep")
    assert kept.photo is dark
    assert [text for text in kept.face.warnings if "dark" in text]
    with pytest.raises(OptionError, match="auto, lift or keep"):
        pipeline.take_face(dark, tools, pipeline.Stages(), exposure="bright")


def test_a_tight_crop_with_a_wide_lens_is_fitted_with_the_usual_one(tools, tmp_path):
    """4:3, as cameras take them, and EXIF silent on the size at capture: only the head itself tells."""
    x, y, width, height = faces("astronaut")[0].box
    corner = np.array([x + width / 2, y + height / 2]) - [90, 120]
    cut = Image.fromarray(skimage.data.astronaut()).crop((*corner, corner[0] + 180, corner[1] + 240))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 13
    cut.save(tmp_path / "crop.png", exif=exif.tobytes())
    taken = read_photo(tmp_path / "crop.png")
    assert taken.focal_from_exif
    ready = pipeline.take_face(taken, tools, pipeline.Stages()).photo
    assert not ready.focal_from_exif
    assert ready.focal_px == pytest.approx(1.5 * 240)
    assert "cropped" in ready.warnings[-1]


# --- covers -----------------------------------------------------------------------------------------

MASK_TOP = (454, 345, 346, 347, 197, 118, 117, 116)
MASKS = {"white": (232, 235, 238), "blue": (120, 165, 205), "black": (28, 28, 32), "red": (150, 20, 60)}


def masked(name: str, colour: tuple[int, int, int]) -> np.ndarray:
    """A portrait with a mask over nose, cheeks and chin, shaded as the face is, with folds and grain."""
    pixels, mesh = photo(name).pixels, faces(name)[0].mesh
    across = float(np.ptp(mesh[:, 0]))
    start, end = FACE_OVAL.index(454), FACE_OVAL.index(234)
    outline = mesh[[*FACE_OVAL[start : end + 1], *reversed(MASK_TOP)], :2]
    outline = mesh[5, :2] + 1.04 * (outline - mesh[5, :2])
    cover = np.zeros(pixels.shape[:2], dtype=np.float32)
    cv2.fillPoly(cover, [np.round(outline).astype(np.int32)], (1.0,))
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.6, 0.006 * across))[..., None]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    shade = cv2.GaussianBlur(grey, (0, 0), 0.12 * across) / 150.0
    rows = np.arange(pixels.shape[0])[:, None]
    cloth = np.clip(shade, 0.3, 1.5) * (1.0 + 0.07 * np.sin(rows * 60.0 / across))
    painted = cloth[..., None] * np.array(colour) + np.random.default_rng(0).normal(size=pixels.shape) * 2.0
    return np.clip(pixels * (1.0 - cover) + painted * cover, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("colour", MASKS)
@pytest.mark.parametrize("name", ["astronaut", "lawrence.jpg", "stock-emotions-a-4.jpg"])
def test_a_mask_is_called_a_mask_and_the_bare_forehead_is_not_blamed(name, colour):
    text = said(masked(name, MASKS[colour]), name)
    assert "covered (a mask?)" in text
    assert "Use a photo of the bare face" in text
    assert "forehead" not in text
    assert "burnt" not in text  # white cloth


def painted(kind: str) -> np.ndarray:
    """The demo portrait with what is no cover, though it colours the lower face."""
    pixels, mesh = skimage.data.astronaut().astype(np.float32), faces("astronaut")[0].mesh
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]

    def spot(point: int, size: float) -> np.ndarray:
        away = (columns - mesh[point, 0]) ** 2 + (rows - mesh[point, 1]) ** 2
        return np.exp(-away / (2.0 * (size * np.ptp(mesh[:, 0])) ** 2))[..., None]

    down = np.clip((rows - mesh[10, 1]) / np.ptp(mesh[:, 1]), 0, 1)[..., None]
    if kind == "red nose":
        pixels *= 1.0 - spot(4, 0.09) * [0.0, 0.45, 0.4]
    elif kind == "blush":
        pixels *= 1.0 - (spot(50, 0.12) + spot(280, 0.12)) * [0.0, 0.35, 0.25]
    elif kind == "shadow":
        pixels *= 1.0 - 0.6 * down
    elif kind == "blue light from below":
        pixels *= 1.0 - down + down * [0.75, 0.9, 1.25]
    elif kind == "beard":
        beard = np.zeros(pixels.shape[:2], dtype=np.float32)
        jaw = [93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323]
        cv2.fillPoly(beard, [mesh[[*jaw, 426, 391, 164, 165, 206], :2].round().astype(np.int32)], (1.0,))
        lips = [61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91]
        cv2.fillPoly(beard, [mesh[lips, :2].round().astype(np.int32)], (0.0,))
        beard = 0.85 * cv2.GaussianBlur(beard, (0, 0), 1.5)[..., None]
        pixels = pixels * (1.0 - beard) + beard * np.array([45.0, 35.0, 30.0])
    return np.clip(pixels, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["red nose", "blush", "shadow", "blue light from below", "beard"])
def test_what_merely_colours_the_face_is_no_mask(kind):
    assert "covered" not in said(painted(kind))


@pytest.mark.slow
def test_the_masks_colour_stays_off_ears_and_neck(tools):
    """Where the bare portrait's ears and neck have the colour of skin, the masked one's have it too."""
    model = tools.model

    def skin(pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Share of red, green and blue in the light of ears and neck, around the jaw left out."""
        person = pipeline.person_from_pixels(
            photo_from_pixels(pixels), tools, pipeline.Stages(), texture_size=512, complete="mirror"
        )
        layout_uv = model.triangle_uvs.mean(axis=1)
        result = {}
        for name in ("ears", "neck"):
            chosen = model.region(name)[model.triangles].min(axis=1) > 0.9
            x, y = (
                np.clip(v, 0, 511) for v in ((layout_uv[chosen, 0] * 512), (1 - layout_uv[chosen, 1]) * 512)
            )
            colours = person.head.texture[y.astype(int), x.astype(int), :3].astype(float) + 1.0
            result[name] = np.median(colours / colours.sum(axis=1, keepdims=True), axis=0)
        return result

    # In a red mask the detectors find no face here.
    bare, covered = skin(skimage.data.astronaut()), skin(masked("astronaut", (70, 140, 90)))
    for name in ("ears", "neck"):
        assert covered[name] == pytest.approx(bare[name], abs=0.03), name


@pytest.mark.slow
def test_a_real_mask(tools):
    folder = os.environ.get("HOLOTALK_PHOTOS")
    path = Path(folder or "").parent / "cases" / "09_mask.jpg"
    if not folder or not path.exists():
        pytest.skip("the cases beside HOLOTALK_PHOTOS are not there")
    taken = read_photo(path)
    face = find_faces(taken, models())[0]
    assert is_covered(taken.pixels, face.mesh, face.yaw)
    assert "forehead" not in " ".join(face.warnings)
    person = pipeline.person_from_pixels(taken, tools, pipeline.Stages(), texture_size=512, complete="mirror")
    neck = tools.model.region("neck")[tools.model.triangles].min(axis=1) > 0.9
    uv = tools.model.triangle_uvs[neck].mean(axis=1)
    at = np.clip(np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1) * 512, 0, 511).astype(int)
    red, green, blue = np.median(person.head.texture[at[:, 1], at[:, 0], :3].astype(float), axis=0)
    assert red / green < 1.4  # the mask's is 8, her skin's 1.1
    assert blue > 0.6 * red
