"""A fitted Temporal Fusion Transformer, in numpy alone."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.fusion import LEVELS, Layout, forward, log_odds_above_zero, shapes
from mlmodels.ports import Features, FloatArray

_CHUNK = 256  # rows at a time: a day of bars of each must fit into memory
_CLIP = 5.0


class FusionModel:
    """Weights, and how columns become their input.

    Attributes:
        layout: Which columns are sequences.
        weights: As ``fusion.shapes`` lists them, float32.
    """

    name = "tft"

    def __init__(
        self,
        *,
        layout: Layout,
        mean: FloatArray,
        scale: FloatArray,
        weights: Mapping[str, NDArray[np.float32]],
    ) -> None:
        """Take what was fitted.

        Raises:
            ValueError: An array is missing, has another shape or a number that is none.
        """
        wanted = shapes(layout)
        if {name: array.shape for name, array in weights.items()} != wanted:
            raise ValueError("the weights do not fit the layout")
        is_finite = all(np.isfinite(array).all() for array in weights.values())
        if not (is_finite and np.isfinite(mean).all() and np.isfinite(scale).all()):
            raise ValueError("a weight is not finite")
        if mean.shape != scale.shape or (scale <= 0).any():
            raise ValueError("mean and scale do not fit")
        self.layout, self.weights = layout, dict(weights)
        self._mean, self._scale = mean, scale
        self._exact = {name: array.astype(np.float64) for name, array in weights.items()}

    def inputs(self, features: Features) -> tuple[FloatArray, FloatArray]:
        """Return sequences (n, sequences, bars) and statics (n, statics), scaled."""
        scaled = (features.astype(np.float64) - self._mean) / self._scale
        scaled = np.clip(scaled, -_CLIP, _CLIP)
        return scaled[:, np.array(self.layout.sequences)], scaled[:, list(self.layout.statics)]

    def quantiles(self, features: Features) -> FloatArray:
        """Return quantiles of the outcome in horizon sigmas, shape (n, levels), ascending."""
        return self._look(features)[0]

    def margins(self, features: Features) -> FloatArray:
        return log_odds_above_zero(self.quantiles(features))

    def contributions(self, features: Features) -> FloatArray:
        """Return Shapley values over two orders of the variables, shape (n, columns).

        What a sequence adds is shared among its bars as the attention was.
        """
        sequence, static = self.inputs(features)
        attention = self._look(features)[1]["attention"]
        added = np.zeros(features.shape)
        order = [*range(len(self.layout.names))]
        for direction in (order, order[::-1]):
            shown = (np.zeros_like(sequence), np.zeros_like(static))
            before = self._margins(*shown)
            for variable in direction:
                self._show(shown, (sequence, static), variable)
                after = self._margins(*shown)
                self._share(added, (after - before) / 2.0, variable, attention)
                before = after
        return added

    def insight(self, features: Features) -> dict[str, Any]:
        """Return mean weights of the variables and of the bars, the newest bar last."""
        seen = self._look(features)[1]
        weights = [*seen["variables"].mean(axis=(0, 1)), *seen["statics"].mean(axis=0)]
        return {
            "variables": dict(zip(self.layout.names, map(float, weights), strict=True)),
            "attention": seen["attention"].mean(axis=0).tolist(),
            "levels": list(LEVELS),
        }

    def to_files(self) -> dict[str, bytes]:
        from safetensors.numpy import save

        head = {
            "names": list(self.layout.names),
            "sequences": [list(columns) for columns in self.layout.sequences],
            "statics": list(self.layout.statics),
            "mean": self._mean.tolist(),
            "scale": self._scale.tolist(),
        }
        text = json.dumps(head, sort_keys=True, allow_nan=False)
        return {"tft.json": text.encode(), "tft.safetensors": save(self.weights)}

    @classmethod
    def from_json(
        cls, head: Mapping[str, Any], *, weights: Mapping[str, NDArray[np.float32]]
    ) -> "FusionModel":
        """Read what ``to_files`` wrote.

        Raises:
            KeyError, TypeError, ValueError: It does not fit together.
        """
        layout = Layout(
            names=tuple(head["names"]),
            sequences=tuple(tuple(columns) for columns in head["sequences"]),
            statics=tuple(head["statics"]),
        )
        return cls(
            layout=layout,
            mean=np.array(head["mean"], np.float64),
            scale=np.array(head["scale"], np.float64),
            weights=weights,
        )

    def _look(self, features: Features) -> tuple[FloatArray, dict[str, FloatArray]]:
        parts = [
            forward(self._exact, *self.inputs(features[begin : begin + _CHUNK]))
            for begin in range(0, max(1, len(features)), _CHUNK)
        ]
        seen = {key: np.concatenate([part[1][key] for part in parts]) for key in parts[0][1]}
        return np.concatenate([part[0] for part in parts]), seen

    def _margins(self, sequence: FloatArray, static: FloatArray) -> FloatArray:
        parts = [
            forward(self._exact, sequence[begin : begin + _CHUNK], static[begin : begin + _CHUNK])
            for begin in range(0, max(1, len(sequence)), _CHUNK)
        ]
        return log_odds_above_zero(np.concatenate([part[0] for part in parts]))

    def _show(
        self,
        shown: tuple[FloatArray, FloatArray],
        whole: tuple[FloatArray, FloatArray],
        variable: int,
    ) -> None:
        many = len(self.layout.sequences)
        kind, place = (0, variable) if variable < many else (1, variable - many)
        shown[kind][:, place] = whole[kind][:, place]

    def _share(
        self, added: FloatArray, change: FloatArray, variable: int, attention: FloatArray
    ) -> None:
        many = len(self.layout.sequences)
        if variable >= many:
            added[:, self.layout.statics[variable - many]] += change
            return
        added[:, list(self.layout.sequences[variable])] += change[:, None] * attention
