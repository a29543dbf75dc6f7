"""Compare our books with the exchange's, and show it."""

import sys
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from core.clock import Clock, get_clock
from core.errors import TradingError
from core.keys.manager import get_credentials
from execution.adapters.factory import get_broker
from execution.adapters.sim_ledger import read_sim_ledger
from execution.domain.invariants import Invariant
from execution.models import Account, Reconciliation
from execution.services.accounts import open_account
from execution.services.reconciliation import reconcile_account
from execution.services.world.checking import check_world

_LEDGER = (Invariant.I2, Invariant.I3, Invariant.I4)
_LOOKS = 4


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
            account.refresh_from_db()
            try:
                is_equal = self._compare_ledger(account, options["against_ledger"], clock)
            except TradingError as error:
                self.stderr.write(f"{error.code}: {error.message}")
                is_equal = False
            is_green = is_green and is_equal
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

    def _compare_ledger(self, account: Account, url: str, clock: Clock) -> bool:
        """Compare with what the local exchange itself holds for true."""
        key = get_credentials().api_key
        since = account.opened_at or account.created_at
        report = check_world(
            account_id=account.pk,
            read_truth=lambda: read_sim_ledger(url, api_key=key, since=since),
            clock=clock,
            pause=time.sleep,
            looks=_LOOKS,
            only=_LEDGER,
        )
        for _, finding in report.findings:
            self.stdout.write(f"  ledger: {finding.subject}: {finding.problem}")
        verdict = "equal to the last digit" if report.is_sound else "DIFFERS"
        self.stdout.write(f"ledger     {verdict}")
        return report.is_sound
