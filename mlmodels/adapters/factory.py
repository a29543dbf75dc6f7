"""Which trainers make a recipe, and where models are kept."""

from django.conf import settings

from core.errors import InvalidInput
from mlmodels.adapters.artifact_store import FolderArtifactStore
from mlmodels.adapters.hist_trainer import HistTrainer
from mlmodels.adapters.sklearn_trainers import LogisticTrainer
from mlmodels.adapters.xgboost_trainer import XGBoostTrainer
from mlmodels.ports import ArtifactStore, Trainer

DEFAULT_RECIPE = "ensemble"
TRAINERS: tuple[type[XGBoostTrainer] | type[LogisticTrainer] | type[HistTrainer], ...] = (
    XGBoostTrainer,
    LogisticTrainer,
    HistTrainer,
)
RECIPES: dict[str, tuple[type[XGBoostTrainer] | type[LogisticTrainer] | type[HistTrainer], ...]] = {
    "ensemble": (XGBoostTrainer, LogisticTrainer),
    "xgboost": (XGBoostTrainer,),
    "logistic": (LogisticTrainer,),
    "hist": (HistTrainer,),
    "trio": (XGBoostTrainer, HistTrainer, LogisticTrainer),
}


def get_trainers(recipe: str = DEFAULT_RECIPE) -> tuple[Trainer, ...]:
    """Return the members of `recipe`.

    Raises:
        InvalidInput: There is no such recipe.
    """
    if recipe not in RECIPES:
        raise InvalidInput(
            f"model must be one of {', '.join(RECIPES)}, was {recipe!r}",
            field="model",
            value=recipe,
        )
    return tuple(trainer() for trainer in RECIPES[recipe])


def get_all_trainers() -> dict[str, Trainer]:
    """Return every trainer by name, for loading."""
    return {trainer.name: trainer() for trainer in TRAINERS}


def get_artifact_store() -> ArtifactStore:
    """Return the store under ``MODEL_DIR``."""
    return FolderArtifactStore(settings.MODEL_DIR)
