"""Technical scores at the closes that a model was judged on. Knows no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from markets.domain.technicals import DIRECTIONS, SCORE_BARS, technical_scores
from mlmodels.domain.dataset import FloatArray, IntArray
from mlmodels.domain.evaluation import OutOfFold
from mlmodels.domain.factor_weights import fit_factor_weights
from mlmodels.domain.label_spec import LabelSpec

# The newest moments: a score takes a tenth of a millisecond.
MOST_MOMENTS = 1000


class Closes(Protocol):
    """The part of candles that scores are made of."""

    @property
    def open_time_ms(self) -> IntArray: ...
    @property
    def close(self) -> FloatArray: ...


@dataclass(frozen=True, slots=True, eq=False)
class ClosesOnly:
    """Just these two columns, for processes that are sent them."""

    open_time_ms: IntArray
    close: FloatArray


def learn_weights(
    judged: OutOfFold, candles: Mapping[int, Closes], *, label: LabelSpec, interval_ms: int
) -> dict[str, float] | None:
    """Fit what the technical scores add to a model on rows that it had not seen.

    None: too few outcomes, or the label stands on the side of a rule, where up is not the price's.

    Args:
        judged: Out-of-fold predictions.
        candles: By instrument id; what lies after a row's close is not looked at.
        label: What was learned.
        interval_ms: Of the candles.
    """
    if label.primary:
        return None
    # Outcomes of a horizon's every candle overlap: one close per horizon says as much.
    moments = np.unique(judged.time_ms)[:: -label.horizon_bars][:MOST_MOMENTS]
    rows = judged.where(np.isin(judged.time_ms, moments))
    scores = [
        _scores_at(candles[group], moment, interval_ms)
        for group, moment in zip(rows.group.tolist(), rows.time_ms.tolist(), strict=True)
    ]
    return fit_factor_weights(
        np.array(scores).reshape(len(scores), len(DIRECTIONS)),
        names=DIRECTIONS,
        p_up=rows.p_up,
        is_up=rows.forward_return > 0,
        time_ms=rows.time_ms,
    )


def _scores_at(candles: Closes, close_ms: int, interval_ms: int) -> list[float]:
    """Return the directions' scores at a close, by the function that decisions use."""
    end = int(np.searchsorted(candles.open_time_ms, close_ms - interval_ms, side="right"))
    window = slice(max(0, end - SCORE_BARS), end)
    found = technical_scores(
        candles.open_time_ms[window], candles.close[window], interval_ms=interval_ms
    )
    by_name = {score.name: score.score for score in found}
    return [by_name[name] for name in DIRECTIONS]
