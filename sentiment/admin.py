"""Sources can be switched and added; texts and scores are read."""

from django.contrib import admin
from django.db.models import URLField
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminURLInputWidget

from core.admin import ReadOnlyAdmin
from sentiment.models import Mention, SentimentScore, Source

# An address without a scheme is https, as it will be by default in Django 6.
_HTTPS = {URLField: {"assume_scheme": "https", "widget": UnfoldAdminURLInputWidget}}


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    """Where texts come from, and what went wrong last."""

    list_display = ["name", "kind", "is_enabled", "credibility", "fetched_at", "last_error"]
    formfield_overrides = _HTTPS
    readonly_fields = ["fetched_at", "last_error", "etag", "last_modified"]
    ordering = ["name"]


@admin.register(Mention)
class MentionAdmin(ReadOnlyAdmin):
    """Texts, the newest first."""

    list_display = ["available_at", "source", "title", "assets", "score", "confidence"]
    list_select_related = ["source"]
    list_filter = ["source"]
    formfield_overrides = _HTTPS
    search_fields = ["title"]
    ordering = ["-id"]


@admin.register(SentimentScore)
class SentimentScoreAdmin(ReadOnlyAdmin):
    """Scores, the newest first."""

    list_display = ["available_at", "instrument", "score", "confidence", "mentions"]
    list_select_related = ["instrument"]
    ordering = ["-id"]
