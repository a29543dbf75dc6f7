"""Backtests for the eye: the list with a form, one report, and its tear sheet as a file."""

from collections import Counter
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from core.clock import get_clock
from core.errors import NotFound, TradingError
from execution.backtest.parts import MODEL, PARAMETERS
from execution.backtest.request import LIVE, SOURCES, parse_request
from execution.selectors import get_backtest, list_backtests
from execution.services.backtests import create_backtest
from execution.services.tear_sheets import describe_report, render_tear_sheet
from markets.domain.timeframe import Timeframe
from markets.selectors import list_subscriptions
from tradingsite.backtests import enqueue_backtest

_SHOWN = 50
_TONES = {"PROVEN": "good", "NOT_PROVEN": "warn", "LOSS": "bad", "NO_TRADES": "warn"}
_FIELDS = ("interval", "strategy", "models", "start", "end", "cash", "fee_bps", "half_spread_bps")


@require_GET
@login_required
@ensure_csrf_cookie
def backtests(request: HttpRequest) -> HttpResponse:
    """Show the newest backtests and a form for the next."""
    return _list(request, given={}, error="")


@require_POST
@login_required
@permission_required("execution.add_backtest", raise_exception=True)
def start_backtest(request: HttpRequest) -> HttpResponse:
    """Ask for a backtest and show it; a wrong field comes back with the reason beside it."""
    given = {name: request.POST.get(name, "").strip() for name in (*_FIELDS, "symbols", "settings")}
    try:
        wanted = parse_request(_to_json(given))
        row = create_backtest(
            request=wanted, actor=request.user.get_username(), now=get_clock().now()
        )
    except TradingError as error:
        return _list(request, given=given, error=error.message, status=400)
    enqueue_backtest(row.pk)
    return redirect("desk-backtest", backtest_id=row.pk)


@require_GET
@login_required
@ensure_csrf_cookie
def backtest(request: HttpRequest, backtest_id: int) -> HttpResponse:
    """Show one backtest: its progress while it runs, then its report."""
    row = _row(backtest_id)
    shown = describe_report(row.report) if row.report else {}
    return render(request, "desk/backtest.html", {**shown, "row": row})


@require_GET
@login_required
def tear_sheet(request: HttpRequest, backtest_id: int) -> HttpResponse:
    """Hand out the report as one HTML file that needs nothing beside itself."""
    row = _row(backtest_id)
    if not row.report:
        raise Http404("This backtest has no report.")
    answer = HttpResponse(render_tear_sheet(row.report))
    answer["Content-Disposition"] = f'attachment; filename="backtest-{row.pk}.html"'
    return answer


def _list(
    request: HttpRequest, *, given: dict[str, str], error: str, status: int = 200
) -> HttpResponse:
    rows = [
        {"row": row, "tone": _TONES.get(row.verdict, ""), "result": _result(row.summary)}
        for row in list_backtests()[:_SHOWN]
    ]
    shown = {
        "rows": rows,
        "error": error,
        "given": given,
        "intervals": [frame.value for frame in Timeframe],
        "strategies": [*PARAMETERS, "model+ema_rsi"],
        "sources": list(SOURCES),
        "chosen": {
            "interval": given.get("interval") or _usual_interval(),
            "strategy": given.get("strategy") or MODEL,
            "models": given.get("models") or LIVE,
        },
        "symbols": given.get("symbols") or ", ".join(_subscribed()),
        "parameters": {
            name: ", ".join(f"{key}={value:g}" for key, value in known.items())
            for name, known in PARAMETERS.items()
        },
    }
    return render(request, "desk/backtests.html", shown, status=status)


def _subscribed() -> list[str]:
    return sorted({row.symbol for row in list_subscriptions()})


def _usual_interval() -> str:
    """Return the candles that most subscriptions are of."""
    frames = Counter(row.timeframe for row in list_subscriptions())
    return frames.most_common(1)[0][0].value if frames else "1h"


def _to_json(given: dict[str, str]) -> dict[str, Any]:
    """Return the form's fields as the API would be sent them; what is empty is left out."""
    data: dict[str, Any] = {name: given[name] for name in _FIELDS if given[name]}
    names = given["symbols"].replace(",", " ").split()
    data["symbols"] = [name.upper() for name in names]
    pairs = [pair.partition("=") for pair in given["settings"].replace(",", " ").split()]
    data["parameters"] = {name: number for name, _, number in pairs}
    return data


def _result(summary: dict[str, Any]) -> dict[str, str]:
    if not summary:
        return {}
    made = summary["return"]
    return {
        "made": f"{100 * made:+.2f} %",
        "tone": "up" if made > 0 else "down" if made < 0 else "",
        "trades": str(summary["trades"]),
        "sharpe": "-" if summary["sharpe"] is None else f"{summary['sharpe']:.2f}",
        "depth": f"{100 * summary['max_drawdown']:.1f} %",
    }


def _row(backtest_id: int) -> Any:
    try:
        return get_backtest(backtest_id)
    except NotFound as error:
        raise Http404(error.message) from error
