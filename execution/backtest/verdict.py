"""The first line of a report: what may be said of it, and no more."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

# An economic claim needs this much, with every trial counted.
NEEDED_DEFLATED_SHARPE = 0.95
_SHORT_DAYS = 30.0


class Word(StrEnum):
    """The verdict in one word."""

    NO_TRADES = "NO_TRADES"
    LOSS = "LOSS"
    NOT_PROVEN = "NOT_PROVEN"
    PROVEN = "PROVEN"


def judge(figures: Mapping[str, Any], reasons: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return the word, the sentence and what kept it from being better.

    Args:
        figures: Of ``report.summarize``.
        reasons: Per strategy, how often each reason closed the matter.
    """
    if not figures["trades"]:
        return _verdict(Word.NO_TRADES, _no_trades(reasons), [])
    told = f"{_percent(figures['return'])} after costs in {figures['trades']} trades"
    beside = f"buy-and-hold {_percent(figures['buy_and_hold'])}"
    if figures["return"] <= 0:
        return _verdict(Word.LOSS, f"It lost: {told}; {beside}.", _gaps(figures))
    gaps = _gaps(figures)
    if gaps:
        return _verdict(Word.NOT_PROVEN, f"Not proven: {told}; {beside}, but {gaps[0]}.", gaps)
    return _verdict(
        Word.PROVEN,
        f"It held up on this period: {told}; {beside}, deflated Sharpe probability "
        f"{figures['deflated_sharpe']:.2f}.",
        [],
    )


def _gaps(figures: Mapping[str, Any]) -> list[str]:
    """Return everything that forbids an economic claim."""
    gaps = []
    deflated, low = figures["deflated_sharpe"], figures["net_bps_low"]
    if deflated is None:
        gaps.append("there are too few days for a Sharpe ratio")
    elif deflated < NEEDED_DEFLATED_SHARPE:
        trials = figures["trials"]
        counted = f"{trials} trial{'s' if trials != 1 else ''} counted"
        gaps.append(
            f"the Sharpe ratio is above 0 with {deflated:.0%} only ({counted}; "
            f"{NEEDED_DEFLATED_SHARPE:.0%} are needed)"
        )
    if low is None:
        gaps.append("there are fewer than 10 trades")
    elif low <= 0:
        gaps.append(f"a trade's mean net return may be {low:+.1f} bps (5 % bound)")
    if figures["return"] <= figures["buy_and_hold"]:
        gaps.append("buy-and-hold earned more")
    if figures["return"] <= figures["momentum"]:
        gaps.append("following 24-candle momentum earned more")
    if figures["days"] < _SHORT_DAYS:
        gaps.append(f"{figures['days']:.0f} days are too short a time")
    return gaps


def _no_trades(reasons: Mapping[str, Mapping[str, int]]) -> str:
    total: Counter[str] = Counter()
    for counts in reasons.values():
        total.update(counts)
    if not total:
        return "Nothing was decided."
    reason, count = total.most_common(1)[0]
    return f"It never traded: {reason} closed {count / total.total():.0%} of all decisions."


def _verdict(word: Word, text: str, gaps: list[str]) -> dict[str, Any]:
    return {"word": word.value, "text": text, "gaps": gaps}


def _percent(fraction: float) -> str:
    return f"{fraction:+.1%}"
