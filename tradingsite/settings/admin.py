"""How the admin looks: the control plane first, the records of what happened below."""

from typing import Any

from django.urls import reverse_lazy


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
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": False,
        "SIDEBAR": {
            "show_search": True,
            "show_all_applications": True,
            "navigation": _NAVIGATION,
        },
    }
