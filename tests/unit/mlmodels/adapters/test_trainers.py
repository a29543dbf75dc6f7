import subprocess
import sys

import numpy as np
import pytest

from mlmodels.adapters.factory import get_all_trainers, get_trainers
from mlmodels.ports import ArtifactError

TRAINERS = get_all_trainers()
WEIGHT = np.ones(4000)


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

    first, second = (
        TRAINERS[name].fit(features=features, is_up=is_up, weight=WEIGHT, seed=5).to_files()
        for _ in range(2)
    )

    assert first == second


@pytest.mark.parametrize("name", TRAINERS)
def test_it_loads_what_it_stored_to_the_bit(name, rows):
    features, is_up = rows
    fitted = TRAINERS[name].fit(features=features, is_up=is_up, weight=WEIGHT, seed=5)

    loaded = TRAINERS[name].load(fitted.to_files())

    assert loaded.margins(features).tobytes() == fitted.margins(features).tobytes()
    assert loaded.name == name


@pytest.mark.parametrize("name", TRAINERS)
def test_it_predicts_one_row_like_many(name, rows):
    features, is_up = rows
    fitted = TRAINERS[name].fit(features=features, is_up=is_up, weight=WEIGHT, seed=5)

    many = fitted.margins(features[:200])
    one_by_one = np.concatenate([fitted.margins(features[i : i + 1]) for i in range(200)])

    assert one_by_one.tobytes() == many.tobytes()


@pytest.mark.parametrize("name", TRAINERS)
def test_it_learns_something(name, rows):
    features, is_up = rows

    fitted = TRAINERS[name].fit(
        features=features[:3000], is_up=is_up[:3000], weight=WEIGHT[:3000], seed=5
    )

    assert np.mean((fitted.margins(features[3000:]) > 0) == is_up[3000:]) > 0.7


@pytest.mark.parametrize("name", TRAINERS)
@pytest.mark.parametrize("content", [b"", b"{}", b"\x80\x04\x95not a model"])
def test_it_refuses_files_that_are_no_model(name, content, rows):
    features, is_up = rows
    files = TRAINERS[name].fit(features=features, is_up=is_up, weight=WEIGHT, seed=5).to_files()

    with pytest.raises(ArtifactError):
        TRAINERS[name].load(dict.fromkeys(files, content))
    with pytest.raises(ArtifactError):
        TRAINERS[name].load({})


def test_it_knows_only_its_recipes():
    assert [trainer.name for trainer in get_trainers("ensemble")] == ["xgboost", "logistic"]
    with pytest.raises(Exception, match="ensemble, xgboost, logistic"):
        get_trainers("oracle")


def test_it_serves_without_the_training_libraries(rows, tmp_path):
    features, is_up = rows
    for trainer in TRAINERS.values():
        for file, content in (
            trainer.fit(features=features, is_up=is_up, weight=WEIGHT, seed=5).to_files().items()
        ):
            (tmp_path / file).write_bytes(content)
    program = f"""
import pathlib, sys
import numpy as np
from mlmodels.adapters.factory import get_all_trainers
folder = pathlib.Path({str(tmp_path)!r})
files = {{path.name: path.read_bytes() for path in folder.iterdir()}}
for trainer in get_all_trainers().values():
    trainer.load(files).margins(np.zeros((3, 8), np.float32))
print(*sorted({{"sklearn", "pandas"}} & set(sys.modules)))
import sklearn.linear_model, pandas  # hiding them was for the moment of one import
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""
