"""``manage.py prepare_desk``: everything that must exist before the first candle closes."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from core.clock import get_clock
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from core.tokens import seed_token
from execution.selectors import find_account_id, latest_reconciliation
from execution.services.accounts import open_account
from execution.services.reconciliation import close_gate
from execution.services.strategies import set_up_strategy
from markets.adapters.factory import get_market_data
from markets.domain.timeframe import Timeframe
from markets.services.instruments import subscribe, sync_instruments
from mlmodels.selectors import get_champion
from risk.services.trading_state import start_trading

_QUOTE_ASSET = "USDT"
# Enough for the default recipe to find a signal of IC 0.05 in a pool of a few symbols.
_HISTORY_BARS = 9_000
_ADMIN = "admin"


class Command(PlainHelpCommand):
    """Prepare the desk; safe to repeat."""

    help = """Create the schema, the account, the strategy, the candle history and the first model,
whatever of it is missing, and with API_TOKEN the user `admin` whose token it is.
`manage.py trade` runs it; safe to repeat.

Example: manage.py prepare_desk --symbols BTCUSDT,ETHUSDT --timeframe 1h
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT")
        parser.add_argument(
            "--timeframe", default="1h", choices=[frame.value for frame in Timeframe]
        )
        parser.add_argument("--demo", action="store_true", help="also start trading")

    def handle(self, *args: Any, **options: Any) -> None:
        timeframe = Timeframe(options["timeframe"])
        symbols = options["symbols"].split(",")
        self._say("database …")
        call_command("migrate", verbosity=0, interactive=False)
        try:
            if settings.API_TOKEN:
                self._make_login()
            self._list_instruments(symbols, timeframe)
            self._load_history(symbols, timeframe)
            self._say("comparing our books with the exchange …")
            self._compare()
            if get_champion(timeframe.value) is None:
                self._say("training the first model …")
                call_command("retrain", timeframe=timeframe.value)
        except TradingError as error:
            raise CommandError(error.message) from error
        if options["demo"]:
            start_trading(reason="the desk starts by itself", actor=_ADMIN, now=get_clock().now())

    def _compare(self) -> None:
        """Compare with the exchange. Red keeps nobody from starting: positions need a guardian.

        Raises:
            CommandError: The exchange could not answer.
        """
        started_at = get_clock().now()
        try:
            call_command("reconcile")
        except SystemExit as error:
            row = latest_reconciliation(account_id=find_account_id(settings.ACCOUNT_NAME))
            if row is None or row.timestamp < started_at:
                raise CommandError("The exchange could not be asked; see above.") from error
            self._say(
                "The desk starts all the same: positions are protected, and nothing is entered "
                "until the differences are settled (/admin/execution/difference/)."
            )

    def _make_login(self) -> None:
        users = get_user_model()
        user, is_new = users.objects.get_or_create(
            username=_ADMIN, defaults={"is_staff": True, "is_superuser": True}
        )
        if is_new:
            # Without a password it cannot log in until `manage.py changepassword admin`.
            user.set_password(settings.DESK_ADMIN_PASSWORD or None)
            user.save()
        seed_token(secret=settings.API_TOKEN, user=user, name="demo", now=timezone.now())

    def _list_instruments(self, symbols: list[str], timeframe: Timeframe) -> None:
        self._say("instruments …")
        now = get_clock().now()
        instrument_ids = sync_instruments(market_data=get_market_data(), symbols=symbols, now=now)
        account = open_account(
            name=settings.ACCOUNT_NAME,
            mode=settings.TRADING_MODE.value,
            quote_asset=_QUOTE_ASSET,
            now=now,
        )
        close_gate(account_id=account.pk)
        set_up_strategy(account_id=account.pk, timeframe=timeframe, instrument_ids=instrument_ids)
        for instrument_id in instrument_ids:
            subscribe(instrument_id=instrument_id, timeframe=timeframe)

    def _load_history(self, symbols: list[str], timeframe: Timeframe) -> None:
        start = get_clock().now() - timedelta(seconds=_HISTORY_BARS * timeframe.seconds)
        for symbol in symbols:
            call_command(
                "backfill", symbol=symbol, interval=timeframe.value, start=start.isoformat()
            )

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
