"""Greedy decoding of many prompts at once: rows leave the batch as they end, and waiting prompts take their places.

The batch is left-padded, so that all rows write into the same column; a row's true positions are given to the model
beside its mask. Long turns go first, then long prompts. When the device runs out of memory, the batch is halved and the rows that
were under way start again.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import Cache

from gennx.trainer.attention import register
from gennx.trainer.constrain import Constrainer, Tools
from gennx.trainer.errors import TrainerError, note
from gennx.trainer.kv_cache import growing_cache
from gennx.trainer.ladder import is_out_of_memory
from gennx.trainer.rendering import Renderer

PREFILL_TOKENS = 32_768  # tokens read in one forward pass
SCORED_LOGITS = 1 << 28  # logits kept when turns are read through: rows x tokens x vocabulary
MOST_ROWS = {"cuda": 256, "cpu": 16}
HINT_STEP = 400  # characters; turns whose lengths differ by less go by prompt length
MEMORY_SHARE = 0.35  # of the free memory for the cache, which is copied as it grows


@dataclass(slots=True)
class Job:
    """A prompt and the tools whose grammar its turn is held to (None: free).

    `hint`: about how many characters the turn may have, where that is known; long turns are begun first.
    `begun`: how many of the prompt's last ids belong to the turn already (the grammar goes on from there).
    """

    prompt: list[int]
    tools: Tools | None = None
    hint: int = 0
    begun: int = 0


@dataclass(frozen=True, slots=True)
class Fork:
    """Another choice at a place of a turn, the second or the beginning of a call: its id, its log-probability, and that of what was written before it."""

    place: int
    token: int
    logprob: float
    before: float


@dataclass(frozen=True, slots=True)
class Written:
    """What was written for the job at `index`: ids without the end token; `cut` where the limit ended it.

    `logprob` of the whole turn and `forks` where the decoder traces. `weighed`: what best_of weighed, itself included: ids,
    log-probability, and the weight of what speaks against them. `draft`: what the model wrote, where quantities were put right since.
    """

    index: int
    ids: list[int]
    cut: bool
    logprob: float = 0.0
    forks: tuple[Fork, ...] = ()
    weighed: tuple[tuple[list[int], float, float], ...] = ()
    draft: list[int] | None = None


@dataclass(slots=True)
class _Row:
    index: int
    length: int
    matcher: Any
    fresh: bool
    ids: list[int] = field(default_factory=list)
    done: bool = False
    logprob: float = 0.0
    forks: list[Fork] = field(default_factory=list)

    def written(self, cut: bool) -> Written:
        return Written(self.index, self.ids, cut, self.logprob, tuple(self.forks))


class Decoder:
    """Decodes with one model. Not safe for several threads at once."""

    def __init__(self, model: Any, renderer: Renderer, max_new_tokens: int = 1024, rows: int | None = None) -> None:
        self.model = model.eval()
        self.renderer = renderer
        self.limit = max_new_tokens
        self.device = next(model.parameters()).device
        self.rows = rows or MOST_ROWS.get(self.device.type, 16)
        plain = model.get_base_model() if hasattr(model, "get_base_model") else model
        if plain.config._attn_implementation == "sdpa":
            plain.set_attn_implementation(register())
        names = inspect.signature(plain.forward).parameters
        self._cache_name = "cache" if "cache" in names else "past_key_values"
        config = plain.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._bytes_a_token = 2 * config.num_hidden_layers * heads * size * next(model.parameters()).element_size()
        self.constrainer: Constrainer | None = None
        self.trace = False
        """Whether log-probabilities and second choices are noted down."""

    def use_grammar(self) -> None:
        """Make ready for jobs with tools."""
        width = self.model.get_output_embeddings().weight.shape[0]
        self.constrainer = self.constrainer or Constrainer(self.renderer, width)

    def decode(self, jobs: Sequence[Job]) -> Iterator[Written]:
        """Every job's turn, in the order in which they end. Raises TrainerError when one prompt alone does not fit."""
        if self.constrainer is None and any(job.tools is not None for job in jobs):
            self.use_grammar()
        waiting = deque(sorted(range(len(jobs)), key=lambda i: (-(jobs[i].hint // HINT_STEP), -len(jobs[i].prompt))))
        batch = _Batch(self)
        while waiting or batch.rows:
            ended: list[Written] = []
            try:
                with torch.inference_mode():
                    if batch.must_compact(bool(waiting)):
                        batch.compact()
                        self._admit(batch, waiting, jobs)
                    if batch.rows:
                        batch.step(ended)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                waiting.extendleft(row.index for row in batch.rows if not row.done)
                if self.rows == 1:
                    length = len(jobs[waiting[0]].prompt)
                    raise TrainerError(
                        f"out of memory with one prompt of {length} tokens", "take --device cpu"
                    ) from None
                self.rows = max(1, self.rows // 2)
                note(f"out of memory: going on with {self.rows} rows at once")
                batch = _Batch(self)
                torch.cuda.empty_cache()
            yield from ended

    def likelihoods(self, turns: Sequence[tuple[list[int], list[int]]]) -> list[list[float]]:
        """For each (prompt, turn): the log-probability of every token of the turn, held to no grammar."""
        found: list[list[float]] = [[] for _ in turns]
        waiting = deque(sorted(range(len(turns)), key=lambda i: -sum(map(len, turns[i]))))
        width = self.model.get_output_embeddings().weight.shape[0]
        while waiting:
            group = [waiting.popleft()]
            longest = sum(map(len, turns[group[0]]))
            kept = len(turns[group[0]][1])
            while waiting and (len(group) + 1) * longest <= PREFILL_TOKENS:
                wider = max(kept, len(turns[waiting[0]][1]))
                if (len(group) + 1) * wider * width > SCORED_LOGITS:
                    break
                kept = wider
                group.append(waiting.popleft())
            for index, logprobs in zip(group, self._read_through([turns[i] for i in group], kept), strict=True):
                found[index] = logprobs
        return found

    def _read_through(self, turns: Sequence[tuple[list[int], list[int]]], kept: int) -> Iterator[list[float]]:
        """Log-probabilities of the turns' tokens, read in one pass; `kept`: tokens of the longest turn."""
        rows = [(prompt + turn)[:-1] for prompt, turn in turns]
        ids, mask, positions = self.left_padded(rows)
        with torch.inference_mode():
            logits = self.model(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=kept
            ).logits
            for row, (_, turn) in zip(logits, turns, strict=True):
                gold = torch.tensor(turn, device=self.device)
                logprobs = row[kept - len(turn) :].float().log_softmax(-1).gather(1, gold[:, None])[:, 0]
                yield logprobs.tolist()

    def left_padded(self, rows: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids, mask and positions, each (rows, longest row)."""
        longest = max(map(len, rows))
        pad = int(self.renderer.tokenizer.pad_token_id or 0)
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=self.device)
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        mask = (torch.arange(longest, device=self.device) >= longest - lengths[:, None]).long()
        return ids, mask, (mask.cumsum(-1) - 1).clamp(min=0)

    def _room(self) -> float:
        """Columns times rows that the cache may have."""
        if self.device.type != "cuda":
            return float("inf")
        free, _ = torch.cuda.mem_get_info(self.device)
        idle = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return float(MEMORY_SHARE * (free + idle) / self._bytes_a_token)

    def _admit(self, batch: _Batch, waiting: deque[int], jobs: Sequence[Job]) -> None:
        """Read prompts until the batch is full."""
        room = self._room() + batch.cells
        while waiting and len(batch.rows) < self.rows:
            group: list[int] = []
            longest = 0
            while waiting and len(batch.rows) + len(group) < self.rows:
                longest = max(longest, len(jobs[waiting[0]].prompt))
                columns = max(longest, batch.columns) + self.limit
                if group and (len(group) + 1) * longest > PREFILL_TOKENS:
                    break
                if (batch.rows or group) and (len(batch.rows) + len(group) + 1) * columns > room:
                    break
                group.append(waiting.popleft())
            if not group:
                return
            if self.constrainer is not None:
                for index in list(group) + list(waiting)[: self.rows]:
                    if (tools := jobs[index].tools) is not None:
                        self.constrainer.prepare(tools)
            try:
                batch.read([(index, jobs[index]) for index in group])
            except RuntimeError:
                waiting.extendleft(reversed(group))
                raise

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Cache) -> Any:
        """Logits (rows, vocabulary) of the last column."""
        given = {self._cache_name: cache}
        out = self.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1, **given
        )
        return out.logits[:, -1]


class _Batch:
    """Rows under way with their cache: keys and values (rows, heads, columns, size), mask (rows, columns)."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.rows: list[_Row] = []
        self.cache: Cache | None = None
        self.mask = torch.zeros((0, 0), dtype=torch.long, device=decoder.device)
        self.logits: torch.Tensor | None = None

    @property
    def columns(self) -> int:
        """Width of the cache."""
        return int(self.mask.shape[1])

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return int(self.mask.numel())

    def must_compact(self, waiting: bool) -> bool:
        """Whether enough rows have ended to be worth a copy of the cache."""
        done = sum(row.done for row in self.rows)
        return (
            not self.rows
            or done == len(self.rows)
            or done > len(self.rows) // 8
            or (waiting and done > len(self.rows) // 16)
        )

    def compact(self) -> None:
        """Take out rows that have ended, and columns that no row uses."""
        keep = [place for place, row in enumerate(self.rows) if not row.done]
        if not keep:
            self.__init__(self.decoder)  # type: ignore[misc]
            return
        index = torch.tensor(keep, device=self.decoder.device)
        self.rows = [self.rows[place] for place in keep]
        self.mask = self.mask[index]
        first = int(self.mask.any(dim=0).long().argmax())
        self.mask = self.mask[:, first:]
        assert self.cache is not None and self.logits is not None
        self.logits = self.logits[index]
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[index, :, first:], layer.values[index, :, first:]

    def read(self, group: Sequence[tuple[int, Job]]) -> None:
        """Read the prompts of a group and join it to the batch."""
        decoder = self.decoder
        ids, mask, positions = decoder.left_padded([job.prompt for _, job in group])
        cache = growing_cache()
        logits = decoder.forward(ids, mask, positions, cache)
        grammar = decoder.constrainer
        rows = [
            _Row(
                index,
                len(job.prompt),
                grammar.matcher(job.tools) if grammar and job.tools is not None else None,
                job.begun == 0,
            )
            for index, job in group
        ]
        if grammar:
            for row, (_, job) in zip(rows, group, strict=True):
                for token in job.prompt[len(job.prompt) - job.begun :]:
                    grammar.consume([row.matcher], [token])
        self._join(rows, cache, mask, logits)

    def _join(self, rows: list[_Row], cache: Cache, mask: torch.Tensor, logits: torch.Tensor) -> None:
        if self.cache is None:
            self.rows, self.cache, self.mask, self.logits = rows, cache, mask, logits
            return
        assert self.logits is not None
        width = max(self.columns, mask.shape[1])
        for mine, theirs in zip(self.cache.layers, cache.layers, strict=True):
            mine.keys = torch.cat([_widened(mine.keys, width), _widened(theirs.keys, width)])
            mine.values = torch.cat([_widened(mine.values, width), _widened(theirs.values, width)])
        pads = [torch.nn.functional.pad(m, (width - m.shape[1], 0)) for m in (self.mask, mask)]
        self.mask = torch.cat(pads)
        self.logits = torch.cat([self.logits, logits])
        self.rows = self.rows + rows

    def step(self, ended: list[Written]) -> None:
        """Choose a token for every row, put down the rows that end, and read what was chosen."""
        assert self.logits is not None
        decoder, grammar = self.decoder, self.decoder.constrainer
        matchers = [None if row.done else row.matcher for row in self.rows]
        logits = (
            grammar.apply(self.logits, matchers) if grammar and any(m is not None for m in matchers) else self.logits
        )
        chosen: list[int] = self._traced(logits) if decoder.trace else logits.argmax(dim=-1).tolist()
        for row, token in zip(self.rows, chosen, strict=True):
            if row.done:
                continue
            if token != decoder.renderer.end_id:
                row.ids.append(token)
            row.done = token == decoder.renderer.end_id or len(row.ids) >= decoder.limit
            if row.done:
                ended.append(row.written(token != decoder.renderer.end_id))
        if all(row.done for row in self.rows):
            return
        if grammar:
            live = [
                (m, t) for m, t, row in zip(matchers, chosen, self.rows, strict=True) if m is not None and not row.done
            ]
            grammar.consume([m for m, _ in live], [t for _, t in live])
        ids = torch.tensor(chosen, device=decoder.device)[:, None]
        self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=1)
        positions = torch.tensor([[row.length + len(row.ids) - 1] for row in self.rows], device=decoder.device)
        assert self.cache is not None
        self.logits = decoder.forward(ids, self.mask, positions, self.cache)

    def _traced(self, logits: torch.Tensor) -> list[int]:
        """The first choice of every row; notes down its log-probability, the second choice, and at the start of a turn the beginning of a call."""
        call = self.decoder.renderer.call_id
        values, tokens = logits.float().topk(2, dim=-1)
        total = logits.float().logsumexp(dim=-1, keepdim=True)
        logprobs = (values - total).tolist()
        choices = tokens.tolist()
        for place, (row, (first, second), chosen) in enumerate(zip(self.rows, logprobs, choices, strict=True)):
            if not row.done:
                if second > float("-inf"):
                    row.forks.append(Fork(len(row.ids), chosen[1], second, row.logprob))
                if row.fresh and not row.ids and call not in chosen:
                    begins = float(logits[place, call] - total[place])
                    if begins > float("-inf"):
                        row.forks.append(Fork(0, call, begins, 0.0))
                row.logprob += first
        return [first for first, _ in choices]


def _widened(states: torch.Tensor, columns: int) -> torch.Tensor:
    """Keys or values (rows, heads, columns, size) with empty columns on the left."""
    return torch.nn.functional.pad(states, (0, 0, columns - states.shape[2], 0))
