"""What technical scores are worth beside a model, learned from what it had not seen.

Log-odds of a rise are those of the model plus a weighted sum of scores. The weights are not
negative (a score that points the wrong way is worth nothing, not its opposite) and are pulled to
zero as far as little has been seen: ridge-logistic regression with the model as offset.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Outcomes that do not overlap; with fewer the usual weights are the better guess.
MIN_MOMENTS = 200
# Before anything is seen, a weight is expected to be of this size.
_USUAL_SIZE = 0.1
MAX_WEIGHT = 2.0


def fit_factor_weights(
    scores: FloatArray,
    *,
    names: Sequence[str],
    p_up: FloatArray,
    is_up: NDArray[np.bool_],
    time_ms: NDArray[np.int64],
) -> dict[str, float] | None:
    """Return a weight of 0 or more per score; None: too little was seen, or it cannot be fitted.

    Args:
        scores: shape (n, scores), -1 to 1, of closes whose outcomes do not overlap.
        names: Of the columns.
        p_up: shape (n,), what the model said of rows it had not seen, calibrated on earlier ones.
        is_up: shape (n,), what happened.
        time_ms: shape (n,), the close: symbols of one moment count once together.
    """
    from scipy.optimize import minimize  # only trainings need it: processes that serve stay small

    _, index, counts = np.unique(time_ms, return_inverse=True, return_counts=True)
    if len(counts) < MIN_MOMENTS:
        return None
    share = 1.0 / counts[index]
    bounded = np.clip(p_up, 1e-6, 1.0 - 1e-6)
    offset = np.log(bounded / (1.0 - bounded))
    # The intercept takes what the base rate was off by, and is not used.
    columns = np.column_stack([np.ones(len(p_up)), scores])
    ridge = np.array([0.0, *(1.0 / _USUAL_SIZE**2 for _ in names)])
    sign = np.where(is_up, 1.0, -1.0)

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        margin = sign * (offset + columns @ weights)
        value = float(share @ np.logaddexp(0.0, -margin)) + 0.5 * float(ridge @ weights**2)
        slope = -(share * sign / (1.0 + np.exp(np.clip(margin, -500.0, 500.0)))) @ columns
        return value, slope + ridge * weights

    found = minimize(
        loss,
        np.zeros(columns.shape[1]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None), *((0.0, MAX_WEIGHT) for _ in names)],
    )
    if not found.success or not np.isfinite(found.x).all():
        return None
    return dict(zip(names, np.round(found.x[1:], 6).tolist(), strict=True))


def read_weights(data: Mapping[str, Any] | None) -> dict[str, float] | None:
    """Read stored weights; None: there are none.

    Raises:
        TypeError, ValueError: One is no number from 0 to `MAX_WEIGHT`.
    """
    if data is None:
        return None
    found = {str(name): float(weight) for name, weight in data.items()}
    for name, weight in found.items():
        if not (math.isfinite(weight) and 0.0 <= weight <= MAX_WEIGHT):
            raise ValueError(f"the weight of {name} must be from 0 to {MAX_WEIGHT}, was {weight}")
    return found
