"""Random use of an engine: placements of every kind, amendments, cancels and trades of others."""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from simexchange.engine.commission import Commission, Rates
from simexchange.engine.lists import ListRequest
from simexchange.errors import ApiError
from tests.fakes.sim_exchange import Desk, request

D = TypeVar("D", bound=Desk)
ACCOUNTS = ("1", "2", "3")
PRICES = st.integers(9_600, 10_400).map(lambda cents: f"{cents / 100:.2f}")
QUANTITIES = st.sampled_from(["0.06", "0.5", "3", "7.12345", "25"])
SIDES = st.sampled_from(["BUY", "SELL"])
MODES = st.sampled_from(
    ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER", "TRANSFER"]
)
KINDS = st.sampled_from(
    [
        *("MARKET", "LIMIT", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT"),
        *("TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
    ]
)
PLACE = st.fixed_dictionaries(
    {
        "do": st.just("place"),
        "account": st.sampled_from(ACCOUNTS),
        "side": SIDES,
        "kind": KINDS,
        "quantity": QUANTITIES,
        "price": PRICES,
        "stop": PRICES,
        "mode": MODES,
        "time_in_force": st.sampled_from(["GTC", "GTC", "IOC", "FOK"]),
        "trailing": st.sampled_from([0, 0, 50]),
        "iceberg": st.booleans(),
        "is_quote": st.booleans(),
    }
)
LIST = st.fixed_dictionaries(
    {
        "do": st.just("list"),
        "account": st.sampled_from(ACCOUNTS),
        "side": SIDES,
        "working_side": SIDES,
        "quantity": QUANTITIES,
        "prices": st.tuples(PRICES, PRICES, PRICES),
        "shape": st.sampled_from(["OCO", "OTO", "OTOCO", "OPO", "OPOCO"]),
        "leg": st.sampled_from(["MARKET", "LIMIT", "STOP_LOSS"]),
        "mode": MODES,
    }
)
TAPE = st.fixed_dictionaries(
    {
        "do": st.just("tape"),
        "price": PRICES,
        "quantity": QUANTITIES,
        "seller_hits": st.booleans(),
    }
)
NUMBER = st.integers(1, 40)
CANCEL = st.fixed_dictionaries({"do": st.just("cancel"), "order": NUMBER})
CANCEL_ALL = st.fixed_dictionaries({"do": st.just("clear"), "account": st.sampled_from(ACCOUNTS)})
AMEND = st.fixed_dictionaries(
    {"do": st.just("amend"), "order": NUMBER, "share": st.sampled_from(["0.3", "0.5", "0.9"])}
)
STEP = st.one_of(PLACE, PLACE, PLACE, LIST, LIST, TAPE, TAPE, CANCEL, CANCEL_ALL, AMEND, AMEND)
STEPS = st.lists(
    STEP,
    min_size=8,
    max_size=50,
)


def new_desk(kind: type[D] = Desk) -> D:
    """Return a desk of three accounts: one plain, one that pays in BNB, two of one trade group."""
    desk = kind()
    rates = Rates(maker=Decimal("0.0008"), taker=Decimal("0.001"), seller=Decimal("0.0001"))
    second, third = desk.add_account("2"), desk.add_account("3")
    second.commission = Commission(standard=rates, tax=rates, has_discount=True)
    second.credit("BNB", Decimal("0.02"))
    # A thin ladder, so that users meet each other.
    for side in desk.market.books.values():
        for level in side:
            level[1] = Decimal("0.5")
    # A price for the discount's asset; one who pays in it soon has none left.
    desk.exchange.rules["BNBUSDT"] = desk.exchange.rules["BTCUSDT"]
    desk.account.trade_group = second.trade_group = 7
    third.balance("USDT").free = Decimal(3_000)
    third.balance("BTC").free = Decimal(20)
    return desk


def play(desk: Desk, step: dict[str, Any], actions: Mapping[str, Any] | None = None) -> None:
    """Carry a step out; a refusal is an outcome like any other and changes nothing."""
    before = desk.snapshot()
    try:
        (actions or ACTIONS)[step["do"]](desk, step)
    except ApiError:
        assert desk.snapshot() == before


def _place(desk: Desk, step: dict[str, Any]) -> None:
    kind, fields = step["kind"], {"quantity": step["quantity"], "stp_mode": step["mode"]}
    if kind in {"LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"}:
        fields["time_in_force"] = step["time_in_force"]
    if kind not in {"MARKET", "STOP_LOSS", "TAKE_PROFIT"}:
        fields["price"] = step["price"]
        if step["iceberg"] and fields.get("time_in_force", "GTC") == "GTC":
            fields["iceberg_quantity"] = Decimal(step["quantity"]) / 5
    if kind.startswith(("STOP", "TAKE")):
        fields["trailing_delta"] = step["trailing"]
        if not step["trailing"] or step["iceberg"]:
            fields["stop_price"] = step["stop"]
    if kind == "MARKET" and step["is_quote"]:
        fields["quote_quantity"] = Decimal(fields.pop("quantity")) * 100
    desk.place(step["side"], kind, account=desk.ledger.accounts[step["account"]], **fields)


def _list(desk: Desk, step: dict[str, Any]) -> None:
    shape, side = step["shape"], "SELL" if step["shape"].startswith("OPO") else step["side"]
    low, middle, high = sorted(step["prices"], key=Decimal)
    pays = shape.startswith("OPO")
    common = {"stp_mode": step["mode"]}
    if not pays:
        common["quantity"] = step["quantity"]
    working = None
    if shape != "OCO":
        working_side = "BUY" if pays else step["working_side"]
        working = request(working_side, "LIMIT", quantity=step["quantity"], price=middle)
    below = None
    if shape in {"OCO", "OTOCO", "OPOCO"}:
        limit = request(side, "LIMIT_MAKER", price=high if side == "SELL" else low, **common)
        stop = request(side, "STOP_LOSS", stop_price=low if side == "SELL" else high, **common)
        above, below = (limit, stop) if side == "SELL" else (stop, limit)
    else:
        numbers = {"LIMIT": {"price": high}, "STOP_LOSS": {"stop_price": low}}.get(step["leg"], {})
        above = request(side, step["leg"], **numbers, **common)
    desk.submit_list(
        desk.ledger.accounts[step["account"]],
        ListRequest(symbol="BTCUSDT", above=above, below=below, working=working, pays_legs=pays),
    )


def _tape(desk: Desk, step: dict[str, Any]) -> None:
    desk.market.print(step["price"], step["quantity"], seller_hits=step["seller_hits"])


def _cancel(desk: Desk, step: dict[str, Any]) -> None:
    order = desk.ledger.orders.get(step["order"])
    account = desk.ledger.accounts[order.account if order else "1"]
    desk.cancel(account, step["order"])


def _clear(desk: Desk, step: dict[str, Any]) -> None:
    desk.cancel_all(desk.ledger.accounts[step["account"]])


def _amend(desk: Desk, step: dict[str, Any]) -> None:
    order = desk.ledger.orders.get(step["order"])
    if order is None:
        return
    lot = Decimal("0.00001")
    quantity = order.quantity * Decimal(step["share"]) // lot * lot
    desk.amend(desk.ledger.accounts[order.account], order.order_id, quantity)


ACTIONS = {
    "place": _place,
    "list": _list,
    "tape": _tape,
    "cancel": _cancel,
    "clear": _clear,
    "amend": _amend,
}


def check_money(desk: Desk, deposits: dict[tuple[str, str], Decimal]) -> None:
    """Hold the balances against what the deposits, the fills and the transfers make of them."""
    totals = defaultdict(Decimal, deposits)
    for (account, _), fills in desk.ledger.fills.items():
        for fill in fills:
            sign = 1 if fill.side == "BUY" else -1
            totals[account, "BTC"] += sign * fill.quantity
            totals[account, "USDT"] -= sign * fill.quantity * fill.price
            totals[account, fill.fee_asset] -= fill.fee
    for match in desk.ledger.prevented:
        if match.mode == "TRANSFER":
            taker = desk.ledger.orders[match.taker_order_id]
            sign = 1 if taker.side == "BUY" else -1
            for account, way in ((match.taker_account, sign), (match.maker_account, -sign)):
                totals[account, "BTC"] += way * match.taker_quantity
                totals[account, "USDT"] -= way * match.taker_quantity * match.price
    for account_id, account in desk.ledger.accounts.items():
        for asset, held in account.balances.items():
            assert held.free + held.locked == totals[account_id, asset], (account_id, asset)
            assert held.free >= 0
            assert held.locked >= 0


def check_locks(desk: Desk) -> None:
    """Hold each locked balance against the open orders and lists."""
    locked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order in desk.ledger.orders.values():
        locked[order.account, "USDT" if order.side == "BUY" else "BTC"] += order.locked
        assert order.executed == sum((f.quantity for f in order.fills), Decimal(0))
        assert order.is_open or order.locked == 0
        assert not order.is_open or order.is_pending or order.remaining > 0
    for group in desk.ledger.lists.values():
        leg = desk.ledger.orders[group.leg_ids[0]]
        locked[group.account, "USDT" if leg.side == "BUY" else "BTC"] += group.locked
        assert group.is_open or group.locked == 0
        members = desk.ledger.list_members(group)
        assert group.is_open == any(one.is_open for one in members) or not group.is_open
        if len(group.leg_ids) == 2:
            legs = [desk.ledger.orders[one] for one in group.leg_ids]
            assert sum(1 for one in legs if one.executed) <= 1
    for account_id, account in desk.ledger.accounts.items():
        for asset, balance in account.balances.items():
            assert balance.locked == locked[account_id, asset], (account_id, asset)


def check_book(desk: Desk) -> None:
    """Require that no bid of a user meets an ask of a user, and that the book is what is open."""
    book = desk.exchange.matching.books["BTCUSDT"]
    if book.buys and book.sells:
        assert book.buys[0][2].price < book.sells[0][2].price
    entered = {entry[2].order_id for row in (book.buys, book.sells) for entry in row}
    working = {
        one.order_id
        for one in desk.ledger.orders.values()
        if one.is_open and not one.is_pending and not one.waits_for_stop
    }
    assert entered == working
