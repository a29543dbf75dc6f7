"""Finding an account's orders and lists, with the exchange's own refusals."""

from simexchange.engine.accounts import Account
from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import Order, OrderList
from simexchange.errors import ApiError

UNKNOWN_ORDER = "Unknown order sent."
ARCHIVED_AFTER_MS = 90 * 86_400_000
RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}


def find_order(
    ledger: Ledger, account: Account, symbol: str, order_id: int, client_id: str
) -> Order:
    """Return the order by id, or the latest by client id.

    Raises:
        ApiError: -2013 when there is none, -2039 when both are given and do not agree.
    """
    if order_id:
        order = ledger.orders.get(order_id)
        if order is not None and (order.account, order.symbol) != (account.account_id, symbol):
            order = None
    else:
        order = ledger.by_client.get((account.account_id, symbol, client_id))
    if order is None:
        raise ApiError(-2013, "Order does not exist.")
    if order_id and client_id and order.client_order_id != client_id:
        raise ApiError(-2039, "Client order ID is not correct for this order ID.")
    return order


def find_open_order(
    ledger: Ledger, account: Account, symbol: str, order_id: int, client_id: str, code: int
) -> Order:
    """Return an open order, found as above.

    Raises:
        ApiError: with `code` when there is none.
    """
    try:
        order = find_order(ledger, account, symbol, order_id, client_id)
    except ApiError as error:
        raise ApiError(code, UNKNOWN_ORDER) from error
    if not order.is_open:
        raise ApiError(code, UNKNOWN_ORDER)
    return order


def find_list(
    ledger: Ledger, account: Account, list_id: int | None, client_id: str
) -> OrderList | None:
    """Return the account's list by id or client id, if any; both given must agree."""
    if list_id is None:
        return ledger.find_list(account, client_id)
    group = ledger.lists.get(list_id)
    if group is None or group.account != account.account_id:
        return None
    return None if client_id and group.client_list_id != client_id else group


def check_restriction(order: Order, restriction: str) -> None:
    """Refuse a cancel that the client allowed only in another status.

    Raises:
        ApiError: -2011.
    """
    if restriction and order.status != RESTRICTIONS[restriction]:
        raise ApiError(-2011, "Order was not canceled due to cancel restrictions.")


def is_archived(order: Order, now_ms: int) -> bool:
    """Tell whether the order ended unfilled more than 90 days ago."""
    if order.is_open or order.executed:
        return False
    return now_ms - order.updated_ms > ARCHIVED_AFTER_MS
