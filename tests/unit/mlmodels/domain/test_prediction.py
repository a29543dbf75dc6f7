import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlmodels.domain.prediction import PredictionState, PredictionView, probability_above


def view(**changes):
    return PredictionView(
        **{
            "instrument_id": 3,
            "state": PredictionState.OK,
            "prediction_id": 11,
            "model_version_id": 2,
            "model_name": "ensemble",
            "horizon_bars": 12,
            "p_up": 0.6,
            "expected_return": 0.004,
            "lower": -0.02,
            "upper": 0.03,
            "sigma": 0.015,
            **changes,
        }
    )


def test_it_travels_as_json():
    there = json.loads(json.dumps(view().to_message()))

    assert PredictionView.from_message(there) == view()


def test_it_refuses_messages_of_another_shape():
    with pytest.raises(ValueError, match="MAYBE"):
        PredictionView.from_message({**view().to_message(), "state": "MAYBE"})
    with pytest.raises(TypeError):
        PredictionView.from_message({**view().to_message(), "size": 3})


def test_it_refuses_a_probability_above_one():
    with pytest.raises(ValueError, match=r"was 1\.2"):
        view(p_up=1.2)


def test_it_agrees_with_what_is_known_of_the_distribution():
    assert view().p_net(0.0) == pytest.approx(0.6)
    assert view().p_net(-0.02) == pytest.approx(0.95)
    assert view().p_net(0.03) == pytest.approx(0.05)


def test_it_has_no_net_probability_without_a_prediction():
    empty = PredictionView(instrument_id=1, state=PredictionState.NO_MODEL)

    with pytest.raises(ValueError, match="NO_MODEL"):
        empty.p_net(0.001)


returns = st.floats(-0.2, 0.2)


@given(
    p_up=st.floats(0, 1), lower=returns, width=st.floats(1e-4, 0.3), first=returns, second=returns
)
def test_it_falls_as_the_cost_rises(p_up, lower, width, first, second):
    assume(first <= second)

    likely, unlikely = (
        probability_above(cost, p_up=p_up, lower=lower, upper=lower + width)
        for cost in (first, second)
    )

    assert 0.0 <= unlikely <= likely + 1e-12 <= 1.0 + 1e-12


def test_it_knows_a_market_that_stands_still():
    still = view(p_up=0.5, expected_return=0.0, lower=0.0, upper=0.0, sigma=0.0)

    assert still.p_net(0.001) == 0.0
    assert still.p_net(-0.001) == 1.0
