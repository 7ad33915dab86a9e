"""The one numerical solver that the fits use.

Rule: whoever fits says what is lost and how it slopes; no data is looked at here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import expit  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .vectors import Numbers

STEPS_MAX = 200
NEAR_ENOUGH = 1e-7  # of the loss, from one step to the next


def least(loss: Callable[[Numbers], tuple[float, Numbers]], columns: int) -> Numbers:
    """The weights that lose least, starting from none (L-BFGS)."""
    options = {"maxiter": STEPS_MAX, "ftol": NEAR_ENOUGH}
    found = minimize(loss, np.zeros(columns), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x, dtype=np.float64)


def on_one_thread() -> AbstractContextManager[object]:
    """The matrices are small: threads would only wait for one another (measured: three times the time of the CPU)."""
    limits: AbstractContextManager[object] = threadpool_limits(limits=1)
    return limits


def chances(logarithms_of_odds: Numbers) -> Numbers:
    return np.asarray(expit(logarithms_of_odds), dtype=np.float64)
