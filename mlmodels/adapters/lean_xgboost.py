"""xgboost without the packages it would only like to have.

``import xgboost`` also imports scikit-learn and pandas when they are installed, for wrappers that
we do not use: 152 MB in each worker instead of 58 MB. It runs without both, so they are hidden for
the moment of the import.
"""

import sys
from functools import lru_cache
from types import ModuleType

_OPTIONAL = ("sklearn", "pandas")


@lru_cache(maxsize=1)
def load_xgboost() -> ModuleType:
    """Import xgboost and return it; what is imported already stays."""
    hidden = [name for name in _OPTIONAL if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import xgboost
    finally:
        for name in hidden:
            if name in sys.modules and sys.modules[name] is None:
                del sys.modules[name]
    return xgboost
