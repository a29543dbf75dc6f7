"""scikit-learn's histogram gradient boosting: fitted by it, served by plain comparisons."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.tree_model import TreeModel
from mlmodels.ports import ArtifactError, Features, FloatArray

FILE = "hist_trees.json"
# As strongly regularised as the xgboost recipe, and for the same reason.
PARAMETERS: dict[str, Any] = {
    "max_iter": 200,
    "learning_rate": 0.03,
    "max_depth": 3,
    "min_samples_leaf": 50,
    "l2_regularization": 10.0,
    "max_features": 0.5,
    "max_bins": 63,
    "early_stopping": False,
}


class HistModel:
    """Trained trees."""

    name = "hist"

    def __init__(self, trees: TreeModel) -> None:
        self._trees = trees

    def margins(self, features: Features) -> FloatArray:
        return self._trees.margins(features)

    def contributions(self, features: Features) -> FloatArray:
        return self._trees.contributions(features)

    def to_files(self) -> dict[str, bytes]:
        return {FILE: json.dumps(self._trees.to_json(), separators=(",", ":")).encode()}


class HistTrainer:
    """Fits and loads trees. Only a fit imports scikit-learn."""

    name = "hist"

    def libraries(self) -> dict[str, str]:
        return {name: version(name) for name in ("scikit-learn", "numpy")}

    def fit(
        self, *, features: Features, is_up: NDArray[np.bool_], weight: FloatArray, seed: int
    ) -> HistModel:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        fitted = HistGradientBoostingClassifier(**PARAMETERS, random_state=seed)
        # One thread: the order of its sums, and so every bit, is then the same on each machine.
        with threadpool_limits(limits=1):
            fitted.fit(features, is_up, sample_weight=weight)
        nodes = [stage[0].nodes for stage in fitted._predictors]
        return HistModel(_plain(nodes, start=float(fitted._baseline_prediction[0, 0])))

    def load(self, files: Mapping[str, bytes]) -> HistModel:
        try:
            return HistModel(TreeModel.from_json(json.loads(files[FILE])))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError("the trees cannot be read", file=FILE) from error


def _plain(trees: Sequence[NDArray[Any]], *, start: float) -> TreeModel:
    """Turn the library's nodes into padded arrays; an inner node gets the mean of its leaves."""
    width = max(len(nodes) for nodes in trees)
    columns = {
        name: np.zeros((len(trees), width)) for name in ("feature", "threshold", "left", "right")
    }
    number = np.zeros((len(trees), width))
    for tree, nodes in enumerate(trees):
        inner = nodes["is_leaf"] == 0
        for ours, theirs in (
            ("feature", "feature_idx"),
            ("threshold", "num_threshold"),
            ("left", "left"),
            ("right", "right"),
        ):
            columns[ours][tree, : len(nodes)] = np.where(inner, nodes[theirs], 0)
        for place in range(len(nodes) - 1, -1, -1):
            node = nodes[place]
            if node["is_leaf"]:
                number[tree, place] = node["value"]
                continue
            left, right = int(node["left"]), int(node["right"])
            sides = (nodes["count"][left], nodes["count"][right])
            number[tree, place] = (
                sides[0] * number[tree, left] + sides[1] * number[tree, right]
            ) / sum(sides)
    return TreeModel(
        feature=columns["feature"].astype(np.int64),
        threshold=columns["threshold"],
        left=columns["left"].astype(np.int64),
        right=columns["right"].astype(np.int64),
        number=number,
        start=start,
    )
