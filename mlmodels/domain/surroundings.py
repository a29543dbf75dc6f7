"""What features need besides a symbol's own candles, over a stretch of history."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlmodels.domain.features import Candles, PointSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Reference symbols and external series; what is missing counts as not known, as live.

    Attributes:
        references: Candles by symbol, from a warm-up before the first row that is asked for.
        series: External series by instrument id, then by key.
    """

    references: Mapping[str, Candles] = field(default_factory=dict)
    series: Mapping[int, Mapping[str, PointSeries]] = field(default_factory=dict)
