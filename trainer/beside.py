"""Further models beside the first: all write a turn, and where they differ the one that all together find likeliest is taken.

Models trained apart err on different requests, far more than one model does under prompts that differ (docs/results/experiments.md, 35 and 36). Each writes its best turn
(`best_of`); all say how likely they find every turn, and what speaks against it (`best_of.judge`) counts as it does there. Where only the words of an
answer differ the first model's stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from gennx.trainer.best_of import Talk, decode_best, judge
from gennx.trainer.decoding import Decoder, Job, Written
from gennx.trainer.rendering import parse_turn

AT_ONCE = 256
"""Turns that all models write before they are compared, so that a long evaluation is kept as it goes."""


class Draft(NamedTuple):
    """A turn with the model that wrote it."""

    decoder: Decoder
    written: Written

    @property
    def text(self) -> str:
        """What the model itself wrote, before values were put right."""
        one = self.written
        return self.decoder.renderer.decode(one.ids if one.draft is None else one.draft)


@dataclass(slots=True)
class Writer:
    """What writes turns: a model, alone or with `others` beside it."""

    decoder: Decoder
    constrained: bool = False
    best_of: int = 1
    others: tuple[Decoder, ...] = ()

    @property
    def decoders(self) -> tuple[Decoder, ...]:
        return self.decoder, *self.others

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
        if not self.others:
            yield from decode_best(self.decoder, jobs, talks, self.best_of)
            return
        for start in range(0, len(jobs), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            for written in self._together(jobs[part], talks[part]):
                yield replace(written, index=start + written.index)

    def _together(self, jobs: Sequence[Job], talks: Sequence[Talk]) -> list[Written]:
        asked = [list(jobs)]
        for other in self.others:
            prompts = [_prompt(other, talk) for talk in talks]
            asked.append([replace(job, prompt=prompt) for job, prompt in zip(jobs, prompts, strict=True)])
        drafts: list[list[Draft]] = [[] for _ in jobs]
        for decoder, its in zip(self.decoders, asked, strict=True):
            for one in decode_best(decoder, its, talks, self.best_of):
                drafts[one.index].append(Draft(decoder, one))
        drafts = [_apart(of_one) for of_one in drafts]
        contested = [i for i, of_one in enumerate(drafts) if len(of_one) > 1]
        scores = {i: [_for_itself(talks[i], draft) for draft in drafts[i]] for i in contested}
        for decoder, its in zip(self.decoders, asked, strict=True):
            turns = [(i, place) for i in contested for place in range(len(drafts[i]))]
            texts = [(its[i].prompt, drafts[i][place].text) for i, place in turns]
            for (i, place), found in zip(turns, _likelihoods(decoder, texts), strict=True):
                scores[i][place] += found / len(self.decoders)
        best = {i: drafts[i][of_one.index(max(of_one))] for i, of_one in scores.items()}
        return [_in_tokens_of(self.decoder, best.get(i, of_one[0])) for i, of_one in enumerate(drafts)]


def _apart(drafts: Sequence[Draft]) -> list[Draft]:
    """One draft of those that say the same, the first of each: calls that are equal, and all words."""
    kept: list[tuple[Draft, object]] = []
    for draft in drafts:
        turn = parse_turn(draft.text)
        says = turn.calls, turn.problems
        if all(says != other for _, other in kept):
            kept.append((draft, says))
    return [draft for draft, _ in kept]


def _prompt(decoder: Decoder, talk: Talk) -> list[int]:
    return decoder.renderer.prompt_ids(list(talk.messages), list(talk.tools))


def _likelihoods(decoder: Decoder, written: Sequence[tuple[list[int], str]]) -> list[float]:
    """How likely the model finds each turn; words may be put in many ways, so that their first token counts alone (as in `best_of`)."""
    renderer = decoder.renderer
    found = decoder.likelihoods([(prompt, [*renderer.encode(text), renderer.end_id]) for prompt, text in written])
    return [
        sum(tokens) if parse_turn(text).calls else tokens[0] for tokens, (_, text) in zip(found, written, strict=True)
    ]


def _for_itself(talk: Talk, draft: Draft) -> float:
    """What speaks against a turn, as a negative weight."""
    return judge(draft.decoder, talk, draft.written.ids, draft.written.cut, 0.0, ()).score


def _in_tokens_of(decoder: Decoder, draft: Draft) -> Written:
    written = draft.written
    if draft.decoder is decoder:
        return written

    def again(ids: list[int]) -> list[int]:
        return decoder.renderer.encode(draft.decoder.renderer.decode(ids))

    weighed = tuple((again(ids), logprob, against) for ids, logprob, against in written.weighed)
    return replace(written, ids=again(written.ids), forks=(), weighed=weighed, draft=None)
