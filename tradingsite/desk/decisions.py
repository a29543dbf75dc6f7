"""Why it did, or did not, trade: one close explained, all of them counted, what came of it."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET

from core.clock import get_clock
from core.errors import TradingError
from execution.backtest.request import parse_time
from execution.services.attribution import attribute_results, count_closing_reasons
from execution.services.explaining import explain_decision
from execution.services.reasons import describe_answer
from markets.selectors import list_subscriptions

_SPANS = {"1": "last day", "7": "last 7 days", "30": "last 30 days"}


@require_GET
@login_required
@ensure_csrf_cookie
def decisions(request: HttpRequest) -> HttpResponse:
    """Show the page; with a symbol and a time also the answer."""
    now = get_clock().now()
    symbols = sorted({row.symbol for row in list_subscriptions()})
    symbol = request.GET.get("symbol", "").strip().upper() or (symbols[0] if symbols else "")
    at_text = request.GET.get("at", "").strip()
    days = request.GET.get("days", "1")
    span = int(days) if days in _SPANS else 1
    answer, error = _answer(symbol, at_text, now)
    shown = {
        "symbols": symbols,
        "symbol": symbol,
        "at": at_text or f"{now:%Y-%m-%dT%H:%M}",
        "answer": answer,
        "error": error,
        "spans": _SPANS,
        "span": str(span),
        "reasons": _by_strategy(count_closing_reasons(since=now - timedelta(days=span), until=now)),
        "models": attribute_results(account_name=settings.ACCOUNT_NAME),
    }
    return render(request, "desk/decisions.html", shown, status=404 if error else 200)


def _answer(symbol: str, at_text: str, now: datetime) -> tuple[dict[str, Any] | None, str]:
    if not symbol:
        return None, ""
    try:
        at = parse_time("at", at_text) if at_text else now
        return describe_answer(explain_decision(symbol=symbol, at=at or now)), ""
    except TradingError as error:
        # Without a question there is nothing wrong with having no answer yet.
        return None, error.message if at_text else ""


def _by_strategy(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(row["strategy"] for row in rows)
    return [
        {
            "strategy": name,
            "rows": [
                {**row, "percent": f"{100 * row['share']:.1f}"}
                for row in rows
                if row["strategy"] == name
            ],
        }
        for name in names
    ]
