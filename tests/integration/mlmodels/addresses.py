"""Only this room's addresses and the admin."""

from django.contrib import admin
from django.urls import include, path

admin.autodiscover()
urlpatterns = [path("admin/", admin.site.urls), path("", include("mlmodels.urls"))]
