"""The few /sapi calls that clients make before they trade."""

from typing import Any

from simexchange.engine import views
from simexchange.engine.exchange import Exchange
from simexchange.faces.order_params import symbol_of
from simexchange.faces.routing import Call, Route, Routes


class SapiFace:
    """Answers about the key, the coins and the fees; there is no margin here."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.ledger = exchange.ledger

    def routes(self) -> Routes:
        def empty(_call: Call) -> list[Any]:
            return []

        def normal(_call: Call) -> dict[str, str]:
            return {"data": "Normal"}

        def signed(handler: Any, weight: int = 1) -> Route:
            return Route(handler, weight=weight, signed=True)

        return {
            ("GET", "/sapi/v1/account/apiRestrictions"): signed(self.restrictions),
            ("GET", "/sapi/v1/account/status"): signed(normal),
            ("GET", "/sapi/v1/account/apiTradingStatus"): signed(self.trading_status),
            ("GET", "/sapi/v1/account/info"): signed(self.info),
            ("GET", "/sapi/v1/bnbBurn"): signed(self.burn),
            ("GET", "/sapi/v1/capital/config/getall"): signed(self.coins, 10),
            ("GET", "/sapi/v1/asset/tradeFee"): signed(self.trade_fee),
            ("POST", "/sapi/v3/asset/getUserAsset"): signed(self.user_assets, 5),
            ("GET", "/sapi/v1/system/status"): Route(lambda _call: {"status": 0, "msg": "normal"}),
            ("GET", "/sapi/v1/margin/allPairs"): Route(empty),
            ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(empty),
        }

    def restrictions(self, call: Call) -> dict[str, Any]:
        account = self.ledger.accounts[call.account]
        return {
            "ipRestrict": False,
            "createTime": call.now_ms,
            "enableReading": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": account.can_trade,
            "enablePortfolioMarginTrading": False,
        }

    def trading_status(self, call: Call) -> dict[str, Any]:
        account = self.ledger.accounts[call.account]
        return {
            "data": {
                "isLocked": not account.can_trade,
                "plannedRecoverTime": 0,
                "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300},
                "updateTime": account.updated_ms,
            }
        }

    def info(self, _call: Call) -> dict[str, Any]:
        return {
            "vipLevel": 0,
            "isMarginEnabled": False,
            "isFutureEnabled": False,
            "isOptionsEnabled": False,
            "isPortfolioMarginRetailEnabled": False,
        }

    def burn(self, call: Call) -> dict[str, bool]:
        commission = self.ledger.accounts[call.account].commission
        return {"spotBNBBurn": commission.has_discount, "interestBNBBurn": False}

    def coins(self, call: Call) -> list[dict[str, Any]]:
        return [
            {
                "coin": row["asset"],
                "name": row["asset"],
                "free": row["free"],
                "locked": row["locked"],
                "freeze": views.ZERO_TEXT,
                "ipoable": views.ZERO_TEXT,
                "ipoing": views.ZERO_TEXT,
                "storage": views.ZERO_TEXT,
                "withdrawing": views.ZERO_TEXT,
                "trading": True,
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "isLegalMoney": False,
                "networkList": [],
            }
            for row in views.balances(self.ledger.accounts[call.account])
        ]

    def user_assets(self, call: Call) -> list[dict[str, str]]:
        wanted = call.params.get("asset", "")
        return [
            {
                **row,
                "freeze": views.ZERO_TEXT,
                "withdrawing": views.ZERO_TEXT,
                "ipoable": views.ZERO_TEXT,
                "btcValuation": views.ZERO_TEXT,
            }
            for row in views.balances(self.ledger.accounts[call.account], omit_zero=True)
            if wanted in {"", row["asset"]}
        ]

    def trade_fee(self, call: Call) -> list[dict[str, Any]]:
        standard = self.ledger.accounts[call.account].commission.standard
        known = self.exchange.rules
        chosen = [symbol_of(call.params, known)] if "symbol" in call.params else list(known)
        return [
            {
                "symbol": symbol,
                "makerCommission": views.rate_text(standard.maker),
                "takerCommission": views.rate_text(standard.taker),
            }
            for symbol in chosen
        ]
