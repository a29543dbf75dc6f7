"""Write limits and trading settings as ``import_config`` reads them."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError

from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from execution.services.trading_settings import get_trading_settings
from mlmodels.selectors import get_settings
from risk.selectors import get_limits
from tradingsite.config_file import render_config


class Command(PlainHelpCommand):
    """Print the settings in force as YAML."""

    help = """Print limits, trading and training settings in force, for import_config.

Example: manage.py export_config > config.yaml
"""

    def handle(self, *args: Any, **options: Any) -> None:
        limits = get_limits()
        if limits is None:
            raise CommandError("There are no risk limits; save them in the admin first.")
        training = get_settings()
        try:
            trading = get_trading_settings()
        except TradingError as error:
            raise CommandError(error.message) from error
        values = {
            "risk": asdict(limits),
            "execution": asdict(trading),
            "mlmodels": {
                "retrain_error_threshold": Decimal(str(training.retrain_error_threshold)),
                "retrain_interval_hours": training.retrain_interval_hours,
            },
        }
        self.stdout.write(render_config(values), ending="")
