"""Everything that must be true, checked now and shown."""

import contextlib
import json
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from core.clock import Clock, get_clock
from core.errors import TradingError
from core.keys.base import KeyMissing
from core.keys.manager import get_credentials
from core.recording.recorder import MANIFEST, VERDICT
from execution.adapters.factory import get_broker
from execution.adapters.sim_ledger import read_sim_ledger
from execution.domain.invariants import Answer, WorldReport
from execution.domain.truth import VenueTruth
from execution.models import Account
from execution.selectors import get_account
from execution.services.world.asking import truth_reader
from execution.services.world.checking import check_world
from execution.services.world.rows import Beside, ReplayedSession

_WIDTH = 86


class Command(BaseCommand):
    """Exit code 1 when any invariant does not hold."""

    help = (
        "Check every invariant (no order lost, none doubled, each cent accounted for) on our books "
        "and the exchange's. Example: manage.py check_world --against-ledger http://127.0.0.1:9443"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group()
        source.add_argument(
            "--against-ledger", metavar="URL", help="ask the local exchange's own ledger"
        )
        source.add_argument(
            "--offline", action="store_true", help="check our books alone, ask nobody"
        )
        parser.add_argument(
            "--days", type=float, default=7.0, help="how far back the exchange is asked (market)"
        )
        parser.add_argument(
            "--looks", type=int, default=4, help="report what is found in so many looks, 1 s apart"
        )

        parser.add_argument(
            "--replay", action="store_true", help="replay the newest recorded session first"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        clock = get_clock()
        started = time.monotonic()
        try:
            account = get_account(settings.ACCOUNT_NAME)
            report = check_world(
                account_id=account.pk,
                read_truth=_reader(account, options, clock),
                clock=clock,
                pause=time.sleep,
                looks=options["looks"],
                secrets=_secrets(),
                beside=Beside(
                    log_paths=[str(p) for p in sorted(Path(settings.DATA_DIR).glob("*.log*"))],
                    replay=_replayed(run=options["replay"]),
                ),
            )
        except TradingError as error:
            self.stderr.write(f"{error.code}: {error.message}")
            sys.exit(1)
        self._show(report)
        count = len(report.findings)
        verdict = "SOUND" if report.is_sound else f"{count} FINDING{'S' if count > 1 else ''}"
        self.stdout.write(f"{verdict} after {time.monotonic() - started:.1f} s")
        if not report.is_sound:
            sys.exit(1)

    def _show(self, report: WorldReport) -> None:
        self.stdout.write(f"{'':<4} {'compared':>9}  {'':<12} what must hold")
        for invariant, answer in report.answers.items():
            what = textwrap.shorten(invariant.value, _WIDTH, placeholder=" …")
            line = f"{invariant.name:<4} {answer.compared:>9}  {_verdict(answer):<12} {what}"
            self.stdout.write(line)
            if answer.not_checked:
                self.stdout.write(f"{'':<29}({answer.not_checked})")
            for finding in answer.findings:
                self.stdout.write(f"{'':<29}! {finding.subject}: {finding.problem}")


def _verdict(answer: Answer) -> str:
    if answer.findings:
        return f"{len(answer.findings)} WRONG"
    if answer.not_checked:
        return "not checked" if not answer.compared else "in part"
    return "holds"


def _reader(
    account: Account, options: dict[str, Any], clock: Clock
) -> Callable[[], VenueTruth] | None:
    if options["offline"]:
        return None
    if url := options["against_ledger"]:
        key = get_credentials().api_key
        since = account.opened_at or account.created_at
        return lambda: read_sim_ledger(url, api_key=key, since=since)
    return truth_reader(
        account_id=account.pk,
        broker=get_broker(),
        clock=clock,
        look_back=timedelta(days=options["days"]),
    )


def _replayed(*, run: bool) -> ReplayedSession | None:
    """Return the newest recorded session with what its replay came to."""
    found = sorted((Path(settings.DATA_DIR) / "recordings").glob(f"*/{MANIFEST}"))
    if not found:
        return None
    folder = found[-1].parent
    if run:
        with contextlib.suppress(SystemExit):  # its verdict says it too
            call_command("replay_session", str(folder))
    verdict = folder / VERDICT
    return ReplayedSession(
        name=folder.name, verdict=json.loads(verdict.read_text()) if verdict.exists() else None
    )


def _secrets() -> list[str]:
    """Return what must not be found; without a key there is nothing to look for."""
    try:
        return [get_credentials().api_secret]
    except KeyMissing:
        return []
