"""A request made into a job that can be kept, and a job made into a request again.

Rule: trunk, pure. Only the headers that reading or a rule of the policy needs are kept, and never a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from .decide.hooks import refusal
from .decide.policy import Rulebook
from .decide.rules import header_names
from .errors import RequestError
from .serving import Served
from .vocabulary import Ask, Caller, Door, Job, Workload
from .wire.ask import read_complete, read_messages

SECRETS = frozenset({"authorization", "x-api-key", "cookie", "proxy-authorization", "set-cookie", "idempotency-key"})
KEPT = ("anthropic-", "x-router-", "x-claude-code-session-id")
RETRY_AFTER_S = 5
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_READERS: Mapping[Door, Callable[[bytes, Mapping[str, str]], Ask]] = {
    Door.COMPLETE: read_complete,
    Door.MESSAGES: read_messages,
}


def job_of(ask: Ask, caller: Caller, rules: Rulebook, *, job_id: str, at_ms: int) -> Job:
    """What is kept of a request."""
    wanted = header_names(rules.policy.rules) - SECRETS
    kept = tuple(
        (name, value)
        for name, value in ask.sent_headers.items()
        if name not in SECRETS and (name in wanted or name.startswith(KEPT))
    )
    return Job(
        job_id=job_id,
        tenant=caller.tenant,
        request_id=caller.request_id,
        at_ms=at_ms,
        door=ask.door,
        body=_unstreamed(ask),
        headers=kept,
        webhook=ask.words.webhook or "",
    )


def ask_of(job: Job) -> Ask:
    """The request again, as nobody waits for it: in the background, and without the caller's deadline.

    That nothing may stand in for its answer, least of all being put off once more, says the caller it runs for
    (`Caller.job`). Raises RequestError.
    """
    ask = _READERS[job.door](job.body, dict(job.headers))
    words = msgspec.structs.replace(
        ask.words, workload=Workload.BACKGROUND, fallback="auto", deadline_s=None, webhook=None, buffered=False
    )
    return msgspec.structs.replace(ask, words=words)


def check_webhook(url: str, rules: Rulebook, secret: str) -> None:
    """Raises RequestError where nobody may be told at this address."""
    why = refusal(url, rules.policy.jobs.webhook_hosts)
    if why is None and not secret:
        why = "this service has no secret (jobs.secret) to sign what it tells"
    if why is not None:
        raise RequestError("router_bad_request", f"router.webhook: {why}", field="router.webhook")


def accepted(job: Job) -> Served:
    """What a caller gets for a request that was put off."""
    url = f"/jobs/{job.job_id}"
    fields = {"type": "job", "id": job.job_id, "status": job.state, "url": url, "request_id": job.request_id}
    headers = (
        ("content-type", "application/json"),
        ("location", url),
        ("retry-after", str(RETRY_AFTER_S)),
        ("x-router-fallback", "deferred"),
    )
    return Served(status=202, headers=headers, body=msgspec.json.encode(fields))


async def whole(served: Served) -> bytes:
    """The body of an answer, however it comes."""
    if served.chunks is None:
        return served.body
    try:
        return b"".join([chunk async for chunk in served.chunks])
    finally:
        await served.chunks.aclose()


def _unstreamed(ask: Ask) -> bytes:
    """The body as it came; who fetches a job gets a whole message, so `stream` is left out of it."""
    if not ask.facts.stream:
        return ask.raw
    fields = _FIELDS.decode(ask.raw)
    fields.pop("stream", None)
    return msgspec.json.encode(fields)
