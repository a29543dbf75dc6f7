"""The kill switch from the command line. Needs the database and nothing else."""

import getpass
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.clock import get_clock
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from risk.domain.trading_state import GLOBAL, Level, parse_scope
from risk.services.trading_state import raise_level


class Command(PlainHelpCommand):
    """Raise the kill switch."""

    help = """Raise the kill switch: nothing new is sent from the moment this returns.

REDUCE_ONLY: only reductions pass; HALT: nothing new; CANCEL: and resting entries are
canceled; FLATTEN: and positions are sold at market. Protective stops survive up to CANCEL.

Example: manage.py halt --level CANCEL --scope symbol:BTCUSDT --reason "odd prices"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        levels = [level.value for level in Level if level is not Level.ACTIVE]
        parser.add_argument("--level", choices=levels, default=Level.HALT.value)
        parser.add_argument(
            "--scope",
            default=GLOBAL,
            help="what alone shall stop: account:NAME, strategy:NAME, model:NAME or symbol:NAME",
        )
        parser.add_argument("--reason", required=True, help="why; kept for ever")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scope = parse_scope(options["scope"])
            state = raise_level(
                level=Level(options["level"]),
                reason=options["reason"],
                actor=f"cli:{getpass.getuser()}",
                now=get_clock().now(),
                scope=scope,
            )
        except TradingError as error:
            raise CommandError(error.message) from error
        which = "" if scope == GLOBAL else f" of {scope}"
        self.stdout.write(f"Kill switch{which} is at {state.level}, epoch {state.epoch}.")
