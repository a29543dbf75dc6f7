"""How often each reason closed the matter: every candle of every symbol counts once."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from execution.backtest.plans import CODE_OF, REASONS, Codes
from execution.backtest.slot import Slot
from execution.domain.decision import Reason

_COOLDOWN = CODE_OF[Reason.COOLDOWN.value]
_PENDING = CODE_OF[Reason.ORDER_PENDING.value]
_NOT_OURS = CODE_OF[Reason.POSITION_NOT_OURS.value]

Span = tuple[int, int, int, int, int]


def count_reasons(
    slots: Sequence[Slot],
    names: Sequence[str],
    asked: Sequence[tuple[int, int, int, str]],
    spans: Sequence[Span],
) -> dict[str, dict[str, int]]:
    """Return per strategy how many closes each reason decided.

    Args:
        slots: The symbols, each with its first row.
        names: Of the strategies.
        asked: Symbol, strategy, row and reason of every close at which a strategy was asked.
        spans: Symbol, strategy, first and last row, and end (ms) of every round trip.
    """
    found: dict[str, dict[str, int]] = {}
    for number, name in enumerate(names):
        total: Counter[str] = Counter()
        for slot in slots:
            codes = _codes(slot, number, [span for span in spans if span[0] == slot.index])
            for index, strategy, row, reason in asked:
                if index == slot.index and strategy == number:
                    codes[row] = CODE_OF[reason]
            counts = np.bincount(codes[slot.first_row :], minlength=len(REASONS))
            total.update(
                {REASONS[code]: int(counts[code]) for code in np.flatnonzero(counts[1:]) + 1}
            )
        found[name] = dict(total.most_common())
    return found


def _codes(slot: Slot, number: int, spans: Sequence[Span]) -> Codes:
    plan = slot.plans[number]
    codes: Codes = plan.flat.copy()
    for _, owner, first, last, closed_ms in spans:
        codes[first:last] = plan.held[first:last] if owner == number else _NOT_OURS
        until = int(slot.close_ms.searchsorted(closed_ms + plan.cooldown_ms))
        cooling = codes[last:until]
        codes[last:until] = np.where((cooling > _COOLDOWN) | (cooling == 0), _COOLDOWN, cooling)
    for first, last in slot.waits:
        codes[first:last] = _PENDING
    return codes
