"""Our backtester beside freqtrade, NautilusTrader, backtesting.py and FreqAI, in turns.

Each peer has an environment of its own below DATA_DIR/peers, made at the first run. Figures of one
round are taken minutes apart at most, so their ratios hold although the machine is shared.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from bench import system
from bench.peers import environment
from bench.sample import median
from bench.sections.backtest import cold_run, rule_rate, walk_forward_rate
from bench.servers import ROOT

_COUNT = 100_000
_ROUNDS = 3
_PEERS: dict[str, tuple[str, ...]] = {
    "backtestingpy": ("backtesting==0.6.6",),
    "nautilus": ("nautilus_trader==1.231.0", "pandas<3"),
    "freqtrade": (
        environment.FREQTRADE,
        *("datasieve", "xgboost-cpu", "scikit-learn", "joblib", "tensorboard"),
    ),
}
_MODEL = {"n_estimators": 300, "learning_rate": 0.05, "n_jobs": 2, "max_depth": 6}


def measure(folder: Path) -> dict[str, float]:
    """Take every figure once a round; return the medians. A peer that cannot be had is absent."""
    # First of all: the measurement's own folder is somewhere else.
    pythons = {
        name: python
        for name, wanted in _PEERS.items()
        if (python := environment.own_python(name, *wanted))
    }
    system.set_up(folder)
    found: dict[str, list[float]] = {}
    for number in range(_ROUNDS):
        system.say(f"round {number + 1} of {_ROUNDS}")
        _note(found, "backtest_rule_100k_candles_per_s", rule_rate(_COUNT, rounds=3))
        _note(found, "backtest_cold_s", cold_run(folder))
        if "backtestingpy" in pythons:
            told = _tell(pythons["backtestingpy"], "bench.peers.backtesting_py")
            _note(found, "backtestingpy_candles_per_s", _COUNT / told["run_s"])
        if "nautilus" in pythons:
            told = _tell(pythons["nautilus"], "bench.peers.nautilus")
            _note(found, "nautilus_run_bars_per_s", _COUNT / told["run_s"])
        if "freqtrade" in pythons:
            _freqtrade(pythons["freqtrade"], folder, found, number)
    return {name: round(median(values), 2) for name, values in found.items()}


def _freqtrade(python: Path, folder: Path, found: dict[str, list[float]], number: int) -> None:
    """Run the rule and the walk with retraining, ours right beside it."""
    home = _freqtrade_home(python, folder)
    marks, wall = _run_freqtrade(python, home, "rule", "EmaRsi", ())
    _note(found, "freqtrade_start_candles_per_s", _COUNT / marks["start_s"])
    _note(found, "freqtrade_cold_s", wall)
    _note(found, "walkforward_candles_per_s", walk_forward_rate())
    shutil.rmtree(home / "models", ignore_errors=True)
    marks, _ = _run_freqtrade(
        python,
        home,
        "walk",
        "Walk",
        ("--freqaimodel", "XGBoostRegressor", "--timerange", "20240101-20240226"),
    )
    _note(found, "freqai_walkforward_candles_per_s", 8 * 2016 / marks["start_s"])


def _note(found: dict[str, list[float]], name: str, value: float) -> None:
    found.setdefault(name, []).append(value)
    system.say(f"{name} {value:,.2f}")


def _tell(python: Path, module: str) -> dict[str, Any]:
    """Run a peer's program; return what it prints last."""
    done = subprocess.run(
        [str(python), "-m", module, str(_COUNT)],
        cwd=ROOT,
        env=_plain_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    system.say(f"{module.rpartition('.')[2]}: {told}")
    return told


def _plain_environment() -> dict[str, str]:
    """Return our environment without what is meant for our own programs."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


def _freqtrade_home(python: Path, folder: Path) -> Path:
    home = folder / "freqtrade"
    if home.exists():
        return home
    (home / "strategies").mkdir(parents=True)
    text = (ROOT / "bench/peers/freqtrade_strategies.txt").read_text()
    (home / "strategies/rules.py").write_text(text)
    data = home / "data/binance/AAA_USDT-5m.feather"
    subprocess.run(
        [str(python), "-m", "bench.peers.freqtrade_data", str(data), str(_COUNT)],
        cwd=ROOT,
        env=_plain_environment(),
        check=True,
    )
    (home / "rule.json").write_text(json.dumps(_settings({})))
    (home / "walk.json").write_text(json.dumps(_settings({"freqai": _freqai()})))
    return home


def _settings(more: dict[str, Any]) -> dict[str, Any]:
    side = {"price_side": "same", "use_order_book": False}
    return {
        "max_open_trades": 1,
        "stake_currency": "USDT",
        "stake_amount": 100,
        "dry_run": True,
        "dry_run_wallet": 100_000,
        "trading_mode": "spot",
        "timeframe": "5m",
        "fee": 0.001,
        "entry_pricing": side,
        "exit_pricing": side,
        "exchange": {
            "name": "binance",
            "key": "",
            "secret": "",
            "pair_whitelist": ["AAA/USDT"],
            "pair_blacklist": [],
        },
        "pairlists": [{"method": "StaticPairList"}],
        "dataformat_ohlcv": "feather",
        **more,
    }


def _freqai() -> dict[str, Any]:
    return {
        "enabled": True,
        "purge_old_models": 0,
        "train_period_days": 30,
        "backtest_period_days": 7,
        "live_retrain_hours": 0,
        "identifier": "walk",
        "save_backtest_models": False,
        "feature_parameters": {
            "include_timeframes": ["5m"],
            "include_corr_pairlist": [],
            "label_period_candles": 12,
            "include_shifted_candles": 0,
            "DI_threshold": 0,
            "weight_factor": 0,
            "principal_component_analysis": False,
            "use_SVM_to_remove_outliers": False,
            "indicator_periods_candles": [10, 20, 40],
            "plot_feature_importances": 0,
        },
        "data_split_parameters": {"test_size": 0.1, "shuffle": False},
        "model_training_parameters": _MODEL,
    }


def _run_freqtrade(
    python: Path, home: Path, settings: str, strategy: str, more: tuple[str, ...]
) -> tuple[dict[str, float], float]:
    """Return the times of its parts and the wall seconds of the whole process."""
    marks, log = home / "marks.json", home / "last.log"
    marks.unlink(missing_ok=True)
    command = [
        *(str(python), str(ROOT / "bench/peers/freqtrade_offline.py"), "backtesting"),
        *("--config", str(home / f"{settings}.json"), "--userdir", str(home)),
        *("--datadir", str(home / "data/binance"), "--strategy", strategy),
        *("--cache", "none", "--export", "none", *more),
    ]
    variables = {**_plain_environment(), "FT_MARKS": str(marks)}
    begun = time.perf_counter()
    with log.open("w") as stream:
        done = subprocess.run(
            command, cwd=home, env=variables, stdout=stream, stderr=stream, check=False
        )
    wall = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"freqtrade failed: {log.read_text()[-1500:]}")
    return dict(json.loads(marks.read_text())), wall
