"""A required value is missing: the assistant asks for exactly it, the user answers, the call follows."""

from __future__ import annotations

import re
from typing import Any

from gennx.generators.dialogues import Dropped, closing
from gennx.generators.grounding import check, follows
from gennx.generators.kinds.banks import incomplete, kept_for, renumbered
from gennx.generators.kinds.job import Job, stock
from gennx.generators.leaves import Leaf, call_leaves
from gennx.generators.marks import MARKED, unmark
from gennx.generators.single import Case
from gennx.generators.surround import surround

CLAUSE = re.compile(r"(, |\. |\n|; | / )")
MOST_USES = 3
"""How often a request of the bank is used for one endpoint, with other numbers and surroundings."""
SHORTEST = 12
"""Characters that a request without its missing value still has."""


def clarify(job: Job) -> dict[str, Any]:
    """A request of the bank that ends with the question, or one of ours without a value, answered and called. Raises Dropped."""
    own = kept_for(incomplete(job.lang).get(job.endpoint.uri, []), job.split)
    fresh = [r for r in own if f"{MOST_USES} {r['user']}" not in job.seen.barren]
    if fresh and job.rng.random() < 0.6:
        return _asked(job, job.rng.choice(fresh))
    return _answered(job)


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


def _answered(job: Job) -> dict[str, Any]:
    """Raises Dropped."""
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
            gaps = check(shortened, post, case.arguments, lexicon)
            if [g.place for g in gaps] != ["/".join(map(str, leaf.place))]:
                continue
            name = job.field_name(leaf)
            answer = job.pick("answer", value=words, name=name)
            if check(f"{shortened}\n{answer}", post, case.arguments, lexicon):
                continue
            talk = job.talk()
            stock(talk, post, case.arguments, rng)
            talk.user(shortened)
            talk.say(job.pick("ask_number" if leaf.kind == "number" and rng.random() < 0.4 else "ask", name=name))
            talk.user(answer)
            talk.say(closing(talk.call([(post, case.arguments)]), job.lang, rng))
            return job.finish(
                talk, "clarify", case.phrasing, [(post, case.arguments)], method=post.method, missing=leaf.field
            )
    raise Dropped("nothing to leave out")


def _omissions(job: Job, case: Case) -> list[tuple[Leaf, str, str]]:
    """(a required leaf, the request without the clause that says it, the words that said it).

    The clause must hold that one value, the field's name and nothing else: what remains has lost the value, not its sense. Values within
    rows of a list are left alone, since a row without one reads as another row.
    """
    pieces = CLAUSE.split(case.marked)
    if len(pieces) < 3:
        return []
    leaves = [
        x for x in call_leaves(case.tool, case.arguments)
        if x.kind in ("number", "string") and not x.optional and not x.slot and _alone(x, case.arguments) and not follows(x, job.lexicon(), case.tool)
    ]  # fmt: skip
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
