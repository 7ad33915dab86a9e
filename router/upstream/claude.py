"""One call to the Claude API: send it, look at the head, and make an Answer of what comes back.

Rule: one attempt, no retries, and nothing that the API or the network does is raised: it is an Outcome.
"""

from __future__ import annotations

import asyncio
import functools
from typing import cast

import anthropic
import httpx2
import msgspec

from ..ports import Call
from ..vocabulary import Billed, Outcome, OutcomeKind
from .answer import ClaudeAnswer, Stream, failed
from .body import Body
from .caps import COMPRESSED, DEFAULT_CAPS, Caps
from .client import TIMEOUT, headers_to_send, open_client
from .faults import outcome_of_exception, outcome_of_response
from .whole import judged

K = OutcomeKind
_FREE_CONNECTION_S = 5.0
# The hop's own headers; cookies are between the API and this service; a target is never passed on.
_DROPPED = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "location",
        "proxy-authenticate",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class ClaudeUpstream:
    """Implements ports.Upstream. With both credentials the key counts; with none, none is sent."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | None = None,
        auth_token: str | None = None,
        connections: int = 1000,
        caps: Caps = DEFAULT_CAPS,
    ) -> None:
        self._caps = caps
        # Counted here, because a call that waits for a connection below would look like a slow API.
        self._free = asyncio.Semaphore(connections)
        self._client = open_client(
            base_url=base_url, api_key=api_key, auth_token=auth_token, connections=connections, caps=caps
        )
        self._address = functools.lru_cache(maxsize=64)(functools.partial(_address, base_url.rstrip("/")))

    async def send(self, call: Call) -> ClaudeAnswer:
        """Make the call. A whole answer comes back read and judged, a stream comes back running."""
        until_s = asyncio.get_running_loop().time() + call.total_s
        if not await self._take_connection(min(call.first_byte_s, _FREE_CONNECTION_S)):
            return failed(Outcome(kind=K.OVERLOADED, detail="no free connection in time; nothing was sent"))
        try:
            async with asyncio.timeout(call.first_byte_s):
                response = await self._head(call)
        except asyncio.CancelledError:
            self._free.release()
            raise
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises, the table has a row for it
            self._free.release()
            return _refused(error)
        body = Body(response, self._caps.answer_bytes, self._free.release)
        if call.stream and _is(response, "text/event-stream") and response.status_code == 200:
            stream = Stream(body, call.idle_s, self._caps.event_bytes)
            return ClaudeAnswer(status=200, headers=_kept(response.headers), stream=stream)
        try:
            return await _whole(call, response, body, until_s)
        finally:
            await body.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def _take_connection(self, within_s: float) -> bool:
        if not self._free.locked():
            return await self._free.acquire()
        try:
            async with asyncio.timeout(within_s):
                return await self._free.acquire()
        except TimeoutError:
            return False

    async def _head(self, call: Call) -> httpx2.Response:
        """Send, and wait for the head. The body of a 200 is left unread."""
        # What is not said is copied from the SDK's defaults, in every call, and the copies cost more than the words.
        options: anthropic.RequestOptions = {
            "headers": headers_to_send(call.headers),
            "max_retries": 0,
            "timeout": TIMEOUT,
        }
        if call.method == "GET":
            answer = await self._client.get(
                self._address(call.path), cast_to=httpx2.Response, options=options, stream=True, stream_cls=_UNUSED
            )
        else:
            answer = await self._client.post(
                self._address(call.path),
                cast_to=httpx2.Response,
                content=call.body,
                options=options,
                stream=True,
                stream_cls=_UNUSED,
            )
        return cast(httpx2.Response, answer)  # what `cast_to` asks for; the overloads only know streams


def _address(base_url: str, path: str) -> str:
    """Where a path is, parsed once: given a string, the SDK parses it three times in every call.

    It takes a URL wherever it takes a string; only its types do not say so.
    """
    return cast(str, httpx2.URL(base_url + path))


_UNUSED = anthropic.AsyncStream[object]


def _refused(error: Exception) -> ClaudeAnswer:
    """The answer to a call whose head was an error's, or never came."""
    if not isinstance(error, anthropic.APIStatusError):
        return failed(outcome_of_exception(error, sent=False))
    response = error.response
    headers = _kept(response.headers)
    return failed(outcome_of_response(response.status_code, headers, response.content), headers, response.content)


async def _whole(call: Call, response: httpx2.Response, body: Body, until_s: float) -> ClaudeAnswer:
    """Read a body to its end and judge it."""
    headers = _kept(response.headers)
    status = response.status_code
    if status != 200:
        return failed(outcome_of_response(status, headers, b""), headers)
    if not _is(response, "application/json"):
        detail = "a 200 in a form that was not asked for"
        return failed(Outcome(kind=K.BAD_ANSWER, status=200, billed=Billed.UNKNOWN, detail=detail), headers)
    try:
        content = await body.read_all(call.idle_s, until_s)
    except TimeoutError:
        late = asyncio.get_running_loop().time() >= until_s
        kind, detail = (K.TIMED_OUT, "the body did not end in time") if late else (K.STALLED, "silence in the body")
        return failed(Outcome(kind=kind, status=200, billed=Billed.UNKNOWN, detail=detail), headers)
    except Exception as error:  # noqa: BLE001 - the table names every one of them
        return failed(msgspec.structs.replace(outcome_of_exception(error, sent=True), status=200), headers)
    return judged(call, headers, content)


def _is(response: httpx2.Response, media_type: str) -> bool:
    """Does the answer say that it is this, as plain bytes?"""
    if COMPRESSED in response.extensions:
        return False
    told = response.headers.get("content-type", "")
    return told.partition(";")[0].strip().lower() == media_type


def _kept(headers: httpx2.Headers) -> dict[str, str]:
    """The API's headers as a caller may see them, with lower-case names."""
    kept: dict[str, str] = {}
    for raw_name, raw_value in headers.raw:
        name = raw_name.decode("latin-1").lower()
        if name in _DROPPED:
            continue
        value = raw_value.decode("latin-1")
        kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept
