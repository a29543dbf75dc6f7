"""The account itself: balances, commission, order counts, filters."""

from typing import Any

from simexchange.engine import views
from simexchange.engine.exchange import Exchange
from simexchange.faces.limits import Limits
from simexchange.faces.order_params import flag, symbol_of
from simexchange.faces.routing import Call, Route, Routes


class AccountFace:
    """The USER_DATA endpoints about the account."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.exchange = exchange
        self.ledger = exchange.ledger
        self.limits = limits

    def routes(self) -> Routes:
        rows: tuple[tuple[str, Any, int, frozenset[str]], ...] = (
            ("account", self.account, 20, frozenset({"omitZeroBalances"})),
            ("account/commission", self.commission, 20, frozenset({"symbol"})),
            ("rateLimit/order", self.order_limits, 40, frozenset()),
            ("myFilters", self.filters, 40, frozenset({"symbol"})),
        )
        return {
            ("GET", f"/api/v3/{path}"): Route(handler, weight=weight, signed=True, names=names)
            for path, handler, weight, names in rows
        }

    def account(self, call: Call) -> dict[str, Any]:
        account = self.ledger.accounts[call.account]
        omit_zero = flag(call.params, "omitZeroBalances")
        standard = account.commission.standard
        shown = {
            "makerCommission": int(standard.maker * 10_000),
            "takerCommission": int(standard.taker * 10_000),
            "buyerCommission": int(standard.buyer * 10_000),
            "sellerCommission": int(standard.seller * 10_000),
            "commissionRates": views.rates(standard),
            "canTrade": account.can_trade,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": account.updated_ms,
            "accountType": "SPOT",
            "balances": views.balances(account, omit_zero=omit_zero),
            "permissions": ["SPOT"],
            "uid": int(account.account_id),
        }
        if account.trade_group >= 0:
            shown["tradeGroupId"] = account.trade_group
        return shown

    def commission(self, call: Call) -> dict[str, Any]:
        symbol = symbol_of(call.params, self.exchange.rules)
        commission = self.ledger.accounts[call.account].commission
        return {
            "symbol": symbol,
            "standardCommission": views.rates(commission.standard),
            "specialCommission": views.rates(commission.special),
            "taxCommission": views.rates(commission.tax),
            "discount": views.discount(commission),
        }

    def order_limits(self, call: Call) -> list[dict[str, Any]]:
        return self.limits.describe_orders(call.account)

    def filters(self, call: Call) -> dict[str, Any]:
        """Return the filters that matter for the symbol and its two assets."""
        rules = self.exchange.rules[symbol_of(call.params, self.exchange.rules)]
        held = self.exchange.exchange_rules
        return {
            "exchangeFilters": [dict(one) for one in held.filters],
            "symbolFilters": [dict(one) for one in rules.filters],
            "assetFilters": [
                {"filterType": "MAX_ASSET", **one}
                for one in held.asset_filters
                if one["asset"] in {rules.base, rules.quote}
            ],
        }
