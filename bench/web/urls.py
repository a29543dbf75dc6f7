"""The site's addresses, and the default way to serve a list beside ours."""

from django.urls import path

from bench.web.peers import DefaultTradesView
from tradingsite import urls as site

urlpatterns = [*site.urlpatterns, path("peer/trades", DefaultTradesView.as_view())]
handler400 = site.handler400
handler403 = site.handler403
handler404 = site.handler404
handler500 = site.handler500
