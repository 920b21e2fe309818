"""Reword requests by a language model, where asked for (`--paraphrase`): a step over finished dialogues before they are written.

Only training dialogues of one request are reworded, so that the test files measure the same with and without it. A rewrite that fails a check is dropped and
the original stays. The same answers give the same bytes: which requests are reworded follows from the seed, and rewrites are taken up in the order of the dialogues.
"""

from __future__ import annotations

import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gennx.generators.bank import Bank
from gennx.generators.chat_client import (
    KEY_VARIABLE,
    Answer,
    Cache,
    Chat,
    Messages,
    NoAnswer,
    cache_file,
    completions_url,
)
from gennx.generators.making import user_texts
from gennx.generators.rewrite_checks import Calls, fault, plain
from gennx.generators.settings import BadSettings, Settings
from gennx.generators.tokens import message_tokens
from gennx.generators.verifying import Verifier

KINDS = ("single", "next_id")
"""Kinds whose one request stands alone: no later words of the user refer to it, and no plan works values out of it."""
SPLIT = "train"
AT_ONCE = 8
"""Requests under way at a time."""
ASK = {
    "ko": "구조 엔지니어가 MIDAS GEN NX 어시스턴트에게 입력한 요청을 한국어로 다르게 써 주세요. 같은 일을 시키는 요청이어야 합니다. "
    "숫자, 단위, 기호, 이름, 방향은 원문 그대로, 원문 순서대로 쓰고 하나도 빼거나 더하지 마세요. 조건도 더하지 마세요. "
    "API 키나 JSON, 설명, 인사말 없이 다시 쓴 요청만 답하세요. 말투: {manner}.",
    "en": "Reword, in English, what a structural engineer typed to an assistant of MIDAS GEN NX. It must ask for the same thing. "
    "Keep every number, unit, symbol, name and direction as written and in the order written; leave none out and add none. Add no conditions. "
    "Answer with the reworded request alone: no API names, no JSON, no explanation. Manner: {manner}.",
}
MANNERS = {
    "ko": ("짧은 메신저 메모", "공손한 부탁", "동료에게 편하게", "명사로 끝나는 업무 지시", "물어보듯이", "이유를 모르는 담담한 요청"),
    "en": ("a terse chat message", "polite", "casual, to a colleague", "a work instruction", "as a question", "plain and neutral"),
}  # fmt: skip

Rows = list[tuple[str, dict[str, Any]]]


@dataclass
class Paraphraser:
    """The step, with what the user asked for; `share` of the requests that may be reworded are sent. Raises BadSettings."""

    settings: Settings
    share: float
    chat: Chat

    @classmethod
    def from_options(cls, settings: Settings, url: str, model: str | None, share: float, rate: float) -> Paraphraser:
        """From the command line and the environment. Raises BadSettings."""
        if not model:
            raise BadSettings("--paraphrase: also give --paraphrase-model, the model's name at that endpoint")
        key = os.environ.get(KEY_VARIABLE, "").strip()
        return cls(settings, share, Chat(completions_url(url), model, rate, key))

    def __call__(self, rows: Rows) -> dict[str, Any]:
        """Reword dialogues in place and tell the manifest what came of it. Raises BadSettings where the endpoint or the cache cannot be used."""
        seed = self.settings.seed
        chosen = [
            row
            for split, row in rows
            if split == SPLIT and may_reword(row)
            and random.Random(f"paraphrase/{seed}/{row['meta']['id']}").random() < self.share
        ]  # fmt: skip
        judge = Judge(self.settings, {plain("\n".join(user_texts(row))) for _, row in rows})
        kept: Counter[str] = Counter()
        cost: Counter[str] = Counter({"prompt": 0, "completion": 0, "answers without a count": 0})
        for done, (row, answer) in enumerate(zip(chosen, self._answers(chosen), strict=True), 1):
            if isinstance(answer, Answer):
                cost["prompt"] += answer.prompt_tokens or 0
                cost["completion"] += answer.completion_tokens or 0
                cost["answers without a count"] += answer.prompt_tokens is None or answer.completion_tokens is None
                reason = judge.take(row, cleaned(answer.text))
            else:
                reason = f"no answer: {answer}"
            if reason is not None:
                kept[reason] += 1
            _show(done, len(chosen), done - kept.total())
        if chosen and all(reason.startswith("no answer") for reason in kept.elements()) and kept.total() == len(chosen):
            raise BadSettings(f"--paraphrase: not one of {len(chosen)} requests was answered ({next(iter(kept))})")
        return {
            "endpoint": self.chat.url.partition("?")[0],
            "model": self.chat.model,
            "share": self.share,
            "asked": len(chosen),
            "rewritten": len(chosen) - kept.total(),
            "originals kept": dict(sorted(kept.items())),
            "tokens": dict(cost),
        }

    def _answers(self, rows: list[dict[str, Any]]) -> Iterator[Answer | str]:
        """For each row the model's answer, kept or fresh, or why there is none; in order, several requests at a time."""
        cache = Cache(cache_file())

        def one(row: dict[str, Any]) -> Answer | str:
            messages = prompt(row, self.settings.seed)
            name = self.chat.name_of(messages)
            answer = cache.get(name)
            if answer is None:
                try:
                    answer = self.chat.ask(messages)
                except NoAnswer as error:
                    return str(error)
                except BadSettings:
                    self.chat.stop()
                    raise
                cache.put(name, answer)
            return answer

        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            futures = [pool.submit(one, row) for row in rows]
            for future in futures:
                yield future.result()
        except BaseException:
            self.chat.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            cache.close()


class Judge:
    """Decides which rewrites stand, and writes those that do into their dialogues."""

    def __init__(self, settings: Settings, texts: set[str]) -> None:
        self.limit = settings.max_tokens
        self.texts = texts
        roots = Bank(Path(settings.templates) if settings.templates else None).roots
        self.verifier = Verifier(settings.max_tokens, roots=roots)

    def take(self, row: dict[str, Any], new: str) -> str | None:
        """Take up a rewrite; the reason where it cannot stand."""
        message = next(m for m in row["messages"] if m["role"] == "user")
        old, meta = message["content"], row["meta"]
        changed = {**row, "messages": [{**m, "content": new} if m is message else m for m in row["messages"]]}
        calls: Calls = self.verifier.calls(changed)
        reason = fault(old, new, meta["language"], calls, self.verifier.lexicon)
        if reason is not None:
            return reason
        if self.verifier.unsaid(changed) is not None:
            return "value not said"
        if plain(new) in self.texts:
            return "repeated"
        tokens = meta["tokens"] - message_tokens(message) + message_tokens({**message, "content": new})
        if tokens > self.limit:
            return "over the token limit"
        self.texts.add(plain(new))
        message["content"] = new
        meta.update(grounding=[g for g in meta["grounding"] if g[1] in new], tokens=tokens, paraphrased=True)
        return None


def may_reword(row: dict[str, Any]) -> bool:
    """True for a dialogue of one request that says all its values itself."""
    meta = row["meta"]
    return meta["kind"] in KINDS and not meta.get("derived") and len(list(user_texts(row))) == 1


def prompt(row: dict[str, Any], seed: int) -> Messages:
    """What the model is asked, in a manner that follows from the seed."""
    lang = row["meta"]["language"]
    manner = random.Random(f"manner/{seed}/{row['meta']['id']}").choice(MANNERS[lang])
    (text,) = user_texts(row)
    return [{"role": "system", "content": ASK[lang].format(manner=manner)}, {"role": "user", "content": text}]


def cleaned(text: str) -> str:
    """An answer without a thinking block before it and without quotes around the whole."""
    text = re.sub(r"^\s*<think>.*?</think>", "", text, flags=re.S).strip()
    if (
        len(text) > 1
        and (text[0], text[-1]) in (('"', '"'), ("“", "”"), ("'", "'"), ("「", "」"))
        and text[0] not in text[1:-1]
    ):
        text = text[1:-1].strip()
    return text.replace("\r\n", "\n")


def _show(done: int, total: int, taken: int) -> None:
    """One line that renews itself on a terminal; nothing when piped."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done:,}/{total:,} requests asked, {taken:,} reworded " + ("\n" if done == total else ""))
        sys.stderr.flush()
