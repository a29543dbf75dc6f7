"""The transformer: served by numpy everywhere, fitted where torch is (`make test-tft`)."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from mlmodels.adapters.factory import get_trainers
from mlmodels.adapters.tft_model import FusionModel
from mlmodels.adapters.tft_trainer import TFTTrainer, TorchMissing
from mlmodels.domain.fusion import HEADS, LEVELS, Layout, draw, log_odds_above_zero, shapes
from mlmodels.ports import ArtifactError, FitRows

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed: make test-tft")
BARS = 8
NAMES = [
    f"{stem}~{shift}" if shift else stem
    for stem in ("signal", "noise", "flat")
    for shift in range(BARS)
]
NAMES += ["hour", "day"]


def planted(rows, seed=1):
    """Return rows in which a product of two far bars says what comes: no bar alone does."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, len(NAMES))).astype(np.float32)
    features[:, [NAMES.index(name) for name in NAMES if name.startswith("flat")]] = 3.0
    left, right = features[:, NAMES.index("signal~2")], features[:, NAMES.index("signal~5")]
    outcome = 0.8 * np.sign(left * right) + 0.6 * rng.standard_normal(rows)
    return FitRows(
        features=features,
        names=NAMES,
        is_up=outcome > 0,
        outcome=outcome,
        weight=np.ones(rows),
    )


def drawn(seed=3):
    """Return a model that nobody fitted."""
    layout = Layout.of(NAMES)
    weights = draw(layout, np.random.default_rng(seed))
    count = len(NAMES)
    return FusionModel(layout=layout, mean=np.zeros(count), scale=np.ones(count), weights=weights)


def assert_it_finds(model, fresh):
    """Hold what the model is right about against who knows the rule: only noise errs him."""
    left, right = (fresh.features[:, NAMES.index(name)] for name in ("signal~2", "signal~5"))
    best = np.mean((left * right > 0) == fresh.is_up)
    found = np.mean((model.margins(fresh.features) > 0) == fresh.is_up)
    assert found - 0.5 > 0.6 * (best - 0.5)


ROWS = planted(300)


def test_it_reads_sequences_and_statics_from_the_names():
    layout = Layout.of(NAMES)

    assert layout.names == ("signal", "noise", "flat", "hour", "day")
    assert layout.bars == BARS
    # the oldest bar first
    assert layout.sequences[0] == tuple(range(BARS - 1, -1, -1))
    assert layout.statics == (len(NAMES) - 2, len(NAMES) - 1)
    assert Layout.of(["a", "b"]).sequences == ((0,), (1,))


def test_its_quantiles_never_cross_and_its_weights_are_shares():
    model = drawn()

    quantiles, seen = model.quantiles(ROWS.features), model.insight(ROWS.features)

    assert quantiles.shape == (300, len(LEVELS))
    assert (np.diff(quantiles, axis=1) > 0).all()
    assert len(seen["attention"]) == BARS
    assert sum(seen["attention"]) == pytest.approx(1.0)
    # the sequences share one, the statics another
    assert sum(seen["variables"].values()) == pytest.approx(2.0)


def test_it_predicts_one_row_like_many():
    model = drawn()

    many = model.margins(ROWS.features)
    alone = np.concatenate([model.margins(ROWS.features[i : i + 1]) for i in range(300)])

    assert many.tobytes() == alone.tobytes()


def test_it_reads_its_odds_off_the_quantiles():
    quantiles = np.array(
        [[-2.0, -1.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0, 5.0], [-3, -2, -1, 1, 2]]
    )

    odds = log_odds_above_zero(quantiles)

    assert odds[0] == 0.0
    assert odds[1] > np.log(0.95 / 0.05)
    assert odds[2] == pytest.approx(-np.log(3.0) / 2.0)


def test_its_contributions_add_up():
    model = drawn()

    added = model.contributions(ROWS.features)

    rest = model.margins(ROWS.features) - added.sum(axis=1)
    assert rest == pytest.approx(np.full(300, rest[0]), abs=1e-9)
    assert np.abs(added).max() > 0.01


def test_it_loads_what_it_stored_to_the_bit_and_refuses_what_is_no_model():
    model, trainer = drawn(), TFTTrainer()
    files = model.to_files()

    loaded = trainer.load(files)

    assert loaded.margins(ROWS.features).tobytes() == model.margins(ROWS.features).tobytes()
    assert loaded.to_files() == files
    head = json.loads(files["tft.json"])
    for broken in (
        {},
        {**files, "tft.safetensors": b"\x80\x04\x95not a model"},
        {**files, "tft.json": json.dumps({**head, "statics": []}).encode()},
        {**files, "tft.json": json.dumps({**head, "scale": [0.0] * len(NAMES)}).encode()},
    ):
        with pytest.raises(ArtifactError):
            trainer.load(broken)


def test_every_weight_is_used():
    model = drawn()
    before = model.margins(ROWS.features[:8])
    rng = np.random.default_rng(1)
    unmoved = []
    for name, shape in shapes(model.layout).items():
        # Not all alike: a softmax sees no difference when its inputs move together.
        moved = model.weights[name] + rng.normal(0, 0.1, shape).astype(np.float32)
        other = FusionModel(
            layout=model.layout,
            mean=np.zeros(len(NAMES)),
            scale=np.ones(len(NAMES)),
            weights={**model.weights, name: moved},
        )
        if np.array_equal(other.margins(ROWS.features[:8]), before):
            unmoved.append(name)

    # What a key's bias adds is the same at every bar.
    assert unmoved in ([], [f"attention.{head}.key.bias" for head in range(HEADS)])


def test_it_serves_without_torch_and_says_what_a_fit_needs():
    program = """
import sys
sys.modules["torch"] = None
import numpy as np
from mlmodels.adapters.factory import get_trainers
from mlmodels.ports import FitRows
trainer = get_trainers("tft")[0]
rows = FitRows(features=np.zeros((4, 1), np.float32), names=["a"], is_up=np.ones(4, bool),
               outcome=np.ones(4), weight=np.ones(4))
try:
    trainer.fit(rows, seed=1)
except Exception as error:
    print(error.code, error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith(TorchMissing.code)
    assert "requirements/tft.in" in done.stdout
    assert get_trainers("tft")[0].must_challenge


@needs_torch
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_finds_a_planted_sequence_that_no_bar_alone_shows():
    known, fresh = planted(4000), planted(2000, seed=2)

    model = TFTTrainer().fit(known, seed=5)

    assert_it_finds(model, fresh)
    seen = model.insight(fresh.features)
    assert seen["variables"]["signal"] > 3 * seen["variables"]["noise"]
    inside = (fresh.outcome > model.quantiles(fresh.features)[:, 0]) & (
        fresh.outcome < model.quantiles(fresh.features)[:, -1]
    )
    assert inside.mean() == pytest.approx(0.9, abs=0.05)
    weights = np.abs(model.contributions(fresh.features[:200])).mean(axis=0)
    assert weights[:BARS].sum() > 3 * weights[BARS : 2 * BARS].sum()
    assert weights[[NAMES.index(n) for n in NAMES if n.startswith("flat")]].max() == 0.0


@needs_torch
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_finds_it_from_another_seed():
    known, fresh = planted(4000), planted(2000, seed=2)

    assert_it_finds(TFTTrainer().fit(known, seed=6), fresh)


@needs_torch
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_fits_the_same_bits_again_and_torch_agrees_with_numpy():
    import torch

    from mlmodels.domain.fusion import forward

    short = TFTTrainer({"steps": 40})
    first, second = (short.fit(ROWS, seed=5) for _ in range(2))
    other = short.fit(ROWS, seed=6)

    assert first.to_files() == second.to_files()
    assert first.to_files() != other.to_files()
    p = {name: torch.from_numpy(array) for name, array in first.weights.items()}
    inputs = [torch.from_numpy(part.astype(np.float32)) for part in first.inputs(ROWS.features)]
    said, _ = forward(p, *inputs, xp=torch)
    assert said.numpy() == pytest.approx(first.quantiles(ROWS.features), abs=1e-4)
