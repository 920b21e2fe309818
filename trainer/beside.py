"""A second model beside the first: both write a turn, and where they differ the one that both together find likelier is taken.

Models trained apart err on different requests, far more than one model does under prompts that differ (docs/results/experiments.md, 34 and 35). Each writes its best turn
(`best_of`); both say how likely they find either turn, and what speaks against it (`best_of.judge`) counts as it does there. Where only the words of an
answer differ the first model's stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gennx.trainer.best_of import Talk, decode_best, judge
from gennx.trainer.decoding import Decoder, Job, Written
from gennx.trainer.rendering import parse_turn

if TYPE_CHECKING:
    from gennx.trainer.rendering import Renderer

AT_ONCE = 256
"""Turns that both models write before they are compared, so that a long evaluation is kept as it goes."""


@dataclass(slots=True)
class Writer:
    """What writes turns: a model, alone or with a second one beside it."""

    decoder: Decoder
    constrained: bool = False
    best_of: int = 1
    second: Decoder | None = None

    def jobs(self, talks: Sequence[Talk], hints: Sequence[int] = ()) -> list[Job]:
        """A job of the first model for each talk; `hints`: about how many characters each turn may have."""
        return [
            Job(
                _prompt(self.decoder, talk),
                list(talk.tools) if self.constrained else None,
                hints[place] if hints else 0,
            )
            for place, talk in enumerate(talks)
        ]

    def write(self, jobs: Sequence[Job], talks: Sequence[Talk]) -> Iterator[Written]:
        """Every job's turn in the first model's tokens, in the order in which they end."""
        if self.second is None:
            yield from decode_best(self.decoder, jobs, talks, self.best_of)
            return
        for start in range(0, len(jobs), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            for written in self._together(jobs[part], talks[part]):
                yield replace(written, index=start + written.index)

    def _together(self, jobs: Sequence[Job], talks: Sequence[Talk]) -> list[Written]:
        assert self.second is not None
        others = [replace(job, prompt=_prompt(self.second, talk)) for job, talk in zip(jobs, talks, strict=True)]
        first = {one.index: one for one in decode_best(self.decoder, jobs, talks, self.best_of)}
        second = {one.index: one for one in decode_best(self.second, others, talks, self.best_of)}
        turns = {i: (_text(self.decoder, first[i]), _text(self.second, second[i])) for i in sorted(first)}
        apart = [i for i, (mine, theirs) in turns.items() if _differ(mine, theirs)]
        scores = [0.0] * (2 * len(apart))
        for decoder, prompts in ((self.decoder, jobs), (self.second, others)):
            written = [(prompts[i].prompt, text) for i in apart for text in turns[i]]
            for place, found in enumerate(_likelihoods(decoder, written)):
                scores[place] += found / 2
        for number, i in enumerate(apart):
            mine, theirs = (
                scores[2 * number + k] + _for_itself(decoder, talks[i], one)
                for k, decoder, one in ((0, self.decoder, first[i]), (1, self.second, second[i]))
            )
            if theirs > mine:
                first[i] = _in_tokens_of(self.decoder.renderer, self.second.renderer, second[i])
        return [first[i] for i in sorted(first)]


def _prompt(decoder: Decoder, talk: Talk) -> list[int]:
    return decoder.renderer.prompt_ids(list(talk.messages), list(talk.tools))


def _text(decoder: Decoder, written: Written) -> str:
    """What the model itself wrote, before quantities were put right."""
    return decoder.renderer.decode(written.ids if written.draft is None else written.draft)


def _differ(mine: str, theirs: str) -> bool:
    a, b = parse_turn(mine), parse_turn(theirs)
    return (a.calls, a.problems) != (b.calls, b.problems)


def _likelihoods(decoder: Decoder, written: Sequence[tuple[list[int], str]]) -> list[float]:
    """How likely the model finds each turn; words may be put in many ways, so that their first token counts alone (as in `best_of`)."""
    renderer = decoder.renderer
    found = decoder.likelihoods([(prompt, [*renderer.encode(text), renderer.end_id]) for prompt, text in written])
    return [
        sum(tokens) if parse_turn(text).calls else tokens[0] for tokens, (_, text) in zip(found, written, strict=True)
    ]


def _for_itself(decoder: Decoder, talk: Talk, written: Written) -> float:
    """What speaks against a turn, as a negative weight."""
    return judge(decoder, talk, written.ids, written.cut, 0.0, ()).score


def _in_tokens_of(renderer: Renderer, other: Renderer, written: Written) -> Written:
    def again(ids: list[int]) -> list[int]:
        return renderer.encode(other.decode(ids))

    weighed = tuple((again(ids), logprob, against) for ids, logprob, against in written.weighed)
    return replace(written, ids=again(written.ids), forks=(), weighed=weighed, draft=None)
