"""The list of features: one function and one registration each (docs/adding-a-feature.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.indicators.arithmetic import FloatArray
from mlmodels.domain.indicators.bars import Bars


class Sees(StrEnum):
    """What a feature is a function of."""

    BARS = "BARS"  # candles of one length; may be taken of another symbol and earlier bars
    MOMENT = "MOMENT"  # the time of the close
    MARKET = "MARKET"  # the symbol's candles and those of the reference symbols


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What the reference symbols did, on the rows of one symbol.

    Attributes:
        own: The symbol's candles.
        others: The references' candles, one symbol stacked on the other.
        is_known: shape (references, rows); False where a reference lacks a candle.
    """

    own: Bars
    others: Bars
    is_known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A registered feature.

    Attributes:
        name: Letters and underscores.
        function: ``(bars, period)``, ``(close_time_ms)`` or ``(market, period)``; returns
            finite float64 of shape (symbols, rows), ``(rows,)`` for MOMENT.
        sees: What it is given.
        bars: Closes that a row needs, by period.
        is_periodic: Whether its name ends with a period.
        version: Raise with every change of the formula: older models are then refused.
    """

    name: str
    function: Callable[..., FloatArray]
    sees: Sees
    bars: Callable[[int], int]
    is_periodic: bool
    version: int


_FEATURES: dict[str, Feature] = {}


def feature(
    name: str,
    *,
    bars: Callable[[int], int] | int = 1,
    sees: Sees = Sees.BARS,
    is_periodic: bool = True,
    version: int = 1,
) -> Callable[[Callable[..., FloatArray]], Callable[..., FloatArray]]:
    """Register the decorated function; see ``Feature`` for the arguments.

    Raises:
        ValueError: The name is taken or malformed.
    """
    if not name.replace("_", "").isalnum() or not name.islower():
        raise ValueError(f"a feature's name is lower-case letters and underscores, was {name!r}")

    def register(function: Callable[..., FloatArray]) -> Callable[..., FloatArray]:
        if name in _FEATURES:
            raise ValueError(f"there is a feature {name!r} already")
        needed = bars if callable(bars) else _constant(bars)
        _FEATURES[name] = Feature(
            name=name,
            function=function,
            sees=sees,
            bars=needed,
            is_periodic=is_periodic,
            version=version,
        )
        return function

    return register


def unregister(name: str) -> None:
    """Forget a feature, for tests of plug-ins."""
    _FEATURES.pop(name, None)


def get_feature(name: str) -> Feature:
    """Return a registered feature.

    Raises:
        ValueError: There is none of that name.
    """
    try:
        return _FEATURES[name]
    except KeyError:
        raise ValueError(
            f"there is no feature {name!r}; registered are {', '.join(sorted(_FEATURES))}"
        ) from None


def has_feature(name: str) -> bool:
    """Tell whether a feature of that name is registered."""
    return name in _FEATURES


def list_features() -> Sequence[Feature]:
    """Return all features by name."""
    return [_FEATURES[name] for name in sorted(_FEATURES)]


def _constant(bars: int) -> Callable[[Any], int]:
    return lambda _period: bars
