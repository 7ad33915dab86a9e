"""What an attempt cost, what it can cost at most, and how long a prompt probably is.

Rule: integers only, and cost never guesses low: where a price or a figure is missing, the dearest known
one stands in and the Cost says that it is not exact. Whatever `cost` can come to for a request, as long
as it keeps within the bounds that `worst_pico` names, `worst_pico` is at least as much.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..vocabulary import Cost, Facts, Usage
from .policy import Model, Price, PriceBook, Rates, Rulebook

# What the API itself may add to a prompt: the system text for tools (286 to 406 tokens) and for a
# schema of structured outputs (a few), with room to spare.
OVERHEAD_TOKENS = 1_000
# About 2.5 characters a token on the current tokenizer (1M tokens are some 2.5M characters), as a fraction.
CHARACTERS_PER_TOKEN = (5, 2)
# An everyday image of about a megapixel costs a quarter of `image_tokens_ceiling`, which is the largest
# that is not scaled down; a document is counted as one page.
USUAL_IMAGE_TOKENS = 5_000 // 4
STANDARD_SPEED = frozenset({None, "standard"})


def cost(usage: Usage, model: str, book: PriceBook, at_ms: int, batch: bool = False) -> Cost:
    """What the API charges for this usage; a model may be named by id or alias.

    The long band goes by the whole prompt, cached tokens included. Server tools are billed by the
    request, apart from tokens: what they cost is not in the figure, and the note says so.
    """
    notes: list[str] = []
    price = price_at(model, book, at_ms, notes)
    rates = _rates(price, usage, book, notes)
    tokens_pico = (
        usage.input_tokens * rates.input
        + usage.output_tokens * rates.output
        + usage.cache_write_5m_tokens * rates.write_5m
        + usage.cache_write_1h_tokens * rates.write_1h
        + usage.cache_read_tokens * rates.read
    )
    if usage.server_tool_requests:
        notes.append("server tool requests are billed apart and are not in this figure")
    percent = _geo_percent(usage.inference_geo, book, notes)
    pico = _scaled(tokens_pico, percent * (book.batch_percent if batch else 100))
    assert pico >= 0, "a token count below zero reached the books"
    return Cost(pico=pico, exact=not notes, note="; ".join(notes))


def written_pico(usage: Usage, model: str, book: PriceBook, at_ms: int) -> int:
    """Of that cost, what the writes to the prompt cache are."""
    rates = _rates(price_at(model, book, at_ms, []), usage, book, [])
    pico = usage.cache_write_5m_tokens * rates.write_5m + usage.cache_write_1h_tokens * rates.write_1h
    return _scaled(pico, _geo_percent(usage.inference_geo, book, []) * 100)


def worst_pico(
    facts: Facts, model: str, max_tokens: int, rules: Rulebook, at_ms: int, may_write_1h: bool = False
) -> int:
    """The most that one call can cost, server tools apart: they may read and write more than was sent.

    Every prompt token at the dearest class it can be billed at, every allowed output token, in the
    dearest region that the call can run in, at the speed asked for or the standard one.
    """
    known = rules.models[model]
    price = price_at(model, rules.prices, at_ms, [])
    prompt_tokens = prompt_tokens_ceiling(facts, known, rules.image_tokens_ceiling)
    possible = _possible_rates(price, prompt_tokens, facts, rules.prices)
    # Without a mark for an hour the 5m write is the dearest class: the router may add such marks.
    wants_1h = may_write_1h or "1h" in facts.mark_ttls
    write = max(max(rates.write_1h if wants_1h else 0, rates.write_5m, rates.input, rates.read) for rates in possible)
    output = max(rates.output for rates in possible)
    tokens_pico = prompt_tokens * write + min(max_tokens, known.max_output) * output
    return _scaled(tokens_pico, _worst_geo_percent(facts, known, rules.prices) * 100)


def prompt_tokens_ceiling(facts: Facts, model: Model, image_tokens_ceiling: int) -> int:
    """The longest prompt that the request can turn out to be: a token covers at least one byte.

    An image costs by its size, whatever its bytes. A document can be a few bytes of address and
    hundreds of pages, so one makes the context window the only bound.
    """
    if facts.document_count:
        return model.context
    # The whole body, since an output schema is prompt too; in the short form the parts can be longer.
    text = max(facts.body_bytes, facts.tools_bytes + facts.system_bytes + facts.messages_bytes) - facts.media_bytes
    return min(model.context, text + OVERHEAD_TOKENS + facts.image_count * image_tokens_ceiling)


def input_estimate(facts: Facts) -> int:
    """About how many tokens the prompt has, for showing and for choosing; never for the books."""
    text = facts.tools_bytes + facts.system_bytes + facts.messages_bytes - facts.media_bytes
    characters, tokens = CHARACTERS_PER_TOKEN
    return -(-text * tokens // characters) + (facts.image_count + facts.document_count) * USUAL_IMAGE_TOKENS


def price_at(model: str, book: PriceBook, at_ms: int, notes: list[str]) -> Price | None:
    """The price in force. Before the first one the first; None for a model without any."""
    prices = book.by_model.get(model)
    if not prices:
        notes.append("no price is known for the model: the dearest one stands in")
        return None
    for price in prices:
        if price.since_ms <= at_ms:
            return price
    notes.append("no price is known for that day: the oldest one stands in")
    return prices[-1]


def _rates(price: Price | None, usage: Usage, book: PriceBook, notes: list[str]) -> Rates:
    if price is None:
        return _dearest(_all_rates(book))
    if usage.speed not in STANDARD_SPEED:
        if usage.speed == "fast" and price.fast is not None:
            return price.fast
        notes.append("no price is known for the speed: the dearest one stands in")
        return _dearest(_all_rates(book))
    if price.long is not None and price.above_tokens is not None and usage.prompt_tokens > price.above_tokens:
        return price.long
    return price.rates


def _possible_rates(price: Price | None, prompt_tokens: int, facts: Facts, book: PriceBook) -> list[Rates]:
    """Each set of rates that the call can turn out to be billed at."""
    if price is None:
        return [_dearest(_all_rates(book))]
    possible = [price.rates]
    if price.long is not None and price.above_tokens is not None and prompt_tokens > price.above_tokens:
        possible.append(price.long)
    if facts.speed not in STANDARD_SPEED:
        possible.append(price.fast if price.fast is not None else _dearest(_all_rates(book)))
    return possible


def _all_rates(book: PriceBook) -> Iterable[Rates]:
    for prices in book.by_model.values():
        for price in prices:
            yield from (rates for rates in (price.rates, price.long, price.fast) if rates is not None)


def _dearest(all_rates: Iterable[Rates]) -> Rates:
    """The highest rate of each class: what stands in where a price is missing, so that nothing looks free."""
    known = list(all_rates)
    return Rates(
        input=max(rates.input for rates in known),
        output=max(rates.output for rates in known),
        write_5m=max(rates.write_5m for rates in known),
        write_1h=max(rates.write_1h for rates in known),
        read=max(rates.read for rates in known),
    )


def _geo_percent(geo: str | None, book: PriceBook, notes: list[str]) -> int:
    if geo is None:
        return 100
    if geo not in book.geo_percent:
        notes.append("no price is known for the region: the dearest one stands in")
        return _dearest_geo_percent(book)
    return book.geo_percent[geo]


def _worst_geo_percent(facts: Facts, model: Model, book: PriceBook) -> int:
    """Where the caller names no region, the workspace's own default decides: it can be any."""
    if facts.inference_geo in book.geo_percent:
        return book.geo_percent[facts.inference_geo]
    return _dearest_geo_percent(book) if model.geo else 100


def _dearest_geo_percent(book: PriceBook) -> int:
    return max(100, *book.geo_percent.values()) if book.geo_percent else 100


def _scaled(tokens_pico: int, percent_twice: int) -> int:
    """Times two percentages. Exact for every price that the loader lets in; otherwise rounded up."""
    return -(-tokens_pico * percent_twice // 10_000)
