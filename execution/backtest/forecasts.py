"""Predictions made ahead in bulk: the bits of the serving path, forty times faster.

Features of a close depend on the candles before it (the symbol's and its references') and on
external values known then, and on nothing else, whatever stands beside them, and so does a model's
answer; ``tests`` hold bulk and serving against each other bit for bit.
A replay travels in time with its models: a close is predicted by the model that served then.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from execution.backtest.series import Series
from markets.domain.windows import FLOAT_FIELDS, Window
from mlmodels.domain.bundle import Bundle
from mlmodels.domain.calibration import Calibrated
from mlmodels.domain.features import FeatureMatrix, compute
from mlmodels.domain.prediction import PredictionState, PredictionView
from mlmodels.domain.surroundings import Surroundings

Floats = npt.NDArray[np.float64]

_CHUNK = 16_384  # rows at a time: the columns of one chunk stay in the cache
_NUMBERS = ("p_up", "expected_return", "lower", "upper", "sigma", "dissimilarity")
STATES = tuple(PredictionState)
# Predicted, and not settled yet whether it may be acted on.
_READY = len(STATES)


class Forecaster(Protocol):
    """A model that is ready to predict; ``mlmodels.services.serving.ServedModel`` is one."""

    @property
    def version_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def bundle(self) -> Bundle: ...
    def state_of(self, instrument_id: int) -> PredictionState: ...
    def predict(self, features: FeatureMatrix, group: npt.NDArray[np.int64]) -> Calibrated: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """From this close on, this model predicts, until the next one takes over.

    Attributes:
        from_ms: The close.
        model: What predicts.
        around: The references and external series of its features; without them those columns
            are 0 and the predictions not those of live.
        scales: How many times as wide as trained each instrument's intervals are.
    """

    from_ms: int
    model: Forecaster
    around: Surroundings = field(default_factory=Surroundings)
    scales: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecasts:
    """One prediction per candle of a series, each field of shape (n,).

    Attributes:
        state: Index into `STATES`.
        p_up: As the fields of ``PredictionView``; NaN where there is no prediction.
        dissimilarity: NaN also where no rise is expected or the model is not believed.
        served_by: Index into `serving`; -1 before the first model.
        serving: The models over time.
    """

    instrument_id: int
    state: npt.NDArray[np.uint8]
    p_up: Floats
    expected_return: Floats
    lower: Floats
    upper: Floats
    sigma: Floats
    dissimilarity: Floats
    served_by: npt.NDArray[np.int64]
    serving: tuple[Serving, ...]

    def view(self, row: int) -> PredictionView:
        """Return the prediction at the close of candle `row`, as live code gets it."""
        state = STATES[self.state[row]]
        if state is PredictionState.NO_MODEL:
            return PredictionView(instrument_id=self.instrument_id, state=state)
        model = self.serving[self.served_by[row]].model
        numbers: dict[str, Any] = {}
        if state is not PredictionState.TOO_FEW_CANDLES:
            said = ((name, float(getattr(self, name)[row])) for name in _NUMBERS)
            numbers = {name: number for name, number in said if not math.isnan(number)}
        return PredictionView(
            instrument_id=self.instrument_id,
            state=state,
            model_version_id=model.version_id,
            model_name=model.name,
            horizon_bars=model.bundle.horizon_bars,
            factor_weights=model.bundle.factor_weights,
            **numbers,
        )

    def horizon_bars(self) -> Floats:
        """Return how many candles each prediction looks ahead, NaN without a model; (n,)."""
        bars = [float(item.model.bundle.horizon_bars) for item in self.serving]
        return np.array([*bars, np.nan])[self.served_by]


def forecast(series: Series, serving: Sequence[Serving]) -> Forecasts:
    """Predict every close of a series by the model that served at that time.

    Raises:
        ValueError: The servings do not ascend in time, or a model has other features.
    """
    begins = [item.from_ms for item in serving]
    if begins != sorted(set(begins)):
        raise ValueError("models must take over one after the other")
    count = len(series)
    closes = series.close_ms
    numbers = {name: np.full(count, np.nan) for name in _NUMBERS}
    state = np.full(count, STATES.index(PredictionState.NO_MODEL), np.uint8)
    served_by = np.full(count, -1, np.int64)
    edges = [*(int(closes.searchsorted(begin)) for begin in begins), count]
    for begin, end in _runs(serving):
        is_believed = any(
            item.model.state_of(series.rules.instrument_id) is PredictionState.OK
            for item in serving[begin:end]
        )
        for first, last in _chunks(edges[begin], edges[end]):
            _predict(
                series,
                serving[begin],
                first,
                last,
                is_believed=is_believed,
                state=state,
                numbers=numbers,
            )
    for index, item in enumerate(serving):
        rows = slice(edges[index], edges[index + 1])
        served_by[rows] = index
        _settle(item, series.rules.instrument_id, state[rows], numbers, rows)
    return Forecasts(
        instrument_id=series.rules.instrument_id,
        state=state,
        served_by=served_by,
        serving=tuple(serving),
        **numbers,
    )


def _runs(serving: Sequence[Serving]) -> Iterator[tuple[int, int]]:
    """Yield first and end of servings that follow each other with one version's numbers."""
    begin = 0
    for place in range(1, len(serving) + 1):
        is_end = place == len(serving)
        if is_end or not _is_same(serving[place], serving[begin]):
            yield begin, place
            begin = place


def _is_same(one: Serving, other: Serving) -> bool:
    return one.model.bundle is other.model.bundle and one.around is other.around


def _settle(
    serving: Serving,
    instrument_id: int,
    state: npt.NDArray[np.uint8],
    numbers: Mapping[str, Floats],
    rows: slice,
) -> None:
    """Give predicted rows the state and the widths of the time at which they were served."""
    ready = state == _READY
    state[ready] = STATES.index(serving.model.state_of(instrument_id))
    scale = serving.scales.get(instrument_id, 1.0)
    if scale != 1.0:
        middle = numbers["expected_return"][rows]
        for name in ("lower", "upper"):
            numbers[name][rows] = middle + (numbers[name][rows] - middle) * scale


def serving_at(serving: Sequence[Serving], close_ms: int) -> Serving | None:
    """Return what served at a close; None: nothing did."""
    place = bisect_right([item.from_ms for item in serving], close_ms)
    return serving[place - 1] if place else None


def _chunks(first: int, last: int) -> Iterator[tuple[int, int]]:
    for begin in range(first, last, _CHUNK):
        yield begin, min(begin + _CHUNK, last)


def _predict(
    series: Series,
    serving: Serving,
    first: int,
    last: int,
    *,
    is_believed: bool,
    state: npt.NDArray[np.uint8],
    numbers: dict[str, Floats],
) -> None:
    """Fill the rows first..last with one model's predictions."""
    model, instrument_id = serving.model, series.rules.instrument_id
    spec = model.bundle.spec
    state[first:last] = STATES.index(PredictionState.TOO_FEW_CANDLES)
    begin = max(first, spec.warmup - 1)
    if begin >= last:
        return
    features = compute(
        _cut(series.candles, begin - spec.warmup + 1, last),
        spec,
        references=serving.around.references,
        series=serving.around.series.get(instrument_id),
    )
    group = np.full(last - begin, instrument_id, np.int64)
    found = model.predict(features, group)
    ready = features.is_complete
    state[begin:last][ready] = _READY
    unusual = np.full(len(ready), np.nan)
    # Spot, long only: a veto matters where a rise is expected and believed, and it costs time.
    is_worth = ready & (found.expected_return > 0)
    if is_believed:
        unusual[is_worth] = model.bundle.cases().dissimilarity(features.values[is_worth])
    for name, column in numbers.items():
        said = unusual if name == "dissimilarity" else getattr(found, name)
        column[begin:last][ready] = said[ready]


def _cut(window: Window, first: int, last: int) -> Window:
    return Window(
        open_time_ms=window.open_time_ms[first:last],
        **{name: getattr(window, name)[first:last] for name in FLOAT_FIELDS},
    )
