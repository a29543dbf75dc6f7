"""What features need besides a symbol's own candles: reference symbols and external series."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from core.clock import from_ms, to_ms
from core.errors import InvalidInput
from markets.domain.timeframe import Timeframe
from markets.selectors import list_rules, load_window
from mlmodels.domain.expansion import Expansion, default_names
from mlmodels.domain.features import Candles, FeatureSpec, PointSeries
from mlmodels.domain.surroundings import Surroundings
from mlmodels.ports import WindowSource
from sentiment.selectors import list_score_history, list_sentiment

# The market that a symbol is compared with: the longest-known symbols of the pool.
REFERENCES = 5
SENTIMENT = "sentiment"
_DAY = timedelta(days=1)


def choose_spec(
    *,
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    parameters: Mapping[str, object],
) -> FeatureSpec:
    """Return the columns to train on.

    Args:
        timeframe: Of the candles.
        instrument_ids: The pool; the market is that of the first `REFERENCES` of it.
        parameters: The operator's expansion, see ``domain/expansion.py``; empty: the default set.

    Raises:
        InvalidInput: `parameters` cannot be read; the text names the key.
    """
    rules = list_rules(instrument_ids)
    symbols = [rules[key].symbol for key in sorted(rules)]
    return choose_spec_for(symbols, timeframe=timeframe, parameters=parameters)


def choose_spec_for(
    symbols: Sequence[str], *, timeframe: Timeframe, parameters: Mapping[str, object]
) -> FeatureSpec:
    """Return the columns to train on over a pool of symbols, the longest-known first.

    Raises:
        InvalidInput: As ``choose_spec``.
    """
    references = tuple(symbols[:REFERENCES]) if len(symbols) > 1 else ()
    try:
        expansion = Expansion.from_json(parameters)
        names = expansion.names(interval_ms=timeframe.ms)
        if expansion.has_defaults:
            defaults = default_names(
                interval_ms=timeframe.ms,
                has_references=bool(references),
            )
            names = tuple(dict.fromkeys((*defaults, *names)))
        spec = FeatureSpec(interval_ms=timeframe.ms, names=names, references=references)
        unknown = sorted({*spec.series} - {SENTIMENT})
        if unknown:
            raise ValueError(f"external must be of {SENTIMENT}, was {', '.join(unknown)}")
        return spec
    except ValueError as error:
        raise InvalidInput(
            f"feature_parameters: {error}", field="feature_parameters", value=str(parameters)
        ) from error


def load_training_references(
    spec: FeatureSpec,
    *,
    timeframe: Timeframe,
    known: Mapping[int, Candles],
    end: datetime,
    limit: int,
) -> dict[str, Candles]:
    """Return the candles of the spec's symbols; those in `known` are not read again."""
    found: dict[str, Candles] = {}
    for symbol, instrument_id in ids_of(spec.symbols).items():
        found[symbol] = known.get(instrument_id) or load_window(
            instrument_id=instrument_id, timeframe=timeframe, end=end, limit=limit
        )
    return found


def load_surroundings(
    specs: Sequence[FeatureSpec],
    *,
    timeframe: Timeframe,
    symbols: Mapping[int, str],
    start: datetime,
    end: datetime,
    known: Mapping[str, Candles] | None = None,
) -> Surroundings:
    """Return all that `specs` need besides own candles in [start, end].

    Args:
        specs: Of the models that will be asked.
        timeframe: Of the candles.
        symbols: Who is asked about, by an id that need not be the database's.
        start: The first warm-up's first open.
        end: The last close.
        known: Candles by symbol that need not be read.
    """
    given = known or {}
    wanted = {symbol for spec in specs for symbol in spec.symbols}
    references = {symbol: given[symbol] for symbol in wanted & given.keys()}
    for symbol, key in ids_of(wanted - given.keys()).items():
        references[symbol] = load_window(
            instrument_id=key, timeframe=timeframe, start=start, end=end
        )
    feeling = next((spec for spec in specs if SENTIMENT in spec.series), None)
    if feeling is None:
        return Surroundings(references=references)
    stored = ids_of(symbols.values())
    found = load_series(feeling, instrument_ids=list(stored.values()), start=start - _DAY, end=end)
    series = {key: found.get(stored.get(symbol, 0), {}) for key, symbol in symbols.items()}
    return Surroundings(references=references, series=series)


def load_series(
    spec: FeatureSpec, *, instrument_ids: Sequence[int], start: datetime, end: datetime
) -> dict[int, dict[str, PointSeries]]:
    """Return the external series that `spec` needs as they became known in [start, end]."""
    if SENTIMENT not in spec.series:
        return {}
    history = list_score_history(instrument_ids=instrument_ids, start=start, end=end)
    return {
        instrument_id: {
            SENTIMENT: PointSeries(
                available_ms=np.array([to_ms(at) for at, _ in scores], np.int64),
                values=np.array([score for _, score in scores], np.float64),
            )
        }
        for instrument_id, scores in history.items()
    }


def read_live_references(
    spec: FeatureSpec, *, timeframe: Timeframe, windows: WindowSource, close_time_ms: int
) -> dict[str, Candles]:
    """Return the newest candles of the spec's symbols up to the close, from memory."""
    return {
        symbol: windows.window(
            timeframe=timeframe,
            instrument_id=instrument_id,
            length=spec.warmup,
            close_time_ms=close_time_ms,
        )
        for symbol, instrument_id in ids_of(spec.symbols).items()
    }


def read_live_series(
    spec: FeatureSpec, *, instrument_ids: Iterable[int], close_time_ms: int
) -> list[dict[str, PointSeries]]:
    """Return what was known of each instrument at the close; no query if nothing is needed."""
    ids = list(instrument_ids)
    if SENTIMENT not in spec.series:
        return [{} for _ in ids]
    views = list_sentiment(instrument_ids=ids, as_of=from_ms(close_time_ms))
    return [
        {
            SENTIMENT: PointSeries(
                available_ms=np.array([to_ms(views[key].available_at)], np.int64),
                values=np.array([float(views[key].score)]),
            )
        }
        if key in views
        else {}
        for key in ids
    ]


def ids_of(symbols: Iterable[str]) -> dict[str, int]:
    """Return the instrument ids of those `symbols` that are known."""
    wanted = set(symbols)
    if not wanted:
        return {}
    return {
        rules.symbol: instrument_id
        for instrument_id, rules in list_rules().items()
        if rules.symbol in wanted
    }
