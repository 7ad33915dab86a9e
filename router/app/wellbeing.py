"""What /health/ready and /metrics say: of the service itself, and of the models behind it.

Rule: asks each part how it is; decides nothing but the one word for all of it.
"""

from __future__ import annotations

from ..api.admission import Admission
from ..api.lag import Lag
from ..ledger.books import Books
from ..memory.health import Health
from ..steering.helm import Helm
from ..telemetry import JsonEvents
from .beside import Beside


class Wellbeing:
    """What /health/ready and /metrics say."""

    def __init__(
        self,
        *,
        helm: Helm,
        books: Books,
        doors: tuple[Admission, Lag],
        events: JsonEvents,
        health: Health,
        beside: Beside,
    ) -> None:
        self._admission, self._lag = doors
        self._helm = helm
        self._books = books
        self._events = events
        self._health = health
        self._beside = beside

    def ready(self) -> tuple[bool, dict[str, object]]:
        """A policy that could not be loaded, or a model that fails, is no reason to send traffic elsewhere.

        Nor is a model that the policy does not know: callers may name any.
        """
        trouble = self._books.health()
        draining = self._admission.draining
        models = self._health.standing()
        known = self._helm.current.models
        fails = any(_fails(standing) for model, standing in models.items() if model in known)
        is_well = trouble is None and self._helm.trouble is None and not fails and not self._beside.stopped
        told: dict[str, object] = {
            "status": "draining" if draining else "ready" if is_well else "degraded",
            "policy": self._helm.current.hash,
            "policy_files": self._helm.trouble or "ok",
            "rollout": self._helm.stage,
            "ledger": trouble or "ok",
            "in_flight": self._admission.in_flight,
            "late_ms": round(self._lag.late_s * 1000),
            "stopped": list(self._beside.stopped),
            "models": models,
        }
        return not draining and trouble is None, told

    def metrics(self) -> bytes:
        gauge = f"# TYPE tierwise_in_flight gauge\ntierwise_in_flight {self._admission.in_flight}\n"
        return self._events.metrics() + gauge.encode() + self._health.metrics()


def _fails(standing: dict[str, object]) -> bool:
    """What may be probed is no trouble any more: it may be that nobody asks for that model now."""
    return standing["breaker"] == "open"
