"""Which trainers make a recipe, and where models are kept."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from core.errors import InvalidInput
from mlmodels.adapters.artifact_store import FolderArtifactStore
from mlmodels.adapters.hist_trainer import HistTrainer
from mlmodels.adapters.lightgbm_trainer import LightGBMTrainer
from mlmodels.adapters.sklearn_trainers import LogisticTrainer
from mlmodels.adapters.tft_trainer import TFTTrainer
from mlmodels.adapters.xgboost_trainer import XGBoostTrainer
from mlmodels.ports import ArtifactStore, Trainer

DEFAULT_RECIPE = "ensemble"
_Kind = (
    type[XGBoostTrainer]
    | type[LogisticTrainer]
    | type[HistTrainer]
    | type[LightGBMTrainer]
    | type[TFTTrainer]
)
TRAINERS: tuple[_Kind, ...] = (
    XGBoostTrainer,
    LogisticTrainer,
    HistTrainer,
    LightGBMTrainer,
    TFTTrainer,
)
RECIPES: dict[str, tuple[_Kind, ...]] = {
    "ensemble": (XGBoostTrainer, LogisticTrainer),
    "xgboost": (XGBoostTrainer,),
    "logistic": (LogisticTrainer,),
    "hist": (HistTrainer,),
    "lightgbm": (LightGBMTrainer,),
    "tft": (TFTTrainer,),
    "trio": (XGBoostTrainer, HistTrainer, LogisticTrainer),
}


def get_trainers(
    recipe: str = DEFAULT_RECIPE, *, changes: Mapping[str, Any] | None = None
) -> tuple[Trainer, ...]:
    """Return the members of `recipe`, with some of their figures changed.

    Raises:
        InvalidInput: There is no such recipe.
    """
    if recipe not in RECIPES:
        raise InvalidInput(
            f"model must be one of {', '.join(RECIPES)}, was {recipe!r}",
            field="model",
            value=recipe,
        )
    return tuple(trainer(changes) for trainer in RECIPES[recipe])


def get_changed_trainers(recipe: str, figures: Mapping[str, Any]) -> tuple[Trainer, ...]:
    """Return the members of `recipe` as a search's trial turns them."""
    return get_trainers(recipe, changes=figures)


def get_all_trainers() -> dict[str, Trainer]:
    """Return every trainer by name, for loading."""
    return {trainer.name: trainer() for trainer in TRAINERS}


def get_artifact_store() -> ArtifactStore:
    """Return the store under ``MODEL_DIR``."""
    return FolderArtifactStore(settings.MODEL_DIR)
