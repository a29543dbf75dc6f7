"""LightGBM's trees, grown leaf by leaf: fitted by it, served by plain comparisons."""

from importlib.metadata import version
from typing import Any

from mlmodels.adapters.plain_trees import PlainTrees, PlainTreesTrainer
from mlmodels.domain.tree_model import Node, TreeModel
from mlmodels.ports import FitRows

# As strongly regularised as the xgboost recipe, and for the same reason.
PARAMETERS: dict[str, Any] = {
    "rounds": 200,
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 8,
    "max_depth": 3,
    "min_data_in_leaf": 50,
    "min_sum_hessian_in_leaf": 12.5,
    "lambda_l2": 10.0,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    "max_bin": 63,
    # Every bit the same on each machine.
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class LightGBMTrainer(PlainTreesTrainer):
    """Fits and loads trees. Only a fit imports the library."""

    name = "lightgbm"
    DEFAULTS = PARAMETERS

    def libraries(self) -> dict[str, str]:
        return {name: version(name) for name in ("lightgbm", "numpy")}

    def fit(self, rows: FitRows, *, seed: int) -> PlainTrees:
        import lightgbm

        given = {**self.parameters, "seed": seed}
        data = lightgbm.Dataset(
            rows.features,
            label=rows.is_up,
            weight=rows.weight,
            params={"max_bin": given["max_bin"], "verbosity": -1, "num_threads": 1},
        )
        booster = lightgbm.train(given, data, num_boost_round=given.pop("rounds"))
        trees = [_nodes(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]
        return PlainTrees(self.name, TreeModel.from_nodes(trees, start=0.0))


def _nodes(structure: dict[str, Any]) -> list[Node]:
    """Lay the tree out, each child after its parent."""
    found: list[Node] = []
    waiting: list[tuple[dict[str, Any], int, str]] = [(structure, -1, "")]
    while waiting:
        given, parent, side = waiting.pop()
        place = len(found)
        if parent >= 0:
            found[parent] = found[parent].with_child(side, place)
        if "split_index" not in given:
            rows = float(given.get("leaf_count", 1))
            found.append(Node(number=float(given["leaf_value"]), rows=rows))
            continue
        found.append(
            Node(
                feature=int(given["split_feature"]),
                threshold=float(given["threshold"]),
                rows=float(given["internal_count"]),
            )
        )
        waiting += [(given["right_child"], place, "right"), (given["left_child"], place, "left")]
    return found
