"""A compact Temporal Fusion Transformer, written once for numpy and for torch.

Static columns choose which sequences matter and how; gated residual blocks select variables, an
LSTM reads them, one interpretable attention looks back from the newest bar, and a head states five
quantiles that cannot cross. `xp` is the array library: torch while it is fitted (its gradients),
numpy when it serves. Every product is taken row by row of the batch, so that one row and a
thousand give the same bits.

Source: Lim, Arik, Loeff, Pfister 2021, "Temporal Fusion Transformers for Interpretable
Multi-horizon Time Series Forecasting", Int. J. of Forecasting 37(4).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
WIDTH = 16
HEADS = 2
_LEAST_GAP = 1e-4
Arrays = Mapping[str, Any]
Drop = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which columns are one variable over time, and which stand still.

    Attributes:
        names: Of the sequences, then of the static columns.
        sequences: Columns of each sequence, the oldest bar first; all equally long.
        statics: Columns that are seen as of the newest bar only.
    """

    names: tuple[str, ...]
    sequences: tuple[tuple[int, ...], ...]
    statics: tuple[int, ...]

    @property
    def bars(self) -> int:
        """How far each sequence reaches back."""
        return len(self.sequences[0])

    @classmethod
    def of(cls, names: Sequence[str]) -> "Layout":
        """Read columns ``stem`` and ``stem~k``; without any shift all are sequences of one bar.

        Raises:
            ValueError: There are no columns.
        """
        places: dict[str, dict[int, int]] = {}
        for column, name in enumerate(names):
            stem, _, shift = name.partition("~")
            places.setdefault(stem, {})[int(shift or 0)] = column
        if not places:
            raise ValueError("a layout needs columns")
        bars = max(len(shifts) for shifts in places.values())
        whole = [stem for stem, shifts in places.items() if sorted(shifts) == [*range(bars)]]
        still = [stem for stem in places if stem not in whole]
        return cls(
            names=(*whole, *still),
            sequences=tuple(
                tuple(places[stem][shift] for shift in range(bars - 1, -1, -1)) for stem in whole
            ),
            statics=tuple(column for stem in still for column in places[stem].values()),
        )


def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array of weights."""
    found: dict[str, tuple[int, ...]] = {}
    many, still = len(layout.sequences), len(layout.statics)
    _embedding(found, "sequence", many)
    if still:
        _embedding(found, "static", still)
        _selection(found, "static", still, has_context=False)
    for name in ("pick", "enrich", "hidden", "cell"):
        _residual(found, f"context.{name}", WIDTH, WIDTH)
    _selection(found, "sequence", many, has_context=True)
    _dense(found, "lstm.in", WIDTH, 4 * WIDTH)
    found["lstm.back.weight"] = (WIDTH, 4 * WIDTH)
    for gate in ("gate.lstm", "gate.attention", "gate.out"):
        _gate(found, gate, WIDTH)
    _residual(found, "enrich", WIDTH, WIDTH, has_context=True)
    for head in range(HEADS):
        _dense(found, f"attention.{head}.query", WIDTH, WIDTH)
        _dense(found, f"attention.{head}.key", WIDTH, WIDTH)
    _dense(found, "attention.value", WIDTH, WIDTH)
    _residual(found, "forward", WIDTH, WIDTH)
    _dense(found, "quantiles", WIDTH, len(LEVELS))
    return found


def draw(layout: Layout, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Return weights to begin with: Glorot's uniform ones, biases 0, scales 1."""
    found = {}
    for name, shape in shapes(layout).items():
        if name.endswith(".scale"):
            found[name] = np.ones(shape, np.float32)
        elif name.endswith(".bias"):
            found[name] = np.zeros(shape, np.float32)
        else:
            bound = math.sqrt(6.0 / sum(shape[-2:]))
            found[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return found


def forward(
    p: Arrays, sequence: Any, static: Any, *, xp: Any = np, drop: Drop = lambda x: x
) -> tuple[Any, dict[str, Any]]:
    """Return quantiles and what was looked at.

    Args:
        p: Weights, see ``shapes``.
        sequence: shape (n, sequences, bars), scaled.
        static: shape (n, statics), scaled.
        xp: numpy or torch.
        drop: Dropout, while it is fitted.

    Returns:
        Quantiles, shape (n, levels), ascending; and ``variables`` (n, bars, sequences),
        ``statics`` (n, statics), ``attention`` (n, bars): each sums to 1 over its last axis.
    """
    net = _Net(p, xp, drop)
    rows, many, bars = sequence.shape
    still = xp.zeros_like(sequence[:, :1, :1]) + p["context.pick.enter.bias"] * 0.0
    static_weights = static
    if static.shape[1]:
        states = net.embed("static", static[:, :, None])
        flat = states.reshape(rows, 1, static.shape[1] * WIDTH)
        still, picked = net.select("static", states, flat, None)
        static_weights = picked[:, 0, :]
    contexts = {
        name: net.residual(f"context.{name}", still)
        for name in ("pick", "enrich", "hidden", "cell")
    }
    states = net.embed("sequence", sequence)
    flat = states.swapaxes(1, 2).reshape(rows, bars, many * WIDTH)
    chosen, variables = net.select("sequence", states, flat, contexts["pick"])
    read = net.lstm(chosen, contexts["hidden"], contexts["cell"])
    temporal = net.norm("gate.lstm", chosen + net.gate("gate.lstm", read))
    enriched = net.residual("enrich", temporal, contexts["enrich"])
    seen, attention = net.attend(enriched)
    newest = net.norm("gate.attention", enriched[:, -1:] + net.gate("gate.attention", seen))
    newest = net.residual("forward", newest)
    newest = net.norm("gate.out", temporal[:, -1:] + net.gate("gate.out", newest))
    raw = net.dense("quantiles", newest)[:, 0]
    return _ordered(raw, xp), {
        "variables": variables,
        "statics": static_weights,
        "attention": attention[:, 0],
    }


def log_odds_above_zero(quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-odds of a value above 0, shape (n,), of quantiles of shape (n, levels).

    Between and beyond the stated levels the log-odds are taken as linear in the value.
    """
    odds = np.array([math.log(level / (1.0 - level)) for level in LEVELS])
    below = (quantiles <= 0.0).sum(axis=1)
    left = np.clip(below - 1, 0, len(LEVELS) - 2)
    rows = np.arange(len(quantiles))
    low, high = quantiles[rows, left], quantiles[rows, left + 1]
    slope = (odds[left + 1] - odds[left]) / (high - low)
    found: NDArray[np.float64] = np.clip(low * slope - odds[left], -4.0, 4.0)
    return found


class _Net:
    """The blocks; none of them holds anything but the weights."""

    def __init__(self, p: Arrays, xp: Any, drop: Drop) -> None:
        self.p, self.xp, self.drop = p, xp, drop

    def dense(self, name: str, x: Any) -> Any:
        return x @ self.p[f"{name}.weight"] + self.p[f"{name}.bias"]

    def embed(self, name: str, x: Any) -> Any:
        """Turn numbers (n, variables, bars) into vectors (n, variables, bars, width)."""
        return x[..., None] * self.p[f"{name}.embed.weight"] + self.p[f"{name}.embed.bias"]

    def gate(self, name: str, x: Any) -> Any:
        """Gated linear unit."""
        both = self.dense(name, self.drop(x))
        half = both.shape[-1] // 2
        return both[..., :half] * self.sigmoid(both[..., half:])

    def norm(self, name: str, x: Any) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = (centred * centred).mean(axis=-1, keepdims=True)
        scaled = centred / self.xp.sqrt(spread + 1e-5)
        return scaled * self.p[f"{name}.norm.scale"] + self.p[f"{name}.norm.bias"]

    def residual(self, name: str, x: Any, context: Any = None) -> Any:
        """Gated residual network."""
        inner = self.dense(f"{name}.enter", x)
        if context is not None:
            inner = inner + context @ self.p[f"{name}.context.weight"]
        low = self.xp.clip(inner, -60.0, 0.0)
        inner = self.xp.where(inner > 0.0, inner, self.xp.exp(low) - 1.0)
        inner = self.dense(f"{name}.inner", inner)
        skip = x @ self.p[f"{name}.skip.weight"] if f"{name}.skip.weight" in self.p else x
        return self.norm(f"{name}.gate", skip + self.gate(f"{name}.gate", inner))

    def select(self, name: str, states: Any, flat: Any, context: Any) -> tuple[Any, Any]:
        """Weigh the variables at each bar; return (n, bars, width) and (n, bars, variables)."""
        weights = self.softmax(self.residual(f"{name}.pick", flat, context))
        each = self.residual(f"{name}.each", states)
        return (each * weights.swapaxes(1, 2)[..., None]).sum(axis=1), weights

    def lstm(self, x: Any, hidden: Any, cell: Any) -> Any:
        steps = []
        for bar in range(x.shape[1]):
            mixed = self.dense("lstm.in", x[:, bar : bar + 1]) + hidden @ self.p["lstm.back.weight"]
            enter, keep, new, leave = (
                mixed[..., part * WIDTH : (part + 1) * WIDTH] for part in range(4)
            )
            # Forgetting starts half closed and one higher: what is far is not lost at once.
            cell = self.sigmoid(keep + 1.0) * cell + self.sigmoid(enter) * self.xp.tanh(new)
            hidden = self.sigmoid(leave) * self.xp.tanh(cell)
            steps.append(hidden)
        return self.xp.concatenate(steps, axis=1)

    def attend(self, x: Any) -> tuple[Any, Any]:
        """Look back from the newest bar: heads differ in where, not in what they see."""
        weights = []
        for head in range(HEADS):
            query = self.dense(f"attention.{head}.query", x[:, -1:])
            key = self.dense(f"attention.{head}.key", x)
            weights.append(self.softmax(query @ key.swapaxes(1, 2) / math.sqrt(WIDTH)))
        mean = sum(weights[1:], start=weights[0]) / float(HEADS)
        return mean @ self.dense("attention.value", x), mean

    def sigmoid(self, x: Any) -> Any:
        return 1.0 / (1.0 + self.xp.exp(-self.xp.clip(x, -60.0, 60.0)))

    def softmax(self, x: Any) -> Any:
        raised = self.xp.exp(self.xp.clip(x, -60.0, 60.0))
        return raised / raised.sum(axis=-1, keepdims=True)


def _ordered(raw: Any, xp: Any) -> Any:
    """Turn a middle and four steps into quantiles that cannot cross."""
    step = xp.log1p(xp.exp(xp.clip(raw[:, 1:], -60.0, 60.0))) + _LEAST_GAP
    middle = raw[:, :1]
    low, high = middle - step[:, :1], middle + step[:, 2:3]
    return xp.concatenate([low - step[:, 1:2], low, middle, high, high + step[:, 3:4]], axis=1)


def _dense(
    found: dict[str, tuple[int, ...]], name: str, given: int, out: int, *copies: int
) -> None:
    found[f"{name}.weight"] = (*copies, given, out)
    found[f"{name}.bias"] = (*copies, 1, out) if copies else (out,)


def _gate(found: dict[str, tuple[int, ...]], name: str, out: int, *copies: int) -> None:
    _dense(found, name, WIDTH, 2 * out, *copies)
    for part in ("norm.scale", "norm.bias"):
        found[f"{name}.{part}"] = (*copies, 1, out) if copies else (out,)


def _residual(
    found: dict[str, tuple[int, ...]],
    name: str,
    given: int,
    out: int,
    *copies: int,
    has_context: bool = False,
) -> None:
    _dense(found, f"{name}.enter", given, WIDTH, *copies)
    _dense(found, f"{name}.inner", WIDTH, WIDTH, *copies)
    _gate(found, f"{name}.gate", out, *copies)
    if has_context:
        found[f"{name}.context.weight"] = (WIDTH, WIDTH)
    if given != out:
        found[f"{name}.skip.weight"] = (given, out)


def _embedding(found: dict[str, tuple[int, ...]], name: str, count: int) -> None:
    found[f"{name}.embed.weight"] = (count, 1, WIDTH)
    found[f"{name}.embed.bias"] = (count, 1, WIDTH)


def _selection(
    found: dict[str, tuple[int, ...]], name: str, count: int, *, has_context: bool
) -> None:
    _residual(found, f"{name}.pick", count * WIDTH, count, has_context=has_context)
    _residual(found, f"{name}.each", WIDTH, WIDTH, count)
