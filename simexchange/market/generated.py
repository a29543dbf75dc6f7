"""Seeded candles: regimes, common moves, jumps and, on some symbols, a planted signal."""

import math
import zlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simexchange.market import regimes
from simexchange.market.bars import (
    CLOSE,
    COUNT,
    HIGH,
    LOW,
    OPEN,
    QUOTE,
    SOURCE_COLUMNS,
    TAKER,
    TAKER_QUOTE,
    VOLUME,
    Bar,
    Floats,
    Ints,
    spread_for,
)
from simexchange.market.bridge import MOST_PRINTS
from simexchange.market.characters import CHARACTERS, MIXED, PLANTED, SHAPED, Moves
from simexchange.market.instruments import generated_grid, usual_for
from simexchange.market.intervals import DAY_MS, MINUTE_MS
from simexchange.market.rows import CandleRows

if TYPE_CHECKING:
    from simexchange.market.grid import Grid

BLOCK_MINUTES = 240
LEAST_VOLUME = 120
LEAST_COUNT, USUAL_COUNT = 8, 30.0
"""Trades of a minute: at least, and where it is as busy as usual."""
VOLATILITY_1M = 0.0013
"""Log-return deviation per minute in the usual regime: about 0.3 % per five minutes."""
COMMON_SHARE = 0.6
"""Share of the return variance that all symbols have in common."""
HALF_LIFE_MINUTES = 75.0
PLANTED_DRIFT = 0.110
"""Deviation of the latent drift per minute, relative to the minute's volatility."""
PLANTED_IC = 0.45
"""What the best linear predictor reaches over the next hour; measured out of sample by a test."""
SIGNAL_IN_SHARE = 0.07
RETURN_IN_SHARE = 0.03
NOISE_IN_SHARE = 0.10
"""Parts of the taker-buy share: latent state, this minute's return, plain noise."""
NOTIONAL_PER_MINUTE = 1_200_000.0
PLANTED_BY_DEFAULT = frozenset({"BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT"})

Bools = NDArray[np.bool_]
Block = tuple[Ints, Ints, Floats, Bools]
"""Rows (symbols, minutes, 9), spreads in ticks, depth factors (minutes,), presence."""

_RETURN, _STATE, _SHARE, _VOLUME = range(4)


class GeneratedSource:
    """One-minute candles that are a function of seed, symbol and start.

    A symbol's path does not depend on which other symbols are generated beside it. At the start
    of the clock every symbol stands at its usual price.

    Args:
        symbols: names such as BTCUSDT.
        seed: the one seed.
        start_ms: open time of the first live candle, a full minute.
        history_days: days of closed candles before `start_ms`.
        planted: symbols whose drift shows in the taker-buy share; on all others it does not.
        characters: symbols held in one regime; see `characters`.
    """

    interval = "1m"
    own_trades_move_range = True
    tape_is_whole = True

    def __init__(
        self,
        *,
        symbols: Iterable[str],
        seed: int,
        start_ms: int,
        history_days: float,
        planted: Iterable[str] = PLANTED_BY_DEFAULT,
        characters: Mapping[str, str] | None = None,
    ) -> None:
        if start_ms % MINUTE_MS:
            raise ValueError(f"start_ms must be a full minute, was {start_ms}")
        self.symbols = tuple(symbols)
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise ValueError("symbols must be given and unique")
        self.seed = seed
        self.start_ms = start_ms
        self.characters = dict(characters or {})
        self.planted = self._choose_planted(frozenset(planted))
        self.grids: dict[str, Grid] = {name: generated_grid(name) for name in self.symbols}
        self._history_blocks = max(1, math.ceil(history_days * DAY_MS / MINUTE_MS / BLOCK_MINUTES))
        self._prepare_constants()
        self._begin()
        self._rows = self._make_history()
        self._live_from_ms = start_ms
        self._live = self._make_live()
        self._next_live: Block | None = None

    def _begin(self) -> None:
        """Stand before the first block."""
        self._regime = regimes.CALM
        self._state = np.zeros(len(self.symbols))
        self._activity = np.zeros(len(self.symbols))
        self._block = 0

    def _choose_planted(self, by_default: frozenset[str]) -> frozenset[str]:
        """Return who has the signal: as named, and by default where nothing else is named."""
        named = {symbol: self.characters.get(symbol, MIXED) for symbol in self.symbols}
        return frozenset(
            symbol
            for symbol, name in named.items()
            if name == PLANTED or (name == MIXED and symbol in by_default)
        )

    def _prepare_constants(self) -> None:
        steps = np.arange(BLOCK_MINUTES)
        lag = steps[:, None] - steps[None, :]
        self._state_keep = 2.0 ** (-1.0 / HALF_LIFE_MINUTES)
        self._activity_keep = 0.97
        self._state_mix = np.where(lag >= 0, self._state_keep ** np.maximum(lag, 0), 0.0)
        self._activity_mix = np.where(lag >= 0, self._activity_keep ** np.maximum(lag, 0), 0.0)
        self._drift = np.array([PLANTED_DRIFT if s in self.planted else 0.0 for s in self.symbols])
        grids = [self.grids[name] for name in self.symbols]
        self._tick = np.array([10.0**-grid.price_decimals for grid in grids])
        self._unit = np.array([10.0**-grid.volume_decimals for grid in grids])
        self._base_price = np.array([usual_for(name).price for name in self.symbols])
        spare = [g.price_decimals + g.volume_decimals - g.quote_decimals for g in grids]
        self._quote_divisor = np.array([10**places for places in spare], dtype=np.int64)

    def _rng(self, name: str, block: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode()), block])

    def _next_moves(self) -> dict[str, Any]:
        """Return the next block's log moves and volumes, each of shape (symbols, minutes)."""
        block, self._block = self._block, self._block + 1
        market = self._rng("market", block)
        weather = regimes.next_weather(self._regime, BLOCK_MINUTES, market)
        self._regime = int(weather.regime[-1])
        common = market.standard_normal(BLOCK_MINUTES)
        drawn = [self._rng(name, block) for name in self.symbols]
        normals = np.stack([rng.standard_normal((4, BLOCK_MINUTES)) for rng in drawn], axis=1)
        uniforms = np.stack([rng.random((2, BLOCK_MINUTES)) for rng in drawn], axis=1)
        state = self._carry(self._state, normals[_STATE], self._state_keep, self._state_mix)
        self._state = state[:, -1]
        activity = self._carry(
            self._activity, normals[_VOLUME], self._activity_keep, self._activity_mix
        )
        self._activity = activity[:, -1]
        shock = math.sqrt(COMMON_SHARE) * common + math.sqrt(1 - COMMON_SHARE) * normals[_RETURN]
        usual = VOLATILITY_1M * regimes.VOLATILITY[weather.regime]
        drift = self._drift[:, None] * regimes.DRIFT[weather.regime] * state
        walked = usual * (shock + drift)
        share = 0.5 + SIGNAL_IN_SHARE * state + RETURN_IN_SHARE * shock
        share += NOISE_IN_SHARE * normals[_SHARE]
        busy = np.exp(0.5 * activity + 0.25 * np.abs(shock) - 0.3)
        busy *= regimes.ACTIVITY[weather.regime]
        deviation = np.broadcast_to(usual, walked.shape).copy()
        jump = np.broadcast_to(weather.jump, walked.shape).copy()
        present = np.ones(walked.shape, dtype=np.bool_)
        for place, name in enumerate(self.symbols):
            character = self.characters.get(name, MIXED)
            if character in SHAPED:
                moves = Moves(
                    walked[place], deviation[place], jump[place], busy[place], present[place]
                )
                CHARACTERS[character](moves, drawn[place])
        up, down = _excursions(walked, deviation, uniforms)
        return {
            "move": walked + jump,
            "up": up + np.maximum(jump, 0.0),
            "down": down + np.minimum(jump, 0.0),
            "share": np.clip(share, 0.03, 0.97),
            "busy": busy,
            "regime": weather.regime,
            "present": present,
        }

    @staticmethod
    def _carry(last: Floats, normals: Floats, keep: float, mix: Floats) -> Floats:
        """Return a unit-variance AR(1) over the block, going on from `last`."""
        inherited = last[:, None] * keep ** np.arange(1, BLOCK_MINUTES + 1)
        return np.asarray(inherited + math.sqrt(1 - keep * keep) * normals @ mix.T)

    def _make_history(self) -> list[CandleRows]:
        """Return each symbol's rows before the start.

        The blocks are drawn twice, first for where the path ends: at the usual price. So only one
        block at a time is held in the wide form.
        """
        minutes = self._history_blocks * BLOCK_MINUTES
        walked = np.zeros(len(self.symbols))
        for _ in range(self._history_blocks):
            walked += self._next_moves()["move"].sum(axis=1)
        self._begin()
        self._log_price = np.log(self._base_price) - walked
        self._last_close = np.zeros(len(self.symbols), dtype=np.int64)
        held = [CandleRows(minutes + BLOCK_MINUTES) for _ in self.symbols]
        self._closed = [0] * len(self.symbols)
        for block in range(self._history_blocks):
            rows, _, _, present = self._next_block(is_first=block == 0)
            opens = self.start_ms + MINUTE_MS * np.arange(
                block * BLOCK_MINUTES - minutes, (block + 1) * BLOCK_MINUTES - minutes
            )
            for place, target in enumerate(held):
                there = present[place]
                target.put(self._closed[place], opens[there], rows[place][there])
                self._closed[place] += int(there.sum())
        return held

    def _make_live(self) -> Block:
        return self._next_block(is_first=False)

    def _next_block(self, *, is_first: bool) -> Block:
        """Return the next block's rows, spreads, depth factors and presence."""
        moves = self._next_moves()
        before = self._log_price[:, None] + np.cumsum(moves["move"], axis=1) - moves["move"]
        rows, spread, depth = self._wide_rows(moves, before)
        if not is_first:
            rows[:, 0, OPEN] = self._last_close
            rows[:, 0, HIGH] = np.maximum(rows[:, 0, HIGH], self._last_close)
            rows[:, 0, LOW] = np.minimum(rows[:, 0, LOW], self._last_close)
        self._log_price = before[:, -1] + moves["move"][:, -1]
        self._last_close = rows[:, -1, CLOSE]
        return rows, spread, depth, moves["present"]

    def _wide_rows(self, moves: dict[str, Any], before: Floats) -> tuple[Ints, Ints, Floats]:
        """Return rows (symbols, minutes, 9), spreads in ticks and depth factors."""

        def to_ticks(log_price: Floats) -> Ints:
            ticks: Ints = np.rint(np.exp(log_price) / self._tick[:, None]).astype(np.int64)
            return np.maximum(ticks, 1)

        close = to_ticks(before + moves["move"])
        opened = np.concatenate([to_ticks(before[:, :1]), close[:, :-1]], axis=1)
        high = np.maximum(to_ticks(before + moves["up"]), np.maximum(opened, close))
        low = np.minimum(to_ticks(before + moves["down"]), np.minimum(opened, close))
        notional = NOTIONAL_PER_MINUTE * moves["busy"]
        per_unit = (self._base_price * self._unit)[:, None]
        volume = np.maximum(LEAST_VOLUME, np.rint(notional / per_unit)).astype(np.int64)
        taker = np.rint(volume * moves["share"]).astype(np.int64)
        typical = (opened + high + low + close) // 4
        rows = np.empty((*close.shape, SOURCE_COLUMNS), dtype=np.int64)
        rows[..., OPEN], rows[..., HIGH] = opened, high
        rows[..., LOW], rows[..., CLOSE] = low, close
        rows[..., VOLUME], rows[..., TAKER] = volume, taker
        rows[..., QUOTE] = volume * typical // self._quote_divisor[:, None]
        rows[..., TAKER_QUOTE] = taker * typical // self._quote_divisor[:, None]
        count = np.rint(USUAL_COUNT * np.sqrt(moves["busy"])).astype(np.int64)
        rows[..., COUNT] = np.clip(count, LEAST_COUNT, MOST_PRINTS)
        spread = spread_for(close, regimes.SPREAD_BPS[moves["regime"]])
        return rows, spread, regimes.DEPTH[moves["regime"]]

    def candle_rows(self, symbol: str) -> tuple[CandleRows, int]:
        """Hand over the rows before the start; they are forgotten here."""
        place = self.symbols.index(symbol)
        rows, self._rows[place] = self._rows[place], CandleRows(0)
        return rows, self._closed[place]

    def bar_at(self, open_ms: int) -> Bar:
        """Return the candles that open at `open_ms`.

        Raises:
            ValueError: when the minute lies before the one asked for last.
        """
        minute = (open_ms - self._live_from_ms) // MINUTE_MS
        if minute < 0:
            raise ValueError(f"candles are asked for in order, open_ms was {open_ms}")
        while minute >= BLOCK_MINUTES:
            self._live = self._next_live or self._make_live()
            self._next_live = None
            self._live_from_ms += BLOCK_MINUTES * MINUTE_MS
            minute -= BLOCK_MINUTES
        if minute == BLOCK_MINUTES // 2 and self._next_live is None:
            self._next_live = self._make_live()
        rows, spread, depth, present = self._live
        return Bar(
            open_ms=open_ms,
            rows=rows[:, minute],
            present=present[:, minute],
            spread_ticks=spread[:, minute],
            depth=np.full(len(self.symbols), depth[minute]),
        )

    def describe(self, symbol: str) -> dict[str, Any]:
        """Return the provenance, with the declared signal."""
        about: dict[str, Any] = {"source": "generated", "seed": self.seed}
        about["regime"] = self.characters.get(symbol, MIXED)
        if symbol not in self.planted:
            return about | {"signal": "noise"}
        return about | {
            "signal": "planted",
            "ic": PLANTED_IC,
            "horizon_minutes": 60,
            "visible_in": "taker-buy share, momentum",
        }

    def signature(self) -> dict[str, Any]:
        """Return what a snapshot must agree with."""
        return {
            "source": "generated",
            "seed": self.seed,
            "symbols": list(self.symbols),
            "planted": sorted(self.planted),
            "characters": dict(sorted(self.characters.items())),
            "start_ms": self.start_ms,
            "history_minutes": self._history_blocks * BLOCK_MINUTES,
        }


def _excursions(move: Floats, deviation: Floats, uniforms: Floats) -> tuple[Floats, Floats]:
    """Return the highest and lowest log price of each minute, relative to its open.

    The exact law of a Brownian bridge's maximum: (r + sqrt(r^2 - 2 s^2 ln u)) / 2.
    """
    spread_out = -2.0 * deviation * deviation * np.log(np.maximum(uniforms, 1e-12))
    up = (move + np.sqrt(move * move + spread_out[0])) / 2.0
    down = (move - np.sqrt(move * move + spread_out[1])) / 2.0
    return up, down
