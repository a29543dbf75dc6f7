from pathlib import Path

import pytest

from simexchange.saved import Saved


@pytest.mark.parametrize(
    "line",
    [
        '{"k":"account","id":"1","key":"SIM1","fees":["0.001","0.001"],"b":{}}',
        '{"k":"x","o":[{"order_id":1,"colour":"blue"}]}',
    ],
)
def test_it_says_so_when_a_state_is_of_another_version(tmp_path: Path, line: str) -> None:
    path = tmp_path / "state.jsonl"
    path.write_text(line + "\n")

    with pytest.raises(ValueError, match=r"cannot read .* choose another --state"):
        Saved(path, 7)
