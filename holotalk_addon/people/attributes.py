# SPDX-License-Identifier: GPL-3.0-or-later
"""Who somebody is, drawn at random: traits that go together are drawn together.

The shares are ours, chosen so that a sheet of people looks like a crowd of many places and ages; every
trait keeps enough people for a network to learn it.
"""

from __future__ import annotations

import numpy as np

from .person import EYE_COLOURS, PersonAttributes

_MELANIN = {"african": (0.13, 0.33), "asian": (0.035, 0.10), "caucasian": (0.013, 0.05)}
"""Typical shares of melanosomes: Jacques 1998 gives 1.3-6.3 % for light, 11-16 % for moderate and 18-43 %
for dark skin; the uppermost are too dark to be seen in small pictures."""

_HAIR_RGB = {
    "black": (0.075, 0.065, 0.06), "dark brown": (0.16, 0.11, 0.08), "brown": (0.28, 0.18, 0.115),
    "light brown": (0.42, 0.30, 0.19), "blond": (0.70, 0.55, 0.36), "red": (0.48, 0.21, 0.10),
    "grey": (0.50, 0.49, 0.47), "white": (0.70, 0.69, 0.66),
}  # fmt: skip
_DYES = (
    (0.62, 0.12, 0.14), (0.55, 0.16, 0.42), (0.16, 0.30, 0.55), (0.88, 0.80, 0.62), (0.12, 0.45, 0.40),
    (0.75, 0.42, 0.52), (0.33, 0.08, 0.10), (0.80, 0.66, 0.36),
)  # fmt: skip

_MEN = {
    "bald": 0.08, "fringe of hair": 0.05, "buzz": 0.13, "crew": 0.20, "short": 0.18, "swept back": 0.10,
    "side part": 0.13, "medium": 0.05, "long": 0.02, "ponytail": 0.01, "bun": 0.01,
    "curly": 0.03,
}  # fmt: skip
_WOMEN = {
    "buzz": 0.015, "crew": 0.015, "short": 0.10, "swept back": 0.02, "side part": 0.04, "bob": 0.16,
    "medium": 0.18, "long": 0.20, "bangs": 0.08, "ponytail": 0.09, "bun": 0.065, "curly": 0.05,
}  # fmt: skip

LENGTHS_M = {
    "bald": (0.0, 0.0), "fringe of hair": (0.006, 0.02), "buzz": (0.003, 0.008), "crew": (0.014, 0.03),
    "short": (0.035, 0.06), "swept back": (0.06, 0.11), "side part": (0.05, 0.09), "bob": (0.17, 0.23),
    "medium": (0.20, 0.30), "long": (0.32, 0.50), "bangs": (0.20, 0.45), "ponytail": (0.26, 0.46),
    "bun": (0.17, 0.2), "curly": (0.07, 0.22), "afro": (0.012, 0.065),
}  # fmt: skip
"""From root to tip, shortest and longest of each style."""


def random_attributes(rng: np.random.Generator) -> PersonAttributes:
    """A random person's traits. Deterministic per generator."""
    sex = float(rng.beta(0.25, 0.25))
    male = sex > 0.5
    age = float(rng.uniform(10, 18) if rng.random() < 0.09 else 18.0 + 67.0 * rng.beta(1.1, 1.5))
    adult = age > 17
    african, asian, caucasian = (float(x) for x in rng.dirichlet([0.35] * 3))
    shares = (african, asian, caucasian)
    tone = rng.normal(0.5, 0.28)
    bounds = np.log([_MELANIN["african"], _MELANIN["asian"], _MELANIN["caucasian"]])
    melanin = float(np.exp(np.dot(shares, bounds[:, 0] + tone * (bounds[:, 1] - bounds[:, 0]))))
    elderly = float(np.clip((age - 50) / 35, 0, 1))
    fair = float(np.clip((np.log(0.06) - np.log(melanin)) / 1.3, 0, 1)) * caucasian

    greying = float(np.clip((age - 33 - rng.gamma(3.0, 5.0)) / 25, 0, 1))
    if not male and greying > 0.15 and rng.random() < 0.45:
        greying = 0.0  # coloured
    hair_colour, hair_rgb = _hair_colour(fair, caucasian, greying, adult, male, rng)
    style, length, curl, line = _hair(male, age, african, caucasian, rng)

    beard = "none"
    if male and age > 18:
        beard = str(
            rng.choice(
                ["none", "stubble", "moustache", "goatee", "short beard", "full beard"],
                p=[0.42, 0.22, 0.05, 0.08, 0.13, 0.10],
            )
        )
    headwear = "none"
    if rng.random() < 0.15:
        choices = {"beanie": 3.0, "cap": 3.0, "hat": 2.0, "headband": 0.3, "headscarf": 0.0}
        if not male:
            choices |= {"headscarf": 3.5, "cap": 1.5, "headband": 1.5}
        headwear = _pick(choices, rng)
    glasses = "none"
    if rng.random() < 0.16 + 0.2 * elderly:
        glasses = _pick({"thin": 3.0, "thick": 3.5, "rimless": 1.5, "sunglasses": 0.8}, rng)
    collar = _pick(
        {"none": 0.12, "t-shirt": 0.36, "shirt": 0.2, "turtleneck": 0.08, "v-neck": 0.14, "hoodie": 0.10}, rng
    )
    made_up = not male and age > 15 and rng.random() < 0.6
    return PersonAttributes(
        sex=sex,
        age=age,
        african=african,
        asian=asian,
        caucasian=caucasian,
        weight=float(rng.beta(2.5, 2.5) if adult else rng.beta(2.5, 3.5)),
        muscle=float(rng.beta(3, 3)),
        melanin=melanin,
        haemoglobin=float(np.clip(0.012 * np.exp(rng.normal(0, 0.3)), 0.006, 0.025)),
        hair_style=style,
        hair_length=length,
        hair_colour=hair_colour,
        hair_rgb=hair_rgb,
        greying=greying,
        curl=curl,
        hair_line=line,
        brows=float(np.clip(rng.beta(2.5, 2.5) + (0.15 if male else -0.1), 0, 1)),
        beard=beard,
        eye_colour=_eye_colour(fair, caucasian, rng),
        glasses=glasses,
        headwear=headwear,
        scarf=bool(rng.random() < (0.12 if headwear == "beanie" else 0.05)) and headwear != "headscarf",
        collar=collar,
        make_up=float(rng.beta(1.6, 2.2)) if made_up else 0.0,
        blush=float(rng.beta(2, 4)),
        freckles=float(rng.beta(1.5, 1.5)) if rng.random() < 0.08 + 0.3 * fair else 0.0,
        moles=int(rng.poisson(1.2 + 1.5 * elderly)),
        wrinkles=float(np.clip((age - 28) / 50 + rng.normal(0, 0.1), 0, 1)) if age > 25 else 0.0,
        under_eye=float(np.clip(rng.beta(1.5, 3) + 0.25 * elderly, 0, 1)),
        smile=_smile(rng),
    )


def random_expression(
    names: tuple[str, ...], attributes: PersonAttributes, rng: np.random.Generator
) -> np.ndarray:
    """(52,) float32 strengths of an expression as portraits show it: mostly calm or smiling.

    Args:
        names: the model's 52 ARKit names, in its order.
        attributes: ``smile`` leads.
        rng: decides the rest.
    """
    column = {name: i for i, name in enumerate(names)}
    result = np.zeros(len(names))

    def both(stem: str, amount: float, uneven: float = 0.12) -> None:
        for side in ("Left", "Right"):
            result[column[stem + side]] = max(0.0, amount * (1 + rng.normal(0, uneven)))

    smile = attributes.smile
    if smile > 0:
        both("mouthSmile", 0.75 * smile)
        both("cheekSquint", 0.6 * smile * rng.random())
        both("eyeSquint", 0.35 * smile * rng.random())
        if smile > 0.45 and rng.random() < 0.7:  # teeth show
            both("mouthUpperUp", 0.45 * smile * rng.random())
            both("mouthLowerDown", 0.35 * smile * rng.random())
            result[column["jawOpen"]] = 0.25 * smile * rng.random()
    else:
        both("mouthFrown", -0.7 * smile)
        both("browDown", -0.5 * smile * rng.random())
    mood = rng.random()
    if mood < 0.08:  # surprise
        result[column["jawOpen"]] = rng.uniform(0.1, 0.4)
        result[column["browInnerUp"]] = rng.uniform(0.3, 0.9)
        both("browOuterUp", rng.uniform(0.3, 0.8))
        both("eyeWide", rng.uniform(0.2, 0.7))
    elif mood < 0.14:
        result[column["mouthPucker"]] = rng.uniform(0.1, 0.6)
    elif mood < 0.20:
        both("browDown", rng.uniform(0.2, 0.8))
        both("mouthPress", rng.uniform(0.1, 0.6))
        both("noseSneer", rng.uniform(0.0, 0.4))
    elif mood < 0.25:
        result[column[f"mouthSmile{rng.choice(['Left', 'Right'])}"]] += rng.uniform(0.1, 0.4)
    elif mood < 0.33:  # talking
        result[column["jawOpen"]] = rng.uniform(0.05, 0.3)
        result[column["mouthFunnel"]] = rng.uniform(0.0, 0.3)
    blink = rng.random()
    if blink < 0.03:
        both("eyeBlink", rng.uniform(0.7, 0.95), 0.02)
    else:
        both("eyeBlink", float(rng.beta(1.2, 9)), 0.05)
    across, up = rng.normal(0, 0.18), rng.normal(-0.03, 0.12)
    for side, outward in (("Left", 1.0), ("Right", -1.0)):
        result[column[f"eyeLookOut{side}"]] = max(0.0, across * outward)
        result[column[f"eyeLookIn{side}"]] = max(0.0, -across * outward)
        result[column[f"eyeLookUp{side}"]] = max(0.0, up)
        result[column[f"eyeLookDown{side}"]] = max(0.0, -up)
    both("browOuterUp", float(rng.beta(1, 8)))
    return np.clip(result, 0.0, 1.0).astype(np.float32)


def _pick(shares: dict[str, float], rng: np.random.Generator) -> str:
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _smile(rng: np.random.Generator) -> float:
    kind = rng.random()
    if kind < 0.35:
        return float(rng.uniform(-0.1, 0.15))
    if kind < 0.9:
        return float(rng.beta(1.8, 1.6))
    return -float(rng.beta(1.5, 2))


def _hair(
    male: bool, age: float, african: float, caucasian: float, rng: np.random.Generator
) -> tuple[str, float, float, float]:
    """Style, length in metres, curl, receding of the hair line."""
    line = float(rng.beta(1.5, 4))
    shares = dict(_MEN if male else _WOMEN)
    if male:
        line = float(np.clip(rng.beta(1.3, 3) + (age - 30) / 90, 0, 1))
        if age < 28:
            shares["bald"] *= 0.2
            shares["fringe of hair"] = 0.0
        if age > 55:
            shares["fringe of hair"] *= 3.0
        line *= 0.4 if age < 25 else 1.0
    shares["afro"] = 0.0
    if african > 0.45:
        shares |= {"afro": 0.30, "curly": 0.10, "buzz": shares["buzz"] * 1.8}
    elif african > 0.2:
        shares |= {"curly": 0.18}
    style = _pick(shares, rng)
    length = float(rng.uniform(*LENGTHS_M[style]))
    curl = float(np.clip(rng.beta(1.0, 2.2) * (0.35 + 0.5 * caucasian) + 0.7 * african, 0, 1))
    if style == "curly":
        curl = max(curl, float(rng.uniform(0.55, 0.9)))
    if style == "afro":
        curl = 1.0
    if style in ("long", "bob", "medium", "bangs", "ponytail", "swept back", "side part") and curl > 0.6:
        curl = float(rng.uniform(0.1, 0.6))  # straightened
    return style, length, curl, line


def _hair_colour(
    fair: float, caucasian: float, greying: float, adult: bool, male: bool, rng: np.random.Generator
) -> tuple[str, tuple[float, float, float]]:
    if adult and rng.random() < (0.01 if male else 0.06):
        rgb = np.array(_DYES[rng.integers(len(_DYES))])
        return "dyed", _jitter(rgb, 0.1, rng)
    if greying > 0.45:
        name = "white" if greying > 0.85 else "grey"
    else:
        light = 0.25 * caucasian + 0.75 * fair
        shares = {
            "black": 1.0 - 0.85 * caucasian,
            "dark brown": 0.5,
            "brown": 0.1 + 0.6 * caucasian,
            "light brown": 0.7 * light,
            "blond": 0.75 * fair + 0.02,
            "red": 0.16 * fair + 0.005,
        }
        name = _pick(shares, rng)
    rgb = np.array(_HAIR_RGB[name])
    if name not in ("grey", "white"):
        rgb = rgb + (np.array(_HAIR_RGB["grey"]) - rgb) * greying * 0.9
    return name, _jitter(rgb, 0.16, rng)


def _jitter(rgb: np.ndarray, amount: float, rng: np.random.Generator) -> tuple[float, float, float]:
    red, green, blue = np.clip(rgb * np.exp(rng.normal(0, amount)) * np.exp(rng.normal(0, 0.03, 3)), 0, 1)
    return float(red), float(green), float(blue)


def _eye_colour(fair: float, caucasian: float, rng: np.random.Generator) -> str:
    light = 0.12 * caucasian + 0.6 * fair
    weights = np.array(
        [1.1 - caucasian * 0.7, 0.6, 0.25 * caucasian + 0.02, 0.5 * light, 1.2 * light, 0.4 * light]
    )
    return str(rng.choice(EYE_COLOURS, p=weights / weights.sum()))
