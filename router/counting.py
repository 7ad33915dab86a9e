"""The free questions: how many tokens is this, and which models are there?

Rule: trunk. Neither is billed, so neither is in the ledger and neither asks the classifier.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .decide import tier
from .decide.policy import Model, Rulebook
from .errors import RequestError
from .ports import Call, Upstream
from .serving import Served, forwarded_headers
from .vocabulary import ANSWERS, Ask, Edit, OutcomeKind
from .wire.edit import apply

COUNT_TIMEOUT_S = 30.0
JSON = ("content-type", "application/json")
ROUTED = "claude-auto"


class Counting:
    """Answers /v1/messages/count_tokens through the API, and /v1/models from the catalogue."""

    def __init__(self, *, rules: Callable[[], Rulebook], upstream: Upstream) -> None:
        self._rules = rules
        self._upstream = upstream

    async def count_tokens(self, ask: Ask) -> Served:
        """The API's own count, for the model that was named or the default tier's."""
        rules = self._rules()
        choice = tier.named(ask.facts, None, rules)
        model = choice.model if choice else rules.ids[rules.policy.tiers[rules.default_tier].model]
        edits: tuple[Edit, ...] = ()
        if model != ask.facts.model:
            edits = (Edit(key="model", value=msgspec.Raw(msgspec.json.encode(model)), why="the model is counted for"),)
        call = Call(
            path="/v1/messages/count_tokens",
            body=apply(ask, edits),
            headers=ask.headers,
            first_byte_s=COUNT_TIMEOUT_S,
            total_s=COUNT_TIMEOUT_S,
        )
        answer = await self._upstream.send(call)
        kind = answer.outcome.kind if answer.outcome is not None else OutcomeKind.ANSWERED
        if kind in (OutcomeKind.AUTHENTICATION, OutcomeKind.PERMISSION):
            raise RequestError("router_upstream_auth", "the API refused the service's own credentials")
        if answer.status == 200 and kind not in ANSWERS:
            raise RequestError("router_bad_upstream", "the API answered with something that is no token count")
        if not answer.body:
            raise RequestError("router_all_tiers_down", "the API did not answer the token count; nothing was billed")
        content_type = answer.headers.get("content-type", "application/json")
        headers = (("content-type", content_type), ("x-router-model", model), *forwarded_headers(answer.headers))
        return Served(status=answer.status, headers=headers, body=answer.body)

    def models(self) -> bytes:
        """`claude-auto` first, then every model of the catalogue, in the Models API's shape."""
        rules = self._rules()
        ids = sorted(set(rules.ids.values()))
        data = [_routed(rules), *(_entry(model_id, rules.models[model_id]) for model_id in ids)]
        page = {"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]}
        return msgspec.json.encode(page)

    def model(self, name: str) -> bytes:
        """One model, by id or alias. Raises RequestError(router_unknown_model)."""
        rules = self._rules()
        if name in tier.AUTO:
            return msgspec.json.encode(_routed(rules))
        model_id = rules.ids.get(name)
        if model_id is None:
            raise tier.unknown_model(name, rules)
        return msgspec.json.encode(_entry(model_id, rules.models[model_id]))


def _routed(rules: Rulebook) -> dict[str, object]:
    """The name that routes, with the limits that hold whichever tier is chosen."""
    reachable = [rules.models[part.model] for part in rules.policy.tiers.values()]
    return {
        "type": "model",
        "id": ROUTED,
        "display_name": "Tierwise: the cheapest tier that does the job",
        "created_at": "2026-11-20T00:00:00Z",
        "max_input_tokens": min(model.context for model in reachable),
        "max_tokens": min(model.max_output for model in reachable),
    }


def _entry(model_id: str, model: Model) -> dict[str, object]:
    return {
        "type": "model",
        "id": model_id,
        "display_name": model_id.replace("-", " ").title(),
        "created_at": "1970-01-01T00:00:00Z",  # the API's own convention for an unknown release date
        "line": model.line,
        "max_input_tokens": model.context,
        "max_tokens": model.max_output,
    }
