"""What the hand behind the exchange does to accounts, keys and funds."""

import re
from collections.abc import Mapping
from typing import Any

from simexchange.engine.accounts import Account, Credential
from simexchange.engine.commission import read_commission
from simexchange.engine.exchange import Exchange
from simexchange.faces.control_fields import flag, quantity, shown, text, whole
from simexchange.faces.signing import check_public_key

ASSET = re.compile(r"[A-Z0-9]{1,20}")
MOST_GROUPS = 2**53


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
        account = _account_of(exchange, data)
        exchange.transfer(account, _asset(data["asset"]), quantity("quantity", data["quantity"]))
        return {"account": account.account_id, "key": account.first_key.key}
    credential = _read_key(exchange, data) if "key" in data else None
    if "account" in data:
        account = _account_of(exchange, data)
        before = account
    elif credential is None:
        raise KeyError("key")
    else:
        before = next(iter(ledger.accounts.values()))
        account = _open(exchange, data, credential)
    commission = read_commission(data.get("commission", {}), before.commission)
    can_trade = flag(data, "can_trade", default=account.can_trade)
    group = account.trade_group
    if "trade_group" in data:
        group = whole(data, "trade_group", least=-1, most=MOST_GROUPS)
    _revoke(account, data)
    account.commission, account.can_trade, account.trade_group = commission, can_trade, group
    if credential is not None:
        account.credentials[credential.key] = credential
    exchange.add_account(account)
    key = credential.key if credential is not None else account.first_key.key
    return {"account": account.account_id, "key": key}


def _account_of(exchange: Exchange, data: Mapping[str, Any]) -> Account:
    accounts, wanted = exchange.ledger.accounts, data.get("account", "1")
    if str(wanted) not in accounts:
        raise ValueError(f"account is one of {', '.join(accounts)}, was {shown(wanted)}")
    return accounts[str(wanted)]


def _asset(name: Any) -> str:
    if not isinstance(name, str) or not ASSET.fullmatch(name):
        raise ValueError(f"an asset is 1 to 20 capital letters and digits, was {shown(name)}")
    return name


def _read_key(exchange: Exchange, data: Mapping[str, Any]) -> Credential:
    key, public_key = text(data, "key"), text(data, "public_key", "")
    if key in exchange.ledger.by_key:
        raise ValueError(f"key {shown(key)} is in use")
    if public_key:
        check_public_key(public_key)
    may_trade = flag(data, "can_trade_key", default=True)
    return Credential(key, text(data, "secret", ""), public_key, may_trade)


def _open(exchange: Exchange, data: Mapping[str, Any], credential: Credential) -> Account:
    accounts = exchange.ledger.accounts
    pattern = next(iter(accounts.values()))
    account_id = str(max(map(int, accounts), default=0) + 1)
    account = Account.open(account_id, pattern.commission, [credential])
    balances = data.get("balances", {})
    if not isinstance(balances, Mapping):
        raise ValueError(f"balances takes an object of asset and quantity, was {shown(balances)}")
    for asset, held in balances.items():
        account.credit(_asset(asset), quantity(asset, held))
    return account


def _revoke(account: Account, data: Mapping[str, Any]) -> None:
    revoked = data.get("revoke")
    if revoked is None:
        return
    if (
        not isinstance(revoked, str)
        or revoked not in account.credentials
        or len(account.credentials) == 1
    ):
        raise ValueError(f"{shown(revoked)} is not one of several keys of {account.account_id}")
    del account.credentials[revoked]
