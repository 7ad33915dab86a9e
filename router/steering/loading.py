"""The policy and its candidate, from the disk.

Rule: both or neither: a policy whose candidate is wrong is not loaded, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..policyfile import load
from ..ports import Clock
from .helm import Policies


class Loader:
    def __init__(
        self, policy: Path, models: Path | None, prices: Path | None, *, environment: Mapping[str, str], clock: Clock
    ) -> None:
        self._policy = policy
        self._files = (models, prices)
        self._environment = environment
        self._clock = clock

    def load(self) -> Policies:
        """Raises PolicyError."""
        today = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).date()
        current = load(self._policy, *self._files, today=today, environment=self._environment)
        rollout = current.policy.rollout
        if rollout is None:
            return Policies(current)
        path = self._policy.parent / rollout.candidate
        return Policies(current, load(path, *self._files, today=today, environment=self._environment))
