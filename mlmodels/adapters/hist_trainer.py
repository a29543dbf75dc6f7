"""scikit-learn's histogram gradient boosting: fitted by it, served by plain comparisons."""

from importlib.metadata import version
from typing import Any

from numpy.typing import NDArray

from mlmodels.adapters.plain_trees import PlainTrees, PlainTreesTrainer
from mlmodels.domain.tree_model import Node, TreeModel
from mlmodels.ports import FitRows

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


class HistTrainer(PlainTreesTrainer):
    """Fits and loads trees. Only a fit imports scikit-learn."""

    name = "hist"
    DEFAULTS = PARAMETERS

    def libraries(self) -> dict[str, str]:
        return {name: version(name) for name in ("scikit-learn", "numpy")}

    def fit(self, rows: FitRows, *, seed: int) -> PlainTrees:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        fitted = HistGradientBoostingClassifier(**self.parameters, random_state=seed)
        # One thread: the order of its sums, and so every bit, is then the same on each machine.
        with threadpool_limits(limits=1):
            fitted.fit(rows.features, rows.is_up, sample_weight=rows.weight)
        trees = [_nodes(stage[0].nodes) for stage in fitted._predictors]
        start = float(fitted._baseline_prediction[0, 0])
        return PlainTrees(self.name, TreeModel.from_nodes(trees, start=start))


def _nodes(tree: NDArray[Any]) -> list[Node]:
    return [
        Node(number=float(row["value"]), rows=float(row["count"]))
        if row["is_leaf"]
        else Node(
            feature=int(row["feature_idx"]),
            threshold=float(row["num_threshold"]),
            left=int(row["left"]),
            right=int(row["right"]),
            rows=float(row["count"]),
        )
        for row in tree
    ]
