"""Whatever is placed, cancelled and traded: no money appears or disappears, and nothing is lost."""

from collections import defaultdict
from decimal import Decimal

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import OPEN_STATUSES, STATUS_TABLE
from simexchange.errors import ApiError
from tests.fakes.sim_exchange import Desk, request

PRICES = st.integers(9_400, 10_600).map(lambda cents: f"{cents / 100:.2f}")
QUANTITIES = st.sampled_from(["0.05", "0.5", "3", "7.12345", "25"])
SIDES = st.sampled_from(["BUY", "SELL"])
ACCOUNTS = st.sampled_from(["1", "2"])
MODES = st.sampled_from(["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"])

PLACE = st.tuples(
    st.just("place"),
    ACCOUNTS,
    SIDES,
    st.sampled_from(["MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "TAKE_PROFIT_LIMIT"]),
    QUANTITIES,
    PRICES,
    PRICES,
    MODES,
)
OCO = st.tuples(st.just("oco"), SIDES, QUANTITIES, PRICES, PRICES)
TAPE = st.tuples(st.just("tape"), PRICES, QUANTITIES, st.booleans())
CANCEL = st.tuples(st.just("cancel"), st.integers(1, 40))
STEPS = st.lists(st.one_of(PLACE, OCO, TAPE, CANCEL), max_size=40)


def play(desk: Desk, step: tuple) -> None:
    """Carry a step out; a refusal is an outcome like any other."""
    kind, *rest = step
    try:
        if kind == "place":
            account, side, order_type, quantity, price, stop, mode = rest
            fields = {"quantity": quantity, "stp_mode": mode}
            if order_type in {"LIMIT", "LIMIT_MAKER", "TAKE_PROFIT_LIMIT"}:
                fields["price"] = price
            if order_type in {"STOP_LOSS", "TAKE_PROFIT_LIMIT"}:
                fields["stop_price"] = stop
            desk.place(side, order_type, account=desk.ledger.accounts[account], **fields)
        elif kind == "oco":
            side, quantity, above, below = rest
            low, high = sorted((above, below), key=Decimal)
            limit = {"quantity": quantity, "price": high if side == "SELL" else low}
            stop = {"quantity": quantity, "stop_price": low if side == "SELL" else high}
            legs = [request(side, "LIMIT_MAKER", **limit), request(side, "STOP_LOSS", **stop)]
            desk.place_oco(side, *(legs if side == "SELL" else reversed(legs)))
        elif kind == "tape":
            price, quantity, seller_hits = rest
            desk.market.print(price, quantity, seller_hits=seller_hits)
        else:
            order = desk.ledger.orders.get(rest[0])
            account = desk.ledger.accounts[order.account if order else "1"]
            desk.exchange.cancel(account, "BTCUSDT", order_id=rest[0])
    except ApiError:
        return


def expected_balances(desk: Desk) -> dict[tuple[str, str], Decimal]:
    """Work the balances out of the deposits and the fills alone."""
    totals: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for account in desk.ledger.accounts:
        totals[account, "BTC"] += 1_000
        totals[account, "USDT"] += 1_000_000
    for (account, _), fills in desk.ledger.fills.items():
        for fill in fills:
            sign = 1 if fill.side == "BUY" else -1
            totals[account, "BTC"] += sign * fill.quantity
            totals[account, "USDT"] -= sign * fill.quantity * fill.price
            totals[account, fill.fee_asset] -= fill.fee
    return totals


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_it_conserves_money_and_locks_exactly_what_open_orders_need(steps: list[tuple]) -> None:
    desk = Desk()
    desk.add_account("2")

    for step in steps:
        play(desk, step)

    for (account, asset), total in expected_balances(desk).items():
        held = desk.ledger.accounts[account].balance(asset)
        assert held.free + held.locked == total
        assert held.free >= 0
        assert held.locked >= 0
    locked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order in desk.ledger.orders.values():
        asset = "USDT" if order.side == "BUY" else "BTC"
        locked[order.account, asset] += order.locked
        assert order.executed == sum((f.quantity for f in order.fills), Decimal(0))
        assert order.is_open or order.locked == 0
    for group in desk.ledger.lists.values():
        members = desk.ledger.list_members(group)
        assert sum(1 for one in members if one.executed) <= 1
        assert sum(1 for one in members if one.is_open) == 2 or not group.is_open
        assert group.is_open or sum(1 for one in members if one.is_open) <= 1
        side = desk.ledger.orders[group.order_ids[0]].side
        locked[group.account, "USDT" if side == "BUY" else "BTC"] += group.locked
        assert group.is_open or group.locked == 0
    for account_id, account in desk.ledger.accounts.items():
        for asset, balance in account.balances.items():
            assert balance.locked == locked[account_id, asset]


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_it_comes_back_from_its_journal_as_it_was(steps: list[tuple]) -> None:
    desk = Desk()
    desk.add_account("2")
    for step in steps:
        play(desk, step)

    again = Ledger()
    for record in desk.records:
        again.apply(orjson.loads(orjson.dumps(record)))
    compact = Ledger()
    for record in again.records():
        compact.apply(orjson.loads(orjson.dumps(record)))

    assert again.describe() == desk.ledger.describe()
    assert again.ids() == desk.ledger.ids()
    assert compact.describe() == desk.ledger.describe()
    assert compact.ids() == desk.ledger.ids()
    revived = Desk(ledger=compact)
    assert revived.exchange.matching.books["BTCUSDT"].buys == [
        (key, order_id, compact.orders[order_id])
        for key, order_id, _ in desk.exchange.matching.books["BTCUSDT"].buys
    ]


def test_it_knows_a_way_out_of_every_open_status_and_none_out_of_the_others() -> None:
    events = {event for _, event in STATUS_TABLE}
    statuses = set(STATUS_TABLE.values()) | {"NEW"}

    for status in statuses:
        for event in events:
            assert ((status, event) in STATUS_TABLE) == (status in OPEN_STATUSES)
