from dataclasses import replace
from pathlib import Path

import pytest

from simexchange.journal import Journal
from simexchange.market.opening import MarketOptions
from simexchange.program import Options, Program
from simexchange.saved import Saved, candle_record


@pytest.mark.parametrize(
    "line",
    [
        '{"k":"account","id":"1","key":"SIM1","fees":["0.001","0.001"],"b":{}}',
        '{"k":"x","o":[{"order_id":1,"colour":"blue"}]}',
        '{"k":"format","version":99}',
        "hello",
    ],
)
def test_it_says_so_when_a_state_is_of_another_version(tmp_path: Path, line: str) -> None:
    path = tmp_path / "state.jsonl"
    path.write_text(line + "\n{}\n")

    with pytest.raises(ValueError, match="cannot be taken up") as refusal:
        Saved(path, 7)

    said = str(refusal.value)
    assert str(path) in said
    assert ("format 99" if "99" in line else "format 1") in said
    assert f"mv {path} {path}.old" in said
    assert path.read_text().startswith(line)


def test_a_market_of_other_options_is_named_with_its_file(tmp_path: Path) -> None:
    options = Options(
        market=MarketOptions(symbols=("BTCUSDT",), history_days=1, manual=True),
        state=tmp_path / "state.jsonl",
    )
    Program(options)._close()

    other = MarketOptions(symbols=("ETHUSDT",), history_days=1, manual=True)
    with pytest.raises(ValueError, match=r"format 2.*another market: planted, symbols differ.*mv "):
        Program(replace(options, market=other))


def test_what_json_cannot_hold_as_a_number_is_kept_as_text(tmp_path: Path) -> None:
    record = candle_record("BTCUSDT", 5, [1, 2**70, 3])
    journal = Journal(tmp_path / "state.jsonl", [record])
    journal.close()

    saved = Saved(tmp_path / "state.jsonl", 7)

    assert [int(cell) for cell in saved.candle_records()[0]["row"]] == [5, 1, 2**70, 3]
