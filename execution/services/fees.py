"""What a commission in a third asset, such as BNB, was worth when it was taken."""

from decimal import Decimal

from alerts.services.raising import raise_alert
from execution.domain.fill import Execution
from execution.services.books import Books
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_marks


def price_fee(books: Books, execution: Execution, rules: InstrumentRules) -> Decimal | None:
    """Return quote units per unit of the fee's asset; None where it needs no price or has none.

    The price is kept with the fill: profit can be computed again from the ledger alone.
    """
    asset, quote = execution.fee_asset, rules.quote_asset
    if not execution.fee or asset in (rules.base_asset, quote):
        return None
    key = (asset, quote)
    if key not in books.fee_prices:
        books.fee_prices[key] = _mark(books, asset=asset, quote=quote)
        if books.fee_prices[key] is None:
            raise_alert(
                code="FEE_WITHOUT_PRICE",
                severity="WARNING",
                message=f"Fees in {asset} have no price in {quote}: profits leave them out."
                f" Subscribe {asset}{quote}",
                context={"asset": asset, "quote": quote, "symbol": execution.symbol},
                dedupe_key=f"FEE_WITHOUT_PRICE:{asset}",
                now=books.now,
            )
    return books.fee_prices[key]


def _mark(books: Books, *, asset: str, quote: str) -> Decimal | None:
    for rules in books.rules.values():
        if (rules.base_asset, rules.quote_asset) == (asset, quote):
            marks = list_marks([rules.instrument_id])
            mark = marks.get(rules.instrument_id)
            return mark.price if mark else None
    return None
