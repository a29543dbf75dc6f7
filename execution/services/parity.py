"""Holding what ran against a replay of the same moments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.services.raising import raise_alert
from core.clock import to_ms
from execution.backtest.findings import Findings
from execution.backtest.forecasts import Forecaster
from execution.backtest.parity import compare_decisions
from execution.backtest.parity_orders import compare_orders
from execution.backtest.parity_predictions import compare_predictions
from execution.backtest.series import Series
from execution.models import Decision
from execution.services.parity_rows import (
    live_decision,
    live_orders,
    load_books,
    prediction_view,
)
from markets.domain.timeframe import Timeframe
from markets.selectors import list_revised_closes, list_rules, load_window
from markets.services.windows import CAPACITY
from mlmodels.domain.surroundings import Surroundings
from mlmodels.selectors import list_predictions
from mlmodels.services.inputs import ids_of, load_surroundings
from sentiment.domain.view import SentimentHistory
from sentiment.selectors import list_view_history

_WARMUP_BARS = CAPACITY  # as much as a live model or factor can look back

LoadModels = Callable[[Iterable[int]], Mapping[int, Forecaster]]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Closes of one timeframe, with what all its symbols share.

    Attributes:
        start: First close.
        end: The first close that is left out.
        around: What the models' features need besides a symbol's own candles.
        revised_ms: Closes of the references' candles that were changed later.
    """

    timeframe: Timeframe
    start: datetime
    end: datetime
    models: Mapping[int, Forecaster]
    around: Surroundings
    revised_ms: Sequence[int]

    @property
    def warmup_start(self) -> datetime:
        return self.start - _WARMUP_BARS * self.timeframe.delta


def check_parity(
    *, start: datetime, end: datetime, load_models: LoadModels, progress: Progress
) -> Findings:
    """Compare everything that was decided in [start, end) with a replay.

    Args:
        start: First close.
        end: The first close that is left out.
        load_models: Gives the model of each version id, as far as its files can be used.
        progress: Hears of the series that are done.
    """
    findings = Findings()
    rows = Decision.objects.filter(close_time__gte=start, close_time__lt=end)
    pairs = list(
        rows.order_by("timeframe", "instrument_id")
        .values_list("timeframe", "instrument_id")
        .distinct()
    )
    versions = set(
        list_predictions()
        .filter(close_time__gte=start, close_time__lt=end, is_shadow=False)
        .order_by()
        .values_list("model_version_id", flat=True)
        .distinct()
    )
    models = load_models(versions)
    spans = {
        timeframe: _load_span(
            Timeframe(timeframe),
            [key for name, key in pairs if name == timeframe],
            models,
            start=start,
            end=end,
        )
        for timeframe in dict(pairs)
    }
    for step, (timeframe, instrument_id) in enumerate(pairs):
        progress(step, len(pairs), "comparing")
        own = rows.filter(timeframe=timeframe, instrument_id=instrument_id)
        _compare_series(spans[timeframe], instrument_id, own, findings)
    progress(len(pairs), len(pairs), "compared")
    return findings


def report_parity(findings: Findings, *, now: datetime) -> None:
    """Raise an alert when something differs and nobody knows why."""
    if findings.unexplained:
        raise_alert(
            code="PARITY_BROKEN",
            severity="WARNING",
            message=f"{findings.unexplained} rows differ from a replay without a known cause; "
            "`manage.py parity` shows them",
            context=findings.to_json()["counts"],
            dedupe_key="PARITY_BROKEN",
            now=now,
        )


def _load_span(
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    models: Mapping[int, Forecaster],
    *,
    start: datetime,
    end: datetime,
) -> _Span:
    first = start - _WARMUP_BARS * timeframe.delta
    specs = [model.bundle.spec for model in models.values()]
    rules = list_rules(instrument_ids)
    around = load_surroundings(
        [spec for spec in specs if spec.interval_ms == timeframe.ms],
        timeframe=timeframe,
        symbols={key: found.symbol for key, found in rules.items()},
        start=first,
        end=end,
    )
    revised = {
        moment
        for key in ids_of(around.references).values()
        for moment in list_revised_closes(
            instrument_id=key, timeframe=timeframe, start=first, end=end
        )
    }
    return _Span(
        timeframe=timeframe,
        start=start,
        end=end,
        models=models,
        around=around,
        revised_ms=sorted(revised),
    )


def _compare_series(span: _Span, instrument_id: int, rows: Any, findings: Findings) -> None:
    timeframe = span.timeframe
    candles = load_window(
        instrument_id=instrument_id,
        timeframe=timeframe.value,
        start=span.warmup_start,
        end=span.end + timeframe.delta,
    )
    rules = list_rules([instrument_id])[instrument_id]
    series = Series(rules=rules, timeframe=timeframe, candles=candles)
    revised = list_revised_closes(
        instrument_id=instrument_id,
        timeframe=timeframe,
        start=span.warmup_start,
        end=span.end,
    )
    stored = list(
        list_predictions()
        .filter(
            instrument_id=instrument_id,
            timeframe=timeframe.value,
            close_time__gte=span.start,
            close_time__lt=span.end,
            is_shadow=False,
        )
        .order_by("close_time", "id")
    )
    compare_predictions(
        series,
        [prediction_view(row) for row in stored],
        [to_ms(row.close_time) for row in stored],
        span.models,
        span.around,
        [*revised, *span.revised_ms],
        findings,
    )
    decisions = list(rows.select_related("strategy", "prediction").order_by("close_time", "id"))
    books = load_books(decisions, instrument_id)
    moods = SentimentHistory(
        list_view_history(instrument_ids=[instrument_id], start=span.start, end=span.end)
    )
    lived = [live_decision(row, rules.symbol, timeframe, books, moods) for row in decisions]
    compare_decisions(series, lived, revised, findings)
    compare_orders(rules, series, live_orders(decisions, rules.symbol, books), findings)
