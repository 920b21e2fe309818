"""A required value is missing: the assistant asks for exactly it, the user answers, the call follows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from gennx.generators.compose import compose
from gennx.generators.dialogues import Dropped, closing
from gennx.generators.grounding import check, follows, has_usual_value, without
from gennx.generators.kinds.banks import incomplete, kept_for, renumbered
from gennx.generators.kinds.job import Job, stock
from gennx.generators.leaves import Leaf, call_leaves
from gennx.generators.lexicon import Lexicon
from gennx.generators.marks import MARKED, unmark
from gennx.generators.sampler import SamplingError
from gennx.generators.single import Case, sample_arguments
from gennx.generators.surround import surround
from gennx.generators.telling import Teller, Unsayable
from gennx.schemas.catalogue import Tool

CLAUSE = re.compile(r"(, |\. |\n|; | / )")
MOST_USES = 3
"""How often a request of the bank is used for one endpoint, with other numbers and surroundings."""
TWINS = 2.5
"""Composed incomplete requests for each composed complete one, in shares."""
DEFAULTS = re.compile(r"기본값|default", re.I)
"""Words that leave the rest to the program: nothing is missing then."""
SHORTEST = 12
"""Characters that a request without its missing value still has."""


def clarify(job: Job) -> dict[str, Any]:
    """A request of the bank that ends with the question, or one of ours without a value, answered and called. Raises Dropped."""
    own = kept_for(incomplete(job.lang).get(job.endpoint.uri, []), job.split)
    fresh = [r for r in own if f"{MOST_USES} {r['user']}" not in job.seen.barren]
    roll = job.rng.random()
    if fresh and roll < 0.45:
        return _asked(job, job.rng.choice(fresh))
    return _composed(job) if roll > 1 - twins(job) else _answered(job)


def twins(job: Job) -> float:
    """Share of requests without a value that are composed."""
    return min(0.3, TWINS * job.shop.settings.composed)


def _asked(job: Job, row: dict[str, str]) -> dict[str, Any]:
    """A written request and its question; whole numbers of two figures and more are shifted, in both alike."""
    uses = next(n for n in range(1, MOST_USES + 1) if f"{n} {row['user']}" not in job.seen.barren)
    job.seen.barren.add(f"{uses} {row['user']}")
    user, assistant = renumbered(row, job.rng.randint(0, 40))
    talk = job.talk()
    talk.user(unmark(surround(user, job.lang, job.rng, 0.5 if uses == 1 else 1.0)))
    talk.say(assistant)
    tool = job.tool_of(job.endpoint.uri, row["method"])
    return job.finish(talk, "clarify", f"incomplete/{job.endpoint.uri}", [], near=tool, method=row["method"])


@dataclass(frozen=True, slots=True)
class Lacking:
    """A request without one value that its call needs. `words` say the value."""

    tool: Tool
    arguments: dict[str, Any]
    leaf: Leaf
    text: str
    words: str

    def of_nothing_else(self, lexicon: Lexicon) -> bool:
        """True if the text says every value but the missing one."""
        gaps = check(self.text, self.tool, self.arguments, lexicon)
        return [g.place for g in gaps] == ["/".join(map(str, self.leaf.place))]


def lacking(job: Job, tool: Tool) -> Lacking:
    """A composed request for a creation without one value: the twin of one that says it. Raises Dropped."""
    rng, lexicon = job.rng, job.lexicon(tool)
    for _ in range(10):
        try:
            arguments = sample_arguments(tool, job.lang, rng, "minimal", 0, job.want(small=True))
            needed = _needed(job, tool, arguments)
            one = len(arguments.get("Assign", "1")) == 1  # of several records, nobody could tell which one lacks it
            leaf = rng.choice(needed) if needed and one and job.shop.maker.validation.valid(tool, arguments) else None
            if leaf is None:
                continue
            marked = compose(tool, without(arguments, [leaf.place]), lexicon, job.lang, rng).text
            words = Teller(tool, lexicon, job.lang, rng).value(leaf)
        except (SamplingError, Unsayable):
            continue
        text = unmark(surround(marked, job.lang, rng, 0.5))
        made = Lacking(tool, arguments, leaf, text, words)
        if not DEFAULTS.search(text) and made.of_nothing_else(lexicon):
            return made
    raise Dropped("nothing to leave out")


def question(job: Job, made: Lacking) -> str:
    """The assistant's question for the missing value."""
    by_size = made.leaf.kind == "number" and job.rng.random() < 0.4
    return job.pick("ask_number" if by_size else "ask", name=job.field_name(made.leaf, made.tool))


def _composed(job: Job) -> dict[str, Any]:
    """Raises Dropped."""
    for _ in range(4):
        made = lacking(job, job.other("POST") or job.tool)
        row = _told(job, made, "frame/POST-without")
        if row is not None:
            return row
    raise Dropped("nothing to leave out")


def _told(job: Job, made: Lacking, phrasing: str) -> dict[str, Any] | None:
    """The request, the question, the answer and the call; None where the answer does not say the value. Raises Dropped."""
    tool, rng = made.tool, job.rng
    answer = job.pick("answer", value=made.words, name=job.field_name(made.leaf, tool))
    if check(f"{made.text}\n{answer}", tool, made.arguments, job.lexicon(tool)):
        return None
    talk = job.talk()
    stock(talk, tool, made.arguments, rng)
    talk.user(made.text)
    talk.say(question(job, made))
    talk.user(answer)
    calls = [(tool, made.arguments)]
    talk.say(closing(talk.call(calls), job.lang, rng))
    return job.finish(talk, "clarify", phrasing, calls, method=tool.method, missing=made.leaf.field)


def _needed(job: Job, post: Tool, arguments: dict[str, Any]) -> list[Leaf]:
    """Values without which there is no call: nothing optional, nothing that goes without saying, nothing within rows of a list."""
    lexicon = job.lexicon(post)
    return [
        x for x in call_leaves(post, arguments)
        if x.kind in ("number", "string", "enum") and not x.optional and not x.slot and _alone(x, arguments)
        and not follows(x, lexicon, post) and not has_usual_value(x, lexicon)
    ]  # fmt: skip


def _answered(job: Job) -> dict[str, Any]:
    """A written request without the clause that says one value. Raises Dropped."""
    post = job.other("POST") or job.tool
    rng = job.rng
    lexicon = job.lexicon()
    for _ in range(10):
        want = job.want(strength=0.0, small=True, composed=0.0, avoid=frozenset(job.seen.barren))
        if not job.shop.maker.templates(post, job.lang, want):
            break  # a composed request says all its facts in one clause
        case = job.shop.maker.case(post, job.lang, rng, want)
        if case is None:
            continue
        found = _omissions(job, case) if len(case.arguments.get("Assign", {"1": 0})) == 1 else []
        if not found:
            job.seen.barren.add(case.phrasing)
        for leaf, shortened, words in found:
            made = Lacking(post, case.arguments, leaf, shortened, words)
            row = _told(job, made, case.phrasing) if made.of_nothing_else(lexicon) else None
            if row is not None:
                return row
    raise Dropped("nothing to leave out")


def _omissions(job: Job, case: Case) -> list[tuple[Leaf, str, str]]:
    """(a required leaf, the request without the clause that says it, the words that said it).

    The clause must hold that one value, the field's name and nothing else: what remains has lost the value, not its sense. Values within
    rows of a list are left alone, since a row without one reads as another row.
    """
    pieces = CLAUSE.split(case.marked)
    if len(pieces) < 3:
        return []
    leaves = [x for x in _needed(job, case.tool, case.arguments) if x.kind != "enum"]
    out = []
    for index in range(0, len(pieces), 2):
        marks = MARKED.findall(pieces[index])
        if len(marks) != 1:
            continue
        words = unmark(marks[0])
        rest = pieces[: max(0, index - 1)] + pieces[index + 1 :] if index else pieces[2:]
        shortened = unmark("".join(rest)).strip(" ,./;:\n")
        if len(shortened) < SHORTEST or not _balanced(shortened):
            continue
        for leaf in leaves:
            said = str(leaf.value) == words or (leaf.kind == "number" and re.match(r"^-?[\d.,]+", words))
            if said and _names_only(pieces[index].replace(marks[0], " "), leaf, job):
                out.append((leaf, shortened, words))
    return out


def _alone(leaf: Leaf, arguments: Any) -> bool:
    """True if no list on the way to the leaf has a second item."""
    node = arguments
    for part in leaf.place:
        if isinstance(part, int) and len(node) > 1:
            return False
        node = node[part]
    return True


def _names_only(words: str, leaf: Leaf, job: Job) -> bool:
    """True if the words beside the value are the field's name and a particle or two."""
    low = words.lower()
    for name in sorted([*job.lexicon().called(leaf), leaf.name("ko"), leaf.name("en")], key=len, reverse=True):
        low = low.replace(name.lower(), " ")
    return len(re.findall(r"[a-z가-힣]", low)) <= (4 if job.lang == "ko" else 6)


def _balanced(text: str) -> bool:
    return text.count("(") == text.count(")") and text.count("'") % 2 == 0 and text.count('"') % 2 == 0
