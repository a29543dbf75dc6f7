"""Compare our books with the exchange's, and show it."""

import json
import sys
import time
import urllib.request
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from core.clock import get_clock, to_ms
from core.errors import TradingError
from core.keys.manager import get_credentials
from execution.adapters.factory import get_broker
from execution.models import Account, Balance, Fill, Order, Reconciliation
from execution.services.accounts import open_account
from execution.services.reconciliation import reconcile_account

_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


class Command(BaseCommand):
    """Exit code 1 when anything differs by as much as the last digit."""

    help = (
        "Compare orders, trades, balances and positions with the exchange. "
        "Example: manage.py reconcile --against-ledger http://127.0.0.1:9443"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--against-ledger", metavar="URL", help="compare with the local exchange's own ledger"
        )
        parser.add_argument(
            "--accept-external",
            metavar="REASON",
            default="",
            help="enter unexplained balance differences as deposits or withdrawals",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        clock = get_clock()
        account = open_account(
            name=settings.ACCOUNT_NAME,
            mode=str(settings.TRADING_MODE),
            quote_asset="USDT",
            now=clock.now(),
        )
        try:
            row = reconcile_account(
                account_id=account.pk,
                broker=get_broker(),
                clock=clock,
                pause=time.sleep,
                accept_external=options["accept_external"],
            )
        except TradingError as error:
            self.stderr.write(f"{error.code}: {error.message}")
            sys.exit(1)
        self._show(row)
        is_green = row.is_green
        if options["against_ledger"]:
            is_green = (
                self._compare_ledger(
                    account.pk, options["against_ledger"], opened_ms=_opened_ms(account.pk)
                )
                and is_green
            )
        if not is_green:
            sys.exit(1)

    def _show(self, row: Reconciliation) -> None:
        kinds = [str(item["kind"]) for item in row.differences]
        for name, count, prefix in (
            ("orders", row.orders_compared, "ORDER"),
            ("trades", row.trades_compared, "TRADE"),
            ("balances", row.assets_compared, "BALANCE"),
            ("positions", None, "POSITION"),
        ):
            wrong = sum(kind.startswith(prefix) for kind in kinds)
            compared = "" if count is None else f"{count} compared"
            verdict = "equal to the last digit" if not wrong else f"{wrong} DIFFER"
            self.stdout.write(f"{name:<10} {compared:<16} {verdict}")
        for item in row.differences:
            self.stdout.write(f"  {item}")
        self.stdout.write("GREEN" if row.is_green else "RED")

    def _compare_ledger(self, account_id: int, url: str, *, opened_ms: int) -> bool:
        """Compare with what the local exchange itself holds for true."""
        if not url.startswith(_LOOPBACK):
            self.stderr.write("--against-ledger takes an address of this machine")
            return False
        with urllib.request.urlopen(f"{url.rstrip('/')}/_sim/ledger", timeout=30) as reply:  # noqa: S310 - loopback, checked
            ledger = json.load(reply)
        key = get_credentials().api_key
        own = next((item for item in ledger["accounts"] if item["key"] == key), None)
        if own is None:
            self.stdout.write("  ledger: the exchange has no account with our key")
            return False
        orders = _since_opening(ledger["orders"], own["account"], opened_ms)
        trades = _since_opening(ledger["trades"], own["account"], opened_ms)
        wrong = [
            *_missing(
                "order",
                {f"{item['symbol']}:{item['orderId']}" for item in orders},
                {
                    f"{symbol}:{number}"
                    for symbol, number in Order.objects.filter(
                        account_id=account_id, venue_order_id__isnull=False
                    ).values_list("instrument__symbol", "venue_order_id")
                },
            ),
            *_missing(
                "trade",
                {f"{item['symbol']}:{item['id']}" for item in trades},
                {
                    f"{symbol}:{number}"
                    for symbol, number in Fill.objects.filter(account_id=account_id).values_list(
                        "symbol", "venue_trade_id"
                    )
                },
            ),
            *_differing_balances(account_id, own["balances"]),
        ]
        for line in wrong:
            self.stdout.write(f"  ledger: {line}")
        self.stdout.write(f"ledger     {'equal to the last digit' if not wrong else 'DIFFERS'}")
        return not wrong


def _opened_ms(account_id: int) -> int:
    opened_at = Account.objects.get(pk=account_id).opened_at
    return to_ms(opened_at) if opened_at is not None else 0


def _since_opening(rows: Any, account: str, opened_ms: int) -> list[Any]:
    """Leave out what was done with the same key before these books were opened."""
    return [row for row in rows if row["account"] == account and row["time"] >= opened_ms]


def _missing(kind: str, theirs: set[str], ours: set[str]) -> list[str]:
    return [f"{kind} {name} is only at the exchange" for name in sorted(theirs - ours)] + [
        f"{kind} {name} is only here" for name in sorted(ours - theirs)
    ]


def _differing_balances(account_id: int, balances: Any) -> list[str]:
    theirs = {item["asset"]: Decimal(item["free"]) + Decimal(item["locked"]) for item in balances}
    ours = dict(Balance.objects.filter(account_id=account_id).values_list("asset", "total"))
    zero = Decimal(0)
    return [
        f"balance {asset}: {ours.get(asset, zero)} here, {theirs.get(asset, zero)} there"
        for asset in sorted({*ours, *theirs})
        if ours.get(asset, zero) != theirs.get(asset, zero)
    ]
