"""Train a model from the command line and say in plain words what it is worth."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.clock import get_clock
from core.errors import TradingError
from core.management.plain_help import PlainHelpCommand
from core.progress import Bar
from markets.domain.timeframe import Timeframe
from markets.selectors import list_rules
from mlmodels.adapters.factory import (
    DEFAULT_RECIPE,
    RECIPES,
    get_artifact_store,
    get_trainers,
)
from mlmodels.management.choices import chosen_instruments, chosen_timeframes
from mlmodels.selectors import get_champion, get_settings, get_version
from mlmodels.services.health_page import claim_in_words
from mlmodels.services.training import train_model

LEASE = timedelta(minutes=30)


class Command(PlainHelpCommand):
    """Train now."""

    help = """Train on the stored candles, judge the model on data it has not seen, and let it
predict if it is not worse than the present one. Without options: every subscribed timeframe.

Example: manage.py retrain --symbol BTCUSDT --symbol ETHUSDT --timeframe 1h --horizon 12
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--symbol", action="append", help="pool these symbols; default: all subscribed ones"
        )
        parser.add_argument("--model", choices=sorted(RECIPES), default=DEFAULT_RECIPE)
        parser.add_argument("--timeframe", choices=[frame.value for frame in Timeframe])
        parser.add_argument("--horizon", type=int, help="candles ahead")
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for timeframe in chosen_timeframes(options):
                self._train(timeframe, options)
        except TradingError as error:
            raise CommandError(error.message) from error

    def _train(self, timeframe: Timeframe, options: Mapping[str, Any]) -> None:
        if options["horizon"] is not None and options["horizon"] < 1:
            raise CommandError(f"--horizon must be 1 or more, was {options['horizon']}.")
        champion = get_champion(timeframe.value)
        default = champion.horizon_bars if champion else get_settings().horizon_bars
        clock = get_clock()
        with Bar(label=f"training {timeframe.value}") as bar:
            version_id = train_model(
                timeframe=timeframe,
                instrument_ids=chosen_instruments(timeframe, options["symbol"]),
                horizon_bars=options["horizon"] or default,
                trigger="manual",
                seed=options["seed"],
                trainers=get_trainers(options["model"]),
                store=get_artifact_store(),
                now=clock.now(),
                progress=bar.show,
                lease=clock.protocol(LEASE),
            )
        self._report(version_id)

    def _report(self, version_id: int) -> None:
        version = get_version(version_id)
        rules = list_rules(int(key) for key in version.symbol_metrics)
        self.stdout.write(
            f"Model {version.pk} ({version.name}), trained on {version.run.rows} rows up to "
            f"{version.trained_until:%Y-%m-%d %H:%M} UTC in {version.run.duration_s:.1f} s, is "
            f"{version.state}: {version.state_reason}."
        )
        self.stdout.write(
            f"{'symbol':12} {'verdict':9} {'IC':>7} {'t':>6} {'Brier skill':>12} {'AUC':>6} "
            f"{'covered':>8} {'rows':>7}"
        )
        for key, found in sorted(version.symbol_metrics.items(), key=lambda item: int(item[0])):
            known = rules.get(int(key))
            self.stdout.write(_line(known.symbol if known else key, found))
        self.stdout.write(_line("all", version.metrics))
        self.stdout.write(claim_in_words(version))
        skilled = [
            rules[int(key)].symbol
            for key, found in version.symbol_metrics.items()
            if found["verdict"] == "SKILLED" and int(key) in rules
        ]
        self.stdout.write(
            f"It foresees {', '.join(sorted(skilled))} better than chance on data it has not seen."
            if skilled
            else "It foresees no symbol better than chance: its predictions will not be traded on."
        )


def _line(name: str, found: Mapping[str, Any]) -> str:
    return (
        f"{name:12} {found['verdict']:9} {_number(found['ic'], '+.3f'):>7} "
        f"{_number(found['ic_t'], '+.1f'):>6} {_number(found['brier_skill'], '+.4f'):>12} "
        f"{_number(found['auc'], '.3f'):>6} {_number(found['coverage'], '.0%'):>8} "
        f"{found['rows']:>7}"
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
