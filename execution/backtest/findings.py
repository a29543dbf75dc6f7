"""What a comparison of live rows with a replay finds: stage by stage, each difference named."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_SHOWN = 200


class Stage(StrEnum):
    """Where a row belongs."""

    PREDICTION = "PREDICTION"  # features and model: equal numbers mean equal features
    # Position and sentiment as a decision was given them, against the books and the store.
    INPUT = "INPUT"
    DECISION = "DECISION"
    ORDER = "ORDER"
    FILL = "FILL"


class Kind(StrEnum):
    """What became of a comparison. All but the last name a cause."""

    EQUAL = "EQUAL"
    DATA_REVISED = "DATA_REVISED"  # the exchange changed a candle afterwards
    CANDLES_MISSING = "CANDLES_MISSING"  # the store has not the whole warm-up
    MODEL_MISSING = "MODEL_MISSING"  # the version's files are gone or of other code
    # The interval followed the misses of its time, by a factor that old rows do not tell.
    INTERVAL_SCALED = "INTERVAL_SCALED"
    SUSPENDED = "SUSPENDED"  # live outcomes had shown no skill: it served as NO_SKILL
    LATENCY = "LATENCY"  # a fill or an order was booked a moment after the decision
    DENIED = "DENIED"  # by the gate
    FLAT_ALREADY = "FLAT_ALREADY"  # a protective order was faster
    NOT_SENT = "NOT_SENT"  # lapsed or refused: there was no order at the exchange
    SLIPPAGE = "SLIPPAGE"
    PARTIAL_FILL = "PARTIAL_FILL"
    MISSED_FILL = "MISSED_FILL"
    UNEXPLAINED = "UNEXPLAINED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One row that is not equal."""

    stage: Stage
    kind: Kind
    symbol: str
    close_ms: int
    live: Mapping[str, Any]
    replayed: Mapping[str, Any]


@dataclass(slots=True)
class Findings:
    """How many rows of each stage were what, and those that differ (the first 200)."""

    counts: dict[Stage, Counter[Kind]] = field(
        default_factory=lambda: {stage: Counter() for stage in Stage}
    )
    differences: list[Difference] = field(default_factory=list)
    slippage_bps: list[float] = field(default_factory=list)

    def add(
        self,
        stage: Stage,
        kind: Kind,
        *,
        symbol: str,
        close_ms: int,
        live: Mapping[str, Any],
        replayed: Mapping[str, Any],
    ) -> None:
        self.counts[stage][kind] += 1
        if kind is not Kind.EQUAL and len(self.differences) < _SHOWN:
            self.differences.append(
                Difference(
                    stage=stage,
                    kind=kind,
                    symbol=symbol,
                    close_ms=close_ms,
                    live=live,
                    replayed=replayed,
                )
            )

    @property
    def unexplained(self) -> int:
        """How many rows differ and nobody knows why."""
        return sum(counts[Kind.UNEXPLAINED] for counts in self.counts.values())

    def to_json(self) -> dict[str, Any]:
        """Return counts and differences as plain JSON."""
        return {
            "counts": {
                stage.value: {kind.value: count for kind, count in counts.items()}
                for stage, counts in self.counts.items()
            },
            "unexplained": self.unexplained,
            "mean_slippage_bps": (
                sum(self.slippage_bps) / len(self.slippage_bps) if self.slippage_bps else None
            ),
            "differences": [
                {
                    "stage": item.stage.value,
                    "kind": item.kind.value,
                    "symbol": item.symbol,
                    "close_ms": item.close_ms,
                    "live": dict(item.live),
                    "replayed": dict(item.replayed),
                }
                for item in self.differences
            ],
        }
