"""``manage.py parity``: is what ran what a replay says?"""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.clock import from_ms, get_clock
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from core.progress import Bar
from execution.backtest.findings import Findings
from execution.backtest.request import parse_time
from execution.services.parity import check_parity, report_parity
from mlmodels.tasks import load_past_models

_EXAMPLES = """
examples:
  manage.py parity
  manage.py parity --start 2024-01-01 --end 2024-02-01
  manage.py parity --days 7 --json

Compares features and predictions, decisions, orders and fills row by row and names the cause of
each difference. The exit code is 1 when something differs and nobody knows why.
"""
_SHOWN = 20


class Command(PlainHelpCommand):
    """Compares what ran with a replay."""

    help = "Hold stored predictions, decisions, orders and fills against a replay of them."
    epilog = _EXAMPLES

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--start", help="first close, UTC: 2024-01-01")
        parser.add_argument("--end", help="first close left out, UTC; default: now")
        parser.add_argument("--days", type=float, default=1.0, help="without --start; default: 1")
        parser.add_argument("--json", action="store_true", help="everything as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        now = get_clock().now()
        try:
            end = parse_time("end", options["end"]) or now
            start = parse_time("start", options["start"]) or end - timedelta(days=options["days"])
            with Bar(label="parity") as bar:
                findings = check_parity(
                    start=start, end=end, load_models=load_past_models, progress=bar.show
                )
        except TradingError as error:
            raise CommandError(error.message) from error
        report_parity(findings, now=now)
        if options["json"]:
            self.stdout.write(json.dumps(findings.to_json(), indent=1, default=str))
        else:
            self._tell(findings)
        if findings.unexplained:
            raise CommandError(f"{findings.unexplained} rows differ without a known cause.")

    def _tell(self, findings: Findings) -> None:
        total = sum(counts.total() for counts in findings.counts.values())
        self.stdout.write(
            f"{total} rows compared, {findings.unexplained} differ without a known cause."
        )
        for stage, counts in findings.counts.items():
            told = ", ".join(f"{kind.value} {count}" for kind, count in counts.most_common())
            self.stdout.write(f"  {stage.value:<11} {told or 'none'}")
        if findings.slippage_bps:
            mean = sum(findings.slippage_bps) / len(findings.slippage_bps)
            self.stdout.write(f"  mean slippage against the next open {mean:+.2f} bps")
        for item in [d for d in findings.differences if d.kind.value == "UNEXPLAINED"][:_SHOWN]:
            self.stdout.write(
                f"  {item.stage.value} {item.symbol} {from_ms(item.close_ms):%Y-%m-%d %H:%M}: "
                f"live {dict(item.live)}, replayed {dict(item.replayed)}"
            )
