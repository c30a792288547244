# SPDX-License-Identifier: GPL-3.0-or-later
"""Plausible random people: MakeHuman's targets mixed as heads vary.

The targets are not a statistical model. Macro targets (sex, age, ethnicity, muscle, weight) are mixed
on a simplex, local targets (nose, jaw, eyes, ...) added in small Gaussian amounts, left and right tied.
The spread of the local amounts is ours: chosen so that random heads look like passers-by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..head.base_mesh import ETHNICITIES, SEXES, BaseMesh, Bust

_LOCAL_FOLDERS = (
    "asym", "cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose",
)  # fmt: skip
_OPPOSITES = (
    ("decr", "incr"), ("in", "out"), ("down", "up"), ("backward", "forward"),
    ("compress", "uncompress"), ("concave", "convex"),
)  # fmt: skip
_LOCAL_SPREAD = 0.2
_ASYMMETRY = 0.05
_ONE_SIDED = 0.15  # head shapes ("oval", "square") and asymmetries: always positive, small

_AGES = ("child", "young", "old")
_LEVELS = ("min", "average", "max")


@dataclass(frozen=True)
class IdentityTargets:
    """All identity targets on the bust (D of them), and how random people mix them."""

    names: tuple[str, ...]
    deltas: NDArray[np.float32]
    """(D, V, 3) dm"""

    def random_people(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(count, D) weights of random people."""
        column = {name: i for i, name in enumerate(self.names)}
        weights = np.zeros((count, len(self.names)))
        sex = _between(rng.beta(0.4, 0.4, count), 2)
        age = _between(
            np.where(rng.random(count) < 0.1, rng.uniform(0.5, 1, count), rng.uniform(1, 2, count)) / 2, 3
        )
        ethnicity = rng.dirichlet([0.5] * 3, count)
        muscle = _between(rng.beta(3, 3, count), 3)
        mass = _between(rng.beta(2.5, 2.5, count), 3)
        for s, sex_name in enumerate(SEXES):
            for a, age_name in enumerate(_AGES):
                shared = sex[:, s] * age[:, a]
                for e, ethnicity_name in enumerate(ETHNICITIES):
                    name = f"{ethnicity_name}-{sex_name}-{age_name}"
                    weights[:, column[name]] = shared * ethnicity[:, e]
                for m, muscle_name in enumerate(_LEVELS):
                    for w, mass_name in enumerate(_LEVELS):
                        name = f"universal-{sex_name}-{age_name}-{muscle_name}muscle-{mass_name}weight"
                        weights[:, column[name]] = shared * muscle[:, m] * mass[:, w]
        for left, right in self._local_pairs():
            amount = rng.normal(0, _LOCAL_SPREAD, count)
            for side in (left, right) if right else (left,):
                own = amount + (rng.normal(0, _ASYMMETRY, count) if right else 0.0)
                negative, positive = side
                if negative is None:
                    weights[:, column[positive]] = np.abs(own) * _ONE_SIDED / _LOCAL_SPREAD
                else:
                    weights[:, column[positive]] = np.clip(own, 0, 1)
                    weights[:, column[negative]] = np.clip(-own, 0, 1)
        return weights

    def _local_pairs(
        self,
    ) -> list[tuple[tuple[str | None, str], tuple[str | None, str] | None]]:
        """Every local dimension: ((negative, positive) of the left or only side, the same of the right)."""
        macro = set(ETHNICITIES) | {"universal"}
        left_over = [n for n in self.names if n.split("-")[0] not in macro]
        axes: dict[str, tuple[str | None, str]] = {}
        known = set(left_over)
        for name in left_over:
            stem, _, end = name.rpartition("-")
            for low, high in _OPPOSITES:
                if end == high and f"{stem}-{low}" in known:
                    axes[stem] = (f"{stem}-{low}", name)
        paired = {n for pair in axes.values() for n in pair}
        axes |= {name: (None, name) for name in left_over if name not in paired}
        result: list[tuple[tuple[str | None, str], tuple[str | None, str] | None]] = []
        for stem, pair in axes.items():
            if stem.startswith("l-") and "r-" + stem[2:] in axes:
                result.append((pair, axes["r-" + stem[2:]]))
            elif not (stem.startswith("r-") and "l-" + stem[2:] in axes):
                result.append((pair, None))
        return result


def read_identity_targets(mesh: BaseMesh, bust: Bust) -> IdentityTargets:
    """Read every macro and local target of the head from the package, on the bust."""
    members: dict[str, str] = {}
    wanted = re.compile(
        rf"({'|'.join(ETHNICITIES)})-({'|'.join(SEXES)})-({'|'.join(_AGES)})$"
        rf"|universal-({'|'.join(SEXES)})-({'|'.join(_AGES)})-\w+muscle-\w+weight$"
    )
    members |= {n: m for n, m in mesh.targets_in("macrodetails").items() if wanted.match(n)}
    for folder in _LOCAL_FOLDERS:
        members |= {
            n: m
            for n, m in mesh.targets_in(folder).items()
            if not re.match(r"asymm-|head-trans|.*neck-height", n)
        }
    names = tuple(members)
    deltas = np.stack([bust.carry(mesh.target(members[n])) for n in names])
    return IdentityTargets(names, deltas.astype(np.float32))


def _between(x: NDArray[np.float64], levels: int) -> NDArray[np.float64]:
    """(N, levels) linear interpolation weights for x in 0..1 between equally spaced levels."""
    position = x * (levels - 1)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(levels)))
