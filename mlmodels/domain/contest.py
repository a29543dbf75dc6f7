"""Who predicts better, and has the champion lost its skill? On outcomes that came afterwards."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mlmodels.domain.evaluation import OutOfFold, information_coefficient
from mlmodels.domain.statistics import FloatArray, HacMean, hac_lags, mean_per_moment, newey_west

# A challenger is looked at once a day. Shared among ninety looks, 5 % a quarter are 0.06 % each.
SUPERIOR_T = 3.26
MIN_SHADOW_ROWS = 500
# One-sided 1 %.
WORSE_T = 2.33
ROLLBACK_ROWS = 200
SKILL_ROWS = 500
# One-sided 5 %.
AGAIN_T = 1.645


class Standing(StrEnum):
    """How a challenger stands."""

    SUPERIOR = "SUPERIOR"
    INFERIOR = "INFERIOR"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A comparison on common rows.

    Attributes:
        gain: Brier loss of the other less that of the one; above 0 the one is better.
        rows: Common predictions.
    """

    gain: HacMean
    rows: int


def compare(one: OutOfFold, other: OutOfFold, *, horizon_bars: int) -> Contest | None:
    """Compare two models on the same rows, in the same order; None without rows."""
    if not len(one.p_up):
        return None
    gain = _brier(other.p_up, other) - _brier(one.p_up, one)
    tested = newey_west(mean_per_moment(gain, one.time_ms), lags=hac_lags(horizon_bars))
    return Contest(gain=tested, rows=len(one.p_up))


def stand(contest: Contest | None) -> Standing:
    """Return whether a challenger has shown that it is better, or worse, than the champion."""
    if contest is None or contest.rows < MIN_SHADOW_ROWS or contest.gain.t is None:
        return Standing.UNDECIDED
    if contest.gain.t >= SUPERIOR_T:
        return Standing.SUPERIOR
    return Standing.INFERIOR if contest.gain.t <= -WORSE_T else Standing.UNDECIDED


def must_roll_back(champion: OutOfFold, previous: OutOfFold, *, horizon_bars: int) -> bool:
    """Tell whether the champion is worse than the one before it and than no model at all.

    Args:
        champion: Rows that both predicted, the newest `ROLLBACK_ROWS` are judged.
        previous: The same rows.
        horizon_bars: Candles ahead.
    """
    if len(champion.p_up) < ROLLBACK_ROWS:
        return False
    newest = np.arange(len(champion.p_up)) >= len(champion.p_up) - ROLLBACK_ROWS
    own, other = champion.where(newest), previous.where(newest)
    lags = hac_lags(horizon_bars)
    losses = (_brier(other.p_up, other), _brier(own.base_rate, own))
    tests = [
        newey_west(mean_per_moment(loss - _brier(own.p_up, own), own.time_ms), lags=lags).t
        for loss in losses
    ]
    return all(t is not None and t <= -WORSE_T for t in tests)


def has_lost_skill(rows: OutOfFold, *, horizon_bars: int) -> bool | None:
    """Tell whether live outcomes deny the skill; None: they neither deny nor confirm it.

    Both the correlation and the probabilities must be worse than nothing. Before a suspended model
    is believed again both must be better, and the correlation by more than luck: outcomes without
    skill wander around nothing, and would switch it off and on for ever.
    """
    if len(rows.p_up) < SKILL_ROWS:
        return None
    newest = rows.where(np.arange(len(rows.p_up)) >= len(rows.p_up) - SKILL_ROWS)
    found = information_coefficient(
        newest, newest.p_up - newest.base_rate, lags=hac_lags(horizon_bars)
    )
    gain = float(np.mean(_brier(newest.base_rate, newest) - _brier(newest.p_up, newest)))
    if found is None or found.t is None:
        return None
    if found.t < 0 and gain < 0:
        return True
    return False if found.t >= AGAIN_T and gain > 0 else None


def _brier(probability: FloatArray, rows: OutOfFold) -> FloatArray:
    loss: FloatArray = (probability - (rows.forward_return > 0)) ** 2
    return loss
