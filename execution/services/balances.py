"""Comparing balances with the ledger, to the last unit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction

from core.clock import Clock
from execution.models import Account, Balance, LedgerEntry, Order
from execution.ports import Broker, VenueBalance
from execution.services.trade_check import check_trades
from markets.selectors import list_rules
from risk.services.trading_state import lock_account

# Balances move while they are compared; an asset that agrees in any of these looks agrees.
_LOOKS = 6
_PAUSE_S = 0.25
# Trades are asked for at the first look again and at the last: they cost the most weight.
_FETCHES = (1, _LOOKS - 1)
_ZERO = Decimal(0)


@dataclass(slots=True, kw_only=True)
class BalanceCheck:
    """How many assets were compared, and which differ."""

    compared: int = 0
    trades_compared: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)


@transaction.atomic
def _enter(
    account: Account,
    changes: dict[str, Decimal],
    *,
    kind: LedgerEntry.Kind,
    reason: str,
    clock: Clock,
) -> None:
    lock_account(account.pk)
    now = clock.now()
    for asset, change in sorted(changes.items()):
        LedgerEntry.objects.create(
            account=account, asset=asset, change=change, kind=kind, reason=reason, timestamp=now
        )
        balance, _ = Balance.objects.select_for_update().get_or_create(
            account=account, asset=asset, defaults={"updated_at": now}
        )
        balance.total += change
        Balance.objects.filter(pk=balance.pk).update(total=balance.total, updated_at=now)


def enter_external(
    *, account: Account, changes: dict[str, Decimal], reason: str, clock: Clock
) -> None:
    """Enter deposits and withdrawals that a person accounts for."""
    _enter(account, changes, kind=LedgerEntry.Kind.EXTERNAL, reason=reason[:200], clock=clock)


def take_opening(*, account: Account, broker: Broker, clock: Clock) -> None:
    """Enter what the account holds at the very first comparison.

    A second process that does the same finds the account open and leaves it.
    """
    held = {balance.asset: balance.total for balance in broker.balances()}
    now = clock.now()
    with transaction.atomic():
        lock_account(account.pk)
        if Account.objects.filter(pk=account.pk, opened_at__isnull=True).update(opened_at=now):
            _enter(
                account, held, kind=LedgerEntry.Kind.OPENING, reason="opening balance", clock=clock
            )
    account.refresh_from_db()


def compare_balances(
    *,
    account: Account,
    broker: Broker,
    clock: Clock,
    pause: Callable[[float], None],
    accept_external: str = "",
) -> BalanceCheck:
    """Compare every asset's ledger total with the exchange's free and locked.

    What differs is looked at again after the trades of all symbols that move the asset were
    fetched, and a few times more: a trade may fall between the two readings.
    """
    result = BalanceCheck()
    suspects: dict[str, tuple[Decimal, Decimal]] = {}
    for look in range(_LOOKS):
        if look:
            pause(_PAUSE_S)
            if look in _FETCHES:
                result.trades_compared += _fetch_trades(
                    account, set(suspects), broker=broker, clock=clock
                )
        before = _ledger(account)
        venue = {balance.asset: balance for balance in broker.balances()}
        after = _ledger(account)
        assets = {*before, *venue} if not look else set(suspects)
        if not look:
            result.compared = len(assets)
        suspects = {
            asset: (after.get(asset, _ZERO), _total(venue.get(asset)))
            for asset in assets
            if not before.get(asset, _ZERO) == after.get(asset, _ZERO) == _total(venue.get(asset))
        }
        if not suspects:
            _note_venue_balances(account, venue, clock=clock)
            return result
    if accept_external:
        changes = {asset: theirs - ours for asset, (ours, theirs) in suspects.items()}
        enter_external(account=account, changes=changes, reason=accept_external, clock=clock)
        return result
    # Nobody here trades it: a gift, a fork, a transfer to the wrong account.
    known = {asset for row in list_rules().values() for asset in (row.base_asset, row.quote_asset)}
    result.differences = [
        {
            "kind": "BALANCE_DIFFERS" if asset in known else "UNKNOWN_ASSET",
            "asset": asset,
            "ledger": format(ours, "f"),
            "exchange": format(theirs, "f"),
            "difference": format(theirs - ours, "f"),
        }
        for asset, (ours, theirs) in sorted(suspects.items())
    ]
    return result


def _total(balance: VenueBalance | None) -> Decimal:
    return balance.total if balance else _ZERO


def _ledger(account: Account) -> dict[str, Decimal]:
    return dict(Balance.objects.filter(account=account).values_list("asset", "total"))


def _fetch_trades(account: Account, assets: set[str], *, broker: Broker, clock: Clock) -> int:
    """Book missed trades of every symbol that could have moved one of these assets."""
    used = set(Order.objects.filter(account=account).values_list("instrument_id", flat=True))
    ids = [
        key
        for key, rules in sorted(list_rules().items())
        if rules.base_asset in assets or (rules.quote_asset in assets and key in used)
    ]
    checked = check_trades(account=account, instrument_ids=ids, broker=broker, clock=clock)
    return checked.booked


def _note_venue_balances(account: Account, venue: dict[str, VenueBalance], *, clock: Clock) -> None:
    """Keep the exchange's split into free and locked, for the pages."""
    now = clock.now()
    for balance in Balance.objects.filter(account=account):
        theirs = venue.get(balance.asset)
        free, locked = (theirs.free, theirs.locked) if theirs else (_ZERO, _ZERO)
        if (balance.venue_free, balance.venue_locked) != (free, locked):
            Balance.objects.filter(pk=balance.pk).update(
                venue_free=free, venue_locked=locked, updated_at=now
            )
