"""What the hand behind the exchange does to accounts, keys and funds."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from simexchange.engine.accounts import Account, Credential
from simexchange.engine.commission import read_commission
from simexchange.engine.exchange import Exchange
from simexchange.faces.signing import check_public_key


def change_account(exchange: Exchange, data: Mapping[str, Any]) -> dict[str, Any]:
    """Open an account, change one, or move its funds, as ``POST /_sim/account`` asks.

    ``asset`` and ``quantity`` move funds of ``account``. ``key`` (with ``secret`` or
    ``public_key``) opens an account with ``balances``, or adds a key to the ``account`` named;
    ``can_trade_key`` false makes it read-only. ``revoke`` ends a key. ``commission``, ``can_trade``
    and ``trade_group`` change the account.

    Raises:
        KeyError: the account does not exist, or a field is missing.
        ValueError: a field makes no sense.
    """
    ledger = exchange.ledger
    if "asset" in data:
        account = ledger.accounts[str(data.get("account", "1"))]
        exchange.transfer(account, str(data["asset"]), Decimal(str(data["quantity"])))
        return {"account": account.account_id, "key": account.first_key.key}
    credentials = [_read_key(exchange, data)] if "key" in data else []
    if "account" in data:
        account = ledger.accounts[str(data["account"])]
    else:
        account = _open(exchange, data, credentials)
    _change(account, data, credentials)
    exchange.add_account(account)
    key = credentials[0].key if credentials else account.first_key.key
    return {"account": account.account_id, "key": key}


def _read_key(exchange: Exchange, data: Mapping[str, Any]) -> Credential:
    key, public_key = str(data["key"]), str(data.get("public_key", ""))
    if key in exchange.ledger.by_key:
        raise ValueError(f"key {key} is in use")
    if public_key:
        check_public_key(public_key)
    return Credential(
        key, str(data.get("secret", "")), public_key, bool(data.get("can_trade_key", True))
    )


def _open(exchange: Exchange, data: Mapping[str, Any], credentials: list[Credential]) -> Account:
    accounts = exchange.ledger.accounts
    if not credentials:
        raise KeyError("key")
    pattern = next(iter(accounts.values()))
    account = Account.open(
        str(max(map(int, accounts), default=0) + 1), pattern.commission, credentials
    )
    for asset, quantity in data.get("balances", {}).items():
        account.credit(asset, Decimal(str(quantity)))
    return account


def _change(account: Account, data: Mapping[str, Any], credentials: list[Credential]) -> None:
    if "commission" in data:
        account.commission = read_commission(data["commission"], account.commission)
    if "can_trade" in data:
        account.can_trade = bool(data["can_trade"])
    if "trade_group" in data:
        account.trade_group = int(data["trade_group"])
    revoked = data.get("revoke")
    if revoked is not None:
        if revoked not in account.credentials or len(account.credentials) == 1:
            raise ValueError(f"{revoked!r} is not one of several keys of {account.account_id}")
        del account.credentials[revoked]
    for one in credentials:
        account.credentials[one.key] = one
