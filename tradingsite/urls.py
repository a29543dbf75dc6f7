"""Every address of the site. Apps bring their own; the roof adds what spans them."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

import core.rest.schema  # noqa: F401 - tells OpenAPI what our own parts are
from tradingsite.api import backtests as backtests_api
from tradingsite.api import metrics, system
from tradingsite.dashboard.views import dashboard
from tradingsite.desk import backtests as backtests_desk
from tradingsite.desk import decisions as decisions_desk

admin.autodiscover()

urlpatterns = [
    path("", dashboard, name="dashboard"),
    # The kill switch and the limits are the first screen; the menu has everything else.
    path("admin/", RedirectView.as_view(pattern_name="admin:risk_tradingstate_changelist")),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/dashboard/icon.svg")),
    path("system/status", system.SystemStatusView.as_view()),
    path("system/start", system.SystemStartView.as_view()),
    path("system/stop", system.SystemStopView.as_view()),
    path("backtests", backtests_api.BacktestsView.as_view(), name="backtests"),
    path("backtests/<int:backtest_id>", backtests_api.BacktestView.as_view(), name="backtest"),
    path("desk/decisions", decisions_desk.decisions, name="desk-decisions"),
    path("desk/backtests", backtests_desk.backtests, name="desk-backtests"),
    path("desk/backtests/start", backtests_desk.start_backtest, name="desk-backtest-start"),
    path("desk/backtests/<int:backtest_id>", backtests_desk.backtest, name="desk-backtest"),
    path(
        "desk/backtests/<int:backtest_id>/sheet",
        backtests_desk.tear_sheet,
        name="desk-backtest-sheet",
    ),
    path("", include("alerts.urls")),
    path("", include("core.urls")),
    path("", include("execution.urls")),
    path("", include("markets.urls")),
    path("", include("mlmodels.urls")),
    path("", include("risk.urls")),
    path("", include("sentiment.urls")),
    path("metrics", metrics.metrics),
    path("healthz", system.healthz),
    path("readyz", system.readyz),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema")),
]
handler400 = "tradingsite.api.errors.bad_request"
handler403 = "tradingsite.api.errors.permission_denied"
handler404 = "tradingsite.api.errors.not_found"
handler500 = "tradingsite.api.errors.server_error"
