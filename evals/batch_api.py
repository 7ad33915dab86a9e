"""The Batches API over the anthropic SDK: create, find, wait for, read results line by line.

Rule: a creation is tried once: whether it came through when its answer is lost, only the list of batches says. All else
may be asked again. Bodies are the bytes that they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TypeVar, cast

import anthropic
import httpx2
import msgspec

from router.upstream.client import Client

PATH = "/v1/messages/batches"
RETRIES = 5  # of what may be asked again
PAGE = 100
# The request was read and refused: no batch was made of it.
REFUSED = frozenset({400, 401, 402, 403, 404, 405, 413, 422, 429})

UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout)  # there was no connection to send it over


class BatchTrouble(Exception):
    """The Batches API did not do what it was asked; the text says what, for people."""


class NotCreated(BatchTrouble):
    """It refused: there is no batch."""


class Gone(BatchTrouble):
    """There is no such batch, or no more."""


class _Counts(msgspec.Struct):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def all(self) -> int:
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class Seen(msgspec.Struct):
    """A batch as the API tells of it."""

    id: str
    processing_status: str
    created_at: datetime
    request_counts: _Counts

    @property
    def ended(self) -> bool:
        return self.processing_status == "ended"

    @property
    def created_ms(self) -> int:
        return int(self.created_at.timestamp() * 1000)


class _Page(msgspec.Struct):
    data: list[Seen]
    last_id: str | None = None
    has_more: bool = False


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _ErrorBody(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


class _Result(msgspec.Struct):
    type: str  # succeeded | errored | canceled | expired
    message: msgspec.Raw = msgspec.Raw(b"")
    error: _ErrorBody = msgspec.field(default_factory=_ErrorBody)


class Line(msgspec.Struct):
    """One item's result."""

    custom_id: str
    result: _Result


Read = TypeVar("Read")

_SEEN = msgspec.json.Decoder(Seen)
_PAGE = msgspec.json.Decoder(_Page)
_LINE = msgspec.json.Decoder(Line)


class BatchApi:
    """Of one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, items: Sequence[tuple[str, bytes]]) -> Seen:
        """Raises NotCreated, or BatchTrouble where nobody knows."""
        requests = [{"custom_id": key, "params": msgspec.Raw(body)} for key, body in items]
        try:
            answer = await self._client.post(
                PATH, cast_to=httpx2.Response, content=msgspec.json.encode({"requests": requests})
            )
        except anthropic.APIStatusError as error:
            kind = NotCreated if error.status_code in REFUSED else BatchTrouble
            raise kind(_words(error)) from None
        except anthropic.AnthropicError as error:
            kind = NotCreated if isinstance(error.__cause__, UNSENT) else BatchTrouble
            raise kind(_words(error)) from None
        return _read(_SEEN, answer.content)

    async def seen(self, batch_id: str) -> Seen:
        """Raises Gone, BatchTrouble."""
        return _read(_SEEN, (await self._get(f"{PATH}/{batch_id}")).content)

    async def since(self, since_ms: int) -> list[Seen]:
        """Every batch that was created since then, the newest first. Raises BatchTrouble."""
        found: list[Seen] = []
        after = ""
        while True:
            page = _read(_PAGE, (await self._get(f"{PATH}?limit={PAGE}{after}")).content)
            found += [one for one in page.data if one.created_ms >= since_ms]
            if not page.has_more or not page.data or page.data[-1].created_ms < since_ms:
                return found
            after = f"&after_id={page.last_id}"

    async def results(self, batch_id: str) -> AsyncIterator[Line]:
        """Of one that has ended, as they come. Raises Gone, BatchTrouble."""
        answer = await self._get(f"{PATH}/{batch_id}/results", stream=True)
        try:
            async for line in answer.aiter_lines():
                if line.strip():
                    yield _read(_LINE, line.encode())
        except httpx2.HTTPError as error:
            raise BatchTrouble(f"the results broke off: {type(error).__name__}") from None
        finally:
            await answer.aclose()

    async def _get(self, path: str, *, stream: bool = False) -> httpx2.Response:
        options: anthropic.RequestOptions = {"max_retries": RETRIES}
        try:
            if not stream:
                return await self._client.get(path, cast_to=httpx2.Response, options=options)
            answer = await self._client.get(
                path, cast_to=httpx2.Response, options=options, stream=True, stream_cls=anthropic.AsyncStream[object]
            )
            return cast(httpx2.Response, answer)  # what `cast_to` asks for; the overloads only know streams
        except anthropic.NotFoundError as error:
            raise Gone(_words(error)) from None
        except anthropic.AnthropicError as error:
            raise BatchTrouble(_words(error)) from None


def _words(error: anthropic.AnthropicError) -> str:
    if isinstance(error, anthropic.APIStatusError):
        return f"the API answered {error.status_code}: {error.message[:300]}"
    return f"the API was not reached: {type(error).__name__}"


def _read(decoder: msgspec.json.Decoder[Read], data: bytes) -> Read:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BatchTrouble(f"the API answered with something else than a batch: {error}") from None
