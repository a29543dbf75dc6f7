"""Names of features: ``rsi_14``, ``rsi_14@4h``, ``return_6#BTCUSDT``, ``taker_3~1``.

``name_period`` is the feature; ``@`` takes it of a longer candle, ``#`` of another symbol, ``~``
of so many bars earlier. ``external_sentiment`` is the newest known value of a series that is no
candle.
"""

from dataclasses import dataclass
from functools import lru_cache

from mlmodels.domain.indicators import context, price, volume  # noqa: F401 - they register
from mlmodels.domain.indicators.bars import sigma_bars_of
from mlmodels.domain.indicators.registry import Feature, Sees, get_feature, has_feature

EXTERNAL = "external_"
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One column, as its name says it.

    Attributes:
        name: The whole of it.
        feature: What is computed; None for an external series.
        period: 0 where the feature has none.
        ratio: Base candles per bar; 1 for the candles themselves.
        symbol: Of a reference; empty for the symbol itself.
        shift: Bars earlier.
        series: Key of an external series; empty for a feature.
    """

    name: str
    feature: Feature | None
    period: int = 0
    ratio: int = 1
    symbol: str = ""
    shift: int = 0
    series: str = ""

    @property
    def warmup(self) -> int:
        """Closed candles that a row needs."""
        if self.feature is None or self.feature.sees is Sees.MOMENT:
            return 1
        bars = max(self.feature.bars(self.period), sigma_bars_of(self.ratio)) + self.shift
        return bars if self.ratio == 1 else self.ratio * (bars + 1)


@lru_cache(maxsize=4096)
def parse_term(name: str, interval_ms: int) -> Term:
    """Read a column's name.

    Raises:
        ValueError: It names no registered feature, or does not fit candles of `interval_ms`.
    """
    if name.startswith(EXTERNAL):
        return Term(name=name, feature=None, series=name.removeprefix(EXTERNAL))
    rest, _, shift = name.partition("~")
    rest, _, symbol = rest.partition("#")
    stem, _, timeframe = rest.partition("@")
    found, period = _feature_of(stem, name)
    plain = found.sees is not Sees.BARS and (shift or symbol or timeframe)
    if plain:
        raise ValueError(f"{name!r}: only features of candles take @, # and ~")
    return Term(
        name=name,
        feature=found,
        period=period,
        ratio=_ratio(timeframe, interval_ms, name) if timeframe else 1,
        symbol=symbol,
        shift=_number(shift, name) if shift else 0,
    )


def parse_timeframe_ms(text: str) -> int:
    """Return the milliseconds of a length such as ``4h``.

    Raises:
        ValueError: It is not one.
    """
    if len(text) < 2 or text[-1] not in _UNITS_MS or not text[:-1].isdigit():
        raise ValueError(f"a timeframe looks like 15m, 4h or 1d, was {text!r}")
    return int(text[:-1]) * _UNITS_MS[text[-1]]


def _feature_of(stem: str, name: str) -> tuple[Feature, int]:
    if has_feature(stem):
        found, period = get_feature(stem), 0
    else:
        before, _, digits = stem.rpartition("_")
        found = get_feature(before if digits.isdigit() and before else stem)
        period = _number(digits, name)
    if found.is_periodic is (period == 0):
        needs = "needs a" if found.is_periodic else "takes no"
        raise ValueError(f"{name!r}: {found.name} {needs} period")
    return found, period


def _ratio(timeframe: str, interval_ms: int, name: str) -> int:
    length = parse_timeframe_ms(timeframe)
    if length <= interval_ms or length % interval_ms or _UNITS_MS["d"] % length:
        raise ValueError(
            f"{name!r}: {timeframe} must be a multiple of the candle and divide the day"
        )
    return length // interval_ms


def _number(text: str, name: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"{name!r}: {text!r} is not a number of bars")
    return int(text)
