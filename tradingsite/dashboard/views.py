"""The dashboard's page."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie

_NOTES = {
    "demo": "Local exchange, simulated money",
    "paper": "Local exchange fed by real prices, simulated money",
    "testnet": "Binance Spot Testnet, play money",
    "live": "Real money",
}


@login_required
@ensure_csrf_cookie
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the desk; everything on the page arrives over the live connection."""
    mode = settings.TRADING_MODE.value
    return render(request, "dashboard/index.html", {"mode": mode, "market_note": _NOTES[mode]})
