"""How much to put into an entry."""

from decimal import ROUND_DOWN, Decimal

KAPPA = 0.25
# Effective samples at which half of what the model says is believed.
_HALF_TRUST_SAMPLES = 200
_CENT = Decimal("0.01")


def shrink_fraction(*, confidence: float, effective_samples: float | None) -> float:
    """Return how much of the estimated edge to believe, 0 to 1.

    With the number of independent observations behind the model, n / (n + 200); without it, the
    distance of the confidence from a coin's, 2p - 1.
    """
    if effective_samples is not None:
        return effective_samples / (effective_samples + _HALF_TRUST_SAMPLES)
    return max(0.0, 2.0 * confidence - 1.0)


def size_entry(
    *,
    base_notional: Decimal,
    max_notional: Decimal,
    room: Decimal,
    net_return: float,
    sigma: float,
    confidence: float,
    effective_samples: float | None = None,
) -> Decimal:
    """Return the notional of an entry in quote units, on the cent, rounded down.

    A quarter of the Kelly fraction, ``kappa * mu / sigma**2 * shrink``, scales the base size:
    never below it (an entry that was decided is worth its base size) and never above
    `max_notional` or `room`. The gate has the last word either way.

    Args:
        base_notional: The strategy's normal size, quote.
        max_notional: The largest position allowed, quote.
        room: What may still be added to the position, quote; 0 or less returns 0.
        net_return: Expected return after costs, a fraction.
        sigma: Standard deviation of that return, a fraction above 0.
        confidence: P(net return > 0).
        effective_samples: Independent observations behind the estimate, if known.
    """
    shrink = shrink_fraction(confidence=confidence, effective_samples=effective_samples)
    variance = sigma**2
    # Without a spread (0, or so small that its square is) there is nothing to measure against.
    scale = KAPPA * net_return / variance if variance > 0 else 0.0
    # Capped before it is shrunk: infinity times nothing would be no number.
    scale = max(-1e12, min(scale, 1e12)) * shrink
    factor = Decimal(f"{min(max(scale, 1.0), 1000.0):.4f}")
    notional = min(base_notional * factor, max_notional, room)
    return max(notional, Decimal(0)).quantize(_CENT, rounding=ROUND_DOWN)
