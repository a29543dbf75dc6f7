"""``manage.py lookahead_check``: does anything know the future?"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.clock import get_clock
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from markets.domain.timeframe import Timeframe
from mlmodels.management.choices import chosen_instruments, chosen_timeframes
from mlmodels.selectors import get_settings
from mlmodels.services.leak_report import LeakReport, check_everything


class Command(PlainHelpCommand):
    """Checks features, labels, splits and fits on the stored candles."""

    help = """Check on the stored candles that no feature, label, split or fit knows the future:
history cut off after a close, noise put in its place, history that begins with the warm-up; labels
against splits; scalers and trees against changed test rows. Six planted leaks show that the checks
can see. Ends with status 1 when something was found.

Example: manage.py lookahead_check --timeframe 1h --symbol BTCUSDT --cuts 200
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--timeframe", choices=[frame.value for frame in Timeframe])
        parser.add_argument("--symbol", action="append", help="default: all subscribed ones")
        parser.add_argument("--cuts", type=int, default=50, help="random closes per symbol")
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cuts"] < 1:
            raise CommandError(f"--cuts must be 1 or more, was {options['cuts']}.")
        try:
            reports = [self._check(frame, options) for frame in chosen_timeframes(options)]
        except TradingError as error:
            raise CommandError(error.message) from error
        if not all(report.is_clean for report in reports):
            raise CommandError("Something knows the future; see above.")

    def _check(self, frame: Timeframe, options: dict[str, Any]) -> LeakReport:
        ids = chosen_instruments(frame, options["symbol"])
        report = check_everything(
            timeframe=frame,
            instrument_ids=ids,
            settings=get_settings(),
            cuts=options["cuts"],
            seed=options["seed"],
            now=get_clock().now(),
        )
        self.stdout.write(
            f"{frame.value}: {report.features} features at {report.closes} closes of "
            f"{len(ids)} symbols, {report.rows} labels."
        )
        for finding in report.findings:
            self.stdout.write(f"  {finding.check}: {finding.subject}: {finding.detail}")
        for name, is_caught in report.planted.items():
            self.stdout.write(f"  planted {name}: {'caught' if is_caught else 'NOT CAUGHT'}")
        if report.is_clean:
            self.stdout.write("  Nothing knows the future.")
        return report
