"""The kill switch from the command line. Needs the database and nothing else."""

import getpass
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import get_clock
from core.errors import TradingError
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level


class Command(BaseCommand):
    """Raise the kill switch."""

    help = """Raise the kill switch: nothing new is sent from the moment this returns.

REDUCE_ONLY: only reductions pass; HALT: nothing new; CANCEL: and resting entries are
canceled; FLATTEN: and positions are sold at market. Protective stops survive up to CANCEL.

Example: manage.py halt --level CANCEL --reason "odd prices on BTCUSDT"
"""

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        levels = [level.value for level in Level if level is not Level.ACTIVE]
        parser.add_argument("--level", choices=levels, default=Level.HALT.value)
        parser.add_argument("--reason", required=True, help="why; kept for ever")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            state = raise_level(
                level=Level(options["level"]),
                reason=options["reason"],
                actor=f"cli:{getpass.getuser()}",
                now=get_clock().now(),
            )
        except TradingError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Kill switch is at {state.level}, epoch {state.epoch}.")
