"""What is wrong with a scenario plan: calls that fail on an emulated model, wordings that leave something out, too few wordings."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import TemplateError

from gennx.emulator import Model
from gennx.generators.evidence import Haystack
from gennx.generators.lexicon import LANGUAGES, Lexicon
from gennx.generators.marks import unmark
from gennx.generators.particles import AFTER_WORD, PAIR_OF
from gennx.generators.scenarios import Made, Plan, Unfit, calls, draw, evaluate, gaps, say, teller_for, unsaid
from gennx.schemas import Validation


def lint_plan(plan: Plan, lexicons: Mapping[str, Lexicon], draws: int = 6) -> list[str]:
    """What is wrong with a plan: calls that fail on an emulated model, wordings that leave something out, too few wordings."""
    out: list[str] = []
    validation = Validation()
    for lang in LANGUAGES:
        pool = plan.requests[lang]
        if pool and len(pool) < (4 if lang == "ko" else 2):
            out.append(f"requests.{lang}: {len(pool)} wordings, 4 Korean and 2 English are wanted")
    if not plan.requests["ko"] and not plan.turns:
        out.append("neither requests nor turns")
    for text in (*plan.requests["ko"], *(text for turn in plan.turns for text in turn.words["ko"])):
        for form, pair in _particles_in_one_form(text):
            out.append(f"a particle in one form after a value: {form}; write {pair}   <- {text[:120]!r}")
    for index in range(draws):
        rng = random.Random(f"{plan.name}/{index}")
        lang = "ko" if index % 2 == 0 else "en"
        try:
            scope = draw(plan, lang, rng)
            made = calls(plan, scope)
        except Unfit:
            continue
        except Exception as error:
            out.append(f"cannot be worked out: {type(error).__name__}: {error}")
            return out
        model = Model()
        for uri, records in plan.start.items():
            model.put_records(uri, {str(k): v for k, v in evaluate(records, scope).items()})
        for step, (tool, arguments) in zip(plan.steps, made, strict=True):
            for problem in validation.problems(tool, arguments)[:2]:
                out.append(f"step {step.ident}: {problem}")
            model.ensure(tool, arguments)
            reply = model.call(tool, arguments, strict=True)
            if isinstance(reply.body, dict) and "error" in reply.body:
                out.append(f"step {step.ident}: refused: {reply.body['error']}")
        if out:
            return sorted(set(out))
        teller = teller_for(plan.steps[0].tool, lexicons[plan.steps[0].tool.endpoint.uri], lang, rng)
        for number, text in enumerate(plan.requests[lang]):
            try:
                words = unmark(say(plan, text, scope, lang, rng, teller))
            except TemplateError as error:
                out.append(f"requests.{lang}[{number}]: {error}")
                continue
            out += [
                f"requests.{lang}[{number}]: not said: {gap}   <- {words[:160]!r}"
                for gap in _unsaid(plan, words, scope, made, (), lexicons)
            ]
        so_far, done = "", []
        for number, turn in enumerate(plan.turns):
            if not turn.words[lang]:
                out.append(f"turns[{number}].{lang}: no wording")
                continue
            for text in turn.words[lang]:
                words = unmark(say(plan, text, scope, lang, rng, teller))
                everything = f"{so_far}\n{words}"
                own = calls(plan, scope, turn.steps) if turn.steps else []
                out += [
                    f"turns[{number}].{lang}: not said: {gap}   <- {words[:120]!r}"
                    for gap in (_unsaid(plan, everything, scope, own, turn.steps, lexicons) if turn.steps else ())
                ]
            so_far += "\n" + words
            done += list(turn.steps)
    return sorted(set(out))


def _particles_in_one_form(text: str) -> Iterator[tuple[str, str]]:
    """Particles of a wording that cannot follow the value before them, each with the pair that would."""
    for after in text.split("}}")[1:]:
        found = AFTER_WORD.match(after)
        if found and not after.startswith(PAIR_OF[found[1]]):
            yield found[1], PAIR_OF[found[1]]
        if after.startswith("(으)로"):
            yield "(으)로", PAIR_OF["로"]


def _unsaid(
    plan: Plan,
    text: str,
    scope: Mapping[str, Any],
    made: Made,
    idents: tuple[str, ...],
    lexicons: Mapping[str, Lexicon],
) -> list[str]:
    hay = Haystack(text)
    return unsaid(plan, hay, scope, made, idents, gaps(hay, made, lexicons))
