"""Forms of the admin: a person's order, and what the bars of actions ask for."""

from typing import Any

from django import forms
from unfold.forms import ActionForm
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from core.errors import InvalidInput
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order, Strategy
from execution.services.manual import ManualOrder, check_parameters


def _bar_input(placeholder: str, width: str = "20rem") -> forms.TextInput:
    # The bar of actions is coloured: say both colours.
    style = f"background: #fff; color: #111; width: {width}"
    return forms.TextInput(
        attrs={"placeholder": placeholder, "style": style, "class": "border rounded-default px-3"}
    )


class ReasonForm(ActionForm):
    """An action, and why."""

    reason = forms.CharField(
        max_length=500, required=False, label="", widget=_bar_input("Reason (kept for ever)")
    )


class SettleForm(ReasonForm):
    """What is done about a difference, and why."""

    target = forms.ModelChoiceField(
        queryset=Strategy.objects.order_by("name"),
        required=False,
        label="",
        to_field_name="name",
        empty_label="Attach to … (its position's strategy)",
        widget=forms.Select(
            attrs={
                "style": "background: #fff; color: #111",
                "class": "border rounded-default px-3 py-1",
            }
        ),
    )


class ChangeForm(ReasonForm):
    """What an amendment or a replacement changes; empty stays as it is."""

    quantity = forms.DecimalField(required=False, label="", widget=_bar_input("quantity", "7rem"))
    price = forms.DecimalField(required=False, label="", widget=_bar_input("price", "7rem"))
    stop_price = forms.DecimalField(required=False, label="", widget=_bar_input("stop", "7rem"))


def _number(help_text: str, *, required: bool = False) -> forms.DecimalField:
    return forms.DecimalField(
        required=required,
        min_value=0,
        help_text=help_text,
        widget=UnfoldAdminDecimalFieldWidget(),
    )


class ManualOrderForm(forms.ModelForm):
    """A person's order; it passes the same gate as the machine's."""

    symbol = forms.CharField(max_length=32, widget=UnfoldAdminTextInputWidget())
    side = forms.ChoiceField(
        choices=[(item.value, item.value) for item in Side], widget=UnfoldAdminSelectWidget()
    )
    type = forms.ChoiceField(
        choices=[(item.value, item.value) for item in OrderType], widget=UnfoldAdminSelectWidget()
    )
    quantity = _number("Base units", required=True)
    price = _number("Limit; of an OCO the target's")
    stop_price = _number("Where a stop or a target comes to life")
    stop_limit_price = _number("Of an OCO's stop leg; empty: it sells at the market")
    trailing_delta_bps = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=5000,
        help_text="How far a trailing stop follows; 100 is 1 %",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    time_in_force = forms.ChoiceField(
        required=False,
        choices=[("", ""), *((item.value, item.value) for item in TimeInForce)],
        widget=UnfoldAdminSelectWidget(),
        help_text="Of orders with a limit; empty is GTC",
    )
    stop_loss_price = _number("Of a resting entry: the stop that follows its fill")
    take_profit_price = _number("The target beside that stop; both or neither")

    class Meta:
        model = Order
        fields: tuple[str, ...] = ()

    def _post_clean(self) -> None:
        """It is no row: what a row must be like is not asked of it."""

    def clean(self) -> dict[str, Any]:
        """Refuse what the type does not have or lacks, at the field that is wrong."""
        data: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                check_parameters(self.to_order())
            except InvalidInput as error:
                self.add_error(str(error.context["field"]), error.message)
        return data

    def to_order(self) -> ManualOrder:
        """Return the input as an order; a limit rests unless told otherwise."""
        values: dict[str, Any] = {name: value or None for name, value in self.cleaned_data.items()}
        kind, time = OrderType(values["type"]), values["time_in_force"]
        if time is None and "time_in_force" in kind.form.required:
            time = TimeInForce.GTC
        return ManualOrder(
            **{
                **values,
                "symbol": values["symbol"].strip().upper(),
                "side": Side(values["side"]),
                "type": kind,
                "time_in_force": time and TimeInForce(time),
            }
        )
