"""Search for a better configuration, and say how much of what was found is luck."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.clock import get_clock
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from core.progress import Bar
from markets.domain.timeframe import Timeframe
from mlmodels.adapters.factory import get_changed_trainers
from mlmodels.domain.search_space import RECIPES
from mlmodels.management.choices import chosen_instruments
from mlmodels.services.search_orders import SearchOrder, get_search, start_search
from mlmodels.services.searching import run_trial
from mlmodels.tasks import search_step


class Command(PlainHelpCommand):
    """Search now, here or on the workers."""

    help = """Try configurations of columns, label, model and decision on the older three quarters
of the stored candles, walking forward; judge the best on the newest quarter, which no trial sees.
Every trial stands in the ledger. Stopped in the middle, it goes on with --resume.

Example: manage.py search --timeframe 1h --symbol BTCUSDT --trials 40 --horizon 4 --horizon 24
         manage.py search --timeframe 1h --trials 200 --workers 4
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--timeframe", choices=[frame.value for frame in Timeframe])
        parser.add_argument("--symbol", action="append", help="default: all subscribed ones")
        parser.add_argument("--trials", type=int, default=50)
        parser.add_argument("--recipe", action="append", choices=RECIPES, help="default: all")
        parser.add_argument("--horizon", action="append", type=int, help="default: 4, 12 and 24")
        parser.add_argument("--cost-bps", type=float, default=20.0, help="round trip")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--workers", type=int, default=0, help="let so many trials run on Celery workers"
        )
        parser.add_argument("--resume", type=int, metavar="ID", help="go on with a search")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            search_id = options["resume"] or self._start(options)
            get_search(search_id)
            if options["workers"] > 0:
                for _ in range(options["workers"]):
                    search_step.delay(search_id=search_id)
                self.stdout.write(
                    f"Search {search_id} runs on the workers; see /admin/mlmodels/search/."
                )
                return
            self._run(search_id)
            self._report(search_id)
        except TradingError as error:
            fix = error.context.get("fix")
            raise CommandError(f"{error.message}{f'; {fix}' if fix else ''}") from error
        except KeyboardInterrupt as error:
            raise CommandError(
                f"Stopped; go on with `manage.py search --resume {search_id}`."
            ) from error

    def _start(self, options: Mapping[str, Any]) -> int:
        if not options["timeframe"]:
            raise CommandError("Name --timeframe, or --resume a search.")
        timeframe = Timeframe(options["timeframe"])
        order = SearchOrder(
            timeframe=timeframe,
            instrument_ids=chosen_instruments(timeframe, options["symbol"]),
            trials=options["trials"],
            recipes=tuple(options["recipe"] or RECIPES),
            horizons=tuple(options["horizon"] or (4, 12, 24)),
            cost_bps=options["cost_bps"],
            seed=options["seed"],
        )
        search = start_search(order=order, actor="command line", now=get_clock().now())
        self.stdout.write(f"Search {search.pk}: {search.wanted} trials of {search.scope}.")
        return int(search.pk)

    def _run(self, search_id: int) -> None:
        wanted = get_search(search_id).wanted
        with Bar(label=f"search {search_id}") as bar:
            going = True
            while going:
                done = get_search(search_id).trials.count()
                bar.show(done, wanted, f"{done} of {wanted} trials")
                going = run_trial(
                    search_id=search_id,
                    make_trainers=get_changed_trainers,
                    now=get_clock().now(),
                )

    def _report(self, search_id: int) -> None:
        search = get_search(search_id)
        report = search.report
        if not report:
            self.stdout.write(f"Search {search_id} goes on elsewhere.")
            return
        self.stdout.write(report["first_line"])
        if "best" not in report:
            return
        best, held = report["best"], report["held_out"] or {}
        overfitting = report["overfitting"] or {}
        self.stdout.write(
            f"best of {report['trials']}: t {best['score']:+.2f} net, {best['choice']}"
        )
        self.stdout.write(
            f"deflated Sharpe {_number(report['deflated_sharpe'])} after {report['ledger']} "
            f"trials; probability of overfitting {_number(overfitting.get('probability'))}"
        )
        self.stdout.write(
            f"on rows that no trial saw: IC t {_number(held.get('ic_t'))}, {held.get('trades', 0)} "
            f"trades, net t {_number(held.get('net_t'))}"
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
