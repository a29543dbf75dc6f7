from itertools import product

import pytest

from mlmodels.domain.lifecycle import (
    MODEL_MOVES,
    IllegalModelMove,
    ModelEvent,
    ModelState,
    move,
)


@pytest.mark.parametrize(("state", "event"), list(product(ModelState, ModelEvent)))
def test_it_moves_only_as_the_table_says(state, event):
    if (state, event) in MODEL_MOVES:
        assert move(1, state, event) is MODEL_MOVES[state, event]
        return

    with pytest.raises(IllegalModelMove) as caught:
        move(1, state, event)

    assert caught.value.context == {"version_id": 1, "state": state, "event": event}


def test_it_makes_no_champion_but_by_promotion():
    makers = {event for (_, event), after in MODEL_MOVES.items() if after is ModelState.CHAMPION}

    assert makers == {ModelEvent.PROMOTE}
