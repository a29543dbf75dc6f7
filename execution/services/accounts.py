"""Accounts: one per exchange account that is traded."""

from datetime import datetime

from execution.models import Account


def open_account(*, name: str, mode: str, quote_asset: str, now: datetime) -> Account:
    """Return the account of that name, made when there is none.

    Its opening balances are taken by the first reconciliation.
    """
    account, _ = Account.objects.get_or_create(
        name=name, defaults={"mode": mode, "quote_asset": quote_asset, "created_at": now}
    )
    return account
