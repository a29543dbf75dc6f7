"""What a symbol and an account allow at all, before any number is looked at."""

from simexchange.engine.accounts import Account
from simexchange.engine.orders import OrderRequest
from simexchange.engine.symbols import SymbolRules
from simexchange.errors import ApiError

# Source: Binance Spot documentation, errors, "Messages for -1010, -2010, -2011 and -2038".
_TYPE_NAMES = {
    "MARKET": "Market orders",
    "LIMIT": "Limit orders",
    "LIMIT_MAKER": "Limit maker orders",
    "STOP_LOSS": "Stop loss orders",
    "STOP_LOSS_LIMIT": "Stop loss limit orders",
    "TAKE_PROFIT": "Take profit orders",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders",
}
_LIST_NAMES = {
    "ocoAllowed": "OCO orders are not supported for this symbol",
    "otoAllowed": "OTO orders are not supported for this symbol",
    "opoAllowed": "OPO orders are not supported for this symbol.",
}


def check_account(account: Account, code: int = -2010) -> None:
    """Refuse an account that may not trade.

    Raises:
        ApiError: with `code`: -2010 for placements, -2011 for cancels.
    """
    if not account.can_trade:
        raise ApiError(code, "This account may not place or cancel orders.")


def check_permits(account: Account, rules: SymbolRules, request: OrderRequest) -> None:
    """Refuse what the account or the symbol does not allow.

    Raises:
        ApiError: -2010, or -1013 for the self-trade prevention mode.
    """
    check_account(account)
    if not rules.allows("isSpotTradingAllowed"):
        raise ApiError(-2010, "This symbol is not permitted for this account.")
    if request.type not in rules.order_types:
        raise ApiError(-2010, f"{_TYPE_NAMES[request.type]} are not supported for this symbol.")
    if request.iceberg_quantity and not rules.allows("icebergAllowed"):
        raise ApiError(-2010, "Iceberg orders are not supported for this symbol.")
    if request.trailing_delta and not rules.allows("allowTrailingStop"):
        raise ApiError(-2010, "Trailing stop orders are not supported for this symbol.")
    if request.quote_quantity and not rules.allows("quoteOrderQtyMarketAllowed"):
        # The exchange's own spelling.
        raise ApiError(-2010, "Quote order qty market orders are not support for this symbol.")
    if request.stp_mode not in rules.stp_modes:
        raise ApiError(
            -1013, "This symbol does not allow the specified self-trade prevention mode."
        )


def check_list_permits(rules: SymbolRules, *permissions: str) -> None:
    """Refuse a kind of list that the symbol does not allow.

    Raises:
        ApiError: -2010.
    """
    for name in permissions:
        if not rules.allows(name):
            raise ApiError(-2010, _LIST_NAMES[name])
