from mlmodels.models.model_version import ModelAlias, ModelVersion
from mlmodels.models.prediction import Prediction
from mlmodels.models.settings import MLSettings
from mlmodels.models.training_run import TrainingRun

__all__ = ["MLSettings", "ModelAlias", "ModelVersion", "Prediction", "TrainingRun"]
