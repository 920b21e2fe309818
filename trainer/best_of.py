"""Best of several: weigh a doubtful turn against what the user said, and take the best of the model's alternatives.

A call's values are said by the user or follow from what was said: that is how the training data are made, and it can be checked without the true call
(`gennx.generators.doubts`). A turn against which something speaks is begun again where the model hesitated most, each time with its second choice, and
continued greedily; of all these the one with the highest weight is taken: its log-probability less what speaks against it. Where the model answers in
words, the call that it would have made is looked over as well as a call, and the ranking of all tools by the request's words (`retrieval`) says
whether a tool for it is offered at all. Quantities that were converted wrongly and names that were copied wrongly are put right before a turn is weighed
(`gennx.generators.mending`). No sampling, so the same prompt gives the same turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gennx.trainer.decoding import Decoder, Fork, Job, Written
from gennx.trainer.rendering import parse_turn, written_calls
from gennx.trainer.retrieval import default_ranker

if TYPE_CHECKING:
    from gennx.generators.doubts import Doubts

ROUNDS = 3
"""How often the best so far is begun again while something speaks against it; each round may put one more place right."""
INVALID, UNSAID, UNUSED, ASKED = 12.0, 3.5, 1.0, 2.0
"""What speaks against a turn, in units of log-probability: calls that the schema refuses, which cannot be right, values that nobody said, each number of the request that
stands for nothing (two at most; of words only where they end a job), and words alone where the user has just asked for something; no less against
a call without any value, which the request's numbers cannot speak for or against.

Log-likelihood ratios of right and wrong turns of round 4's SmolLM2 on generated requests in unseen phrasing: values unsaid in 1 of 185 right
and 45 of 90 wrong calls, numbers unused in 12 and 45 % of the rest. Words alone: the least weight beyond which round 6's SmolLM2 answered no more
requests of unseen phrasing exactly (80.7 % at 1.5, 81.7 % at 2 and 3); more costs questions back that are due."""
MOST_UNUSED = 2
BARE: tuple[dict[str, Any], ...] = ({}, {"ids": []}, {"Argument": {}})
MORE, MOST_MORE = 1.0, 4
"""For each further value unsaid, so that one put right of several counts."""
LACKING = 6.0
"""Against a new record without what every request for one gives (`gennx.generators.customary`): so of 0.07 % of right calls, and of half of the calls that
round 11's SmolLM2 made where it should have asked."""
UNFIT, DENIED = 3.0, 1.0
"""Against calls where a tool that is not offered fits the first request much better than all that are; against denying that there is a tool where the
best one is offered. Of 30 generated requests without a tool nine in ten lie beyond `UNFIT_LEAD`, of 293 in unseen phrasing fewer than one in fifty."""
UNFIT_LEAD = -0.6
_DENIAL = re.compile(r"\bno tool\b|\bnone of the tools\b|도구|제공되지", re.IGNORECASE)


@dataclass(frozen=True)
class Talk:
    """What a prompt was made of: the messages so far and the definitions of the tools offered."""

    messages: Sequence[dict[str, Any]]
    tools: Sequence[dict[str, Any]]

    @cached_property
    def lead(self) -> float | None:
        """How far the best offered tool is ahead of the best other one for a request that opens the conversation; None for later turns."""
        if [m["role"] for m in self.messages if m["role"] != "system"] != ["user"]:
            return None
        return default_ranker().lead(str(self.messages[-1]["content"]), [t["function"]["name"] for t in self.tools])

    @property
    def asked(self) -> bool:
        """Whether the user has just spoken."""
        return bool(self.messages) and self.messages[-1]["role"] == "user"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A turn as it may be written: `calls` in number, all without a value if `bare`; `against` it all but the `unused` numbers of the request;
    places to begin it again. `doubts`: what was found against its calls. `origin`: the turn as it was written, where values were put right."""

    ids: list[int]
    cut: bool
    logprob: float
    forks: tuple[Fork, ...]
    against: float
    calls: int = 0
    unused: int = 0
    bare: bool = False
    doubts: Doubts | None = None
    origin: Candidate | None = None

    @property
    def doubtful(self) -> bool:
        return bool(self.against or self.unused)

    @property
    def written(self) -> Candidate:
        """The turn as the model wrote it, which can be begun again."""
        return self.origin or self

    @property
    def versions(self) -> list[Candidate]:
        """The turn as it was written, and as it was put right."""
        return [self] if self.origin is None else [self.origin, self]

    @property
    def score(self) -> float:
        return self.logprob - self.against - (ASKED if self.bare else UNUSED * self.unused)

    @property
    def weighed(self) -> tuple[list[int], float, float]:
        return self.ids, self.logprob, self.logprob - self.score


def judge(decoder: Decoder, talk: Talk, ids: list[int], cut: bool, logprob: float, forks: tuple[Fork, ...]) -> Candidate:  # fmt: skip
    """A written turn as a candidate. Words may be put in many ways, so that their first token's log-probability counts alone."""
    from gennx.generators.doubts import doubts

    text = decoder.renderer.decode(ids)
    turn = parse_turn(text)
    if turn.problems or cut:
        return Candidate(ids, cut, logprob, forks, INVALID)
    found = doubts(talk.messages, turn.calls)
    unused = min(len(found.unused), MOST_UNUSED)
    lead = talk.lead
    if turn.calls:
        more = min(max(len(found.unsaid) - 1, 0), MOST_MORE)
        against = INVALID * (found.invalid is not None) + UNSAID * bool(found.unsaid) + MORE * more
        against += LACKING * bool(found.lacking)
        against += UNFIT * (lead is not None and lead < UNFIT_LEAD)
        bare = talk.asked and all(call["arguments"] in BARE for call in turn.calls)
        return Candidate(ids, cut, logprob, forks, against, len(turn.calls), unused, bare, found)
    first = next((fork.before for fork in forks if fork.place == 1), logprob)
    begun = tuple(fork for fork in forks if fork.place == 0 and fork.token == decoder.renderer.call_id)
    if talk.asked:
        denied = lead is not None and lead > 0 and _DENIAL.search(text) is not None
        return Candidate(ids, cut, first, begun, ASKED + DENIED * denied)
    return Candidate(ids, cut, first, begun, 0.0, 0, unused)


def better(new: Candidate, old: Candidate) -> bool:
    """Whether an alternative is worth more. That a call says nothing speaks only beside words, and numbers that one leaves unused only between turns
    with as many calls: requests in order are answered one by one, and their numbers with them."""
    if new.calls and old.calls:
        unused = new.unused if new.calls == old.calls else old.unused
        new, old = replace(new, unused=unused, bare=False), replace(old, bare=False)
    return new.score > old.score


def decode_best(decoder: Decoder, jobs: Sequence[Job], talks: Sequence[Talk], count: int) -> Iterator[Written]:
    """Every job's best turn. `talks`: the messages that the prompts were made of; `count`: alternatives to weigh in a round; 1 weighs
    nothing and writes greedily."""
    if count == 1:
        yield from decoder.decode(jobs)
        return
    best: dict[int, Candidate] = {}
    weighed: dict[int, list[Candidate]] = {}
    for one in _traced(decoder, jobs):
        found = weigh(decoder, talks[one.index], one.ids, one.cut, one.logprob, one.forks)
        if found.doubtful or found.origin:
            best[one.index] = found
            weighed[one.index] = found.versions
        else:
            yield one
    again = {index: found.written for index, found in best.items() if found.doubtful}
    for _ in range(ROUNDS):
        yield from (_settled(index, best, weighed) for index in sorted(best.keys() - again))
        before = again
        begun = [(i, fork) for i in sorted(before) for fork in _hesitations(before[i], best[i].score, count)]
        for (index, fork), one in _continued(decoder, jobs, before, begun):
            start = [*before[index].ids[: fork.place], *_token(decoder, fork)]
            sofar = fork.before + fork.logprob
            forks = tuple(replace(f, place=len(start) + f.place, before=sofar + f.before) for f in one.forks)
            found = weigh(decoder, talks[index], start + one.ids, one.cut, sofar + one.logprob, forks)
            weighed[index] += found.versions
            if better(found, best[index]):
                best[index] = found
        next_ones = {index: _to_begin(best[index], weighed[index]) for index in before}
        again = {i: one.written for i, one in next_ones.items() if one.doubtful and one.written is not before[i]}
    yield from (_settled(index, best, weighed) for index in sorted(best))


def _settled(index: int, best: dict[int, Candidate], weighed: dict[int, list[Candidate]]) -> Written:
    """A job's best turn, taken out of what is still weighed: it can be kept while others are begun again."""
    found = best.pop(index)
    draft = found.origin.ids if found.origin else None
    kept = tuple(c.weighed for c in weighed.pop(index))
    return Written(index, found.ids, found.cut, found.logprob, weighed=kept, draft=draft)


def weigh(decoder: Decoder, talk: Talk, ids: list[int], cut: bool, logprob: float, forks: tuple[Fork, ...]) -> Candidate:  # fmt: skip
    """A written turn as a candidate; with the quantities and names put right that the user's words settle unless that is worse, of the same log-probability."""
    from gennx.generators.mending import mended

    found = judge(decoder, talk, ids, cut, logprob, forks)
    if not found.calls:
        return found
    calls = mended(talk.messages, parse_turn(decoder.renderer.decode(ids)).calls, found.doubts)
    if calls is None:
        return found
    new = judge(decoder, talk, decoder.renderer.encode(written_calls(calls)), cut, logprob, ())
    return found if better(found, new) else replace(new, origin=found)


def _traced(decoder: Decoder, jobs: Sequence[Job]) -> Iterator[Written]:
    decoder.trace = True
    try:
        yield from decoder.decode(jobs)
    finally:
        decoder.trace = False


def _to_begin(best: Candidate, weighed: Sequence[Candidate]) -> Candidate:
    """What is begun again: the best so far, or where that is words, the best call beside it, so that one wrong value does not make a request look
    as if something were missing."""
    if best.calls:
        return best
    return max((one for one in weighed if one.calls), key=lambda one: one.score, default=best)


def _hesitations(found: Candidate, least: float, count: int) -> list[Fork]:
    """The second choices that the model found likeliest, of those that may still win: a turn is no likelier than its beginning."""
    likely = [fork for fork in found.forks if fork.before + fork.logprob > least]
    return sorted(likely, key=lambda fork: (-fork.logprob, fork.place))[:count]


def _token(decoder: Decoder, fork: Fork) -> list[int]:
    return [] if fork.token == decoder.renderer.end_id else [fork.token]


def _continued(
    decoder: Decoder, jobs: Sequence[Job], found: dict[int, Candidate], begun: Sequence[tuple[int, Fork]]
) -> Iterator[tuple[tuple[int, Fork], Written]]:
    """Each fork with what the model writes after it."""
    going = [one for one in begun if _token(decoder, one[1])]
    yield from ((one, Written(0, [], False)) for one in begun if not _token(decoder, one[1]))
    starts = [[*found[index].ids[: fork.place], fork.token] for index, fork in going]
    longer = [
        replace(jobs[index], prompt=jobs[index].prompt + start, begun=len(start))
        for (index, _), start in zip(going, starts, strict=True)
    ]
    for one in _traced(decoder, longer):
        yield going[one.index], one
