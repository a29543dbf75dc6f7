"""What recipes make of real hours: one line per symbol, horizon and recipe, verdict first.

Reads candle files (gzip CSV: `open_time,open,high,low,close,volume`, perhaps `taker_buy_base`),
fits and judges walking forward, and prints what the gates say. Needs no database.

Example: python scripts/real_data_table.py data/candles/spot_1h --symbols BTC,ETH --horizons 1,4,24
         --recipes ensemble,xgboost,logistic,defaults
`defaults` is xgboost with its library's own settings, to see what they do.
"""

import argparse
import csv
import gzip
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mlmodels.domain.dataset import build_dataset
from mlmodels.domain.evaluation import Evaluation
from mlmodels.domain.feature_spec import FeatureSpec
from mlmodels.domain.label_spec import LabelKind, LabelSpec

HOUR_MS = 3_600_000
# What `xgboost` does when nobody says anything.
DEFAULTS = {
    "rounds": 100,
    "max_depth": 6,
    "eta": 0.3,
    "subsample": 1.0,
    "colsample_bytree": 1.0,
    "min_child_weight": 1,
    "max_bin": 256,
    "lambda": 1.0,
}
FIELDS = ("high", "low", "close", "volume", "taker_buy_base")


@dataclass(frozen=True, kw_only=True)
class Hours:
    """Closed hourly candles."""

    open_time_ms: NDArray[np.int64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    taker_buy_base: NDArray[np.float64]


def read(folder: Path, base: str, *, bars: int) -> Hours:
    """Return the newest `bars` hours of all files of a symbol."""
    rows: dict[int, list[float]] = {}
    for path in sorted(folder.glob(f"{base}*1h*.csv.gz")):
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                rows[int(row["open_time"])] = [float(row.get(name) or "nan") for name in FIELDS]
    if not rows:
        raise SystemExit(f"{folder} holds no file like {base}USDT_1h_….csv.gz")
    times = sorted(rows)[-bars:]
    block = np.array([rows[time] for time in times]).T
    columns = dict(zip(FIELDS, block, strict=True))
    return Hours(open_time_ms=np.array(times, np.int64), **columns)


def judge(name: str, hours: Hours, label: LabelSpec, recipes: list[str]) -> None:
    """Fit, judge and print one line for each recipe."""
    from mlmodels.adapters.factory import get_trainers
    from mlmodels.services.fitting import fit_ensemble

    horizon = label.horizon_bars
    rows = build_dataset(
        {1: hours}, spec=FeatureSpec(interval_ms=HOUR_MS), horizon_bars=horizon, label=label
    )
    for recipe in recipes:
        is_default = recipe == "defaults"
        found = fit_ensemble(
            rows,
            trainers=get_trainers("xgboost", changes=DEFAULTS)
            if is_default
            else get_trainers(recipe),
            horizon_bars=horizon,
            interval_ms=HOUR_MS,
            seed=1,
            progress=lambda *_: None,
        ).pooled
        print(line(f"{name:4} {recipe:9}", label, found, rows.uniqueness.sum()), flush=True)


def line(name: str, label: LabelSpec, found: Evaluation, effective: float) -> str:
    """Return the figures of one fit."""
    kind = f"{label.horizon_bars} h" if label.kind is LabelKind.FORWARD else "5/2 %"
    net = found.economics["net_bps"]
    failed = [gate.name for gate in found.gates if not gate.is_passed]
    return (
        f"{name} {kind:6} {found.verdict:9} acc {found.accuracy:.3f} auc {found.auc or 0:.3f} "
        f"ic {found.ic or 0:+.3f} (t {found.ic_t or 0:+.1f}) bss {found.brier_skill or 0:+.4f} "
        f"(t {found.brier_t or 0:+.1f}) slope {found.calibration_slope or 0:.2f} "
        f"ece {found.calibration_error:.3f}/{found.calibration_null:.3f} "
        f"covered {found.coverage:.3f} net bps {'-' if net is None else format(net, '+.1f')} "
        f"n {found.rows} eff {effective:.0f} failed: {', '.join(failed) or '-'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of candle files")
    parser.add_argument("--symbols", default="BTC,ETH")
    parser.add_argument("--horizons", default="1,4,24", help="hours ahead")
    parser.add_argument("--recipes", default="ensemble,xgboost,logistic,defaults")
    parser.add_argument("--bars", type=int, default=34_350, help="newest hours of each symbol")
    given = parser.parse_args()
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    recipes = given.recipes.split(",")
    for base in given.symbols.split(","):
        hours = read(given.folder, base, bars=given.bars)
        for horizon in given.horizons.split(","):
            judge(base, hours, LabelSpec(horizon_bars=int(horizon)), recipes)
        judge(base, hours, LabelSpec(kind=LabelKind.EXITS, horizon_bars=168), recipes[:1])


if __name__ == "__main__":
    main()
