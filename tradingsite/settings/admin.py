"""How the admin looks: the control plane first, the records of what happened below."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

_ACCENT = {
    "50": "oklch(97% .014 254.6)",
    "100": "oklch(93.2% .032 255.6)",
    "200": "oklch(88.2% .059 254.1)",
    "300": "oklch(80.9% .105 251.8)",
    "400": "oklch(70.7% .165 254.6)",
    "500": "oklch(62.3% .214 259.8)",
    "600": "oklch(54.6% .245 262.9)",
    "700": "oklch(48.8% .243 264.4)",
    "800": "oklch(42.4% .199 265.6)",
    "900": "oklch(37.9% .146 265.5)",
    "950": "oklch(28.2% .091 267.9)",
}


def _page(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}_changelist")}


_NAVIGATION = [
    {
        "title": "Control",
        "items": [
            _page("Kill switch and limits", "emergency_home", "risk_tradingstate"),
            _page("Strategies", "tune", "execution_strategy"),
            _page("Training settings", "model_training", "mlmodels_mlsettings"),
            _page("Symbols followed", "rss_feed", "markets_subscription"),
            _page("Schedule", "schedule", "django_celery_beat_periodictask"),
            _page("Alert channels", "notifications", "alerts_channel"),
            _page("API tokens", "key", "core_apitoken"),
        ],
    },
    {
        "title": "Trading",
        "separator": True,
        "items": [
            _page("Decisions", "psychology", "execution_decision"),
            _page("Verdicts of the gate", "gavel", "risk_riskverdict"),
            _page("Orders", "receipt_long", "execution_order"),
            _page("Fills", "swap_horiz", "execution_fill"),
            _page("Positions", "account_balance_wallet", "execution_position"),
            _page("Equity", "show_chart", "risk_riskmetrics"),
        ],
    },
    {
        "title": "Books",
        "separator": True,
        "items": [
            _page("Accounts", "account_balance", "execution_account"),
            _page("Ledger", "menu_book", "execution_ledgerentry"),
            _page("Reconciliations", "balance", "execution_reconciliation"),
            _page("Differences", "difference", "execution_difference"),
            _page("Alerts", "warning", "alerts_alert"),
            _page("Audit trail", "policy", "core_auditrecord"),
        ],
    },
    {
        "title": "Models and data",
        "separator": True,
        "items": [
            _page("Models", "neurology", "mlmodels_modelversion"),
            _page("Predictions", "query_stats", "mlmodels_prediction"),
            _page("Alarms for training", "notification_important", "mlmodels_retrainevent"),
            _page("Searches", "travel_explore", "mlmodels_search"),
            _page("Trial ledger", "fact_check", "mlmodels_trial"),
            _page("Instruments", "list_alt", "markets_instrument"),
            _page("Candles", "candlestick_chart", "markets_candle"),
        ],
    },
]


def admin_look(*, mode: str) -> dict[str, Any]:
    """Return the theme's settings; the trading mode is shown on every page."""
    return {
        "SITE_TITLE": "Trading desk",
        "SITE_HEADER": "Trading desk",
        "SITE_SUBHEADER": f"{mode} mode",
        "SITE_URL": "/",
        "SITE_SYMBOL": "candlestick_chart",
        # Dark like the dashboard, and its accent.
        "THEME": "dark",
        "COLORS": {"primary": _ACCENT},
        "STYLES": [lambda _request: static("admin_desk/desk.css")],
        "SCRIPTS": [lambda _request: static("admin_desk/halt.js")],
        "SITE_FAVICONS": [
            {"rel": "icon", "href": lambda _request: static("dashboard/icon.svg")},
        ],
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": False,
        "SIDEBAR": {
            "show_search": True,
            "show_all_applications": True,
            "navigation": _NAVIGATION,
        },
    }
