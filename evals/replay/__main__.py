"""`make bench-routing`: the router and the gate on what real models did, with no API.

Rule: people read the tables; the last line of standard output is one JSON object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from router.clock import SystemClock
from router.decide.gate_text import Reading
from router.errors import StartError

from ..learn.solving import on_one_thread
from .arena import Arena
from .contest import Chosen, Contest, contests_of
from .gating import gated, unseen
from .ranking import LABELS, Repeats, predictions, ranked
from .rows import files_in
from .speed import speeds
from .tables import Result, as_data, shown

WIDTH = 150  # of the tables, in a terminal or not
SHARED = Path("../shared/data")


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    data: Path
    file: str | None
    source: str | None
    tiers: str | None
    seed: int
    quick: bool
    gates: bool
    preds: Path | None
    labels: str

    @property
    def chosen(self) -> Chosen:
        """Raises ValueError."""
        if self.tiers is None:
            return Chosen(file=self.file, source=self.source)
        weak, _, strong = self.tiers.partition(",")
        if not weak or not strong or "," in strong:
            raise ValueError(f"--tiers takes two models, weak,strong; not {self.tiers}")
        return Chosen(file=self.file, source=self.source, tiers=(weak, strong))

    @property
    def repeats(self) -> Repeats:
        return Repeats(draws=10, splits=2, seed=self.seed) if self.quick else Repeats(seed=self.seed)

    @property
    def resamples(self) -> int:
        return 0 if not self.gates else 4 if self.quick else 20


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=SHARED,
              help="A folder of *.jsonl.gz, each line {source, id, prompt, outcomes, costs?, group?}.")  # fmt: skip
@click.option("--set", "file", help="Only this file, by its name without .jsonl.gz.")
@click.option("--source", help="Only rows of this source.")
@click.option("--tiers", help="Two models, weak,strong; else the pair that the file is known for, or the cheapest and"
              " the strongest.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Another one draws other labels.")
@click.option("--quick", is_flag=True, help="Fewer repeats, for a look.")
@click.option("--gates/--no-gates", default=True, help="Whether the local gate is measured too.")
@click.option("--preds", type=click.Path(path_type=Path), help="Only write the held-out scores of one contest, by id.")
@click.option("--labels", type=click.Choice(list(LABELS)), default="200", show_default=True, help="For --preds.")
def main(**options: object) -> None:
    """Replay: how well requests are sent to two models after few labels, and whether the gate keeps its bound.

    \b
    Examples:
      make bench-routing
      python -m evals.replay --data data --set zeroeval_claude3 --tiers haiku,sonnet --preds preds.jsonl
    """
    given = Given(**options)  # type: ignore[arg-type]  # click gives each by its name
    try:
        contests, left_out = contests_of(files_in(given.data), given.chosen)
        if not contests:
            raise ValueError("; ".join(left_out) or "nothing fits --set, --source and --tiers")
        if given.preds is not None:
            click.echo(_write(given.preds, contests, given))
            return
    except (StartError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    clock = SystemClock()
    began_s = clock.monotonic()
    with on_one_thread():
        results = list(_results(contests, given))
    Console(width=WIDTH).print(shown(results, left_out))
    data = as_data(results, left_out)
    data["speed"] = speeds(contests, clock)
    data["took_s"] = round(clock.monotonic() - began_s, 1)
    click.echo(msgspec.json.encode(data))


def _results(contests: Sequence[Contest], given: Given) -> Iterator[Result]:
    known: dict[str, Reading] = {}
    with Console(stderr=True).status("Reading the prompts ...") as status:
        for contest in contests:
            status.update(f"{contest.name} ...")
            arena = Arena(contest, known)
            found = ranked(arena, given.repeats)
            yield Result(
                contest=contest,
                ranked=found,
                gates=tuple(gated(arena, given.resamples, given.seed)) if given.resamples and found else (),
                unseen=tuple(unseen(arena, given.seed)) if given.gates and found else (),
            )


def _write(path: Path, contests: Sequence[Contest], given: Given) -> str:
    whole = [contest for contest in contests if not contest.part]
    if len(whole) != 1:
        names = "; ".join(contest.name for contest in whole)
        raise ValueError(
            f"--preds writes one contest: narrow it down with --set, --source and --tiers. There are: {names}"
        )
    lines = [msgspec.json.encode({"id": name, "score": score}) + b"\n"
             for name, score in predictions(Arena(whole[0], {}), given.labels, given.seed)]  # fmt: skip
    try:
        path.write_bytes(b"".join(lines))
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error}") from None
    return f"{len(lines):,} scores of {whole[0].name} are in {path}"


if __name__ == "__main__":
    main(prog_name="python -m evals.replay")
