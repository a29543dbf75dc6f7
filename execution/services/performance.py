"""How well an account did: sums over its round trips, exact."""

from decimal import Decimal
from typing import Any

from execution.models import Position
from execution.selectors import find_account_id, list_fills
from execution.services.attribution import attribute_results

_ZERO = Decimal(0)


def measure_performance(*, account_name: str) -> dict[str, Any]:
    """Return the figures of all closed positions of an account.

    Money is in quote units, net of fees. A figure that is not defined (a ratio without a loss, a
    mean without a trade) is None.
    """
    account_id = find_account_id(account_name)
    closed = Position.objects.filter(
        account__name=account_name, status=Position.Status.CLOSED.value
    )
    results = list(closed.order_by("id").values_list("realized_pnl", "fees_quote"))
    gains = [pnl for pnl, _fees in results if pnl > _ZERO]
    losses = [pnl for pnl, _fees in results if pnl < _ZERO]
    realized, lost = sum((pnl for pnl, _fees in results), _ZERO), -sum(losses, _ZERO)
    return {
        "account": account_name,
        "closed_positions": len(results),
        "fills": list_fills(account_id=account_id).count() if account_id else 0,
        "realized_pnl": realized,
        "fees_quote": sum((fees for _pnl, fees in results), _ZERO),
        "win_fraction": len(gains) / len(results) if results else None,
        "mean_pnl": realized / len(results) if results else None,
        "by_model": attribute_results(account_name=account_name),
        "profit_factor": sum(gains, _ZERO) / lost if lost else None,
    }
