"""Labels in, a gate out: fitted on one half of the labels, each threshold calibrated on the other half by the very
code that will answer.

Rule: the same labels and options give the same bytes. A task gets a lane only where the bound was shown; where it was
not, the gate says what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from router.decide.gate import Compiled
from router.decide.gate_file import Gate, Known, Lane
from router.decide.gate_text import Reading

from .bound import Asked, Seen, lane_of, missing
from .drafting import Wanted, drafted
from .labels import FEW, Corpus, Label


class NotEnough(Exception):
    """There is nothing to fit on; says in words what is missing."""


def fit_gate(labels: Iterable[Label], wanted: Wanted, known: Mapping[str, Reading] | None = None) -> Gate:
    """Raises NotEnough. A gate without any lane is one too: it leaves everything to the classifier. `known`: texts
    that were read already."""
    corpus = Corpus(labels, wanted.max_chars, wanted.seed, known or {})
    if not corpus.graded:
        raise NotEnough(f"no task has {FEW} labels to learn from; the one with most has {corpus.most()}")
    draft = drafted(corpus, wanted)
    compiled = Compiled(draft)
    named = _named(compiled, corpus, wanted.asked)
    recognised = _recognised(compiled, corpus, wanted.asked)
    return msgspec.structs.replace(
        draft, tasks=tuple(_with_lanes(known, named, recognised.get(known.name)) for known in draft.tasks)
    )


def _with_lanes(known: Known, named: Mapping[str, Lane | str], recognised: Lane | None) -> Known:
    lane = named[known.name]
    if isinstance(lane, str):
        return msgspec.structs.replace(known, named=None, recognised=recognised, said=lane)
    said = f"at most {lane.bound:.1%} of {lane.coverage:.0%} are wrong"
    if lane.together:
        said += f", taken together with {', '.join(name for name in lane.together if name != known.name)}"
    return msgspec.structs.replace(known, named=lane, recognised=recognised, said=said)


def _named(compiled: Compiled, corpus: Corpus, asked: Asked) -> dict[str, Lane | str]:
    """For each task its lane, or what is missing for one. Tasks with too few cases of their own share a lane."""
    seen = {name: _seen(compiled, corpus, known) for name, known in compiled.tasks.items()}
    lanes: dict[str, Lane | str] = {}
    for kind in (False, True):
        small = [name for name in seen if corpus.graded[name] is kind and len(seen[name].judged) < asked.min_cases]
        shared = Seen(judged=tuple(case for name in small for case in seen[name].judged),
                      novel=sum(seen[name].novel for name in small))  # fmt: skip
        lane = lane_of(shared, asked, small) if len(small) > 1 else None
        lanes |= {name: lane or missing(seen[name], asked) for name in small}
    return lanes | {
        name: lane_of(seen[name], asked) or missing(seen[name], asked) for name in seen if name not in lanes
    }


def _seen(compiled: Compiled, corpus: Corpus, known: Known) -> Seen:
    judged, novel = [], 0
    for row in corpus.known(fit=False, task=known.name):
        reading = corpus.pile.readings[row]
        if compiled.is_novel(reading, known):
            novel += 1
        else:
            judged.append((compiled.risk(reading, known), corpus.labels[row].bad))
    return Seen(judged=tuple(judged), novel=novel)


def _recognised(compiled: Compiled, corpus: Corpus, asked: Asked) -> dict[str, Lane]:
    """By task the lane for what is taken for it, among all traffic. Wrong is whatever the classifier says otherwise.
    Without traffic of other tasks nothing says how often one of them would be taken for it."""
    judged: dict[str, list[tuple[float, bool]]] = {}
    novel: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for row in corpus.traffic(fit=False):
        reading, label = corpus.pile.readings[row], corpus.labels[row]
        found = compiled.recognised(reading)
        if found is None:
            return {}
        known, risk = found
        others.update(name for name in compiled.tasks if name != label.task)
        if compiled.is_novel(reading, known, named=False):
            novel[known.name] += 1
        else:
            judged.setdefault(known.name, []).append((risk, label.bad or label.task != known.name))
    lanes = {name: lane_of(Seen(judged=tuple(cases), novel=novel[name]), asked)
             for name, cases in judged.items() if others[name] >= asked.min_cases}  # fmt: skip
    return {name: lane for name, lane in lanes.items() if lane is not None}
