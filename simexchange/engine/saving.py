"""The ledger as journal records, and records back into a ledger."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from simexchange.engine.accounts import Account, Balance, Credential
from simexchange.engine.commission import Commission, read_commission
from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import Amendment, Fill, Order, OrderList, PreventedMatch
from simexchange.engine.records import from_record, to_record


def account_record(account: Account) -> dict[str, Any]:
    """Return the record of an account: keys, commission and balances."""
    return {
        "k": "account",
        "id": account.account_id,
        "keys": [
            {
                "key": one.key,
                "secret": one.secret,
                "public": one.public_key,
                "trade": one.can_trade,
            }
            for one in account.credentials.values()
        ],
        "commission": account.commission.record(),
        "trade": account.can_trade,
        "group": account.trade_group,
        "b": {a: [str(h.free), str(h.locked)] for a, h in account.balances.items()},
    }


def ledger_records(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Return records that `apply` rebuilds the ledger from.

    What there is is taken hold of at once, and read by and by. An order or a list that changes
    meanwhile is told as it is then; the journal has its changes behind this.
    """
    rows: list[tuple[str, list[Any]]] = [
        ("o", list(ledger.orders.values())),
        ("l", list(ledger.lists.values())),
        ("f", [fill for row in ledger.fills.values() for fill in row]),
        ("p", list(ledger.prevented)),
        ("a", [one for held in ledger.amendments.values() for one in held]),
    ]
    accounts = [account_record(account) for account in ledger.accounts.values()]
    requests, ids = list(ledger.requests), ledger.ids()

    def read() -> Iterator[dict[str, Any]]:
        yield from accounts
        for name, held in rows:
            for one in held:
                yield {"k": "x", name: [to_record(one)]}
        for request in requests:
            yield {"k": "request", **request}
        yield {"k": "x", "n": ids}

    return read()


def apply(ledger: Ledger, record: dict[str, Any]) -> None:
    """Take one journal record in; kinds that are not the ledger's are passed over."""
    kind = record["k"]
    if kind == "account":
        ledger.add_account(_read_account(record))
    elif kind == "request":
        ledger.requests.append({name: held for name, held in record.items() if name != "k"})
    elif kind == "x":
        _apply_change(ledger, record)


def _read_account(record: dict[str, Any]) -> Account:
    account = Account.open(
        record["id"],
        read_commission(record["commission"], Commission()),
        [
            Credential(one["key"], one["secret"], one["public"], one["trade"])
            for one in record["keys"]
        ],
    )
    account.can_trade = record["trade"]
    account.trade_group = record["group"]
    _apply_balances(account, record["b"])
    return account


def _apply_change(ledger: Ledger, record: dict[str, Any]) -> None:
    for row in record.get("o", ()):
        ledger.put_order(from_record(Order, row))
    for row in record.get("l", ()):
        ledger.put_list(from_record(OrderList, row))
    for row in record.get("f", ()):
        ledger.put_fill(from_record(Fill, row))
    for row in record.get("p", ()):
        ledger.put_prevented(from_record(PreventedMatch, row))
    for row in record.get("a", ()):
        ledger.put_amendment(from_record(Amendment, row))
    for account_id, held in record.get("b", {}).items():
        account = ledger.accounts[account_id]
        _apply_balances(account, held)
        account.updated_ms = record["t"]
    if "n" in record:
        ledger.set_ids(record["n"])


def _apply_balances(account: Account, held: dict[str, list[str]]) -> None:
    for asset, (free, locked) in held.items():
        account.balances[asset] = Balance(Decimal(free), Decimal(locked))
