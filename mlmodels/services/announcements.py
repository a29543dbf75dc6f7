"""What people and pages hear of models."""

from collections.abc import Sequence
from datetime import datetime

from alerts.domain.severity import Severity
from alerts.push import PredictionMessage, publish
from alerts.services.raising import raise_alert
from markets.selectors import list_rules
from mlmodels.domain.lifecycle import ModelState, Verdict
from mlmodels.domain.prediction import PredictionView
from mlmodels.models import ModelVersion
from mlmodels.ports import ArtifactError


def announce_predictions(
    views: Sequence[PredictionView], *, timeframe: str, close_time: datetime
) -> None:
    """Push the predictions of one close to the pages, as one message."""
    rules = list_rules([view.instrument_id for view in views])
    messages: list[PredictionMessage] = [
        {
            "type": "prediction",
            "at": close_time,
            "symbol": rules[view.instrument_id].symbol,
            "timeframe": timeframe,
            "close_time": close_time,
            "state": view.state.value,
            "model_name": view.model_name or None,
            "horizon_bars": view.horizon_bars,
            "p_up": view.p_up,
            "expected_return": view.expected_return,
            "lower": view.lower,
            "upper": view.upper,
        }
        for view in views
        if view.instrument_id in rules
    ]
    publish(*messages)


def announce_training(
    *, scope: str, model_name: str, done: int, total: int, stage: str, at: datetime
) -> None:
    """Push how far a training is."""
    publish(
        {
            "type": "training",
            "at": at,
            "run_id": None,
            "model_name": model_name,
            "stage": stage,
            "progress": done / total if total else 1.0,
            "detail": {"timeframe": scope},
        }
    )


def announce_version(version: ModelVersion, *, now: datetime) -> None:
    """Warn when what predicts has no skill, or when a new version was turned down."""
    if version.state == ModelState.CHAMPION and version.verdict == Verdict.NO_SKILL:
        raise_alert(
            code="MODEL_NO_SKILL",
            severity="WARNING",
            message=f"The model of {version.scope} shows no skill over all symbols together; "
            "predictions without skill are not traded on.",
            context={"model_version_id": version.pk, "timeframe": version.scope},
            dedupe_key=f"MODEL_NO_SKILL:{version.scope}",
            now=now,
        )
    if version.state == ModelState.REJECTED:
        raise_alert(
            code="MODEL_REJECTED",
            severity="INFO",
            message=f"A new model of {version.scope} does not replace the present one: "
            f"{version.state_reason}",
            context={"model_version_id": version.pk, "timeframe": version.scope},
            dedupe_key=f"MODEL_REJECTED:{version.scope}",
            now=now,
        )


def announce_change(
    *, code: str, severity: Severity | str, scope: str, version_id: int, message: str, now: datetime
) -> None:
    """Tell people that watching changed what predicts, or how far it is believed."""
    raise_alert(
        code=code,
        severity=severity,
        message=message,
        context={"model_version_id": version_id, "timeframe": scope},
        dedupe_key=f"{code}:{scope}:{version_id}",
        now=now,
    )


def announce_stopped(*, scope: str, trigger: str, now: datetime) -> None:
    """Warn that training again and again does not silence an alarm: somebody must look."""
    raise_alert(
        code="MODEL_TRAINING_IN_VAIN",
        severity="WARNING",
        message=f"Training for {scope} was asked for by {trigger!r} three times and did not help; "
        "the next one comes with the interval. Look at the model's page.",
        context={"timeframe": scope, "trigger": trigger},
        dedupe_key=f"MODEL_TRAINING_IN_VAIN:{scope}:{trigger}",
        now=now,
    )


def announce_no_numbers(*, version_id: int, count: int, scope: str, now: datetime) -> None:
    """Shout that a model answers with NaN or infinity; nothing is traded on such an answer."""
    raise_alert(
        code="MODEL_NO_NUMBERS",
        severity="ERROR",
        message=f"The model of {scope} gave no usable number for {count} symbols",
        context={"model_version_id": version_id, "timeframe": scope, "symbols": count},
        dedupe_key=f"MODEL_NO_NUMBERS:{scope}:{version_id}",
        now=now,
    )


def announce_failure(*, run_id: int, scope: str, error: BaseException, now: datetime) -> None:
    """Warn that a training failed; the present model goes on predicting."""
    raise_alert(
        code="MODEL_TRAINING_FAILED",
        severity="WARNING",
        message=f"Training for {scope} failed: {error}",
        context={"run_id": run_id, "timeframe": scope},
        dedupe_key=f"MODEL_TRAINING_FAILED:{scope}",
        now=now,
    )


def announce_unusable(*, scope: str, error: ArtifactError, now: datetime) -> None:
    """Shout that the champion cannot be used: nothing is predicted until someone acts."""
    raise_alert(
        code=error.code,
        severity="CRITICAL",
        message=f"Model predictions unavailable: the model of {scope} cannot be used "
        f"({error.message}). Train again with `manage.py retrain --timeframe {scope}`.",
        context={"timeframe": scope, **error.context},
        dedupe_key=f"{error.code}:{scope}",
        now=now,
    )
