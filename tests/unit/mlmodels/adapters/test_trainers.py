import subprocess
import sys

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from mlmodels.adapters.factory import get_all_trainers, get_trainers
from mlmodels.adapters.hist_trainer import PARAMETERS
from mlmodels.adapters.lightgbm_trainer import PARAMETERS as LIGHTGBM
from mlmodels.domain.tree_model import TreeModel
from mlmodels.ports import ArtifactError, FitRows

# torch has a suite of its own: test_tft.py
TRAINERS = {name: trainer for name, trainer in get_all_trainers().items() if name != "tft"}


def rows_of(features, is_up):
    return FitRows(
        features=features,
        names=[f"column_{place}" for place in range(features.shape[1])],
        is_up=is_up,
        outcome=np.where(is_up, 1.0, -1.0),
        weight=np.ones(len(is_up)),
    )


def fit(name, features, is_up):
    return TRAINERS[name].fit(rows_of(features, is_up), seed=5)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    features = rng.standard_normal((4000, 8)).astype(np.float32)
    features[:, 7] = 3.0
    is_up = features[:, 0] + 0.5 * features[:, 1] + rng.standard_normal(4000) > 0
    return features, is_up


@pytest.mark.parametrize("name", TRAINERS)
def test_it_fits_the_same_bits_again(name, rows):
    features, is_up = rows

    first, second = (fit(name, features, is_up).to_files() for _ in range(2))

    assert first == second


@pytest.mark.parametrize("name", TRAINERS)
def test_it_loads_what_it_stored_to_the_bit(name, rows):
    features, is_up = rows
    fitted = fit(name, features, is_up)

    loaded = TRAINERS[name].load(fitted.to_files())

    assert loaded.margins(features).tobytes() == fitted.margins(features).tobytes()
    assert loaded.name == name


@pytest.mark.parametrize("name", TRAINERS)
def test_it_predicts_one_row_like_many(name, rows):
    features, is_up = rows
    fitted = fit(name, features, is_up)

    many = fitted.margins(features[:200])
    one_by_one = np.concatenate([fitted.margins(features[i : i + 1]) for i in range(200)])

    assert one_by_one.tobytes() == many.tobytes()


@pytest.mark.parametrize("name", TRAINERS)
def test_it_learns_something(name, rows):
    features, is_up = rows

    fitted = fit(name, features[:3000], is_up[:3000])

    assert np.mean((fitted.margins(features[3000:]) > 0) == is_up[3000:]) > 0.7


@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x04\x95not a model"])
def test_it_refuses_files_that_are_no_model(name, content, rows):
    features, is_up = rows
    files = fit(name, features, is_up).to_files()

    with pytest.raises(ArtifactError):
        TRAINERS[name].load(dict.fromkeys(files, content))
    with pytest.raises(ArtifactError):
        TRAINERS[name].load({})


def test_it_knows_only_its_recipes():
    assert [trainer.name for trainer in get_trainers("ensemble")] == ["xgboost", "logistic"]
    with pytest.raises(Exception, match="ensemble, xgboost, logistic, hist, lightgbm, tft, trio"):
        get_trainers("oracle")


def test_it_serves_without_the_training_libraries(rows, tmp_path):
    features, is_up = rows
    for trainer in TRAINERS.values():
        for file, content in trainer.fit(rows_of(features, is_up), seed=5).to_files().items():
            (tmp_path / file).write_bytes(content)
    program = f"""
import pathlib, sys
import numpy as np
from mlmodels.adapters.factory import get_all_trainers
folder = pathlib.Path({str(tmp_path)!r})
files = {{path.name: path.read_bytes() for path in folder.iterdir()}}
for name, trainer in get_all_trainers().items():
    if name == "tft":
        continue
    trainer.load(files).margins(np.zeros((3, 8), np.float32))
print(*sorted({{"sklearn", "pandas", "lightgbm"}} & set(sys.modules)))
import sklearn.linear_model, pandas  # hiding them was for the moment of one import
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""


def test_it_serves_the_very_trees_that_the_library_fitted(rows):
    features, is_up = rows
    model = fit("hist", features, is_up)
    fitted = HistGradientBoostingClassifier(**PARAMETERS, random_state=5)
    fitted.fit(features, is_up)

    assert model.margins(features) == pytest.approx(fitted.decision_function(features), abs=1e-9)


def test_it_serves_the_very_leaves_that_lightgbm_grew(rows):
    lightgbm = pytest.importorskip("lightgbm")
    features, is_up = rows
    given = {**LIGHTGBM, "seed": 5}
    data = lightgbm.Dataset(features, label=is_up, params={"max_bin": 63, "verbosity": -1})
    fitted = lightgbm.train(given, data, num_boost_round=given.pop("rounds"))

    model = fit("lightgbm", features, is_up)

    assert model.margins(features) == pytest.approx(fitted.predict(features, raw_score=True))


def test_a_search_can_turn_its_figures_and_only_those_it_has():
    trainer, other = get_trainers("ensemble", changes={"max_depth": 2, "inverse_ridge": 0.1})

    assert (trainer.figures()["max_depth"], other.figures()) == (2, {"inverse_ridge": 0.1})
    assert get_trainers()[0].figures()["max_depth"] == 3


@pytest.mark.parametrize("name", TRAINERS)
def test_its_contributions_add_up_to_what_it_says(name, rows):
    features, is_up = rows
    model = fit(name, features, is_up)

    added = model.contributions(features)

    assert added.shape == features.shape
    rest = model.margins(features) - added.sum(axis=1)
    assert rest == pytest.approx(np.full(len(rest), rest[0]), abs=1e-4)
    # the first column matters most, the constant one not at all
    weights = np.abs(added).mean(axis=0)
    assert int(np.argmax(weights)) == 0
    assert weights[7] == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": [[0, 0, 0]], "right": [[2, 0, 0]]}, "two children or none"),
        ({"left": [[1, 0, 0]], "right": [[9, 0, 0]]}, "come after"),
        ({"left": [[1, 1, 0]], "right": [[2, 2, 0]]}, "come after"),
        ({"number": [[0.0, 1.0]]}, "shape"),
        ({"start": float("nan")}, "finite"),
    ],
)
def test_it_refuses_trees_that_are_none(change, message):
    whole = {
        "feature": [[0, 0, 0]],
        "threshold": [[0.5, 0.0, 0.0]],
        "left": [[1, 0, 0]],
        "right": [[2, 0, 0]],
        "number": [[0.0, -1.0, 1.0]],
        "start": 0.0,
    }
    model = TreeModel.from_json(whole)

    assert model.margins(np.array([[0.5], [0.6]], np.float32)).tolist() == [-1.0, 1.0]
    with pytest.raises(ValueError, match=message):
        TreeModel.from_json({**whole, **change})
