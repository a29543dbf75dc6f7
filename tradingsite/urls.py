"""Every address of the site. Apps bring their own; the roof adds what spans them."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("risk.urls")),
]
