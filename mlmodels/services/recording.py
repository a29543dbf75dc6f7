"""Writing a trained version down: its run, its trial, its gates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.clock import from_ms
from mlmodels.domain.evaluation import Evaluation
from mlmodels.domain.feature_spec import FeatureSpec
from mlmodels.domain.gates import Gate
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.domain.lifecycle import ModelState, RunStatus
from mlmodels.domain.selection import CLAIM, deflated_sharpe
from mlmodels.models import GateResult, ModelVersion, TrainingRun, Trial
from mlmodels.ports import StoredArtifact, Trainer
from mlmodels.services.materials import Material
from mlmodels.services.refresh import Candidate

_SAMPLE = 512


def record_version(
    run: TrainingRun,
    *,
    material: Material,
    candidate: Candidate,
    trainers: Sequence[Trainer],
    artifact: StoredArtifact,
    duration_s: float,
    now: datetime,
) -> ModelVersion:
    """Close the run, note the trial and store its version as a candidate with its gates."""
    dataset, pooled = material.dataset, candidate.fitted.pooled
    data_sha256 = dataset.sha256()
    libraries: dict[str, str] = {}
    for trainer in trainers:
        libraries.update(trainer.libraries())
    TrainingRun.objects.filter(pk=run.pk).update(
        status=RunStatus.SUCCEEDED,
        data_sha256=data_sha256,
        spec_hash=candidate.spec_hash,
        libraries=libraries,
        rows=len(dataset),
        data_from=material.data_from,
        revisions=material.revisions,
        duration_s=duration_s,
        finished_at=now,
    )
    run.rows = len(dataset)
    note_trial(
        scope=run.scope,
        recipe=run.recipe,
        label=candidate.label,
        choice={"spec_hash": candidate.spec_hash, "seed": run.seed, "trigger": run.trigger},
        data_sha256=data_sha256,
        found=pooled,
        run=run,
        now=now,
    )
    version = _create(
        run,
        candidate,
        artifact,
        spec=material.spec,
        trained_until_ms=int(dataset.end_ms.max()),
        now=now,
    )
    _write_gates(version, (*candidate.gates, *pooled.gates))
    return version


def note_trial(
    *,
    scope: str,
    recipe: str,
    label: LabelSpec,
    choice: Mapping[str, Any],
    data_sha256: str,
    found: Evaluation,
    run: TrainingRun | None,
    now: datetime,
) -> Trial:
    """Write one judged configuration into the trial ledger: luck grows with every try."""
    return Trial.objects.create(
        scope=scope,
        recipe=recipe,
        horizon_bars=label.horizon_bars,
        choice={**choice, "label": label.to_json()},
        data_sha256=data_sha256,
        verdict=found.verdict,
        ic=found.ic,
        ic_t=found.ic_t,
        brier_skill=found.brier_skill,
        sharpe=found.economics["sharpe"],
        run=run,
        created_at=now,
    )


def _create(
    run: TrainingRun,
    candidate: Candidate,
    artifact: StoredArtifact,
    *,
    spec: FeatureSpec,
    trained_until_ms: int,
    now: datetime,
) -> ModelVersion:
    fitted = candidate.fitted
    sample = candidate.dataset.features[-_SAMPLE:]
    insight = {member.name: member.insight(sample) for member in fitted.members}
    metrics = {
        **fitted.pooled.to_json(),
        "claim": economic_claim(run, fitted.pooled),
        "insight": {name: seen for name, seen in insight.items() if seen},
    }
    return ModelVersion.objects.create(
        run=run,
        name=f"{run.recipe} {run.scope} h{run.horizon_bars}",
        scope=run.scope,
        recipe=run.recipe,
        horizon_bars=run.horizon_bars,
        state=ModelState.CANDIDATE,
        verdict=fitted.pooled.verdict,
        metrics=metrics,
        symbol_metrics={str(key): found.to_json() for key, found in fitted.by_group.items()},
        spec_hash=candidate.spec_hash,
        feature_spec=spec.to_json(),
        label=candidate.label.to_json(),
        trained_until=from_ms(trained_until_ms),
        artifact_id=artifact.artifact_id,
        manifest_sha256=artifact.manifest_sha256,
        created_at=now,
    )


def economic_claim(run: TrainingRun, found: Evaluation) -> dict[str, float | bool | None]:
    """Return whether a profit may be claimed: after all trials of the scope, and per trade.

    `deflated_sharpe` counts every configuration that the ledger holds; closes are worth one
    independent outcome per horizon.
    """
    shown = found.economics
    trials = Trial.objects.filter(scope=run.scope).count()
    sharpe, low = shown["sharpe"], shown["net_bps_low"]
    if sharpe is None:
        return {"deflated_sharpe": None, "trials": trials, "is_allowed": False}
    deflated = deflated_sharpe(
        sharpe,
        trials=trials,
        count=(shown["moments"] or 0.0) / run.horizon_bars,
        skew=shown["skew"] or 0.0,
        kurtosis=shown["kurtosis"] or 3.0,
    )
    is_allowed = deflated >= CLAIM and low is not None and low > 0
    return {"deflated_sharpe": deflated, "trials": trials, "is_allowed": is_allowed}


def _write_gates(version: ModelVersion, gates: Sequence[Gate]) -> None:
    GateResult.objects.bulk_create(
        GateResult(
            version=version,
            name=gate.name,
            number=gate.number,
            needed=gate.needed,
            is_passed=gate.is_passed,
        )
        for gate in gates
    )
