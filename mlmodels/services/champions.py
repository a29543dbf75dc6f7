"""Whose word counts at a close, as a recorded session knows it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core import serializers

from core.recording.tape import told
from mlmodels.models import ModelVersion
from mlmodels.selectors import ChampionView, get_champion

KIND = "champion"
# Of this process: a version's rows are told once, when it is first seen.
_seen: set[int] = set()


def read_champion(scope: str) -> ChampionView | None:
    """Return the champion of `scope`; what a training has changed comes from the tape."""
    document = told(KIND, lambda: _describe(scope))
    if document is None:
        return None
    view = document["view"]
    return ChampionView(
        **{
            **view,
            "trained_until": datetime.fromisoformat(view["trained_until"]),
            "artifact_id": UUID(view["artifact_id"]),
            "interval_scales": {int(key): scale for key, scale in view["interval_scales"].items()},
        }
    )


def _describe(scope: str) -> dict[str, Any] | None:
    view = get_champion(scope)
    if view is None:
        return None
    rows = "[]"
    if view.version_id not in _seen:
        _seen.add(view.version_id)
        version = ModelVersion.objects.select_related("run").get(pk=view.version_id)
        rows = serializers.serialize("json", [version.run, version])
    document = {
        **asdict(view),
        "trained_until": view.trained_until.isoformat(),
        "artifact_id": str(view.artifact_id),
        "interval_scales": {str(key): scale for key, scale in view.interval_scales.items()},
    }
    return {"view": document, "rows": rows}


def keep_rows(document: dict[str, Any] | None) -> None:
    """Store the rows of a version that was trained within a session, before it predicts."""
    for found in serializers.deserialize("json", document["rows"] if document else "[]"):
        if not type(found.object)._default_manager.filter(pk=found.object.pk).exists():
            found.save()
