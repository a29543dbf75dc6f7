"""Trees of any library as our own numbers: JSON in the store, comparisons when serving."""

import json
from collections.abc import Mapping

from mlmodels.adapters.plain_trainer import PlainModel, PlainTrainer
from mlmodels.domain.tree_model import TreeModel
from mlmodels.ports import ArtifactError, Features, FloatArray


class PlainTrees(PlainModel):
    """Trained trees."""

    def __init__(self, name: str, trees: TreeModel) -> None:
        self.name = name
        self._trees = trees

    def margins(self, features: Features) -> FloatArray:
        return self._trees.margins(features)

    def contributions(self, features: Features) -> FloatArray:
        return self._trees.contributions(features)

    def to_files(self) -> dict[str, bytes]:
        text = json.dumps(self._trees.to_json(), separators=(",", ":"))
        return {_file_of(self.name): text.encode()}


class PlainTreesTrainer(PlainTrainer):
    """What trainers of such trees share: how they are loaded."""

    name = ""

    def load(self, files: Mapping[str, bytes]) -> PlainTrees:
        file = _file_of(self.name)
        try:
            return PlainTrees(self.name, TreeModel.from_json(json.loads(files[file])))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError("the trees cannot be read", file=file) from error


def _file_of(name: str) -> str:
    return f"{name}_trees.json"
