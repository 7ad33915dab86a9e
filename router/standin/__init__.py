"""A stand-in for the Messages API: a real local server, faithful to its documented rules.

Rule: it knows nothing of the router, and nothing outside this room knows how it works inside.
"""

from __future__ import annotations

from .bill import Row, Statement
from .faults import Fault
from .generator import Pace
from .limits import Limits
from .server import StandIn, running_standin

__all__ = ["Fault", "Limits", "Pace", "Row", "StandIn", "Statement", "running_standin"]
