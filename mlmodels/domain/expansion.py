"""Which columns: the default set, and more by configuration.

The parameters carry FreqAI's names where they mean the same: ``include_timeframes``,
``indicator_periods_candles``, ``include_shifted_candles``, ``include_corr_pairlist``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from mlmodels.domain.indicators.registry import Sees
from mlmodels.domain.indicators.terms import EXTERNAL, parse_term, parse_timeframe_ms

_LADDER = ("5m", "15m", "1h", "4h", "1d")
_DAY_MS = 86_400_000

_OWN = (
    *(f"return_{k}" for k in (1, 2, 3, 6, 12, 24, 48)),
    *(f"ema_gap_{k}" for k in (6, 12, 24)),
    "ema_cross_24",
    "macd_slope_24",
    "rsi_7",
    "rsi_14",
    "straightness_12",
    "straightness_48",
    "volatility_6_48",
    "volatility_24",
    "downside_24",
    "skew_24",
    "band_20",
    "range_1",
    "range_ratio_6",
    "place_1",
    "place_24",
    "place_96",
    "volume_z_48",
    "volume_ratio_6",
    *(f"taker_{k}" for k in (1, 3, 6, 12, 24)),
    "taker_volume_6",
    "taker_change_6",
    "on_balance_24",
    "money_flow_24",
)
_CALENDAR = ("day_sine", "day_cosine", "week_sine", "is_weekend")
_HIGHER = ("return_1", "return_3", "return_6", "ema_gap_6", "rsi_7", "place_12", "taker_3")
_HIGHEST = ("return_1", "return_3", "rsi_7", "place_7", "taker_3")
_MARKET = (
    *(f"market_{k}" for k in (1, 6, 24)),
    *(f"relative_{k}" for k in (6, 24)),
    "market_taker_6",
    "market_corr_48",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """More columns: every feature at every timeframe, period and shift, and of other symbols.

    Attributes:
        features: Registered names that are expanded.
        include_timeframes: Longer candles, such as ``4h``; the base is always in.
        indicator_periods_candles: Periods, in candles of each timeframe.
        include_shifted_candles: So many earlier bars of each column as well.
        include_corr_pairlist: Symbols whose columns are added.
        external: Keys of series that are no candles, such as ``sentiment``.
        has_defaults: Whether the default columns stay in.
    """

    features: tuple[str, ...] = ()
    include_timeframes: tuple[str, ...] = ()
    indicator_periods_candles: tuple[int, ...] = (6, 24)
    include_shifted_candles: int = 0
    include_corr_pairlist: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    has_defaults: bool = True

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Expansion":
        """Read a configuration.

        Raises:
            ValueError: A key is unknown or a value has the wrong form; the text names it.
        """
        known = {field.name: field for field in fields(cls)}
        read: dict[str, Any] = {}
        for key, given in data.items():
            if key not in known:
                raise ValueError(f"unknown key {key!r}; known are {', '.join(known)}")
            default = known[key].default
            wanted = list if isinstance(default, tuple) else type(default)
            if not isinstance(given, wanted) or isinstance(given, bool) is not (wanted is bool):
                raise ValueError(f"{key} must be a {wanted.__name__}, was {given!r}")
            read[key] = tuple(given) if isinstance(given, list) else given
        return cls(**read)

    def names(self, *, interval_ms: int) -> tuple[str, ...]:
        """Return the added columns for candles of `interval_ms`, in a fixed order.

        Raises:
            ValueError: A feature, period or timeframe does not exist or does not fit.
        """
        for timeframe in self.include_timeframes:
            _check_timeframe(timeframe, interval_ms)
        frames = ["", *(f"@{tf}" for tf in self.include_timeframes if _is_above(tf, interval_ms))]
        symbols = ["", *(f"#{symbol}" for symbol in self.include_corr_pairlist)]
        shifts = ["", *(f"~{k}" for k in range(1, self.include_shifted_candles + 1))]
        found = []
        for feature, frame, symbol, shift in product(self.features, frames, symbols, shifts):
            for stem in self._stems(feature, interval_ms):
                name = f"{stem}{frame}{symbol}{shift}"
                parse_term(name, interval_ms)
                found.append(name)
        found += [f"{EXTERNAL}{key}" for key in self.external]
        return tuple(dict.fromkeys(found))

    def _stems(self, feature: str, interval_ms: int) -> list[str]:
        try:
            term = parse_term(feature, interval_ms)
        except ValueError:
            return [f"{feature}_{period}" for period in self.indicator_periods_candles]
        if term.feature is None or term.feature.sees is not Sees.BARS:
            raise ValueError(f"{feature!r} is no feature of candles and cannot be expanded")
        return [feature]


def default_names(*, interval_ms: int, has_references: bool = False) -> tuple[str, ...]:
    """Return the default columns.

    Args:
        interval_ms: Of the candles; two longer ones of ``5m 15m 1h 4h 1d`` are added.
        has_references: Whether there are reference symbols to compare with.
    """
    longer = [frame for frame in _LADDER if _is_above(frame, interval_ms)][:2]
    names = [*_OWN, *_CALENDAR]
    for frame, stems in zip(longer, (_HIGHER, _HIGHEST), strict=False):
        names += [f"{stem}@{frame}" for stem in stems]
    if has_references:
        names += _MARKET
    return tuple(names)


def _check_timeframe(timeframe: str, interval_ms: int) -> None:
    """Refuse what can never be made of the candles; a shorter one is for another timeframe's model.

    Raises:
        ValueError: Naming it.
    """
    length = parse_timeframe_ms(timeframe)
    if _DAY_MS % length or (length > interval_ms and length % interval_ms):
        raise ValueError(
            f"include_timeframes: {timeframe!r} must divide a day and be whole candles of the model"
        )


def _is_above(timeframe: str, interval_ms: int) -> bool:
    length = parse_timeframe_ms(timeframe)
    return length > interval_ms and length % interval_ms == 0 and _DAY_MS % length == 0
