import pytest

from simexchange.errors import ApiError
from simexchange.faces.params import one_or_more, read_symbol, read_symbols

LEGAL = r"[\w\-._&&[^a-z]]{1,50}"


def refusal(text: str) -> str:
    with pytest.raises(ApiError) as caught:
        read_symbols({"symbols": text})
    return str(caught.value)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "1000SATSUSDT", "币安人生USDT", "A-B_C.D"])
def test_it_reads_symbols_as_the_exchange_writes_them(symbol: str) -> None:
    assert read_symbol({"symbol": symbol}) == symbol
    assert read_symbols({"symbols": f'["{symbol}","ETHUSDT"]'}) == [symbol, "ETHUSDT"]


@pytest.mark.parametrize("symbol", ["btcusdt", "BTC/USDT", "BTC USDT", "B" * 51])
def test_it_tells_the_legal_range_of_a_symbol_in_the_exchanges_words(symbol: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_symbol({"symbol": symbol})

    assert str(caught.value) == (
        f"-1100 Illegal characters found in parameter 'symbol'; legal range is '^{LEGAL}$'."
    )


@pytest.mark.parametrize(
    "text", ['["BTCUSDT", "ETHUSDT"]', "BTCUSDT", '["btcusdt"]', "[1]", '["A"', '["A",]', '["A"]x']
)
def test_it_refuses_a_list_that_is_not_written_tightly(text: str) -> None:
    legal = rf'^\[("{LEGAL}"(,"{LEGAL}"){{0,}}){{0,1}}\]$'

    assert refusal(text) == (
        f"-1100 Illegal characters found in parameter 'symbols'; legal range is '{legal}'."
    )


def test_it_refuses_an_empty_list_and_a_symbol_that_comes_twice() -> None:
    assert refusal("[]") == "-1105 Parameter 'symbols' was empty."
    assert refusal('["A","A"]').startswith("-1151 ")


def test_one_symbol_and_several_cannot_be_combined() -> None:
    assert one_or_more({"symbol": "A"}) == ("A", None)
    assert one_or_more({"symbols": '["A"]'}) == (None, ["A"])
    with pytest.raises(ApiError, match="cannot be combined"):
        one_or_more({"symbol": "A", "symbols": '["B"]'})
