"""The prompt cache against a second, naive model of the documented rules, and against examples.

Rule: the naive model is written from the documentation alone: it keeps every write and every read as
a list of events and searches it anew for each question.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from router.standin.cache import Plan, Position, PromptCache

MINIMUM = 100


class Naive:
    """Prompts are tuples of (name, tokens, mark); an entry is known by the names that lead up to it."""

    def __init__(self) -> None:
        self.born: list[tuple[str, tuple[str, ...], str, float]] = []  # space, names, ttl, last used

    def alive(self, space: str, names: tuple[str, ...], now_s: float) -> bool:
        age = {"5m": 300, "1h": 3600}
        return any(entry[:2] == (space, names) and now_s - entry[3] < age[entry[2]] for entry in self.born)

    def bill(self, space: str, prompt: list[tuple[str, int, str | None]], now_s: float) -> tuple[int, int, int]:
        names = [block[0] for block in prompt]
        size = [sum(block[1] for block in prompt[: end + 1]) for end in range(len(prompt))]
        marks = [(at, block[2]) for at, block in enumerate(prompt) if block[2] and size[at] >= MINIMUM]
        reached: set[int] = set()
        for at, _ in marks:
            candidates = [spot for spot in range(len(prompt)) if 0 <= at - spot <= 19]
            alive = [spot for spot in candidates if self.alive(space, tuple(names[: spot + 1]), now_s)]
            reached |= set(alive[-1:])
        for spot in reached:
            self.touch(space, tuple(names[: spot + 1]), now_s)
        read = max((size[spot] for spot in reached), default=0)
        paid = {"5m": 0, "1h": 0}
        covered = read
        for at, ttl in marks:
            paid[ttl or ""] += max(0, size[at] - covered)
            covered = max(covered, size[at])
        return read, paid["5m"], paid["1h"]

    def touch(self, space: str, names: tuple[str, ...], now_s: float) -> None:
        age = {"5m": 300, "1h": 3600}
        self.born = [
            (*entry[:3], max(entry[3], now_s))
            if entry[:2] == (space, names) and now_s - entry[3] < age[entry[2]]
            else entry
            for entry in self.born
        ]

    def begin(self, space: str, prompt: list[tuple[str, int, str | None]], asked_s: float, skip: set[int]) -> None:
        names = [block[0] for block in prompt]
        total = 0
        for at, (_, tokens, ttl) in enumerate(prompt):
            total += tokens
            if ttl and total >= MINIMUM and at not in skip:
                self.born.append((space, tuple(names[: at + 1]), ttl, asked_s))


def positions(prompt: list[tuple[str, int, str | None]]) -> list[Position]:
    row, prefix = [], ""
    for name, tokens, mark in prompt:
        prefix += f"/{name}"
        row.append(Position(prefix.encode(), tokens, mark))
    return row


names = st.sampled_from(["a", "b"])
tokens = st.sampled_from([1, 30, 60, 99, 100, 250])


@st.composite
def prompts(draw: st.DrawFn) -> list[tuple[str, int, str | None]]:
    """Up to 30 blocks from a small alphabet, up to 4 marks, every 1h mark before every 5m mark.

    A block's tokens follow from its place and name: equal text has equal tokens.
    """
    length = draw(st.integers(1, 30))
    marked = sorted(draw(st.lists(st.integers(0, length - 1), max_size=4, unique=True)))
    hours = draw(st.integers(0, len(marked)))
    ttl = {at: ("1h" if number < hours else "5m") for number, at in enumerate(marked)}
    odd = draw(st.sampled_from([None, *range(length)]))
    sizes = [1, 30, 60, 99, 100, 250]
    return [("b" if at == odd else "a", sizes[(at * 7 + (at == odd)) % 6], ttl.get(at)) for at in range(length)]


steps = st.lists(
    st.tuples(
        prompts(),
        st.sampled_from(["x", "y"]),
        st.sampled_from([0.0, 1.0, 150.0, 299.0, 300.0, 301.0, 3599.0, 3600.0]),
        st.sampled_from(["begins", "fails", "begins later"]),
    ),
    max_size=8,
)


@settings(max_examples=120, deadline=None)
@given(steps)
def test_every_history_is_billed_as_the_naive_model_bills_it(history: list[tuple[object, ...]]) -> None:
    """Whatever is asked, in whatever order, with whatever pauses: reads and writes are those of the documentation."""
    cache, naive, now_s = PromptCache(), Naive(), 0.0
    late: list[tuple[Plan, str, list[tuple[str, int, str | None]], float, set[int]]] = []
    for prompt, space, pause_s, ending in history:
        now_s += pause_s  # type: ignore[operator]
        alive = {
            at
            for at in range(len(prompt))  # type: ignore[arg-type]
            if naive.alive(space, tuple(block[0] for block in prompt[: at + 1]), now_s)  # type: ignore[index, arg-type]
        }
        plan = cache.plan(space, positions(prompt), MINIMUM, now_s)  # type: ignore[arg-type]
        expected = naive.bill(space, prompt, now_s)  # type: ignore[arg-type]
        assert expected == (plan.read, plan.write_5m, plan.write_1h)
        assert plan.uncached >= 0
        started, late = late, []
        if ending == "begins":
            started.append((plan, space, prompt, now_s, alive))  # type: ignore[arg-type]
        elif ending == "begins later":
            late.append((plan, space, prompt, now_s, alive))  # type: ignore[arg-type]
        for begun, where, blocks, asked_s, known in started:
            cache.begin(begun)
            naive.begin(where, blocks, asked_s, known)


def row(*sizes: int, marks: dict[int, str]) -> list[Position]:
    return positions([(str(at), size, marks.get(at)) for at, size in enumerate(sizes)])


def test_a_first_prompt_is_written_and_a_second_one_read() -> None:
    cache = PromptCache()
    first = cache.plan("w", row(200, 50, marks={0: "5m"}), MINIMUM, 0.0)
    cache.begin(first)
    second = cache.plan("w", row(200, 50, marks={0: "5m"}), MINIMUM, 10.0)
    assert (0, 200, 50) == (first.read, first.write_5m, first.uncached)
    assert (200, 0, 50) == (second.read, second.write_5m, second.uncached)


def test_parallel_first_requests_all_pay_for_the_write() -> None:
    cache = PromptCache()
    plans = [cache.plan("w", row(200, marks={0: "5m"}), MINIMUM, 0.0) for _ in range(3)]
    assert [200, 200, 200] == [plan.write_5m for plan in plans]


def test_a_prompt_below_the_minimum_is_neither_written_nor_read() -> None:
    cache = PromptCache()
    plan = cache.plan("w", row(99, marks={0: "5m"}), MINIMUM, 0.0)
    cache.begin(plan)
    assert (0, 0, 99) == (plan.read, plan.write_5m, plan.uncached)
    assert 0 == len(cache)


def test_the_lifetime_runs_from_the_start_of_the_request_and_a_read_renews_it() -> None:
    cache = PromptCache()
    prompt = row(200, marks={0: "5m"})
    cache.begin(cache.plan("w", prompt, MINIMUM, 0.0))
    assert 200 == cache.plan("w", prompt, MINIMUM, 299.0).read
    assert 200 == cache.plan("w", prompt, MINIMUM, 598.0).read
    assert 0 == cache.plan("w", prompt, MINIMUM, 898.0).read


def test_every_marks_own_hit_is_renewed_not_only_the_furthest() -> None:
    cache = PromptCache()
    both = row(200, 200, marks={0: "5m", 1: "5m"})
    for now_s in (0.0, 200.0):
        cache.begin(cache.plan("w", both, MINIMUM, now_s))
    assert 200 == cache.plan("w", row(200, 7, marks={0: "5m"}), MINIMUM, 400.0).read


def test_an_entry_20_blocks_back_is_found_and_one_21_blocks_back_is_not() -> None:
    cache = PromptCache()
    cache.begin(cache.plan("w", row(*[200] * 5, marks={4: "5m"}), MINIMUM, 0.0))
    near = cache.plan("w", row(*[200] * 24, marks={23: "5m"}), MINIMUM, 1.0)
    far = cache.plan("w", row(*[200] * 25, marks={24: "5m"}), MINIMUM, 1.0)
    assert (1000, 0) == (near.read, far.read)


def test_each_lifetime_is_billed_up_to_its_last_mark() -> None:
    plan = PromptCache().plan("w", row(200, 300, 50, marks={0: "1h", 1: "5m"}), MINIMUM, 0.0)
    assert (200, 300, 50) == (plan.write_1h, plan.write_5m, plan.uncached)


def test_nothing_is_shared_between_two_namespaces() -> None:
    cache = PromptCache()
    cache.begin(cache.plan("one", row(200, marks={0: "5m"}), MINIMUM, 0.0))
    assert 0 == cache.plan("two", row(200, marks={0: "5m"}), MINIMUM, 1.0).read


def test_what_has_expired_is_swept_away() -> None:
    cache = PromptCache()
    for number in range(2_000):
        prompt = positions([(f"n{number}", 200, "5m")])
        cache.begin(cache.plan("w", prompt, MINIMUM, float(number)))
    assert len(cache) < 1_400
