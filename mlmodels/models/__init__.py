from mlmodels.models.evidence import (
    DriftMetric,
    GateResult,
    RetrainEvent,
    RollingMetric,
    Trial,
)
from mlmodels.models.model_version import ModelAlias, ModelVersion
from mlmodels.models.prediction import Prediction, PredictionExplanation
from mlmodels.models.search import Search, SearchEntry
from mlmodels.models.settings import MLSettings
from mlmodels.models.training_run import TrainingRun

__all__ = [
    "DriftMetric",
    "GateResult",
    "MLSettings",
    "ModelAlias",
    "ModelVersion",
    "Prediction",
    "PredictionExplanation",
    "RetrainEvent",
    "RollingMetric",
    "Search",
    "SearchEntry",
    "TrainingRun",
    "Trial",
]
