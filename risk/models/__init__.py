"""What we allow, kept: limits, the kill switch, verdicts, equity."""

from risk.models.limits import RiskLimits
from risk.models.risk_metrics import RiskMetrics
from risk.models.trading_state import RearmRequest, TradingState, TradingStateChange
from risk.models.verdict import RiskVerdict

__all__ = [
    "RearmRequest",
    "RiskLimits",
    "RiskMetrics",
    "RiskVerdict",
    "TradingState",
    "TradingStateChange",
]
