from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from mlmodels.domain import features
from mlmodels.services import leaks
from tests.integration.mlmodels.conftest import NOW, add_market


def run(*arguments):
    out = StringIO()
    call_command("lookahead_check", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def small(db):
    return [
        add_market("AAAUSDT", seed=1, ic=0.4, bars=900),
        add_market("BBBUSDT", seed=2, bars=900),
    ]


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr("mlmodels.management.commands.lookahead_check.get_clock", FixedClock)


class FixedClock:
    def now(self):
        return NOW


def test_it_says_that_nothing_knows_the_future(small):
    said = run("--cuts", "5")

    assert "1h: 60 features at 5 closes of 2 symbols" in said
    assert said.count(": caught") == 6
    assert "NOT CAUGHT" not in said
    assert "Nothing knows the future." in said


def test_it_names_what_does_and_fails(small, monkeypatch):
    honest = features.compute

    def leaking(candles, spec, **given):
        found = honest(candles, spec, **given)
        close = candles.close[spec.warmup - 1 :]
        found.values[:, 3] = np.append(close[1:], close[-1:]) / close - 1.0
        return found

    monkeypatch.setattr(leaks, "compute", leaking)

    with pytest.raises(CommandError, match="knows the future"):
        run("--cuts", "5", "--symbol", "AAAUSDT", "--timeframe", "1h")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cuts", "0"], "--cuts must be 1 or more, was 0"),
        (["--timeframe", "1h", "--symbol", "NOPE"], "'NOPE' is unknown"),
        ([], "Nothing is subscribed"),
    ],
)
def test_it_says_what_is_missing(db, arguments, message):
    with pytest.raises(CommandError, match=message):
        run(*arguments)
