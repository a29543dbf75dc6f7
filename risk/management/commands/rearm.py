"""The way back from the kill switch, for a person at the command line."""

import getpass
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.clock import get_clock
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from risk.domain.trading_state import GLOBAL, Level, parse_scope
from risk.services.rearming import REQUEST_LIFETIME, rearm_trading


class Command(PlainHelpCommand):
    """Take the kill switch back to ACTIVE."""

    help = """Take the kill switch back to ACTIVE once the cause is known and gone.

After a drawdown stop, --reset-drawdown starts a new high-water mark at the present equity;
without it the next entry is refused again. With TWO_PERSON_REARM the first call asks, and the
call of a second person re-arms.

Example: manage.py rearm --reason "exchange confirmed the prices"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why it is safe again")
        parser.add_argument("--scope", default=GLOBAL, help="which switch, as `halt` was given it")
        parser.add_argument("--reset-drawdown", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        clock = get_clock()
        try:
            scope = parse_scope(options["scope"])
            state = rearm_trading(
                reason=options["reason"],
                actor=f"cli:{getpass.getuser()}",
                reset_drawdown=options["reset_drawdown"],
                now=clock.now(),
                scope=scope,
                lifetime=clock.protocol(REQUEST_LIFETIME),
            )
        except TradingError as error:
            raise CommandError(error.message) from error
        which = "" if scope == GLOBAL else f" of {scope}"
        self.stdout.write(f"Kill switch{which} is at {state.level}, epoch {state.epoch}.")
        if state.level is not Level.ACTIVE:
            self.stdout.write(
                "Asked for. A second person, who did not raise it, must re-arm within 10 minutes."
            )
        elif not state.is_running:
            self.stdout.write("Trading is stopped; POST /system/start starts it.")
