"""Reading the exchange's side of an account through its broker."""

from collections.abc import Callable
from datetime import timedelta

from core.clock import Clock
from execution.domain.truth import VenueTruth
from execution.models import Account, Order
from execution.ports import Broker
from markets.selectors import list_rules


def truth_reader(
    *, account_id: int, broker: Broker, clock: Clock, look_back: timedelta
) -> Callable[[], VenueTruth]:
    """Return a function that asks the exchange for what it holds of the account.

    It asks for orders and trades of each symbol that was ever traded here, at most `look_back`
    of market time into the past and not from before the account was opened.
    """

    def read() -> VenueTruth:
        account = Account.objects.get(pk=account_id)
        since = max(account.opened_at or account.created_at, clock.now() - look_back)
        used = set(
            Order.objects.filter(account=account).values_list("instrument_id", flat=True).distinct()
        )
        symbols = sorted(rule.symbol for key, rule in list_rules().items() if key in used)
        # Balances first: what trades meanwhile is found again at the next look.
        totals = {balance.asset: balance.total for balance in broker.balances()}
        reports = {
            (report.symbol, report.venue_order_id): report
            for symbol in symbols
            for report in broker.all_orders(symbol, since=since)
        }
        reports |= {(r.symbol, r.venue_order_id): r for r in broker.open_orders()}
        executions = [trade for symbol in symbols for trade in broker.trades(symbol, since=since)]
        return VenueTruth(
            since=since,
            orders=tuple(reports.values()),
            created_at={},
            executions=tuple(executions),
            totals=totals,
        )

    return read
