"""Where a label's primary rule stands: the side that a meta-label is about."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.label_spec import LabelSpec

FloatArray = NDArray[np.float64]


def sides_of(
    label: LabelSpec, features: NDArray[np.float32], names: Sequence[str]
) -> FloatArray | None:
    """Return the side that the primary rule takes, 1 up and -1 down, shape (n,).

    Args:
        label: Which rule.
        features: shape (n, columns).
        names: Of the columns.

    Returns:
        None without a primary.

    Raises:
        ValueError: The primary is none of the columns.
    """
    if not label.primary:
        return None
    if label.primary not in names:
        raise ValueError(f"label_primary {label.primary!r} is none of the columns")
    column = features[:, list(names).index(label.primary)]
    return np.where(column < 0, -1.0, 1.0)
