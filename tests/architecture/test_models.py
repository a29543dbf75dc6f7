"""Every table says what one row means, who writes it and how it lives."""

import inspect
import re

import pytest
from django.apps import apps
from django.db import models

from core.fields import ExactDecimalField
from tests.architecture.tree import APPS

MIN_DOCSTRING_LENGTH = 60
# One of these says who writes the row or what becomes of it.
LIFE_WORDS = re.compile(
    r"\b(writ|record|creat|insert|append|edit|stor|kept|keep|mov|updat|delet|chang|add|replac|sav|"
    r"clos|open|load|issu|revok|made|set)",
    flags=re.IGNORECASE,
)


def our_models() -> list[type[models.Model]]:
    """Return the models that people wrote; history tables are made by a package."""
    return [
        model
        for app in APPS
        for model in apps.get_app_config(app).get_models()
        if not model.__module__.startswith("simple_history")
        and not hasattr(model, "history_object")
    ]


def by_label(model: type[models.Model]) -> str:
    """Return the model's label for pytest's output."""
    return model._meta.label


@pytest.mark.parametrize("model", our_models(), ids=by_label)
def test_it_says_what_a_row_means_and_how_it_lives(model):
    text = inspect.cleandoc(model.__dict__["__doc__"] or "")

    assert not text.startswith(f"{model.__name__}("), "Django's own, not a docstring"
    assert len(text) >= MIN_DOCSTRING_LENGTH, text
    assert len(re.findall(r"[.;:](\s|$)", text)) >= 2, f"what a row means, and its life: {text}"
    assert LIFE_WORDS.search(text), f"who writes it, and what becomes of it: {text}"


@pytest.mark.parametrize("model", our_models(), ids=by_label)
def test_it_stores_decimals_exactly(model):
    inexact = [
        field.name
        for field in model._meta.get_fields()
        if isinstance(field, models.DecimalField) and not isinstance(field, ExactDecimalField)
    ]

    assert inexact == []


@pytest.mark.parametrize("model", our_models(), ids=by_label)
def test_it_hides_nothing_in_save_or_a_default_order(model):
    assert "save" not in model.__dict__
    assert not model._meta.ordering


def test_it_finds_models_at_all():
    assert len(our_models()) >= 5
