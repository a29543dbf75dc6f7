"""Read limits and trading settings from a file."""

import getpass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from core.clock import get_clock
from core.errors import InvalidInput, TradingError
from core.management.plain_help import PlainHelpCommand
from execution.services.accounts import open_account
from execution.services.trading_settings import save_trading_settings
from mlmodels.services.settings import save_ml_settings
from risk.services.limits import save_limits
from tradingsite.config_file import MAX_BYTES, Problem, invalid, key_of, parse_config

_QUOTE_ASSET = "USDT"


class Command(PlainHelpCommand):
    """Import limits, trading and training settings from YAML."""

    help = """Import limits, trading and training settings from a YAML file, all or nothing.

Keys that the file leaves out stay as they are; unknown keys are errors. Fractions are
written as such: stop_loss_percent: 0.02 is 2 %.

Example: manage.py import_config config.yaml
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the YAML file")
        parser.add_argument("--reason", default="", help="kept in the audit; default: the file")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        reason = options["reason"] or f"import_config {path.name}"
        try:
            self._import(parse_config(_read(path)), reason=reason)
        except TradingError as error:
            lines = [
                "{key}: was {value}: {fix}".format(**problem)
                for problem in error.context.get("problems", [])
                if "key" in problem
            ]
            raise CommandError("\n".join(lines) or error.message) from error
        self.stdout.write(f"Imported {path.name}.")

    @transaction.atomic
    def _import(self, values: dict[str, dict[str, Any]], *, reason: str) -> None:
        now = get_clock().now()
        common: dict[str, Any] = {"actor": f"cli:{getpass.getuser()}", "reason": reason, "now": now}
        room = "risk"
        try:
            limits = save_limits(changes=values["risk"], **common)
            room = "execution"
            # Also without changes of its own: the base size must fit a new position limit.
            account = open_account(
                name=settings.ACCOUNT_NAME,
                mode=settings.TRADING_MODE.value,
                quote_asset=_QUOTE_ASSET,
                now=now,
            )
            save_trading_settings(
                changes=values["execution"],
                account_id=account.pk,
                max_position_size=limits.max_position_size,
                **common,
            )
            room = "mlmodels"
            save_ml_settings(changes=values["mlmodels"], **common)
        except InvalidInput as error:
            raise invalid(_problems_of(room, error)) from error


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise CommandError(f"{path} is not a file; name a YAML file")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def _problems_of(room: str, error: InvalidInput) -> list[Problem]:
    """Return what a service found wrong, in the words of the file."""
    found = error.context.get("problems") or [error.context]
    return [
        Problem(
            key_of(room, str(item.get("field", ""))),
            str(item.get("value", "")),
            str(item.get("fix", error.message)),
        )
        for item in found
    ]
