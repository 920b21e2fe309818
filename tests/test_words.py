"""Words: particles, reading numbers, grounding that catches what is not said, templates that give back their author's call."""

from __future__ import annotations

import copy
import json
import math
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gennx.generators import forms, scenarios
from gennx.generators.bank import Bank, missing_names, read_templates, template_of, to_block
from gennx.generators.drawing import Drawn, draw
from gennx.generators.evidence import Haystack
from gennx.generators.grounding import check, without_unsaid
from gennx.generators.harvest import harvest
from gennx.generators.harvest.files import harvest_folder, stale
from gennx.generators.intent import ambiguous
from gennx.generators.leaves import call_leaves
from gennx.generators.lexicon import TEMPLATES, lexicon_of
from gennx.generators.lint import lint
from gennx.generators.particles import particle, settle
from gennx.generators.reading import expansions, read
from gennx.generators.refill import Clash, fill
from gennx.generators.refill import words as words_of
from gennx.generators.single import Maker, Want
from gennx.generators.units import factor_to
from gennx.schemas import Validation
from gennx.schemas.catalogue import Catalogue, load_catalogue


@pytest.mark.parametrize(
    ("before", "pair", "after"),
    [
        ("절점", "을(를)", "을"), ("하중", "을(를)", "을"), ("노드", "을(를)", "를"), ("3", "이(가)", "이"), ("2", "은(는)", "는"), ("10", "을(를)", "을"),
        ("DL", "을(를)", "을"), ("WX", "을(를)", "를"), ("12 kN", "으로(로)", "으로"), ("3.5 m", "으로(로)", "로"), ("서울", "으로(로)", "로"), ("C24", "과(와)", "와"),
        ("'DL'", "을(를)", "을"), ("400mm", "이(가)", "가"), ("100", "은(는)", "은"), ("30도", "을(를)", "를"),
        ("2.3", "(이)라네요", "이라네요"), ("5", "이었(였)", "였"),
    ],
)  # fmt: skip
def test_particles(before: str, pair: str, after: str) -> None:
    assert particle(before, pair) == after
    assert settle(f"{before}{pair} 본다") == f"{before}{after} 본다"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("기둥 3.5m, 보 -12 kN/m", [("3.5", "m"), ("-12", "kN/m")]),
        ("탄성계수 2.05×10^8 kN/㎡", [("205000000", "kN/㎡")]),
        ("열팽창 1.2e-5/℃", [("0.000012", "/℃")]),
        ("29,420 kN/m3", [("29420", "kN/m3")]),
        ("절점 여섯 개", [("6", None)]),
        (
            "삼백 mm, 이십칠 메가파스칼, 일점오 배, 열둘",
            [("300", "mm"), ("27", "메가파스칼"), ("1.5", None), ("12", None)],
        ),
        ("10 feet, 4.5 kips, fck 30 MPa / ft,r 3", [("10", "feet"), ("4.5", "kips"), ("30", "MPa"), ("3", None)]),
        ("slenderness of four hundred", [("400", None)]),
        (
            "3분할, 2주절점, 3 members, 118 J단, 색상 210 초록",
            [("3", None), ("2", None), ("3", None), ("118", None), ("210", None)],
        ),
    ],
)
def test_numbers_are_read(text: str, numbers: list[tuple[str, str | None]]) -> None:
    assert [(Decimal(n), u) for n, u in numbers] == [(n.value, n.unit) for n in read(text).numbers]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1번부터 6번까지", [1, 2, 3, 4, 5, 6]), ("301–312, without 306", [301, 302, 303, 304, 305, 307, 308, 309, 310, 311, 312]),
        ("1~20번 5씩", [1, 6, 11, 16]), ("101, 102, 105번과 110번", [101, 102, 105, 110]), ("홀수 1~9", [1, 3, 5, 7, 9]), ("31~36번, 33번은 빼고", [31, 32, 34, 35, 36]),
    ],
)  # fmt: skip
def test_runs_are_read(text: str, meant: list[int]) -> None:
    reading = read(text)
    assert any(values == meant for run in reading.runs for values, _, _ in expansions(reading, run))


@pytest.mark.parametrize(
    ("unit", "dimension", "factor"),
    [
        ("kgf/cm3", "force/length3", "9806.65"),
        ("MPa", "force/length2", "1000"),
        ("tonf·m", "moment", "9.80665"),
        ("mm4", "length4", "1E-12"),
        ("주", "day", "7"),
    ],
)
def test_units(unit: str, dimension: str, factor: str) -> None:
    assert factor_to(unit, dimension) == Decimal(factor)


@pytest.mark.parametrize(
    ("text", "method", "doubtful"),
    [
        ("Torsion reduction factor is to be 0.25 for beam 55", "POST", True), ("55번 보에 비틀림 감소계수 0.25 지정", "POST", False),
        ("기둥 3: 400x400", "POST", False), ("183번 재분배계수 0.9로", "PUT", True), ("183번 재분배계수를 0.9로 수정", "PUT", False),
    ],
)  # fmt: skip
def test_words_that_may_mean_a_creation_or_a_change(text: str, method: str, doubtful: bool) -> None:
    assert ambiguous(text, method) is doubtful


def test_lists_are_written_as_they_are_read() -> None:
    """Whatever way a list of numbers is written, it is read back as that list."""
    for seed in range(400):
        rng = random.Random(seed)
        start = rng.randint(1, 900)
        numbers = sorted(rng.sample(range(start, start + 12), rng.randint(2, 8)))
        for lang, tag in (("ko", "번"), ("en", "")):
            text = forms.run(numbers, lang, rng, tag)
            reading = read(f"요소 {text} 확인" if lang == "ko" else f"elements {text} please")
            found = [values for run in reading.runs for values, _, _ in expansions(reading, run)]
            assert numbers in found, text


def _cases(catalogue: Catalogue, count: int) -> list[Any]:
    maker = Maker(catalogue, Bank())
    tools = [t for t in catalogue.tools.values() if t.method in ("POST", "PUT") and t.endpoint.is_table]
    out = []
    for index in range(count):
        rng = random.Random(f"cases/{index}")
        case = maker.case(rng.choice(tools), rng.choice(("ko", "en")), rng, Want(turn=index, held_out=None))
        if case is not None:
            out.append((case, maker.lexicon(case.tool.endpoint)))
    return out


def test_a_changed_value_is_caught(catalogue: Catalogue) -> None:
    """Change one number of a grounded call: the checker, which sees only text and call, must refuse it."""
    tried = caught = 0
    for case, lexicon in _cases(catalogue, 250):
        assert not check(case.text, case.tool, case.arguments, lexicon)
        leaves = [
            x
            for x in call_leaves(case.tool, case.arguments)
            if x.kind == "number" and isinstance(x.value, (int, float)) and x.value
        ]
        if not leaves:
            continue
        leaf = random.Random(case.text).choice(leaves)
        changed = copy.deepcopy(case.arguments)
        node = changed
        for part in leaf.place[:-1]:
            node = node[part]
        node[leaf.place[-1]] = leaf.value * 3 + 6737
        tried += 1
        caught += bool(check(case.text, case.tool, changed, lexicon))
    assert tried > 100
    assert caught == tried


def test_an_unsaid_name_is_caught(catalogue: Catalogue) -> None:
    tool = catalogue.tool("db/CNLD", "POST")
    call = {"Assign": {"12": {"ITEMS": [{"LCNAME": "WX", "FZ": -5}]}}}
    lexicon = lexicon_of(tool.endpoint)
    assert not check("12번 절점에 WX로 아래 5 kN", tool, call, lexicon)
    assert check("12번 절점에 WY로 아래 5 kN", tool, call, lexicon)
    assert check("12번 절점에 WX로 위로 5 kN", tool, call, lexicon), "the sign is not said"


def test_harvest_makes_slots_and_loops(catalogue: Catalogue) -> None:
    tool = catalogue.tool("db/NODE", "POST")
    text = "절점 추가 (mm)\n번호\tX\tY\tZ\n11\t0\t0\t3500\n12\t6000\t0\t3500\n13\t6000\t4500\t3500"
    call = {
        "Assign": {
            "11": {"X": 0, "Y": 0, "Z": 3.5},
            "12": {"X": 6, "Y": 0, "Z": 3.5},
            "13": {"X": 6, "Y": 4.5, "Z": 3.5},
        }
    }
    lexicon = lexicon_of(tool.endpoint)
    made = harvest(text, "ko", tool, call, lexicon)
    assert made.shape == "rows" and not made.unsaid
    assert "{% for row in rows %}{{ row.key }}\t{{ row.X }}\t{{ row.Y }}\t{{ row.Z }}" in made.text
    template = template_of(made, "t")
    lengths = set()
    for seed in range(20):
        drawn = draw(template, tool.endpoint, lexicon, random.Random(seed))
        arguments, (words, _) = fill(made.call, drawn), words_of(template, drawn, random.Random(seed))
        assert not check(words, tool, arguments, lexicon)
        lengths.add(len(arguments["Assign"]))
    assert len(lengths) > 2


def test_braces_and_arrows_in_a_request_are_words(catalogue: Catalogue, tmp_path: Path) -> None:
    tool = catalogue.tool("db/CONS", "POST")
    lexicon = lexicon_of(tool.endpoint)
    call = {"Assign": {n: {"ITEMS": [{"CONSTRAINT": "1110000"}]} for n in ("12", "13")}}
    for text in ("절점 {12, 13} 핀으로 {# 급함 #}", "pin {{12}} and {13} {% please %}", "절점 12, 13\n=> 핀\n:: 급함"):
        (tmp_path / "ko.jinja").write_text(to_block(harvest(text, "ko", tool, call, lexicon), "ab12"), "utf-8")
        (template,) = read_templates(tmp_path / "ko.jinja", "ko")
        drawn = draw(template, tool.endpoint, lexicon, random.Random(1))
        words = words_of(template, drawn, random.Random(1))[0]
        assert re.sub(r"[^{}%#=>:]", "", words) == re.sub(r"[^{}%#=>:]", "", text), (text, words)


def test_equal_numbers_are_not_taken_for_each_other(catalogue: Catalogue) -> None:
    """Two points with the same y: slots where they are said in the order of the call, the author's numbers where the second comes first."""
    tool = catalogue.tool("db/CUTL", "POST")
    points = {"PT1X": 3.6, "PT1Y": 7.2, "PT1Z": 11, "PT2X": 14.4, "PT2Y": 7.2, "PT2Z": 11.5}
    call = {"Assign": {"NEW1": {"NAME": "TW-cut", "DIR": "DIR", **points}}}
    first, second = "first point 3.6, 7.2, 11", "second point 14.4, 7.2, 11.5"
    texts = (f"Cutting line TW-cut, {a}, {b}, in plane" for a, b in ((first, second), (second, first)))
    plain, turned = (harvest(text, "en", tool, call, lexicon_of(tool.endpoint)).text for text in texts)
    assert "7.2" not in plain and plain.index("{{ PT1Y }}") < plain.index("{{ PT2Y }}")
    assert turned.count("7.2") == 2 and turned.index("{{ PT2X }}") < turned.index("{{ PT1X }}")


def test_records_with_one_number_clash() -> None:
    """Two numbers of unlike kinds may be drawn alike; a call cannot hold both records then, and does not lose one in silence."""
    groups = [{"key": {"$": name}, "record": {"NAME": name}} for name in ("WALL", "STORY")]
    specs = {"WALL": {}, "STORY": {}}
    apart = fill({"Assign": groups}, Drawn({"WALL": 8, "STORY": 9}, [], specs))
    assert apart == {"Assign": {"8": {"NAME": "WALL"}, "9": {"NAME": "STORY"}}}
    with pytest.raises(Clash):
        fill({"Assign": groups}, Drawn({"WALL": 8, "STORY": 8}, [], specs))


def test_templates_give_back_their_authors_calls(catalogue: Catalogue) -> None:
    """For every request of the bank: the template filled with the author's values is the author's call, and its text is the author's text."""
    checked = 0
    for endpoint in list(catalogue)[::9]:
        path = TEMPLATES / endpoint.uri / "requests.jsonl"
        lexicon = lexicon_of(endpoint)
        for line in path.read_text("utf-8").splitlines() if path.exists() else ():
            row = json.loads(line)
            arguments = {**({"ids": row["ids"]} if "ids" in row else {}), **row.get("body", {})}
            tool = catalogue.tool(endpoint.uri, row["method"])
            made = harvest(row["user"], row["lang"], tool, arguments, lexicon)
            template = template_of(made, "t")
            assert not missing_names(template)
            drawn = draw(template, endpoint, lexicon, random.Random(0), keep=True)
            assert fill(made.call, drawn) == without_unsaid(row["user"], tool, arguments, lexicon), row["user"]
            checked += 1
    assert checked > 500


def test_template_folders_are_clean(catalogue: Catalogue) -> None:
    """Lint finds nothing, and the harvested files are those of the requests."""
    validation = Validation()
    for endpoint in list(catalogue)[3::40]:
        found = lint(endpoint, catalogue, TEMPLATES, validation, refills=1)
        found.findings += stale(endpoint, TEMPLATES, found)
        assert not found.findings, str(found.findings[0])


def test_templates_older_than_their_requests_are_found(catalogue: Catalogue, tmp_path: Path) -> None:
    endpoint, validation = catalogue.endpoint("db/NODE"), Validation()
    folder = tmp_path / "db" / "NODE"
    folder.mkdir(parents=True)
    row = {
        "lang": "ko",
        "user": "절점 7번 좌표 (1, 2, 3)",
        "method": "POST",
        "body": {"Assign": {"7": {"X": 1, "Y": 2, "Z": 3}}},
    }
    (folder / "requests.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    assert [f.rule for f in stale(endpoint, tmp_path, lint(endpoint, catalogue, tmp_path, validation))] == ["stale"]
    assert not stale(endpoint, tmp_path, harvest_folder(endpoint, catalogue, tmp_path, validation))


def test_plans_of_another_folder_are_checked(tmp_path: Path) -> None:
    """`gennx-catalog lint --templates DIR` reads the plans in DIR; a call that the schema refuses and a particle that does not follow its value are named with their file."""
    from click.testing import CliRunner

    from gennx.generators.catalog_cli import main

    plan = (TEMPLATES / "parallel" / "a_boundary_lists.yaml").read_text("utf-8")
    file = tmp_path / "parallel" / "mine.yaml"
    file.parent.mkdir()
    for text, findings in (
        (plan, 0),
        (plan.replace("GET db/RIGD, args: {ids: []}", "GET db/RIGD, args: {idz: []}"), 2),
        (plan.replace('  ko:\n    - "', '  ko:\n    - "{{ 3 }}층을 봅니다. {{ 3 }}을 보고, '), 1),
    ):
        file.write_text(text, "utf-8")
        scenarios.plan_files.cache_clear()
        done = CliRunner().invoke(main, ["lint", "--templates", str(tmp_path)])
        assert done.output.splitlines()[-1] == f"{findings} findings" and done.exit_code == bool(findings)
        assert done.output.count(str(file)) == findings


def test_phrases_stand_alone() -> None:
    hay = Haystack("Node 12 is not pinned, 수직 만 구속")
    assert list(hay.find("pin")) == []
    assert list(hay.find("수직만")) != []


def test_what_a_plan_is_about_shows_in_its_text() -> None:
    """Plans are read when they are told; until then only their text is looked at."""
    for root in (scenarios.FOLDER, scenarios.PARALLEL):
        for file in scenarios.plan_files(root):
            plan = file.plan
            assert file.endpoints == plan.endpoints and file.turns == bool(plan.turns), file.path
            ways = math.prod(
                len(s["values"]) if isinstance(s.get("values"), list) else scenarios.FEW_WAYS
                for s in plan.params.values()
                if not s.get("silent")
            )
            assert file.tellers == (plan.endpoints if ways >= scenarios.FEW_WAYS else {min(plan.endpoints)}), file.path


def test_calls_asked_for_together_come_as_they_are_asked_for() -> None:
    """Where each step has a parameter of its own, in the order of these; else by the endpoint's name, else in the plan's order."""
    plan = next(p for p in scenarios.plans(scenarios.PARALLEL) if p.name == "b_combo_edit")
    own = {"drop": "{{ gone }}", "put": "{{ c }}", "see": "{{ s }}"}
    orders = set()
    for wording in (w for pool in plan.requests.values() for w in pool):
        orders.add(scenarios.as_told(plan, wording))
        assert scenarios.as_told(plan, wording) == tuple(sorted(own, key=lambda ident: wording.index(own[ident])))
    assert len(orders) > 2
    assert scenarios.as_told(plan, "Steel combinations first, then remove {{ gone }}. {{ c }}: {{ p }}") == (
        "see",
        "drop",
        "put",
    )
    assert scenarios.as_told(plan, "Do all of it.") == ("drop", "put", "see")


def test_other_numbers_get_their_own_particles() -> None:
    from gennx.generators.kinds.banks import renumbered

    row = {"user": "판 30~88을 지우고 절점 40과 42를 옮겨", "assistant": "30~88을 지울까요?"}
    assert renumbered(row, 1) == ("판 31~89를 지우고 절점 41과 43을 옮겨", "31~89를 지울까요?")


def test_doubts_speak_against_what_nobody_said() -> None:
    """A true call stands without doubts; a number of another size, a field out of the air and a row left out do not; what the program has
    shown counts as said, and numbers in other units are measured by the model's."""
    from gennx.generators.doubts import doubts

    def talk(*said: str, system: str = "모델 단위는 kN, m") -> list[dict[str, str]]:
        return [{"role": "system", "content": system}, *({"role": "user", "content": text} for text in said)]

    asked = talk("12번 절점 (3.6, 0, 4.2 m), 13번 절점 (7200 mm, 0, 4.2 m) 추가")
    true = {"Assign": {"12": {"X": 3.6, "Y": 0, "Z": 4.2}, "13": {"X": 7.2, "Y": 0, "Z": 4.2}}}
    found = doubts(asked, [{"name": "POST /db/node", "arguments": true}])
    assert not found.invalid and not found.unsaid and not found.unused

    wrong = {"Assign": {"12": {"X": 3.6, "Y": 0, "Z": 4.2}, "13": {"X": 72, "Y": 0, "Z": 4.2}}}
    assert [gap.place for gap in doubts(asked, [{"name": "POST /db/node", "arguments": wrong}]).unsaid] == [
        "Assign/13/X"
    ]
    short = {"Assign": {"12": true["Assign"]["12"]}}
    assert doubts(asked, [{"name": "post_db_node", "arguments": short}]).unused == ("13", "7200")
    broken = {"Assign": {"12": {"X": "3.6"}}}
    assert doubts(asked, [{"name": "POST /db/node", "arguments": broken}]).invalid

    both = [*talk("5번 절점 (1, 2, 3) 넣고, 그다음 5번에 DL로 아래 10 kN"), {"role": "assistant", "tool_calls": [
        {"function": {"name": "POST /db/node", "arguments": {"Assign": {"5": {"X": 1, "Y": 2, "Z": 3}}}}}]}]  # fmt: skip
    assert doubts(both, []).unused == ("10",)
    load = {"Assign": {"5": {"ITEMS": [{"LCNAME": "DL", "FZ": -10}]}}}
    assert not doubts(both, [{"name": "POST /db/cnld", "arguments": load}]).unused
    answered = [*talk("절점 어디까지 있어?"), {"role": "tool", "content": '{"NODE":{"7":{"X":1.25}}}'}]
    later = [*answered, {"role": "user", "content": "그 X 값으로 하나 더"}]
    assert not doubts(later, [{"name": "POST /db/node", "arguments": {"Assign": {"8": {"X": 1.25}}}}]).unsaid
    millimetres = talk("21번 절점 X를 3.5 m로", system="The model is in N, mm.")
    assert not doubts(millimetres, [{"name": "PUT /db/node", "arguments": {"Assign": {"21": {"X": 3500}}}}]).unsaid
    assert doubts(millimetres, [{"name": "PUT /db/node", "arguments": {"Assign": {"21": {"X": 3.5}}}}]).unsaid
    group = [{"name": "POST /db/grup", "arguments": {"Assign": {"1": {"NAME": "CORE_2"}}}}]
    assert doubts(talk("그룹 CORE_2 새로 등록", system="모델은 kN, m"), group).unsaid, "a number that may be taken"
    assert not doubts(talk("그룹 CORE_2 새로 등록", system="빈 모델입니다. kN, m"), group).unsaid
    assert not doubts([*talk("그룹 CORE_2 새로 등록"), {"role": "tool", "content": '{"GRUP":{}}'}], group).unsaid


def test_a_record_without_what_each_has_is_doubtful() -> None:
    """A node without its height, a general link without any stiffness; not where the words say a zero, nor any call of the hand-written requests."""
    from gennx.generators.customary import left_out

    node, link = (load_catalogue().named(name) for name in ("POST /db/node", "POST /db/elnk"))
    assert node is not None and link is not None
    flat = {"Assign": {"9": {"X": 2.5, "Y": 4}}}
    assert left_out("9번 절점 (2.5, 4)", node, flat) == ("Z",)
    soft = {"Assign": {"4": {"NODE": [11, 12], "LINK": "GEN", "SDR": [0] * 6}}}
    assert left_out("11-12 general link, number 4", link, soft) == ("SDR",)
    assert not left_out("11-12 general link, number 4, everything 0", link, soft)
    assert not left_out("4번 링크 11-12 강체", link, {"Assign": {"4": {"NODE": [11, 12], "LINK": "RIGID"}}})
    seen = 0
    for line in (Path(__file__).parent / "requests" / "requests.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        for call in row["gold"]:
            tool = load_catalogue().named(call["tool"])
            if tool is not None and tool.method == "POST":
                seen += 1
                assert not left_out(row["user"], tool, call["arguments"]), row["id"]
    assert seen > 250


def test_american_units_follow_from_the_pound_and_the_inch() -> None:
    """1 lb = 0.45359237 kg and 1 in = 0.0254 m exactly (1959), 1 kgf = 9.80665 N: the rest is worked out here."""
    inch, foot, pound = 0.0254, 0.3048, 0.45359237 * 9.80665 / 1000
    wanted = {
        ("inch", "length"): inch, ("ft", "length"): foot, ("kips", "force"): 1000 * pound, ("kip-ft", "moment"): 1000 * pound * foot,
        ("ksi", "force/length2"): 1000 * pound / inch**2, ("psi", "force/length2"): pound / inch**2, ("psf", "force/length2"): pound / foot**2,
        ("kip/ft", "force/length"): 1000 * pound / foot,
    }  # fmt: skip
    for (unit, dimension), factor in wanted.items():
        found = factor_to(unit, dimension)
        assert found is not None and math.isclose(float(found), factor, rel_tol=1e-9), unit


def test_conversions_are_put_right() -> None:
    """A figure left in the unit in which it was said, a conversion a little off and one off by thousands become the quantity that was said; what
    is right, what nothing settles and what two quantities may settle stays."""
    from gennx.generators.mending import mended

    def spring(said: str, wrote: float, system: str = "모델 단위는 kN, m") -> float | None:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": said}]
        body = {"Assign": {"31": {"ITEMS": [{"LCNAME": "DL", "FZ": wrote}]}}}
        found = mended(messages, [{"name": "POST /db/cnld", "arguments": body}])
        return found and found[0]["arguments"]["Assign"]["31"]["ITEMS"][0]["FZ"]  # type: ignore[return-value]

    said = "31번 절점에 DL로 아래 2.4 tonf"
    assert spring(said, -2.4) == spring(said, -24.45) == spring(said, -23535.96) == -23.53596
    assert spring(said, -23.53596) is None
    assert spring(said, -90.0) is None
    assert spring("31번 절점에 DL로 아래 2.4 tonf, 고정하중 2.5 tonf의 일부", -24.0) is None
    assert spring("node 31, case DL, 12 kN down", -12, "The model is in N, mm.") == -12000
    assert spring("node 31, case DL, 10.1 kN down, not 10 kN", -0.0101) == -10.1


def test_names_copied_wrongly_are_put_right() -> None:
    """A letter changed, a bracket lost, a blank too many and a path cut short become the name that was said; what was said, what two names may settle and
    what is like no name stays."""
    from gennx.generators.mending import mended

    def named(tool: str, body: dict[str, Any], said: str) -> Any:
        found = mended([{"role": "user", "content": said}], [{"name": tool, "arguments": body}])
        return found and found[0]["arguments"]

    def case(said: str, wrote: str) -> Any:
        found = named("POST /db/stld", {"Assign": {"7": {"NAME": wrote, "TYPE": "D"}}}, said)
        return found and found["Assign"]["7"]["NAME"]

    assert case("고정하중 케이스 7번 굴착측67을 추가해 주세요", "최착측67") == "굴착측67"
    assert case("Add dead load case 7, Deck_(B), please", "Deck_(B") == "Deck_(B)"
    assert case("dead load case 7: full tank", " full tank") == "full tank"
    assert case("dead load case 7 HALL_E", "hall_e") == "HALL_E"
    assert case("dead load case 7 HALL_E", "HALL_E") is None
    assert case("dead load case 7 HALL_1, copy of HALL_2", "HALL_3") is None
    assert case("dead load case 7 HALL_E", "self weight") is None
    path = "//nas/structure/legacy_tower.mgt"
    assert named("POST /doc/importmxt", {"Argument": path[2:]}, f"{path} 가져와") == {"Argument": path}
    assert named("POST /doc/importmxt", {"Argument": path}, f"{path} 가져와") is None
