"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const el = (tag, attrs = {}, ...kids) => {
  const node = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs)) k === "text" ? node.textContent = v : k.startsWith("on") ? node.addEventListener(k.slice(2), v) : node.setAttribute(k, v);
  node.append(...kids);
  return node;
};
const words = {
  title: ["Evaluation", "평가"], all_figures: ["All figures", "모든 지표"], map: ["273 endpoints by exact calls", "273개 엔드포인트별 정확 호출"],
  interval_note: ["Below each share: 95 % interval and how many were counted. The best of a row is bold.", "각 비율 아래는 95 % 신뢰구간과 표본 수입니다. 행에서 가장 좋은 값은 굵게 표시합니다."],
  errors: ["What went wrong", "오류 종류"], confusion: ["Tools taken for each other", "혼동한 도구"], slices: ["By kind, language and more", "종류·언어별"], endpoints: ["Endpoints, the weakest first", "약한 엔드포인트부터"],
  find: ["Find by address, name or category", "주소, 이름, 분류로 찾기"], figure: ["Figure", "지표"], wanted: ["Wanted", "정답"], got: ["Called", "호출"], times: ["Turns", "횟수"], none_wrong: ["No errors.", "오류가 없습니다."],
  none: ["no calls in this test", "이 시험에 호출 없음"], low: ["below 50 %", "50 % 미만"], mid: ["50 to 80 %", "50~80 %"], high: ["80 to 95 %", "80~95 %"], top: ["95 % and more", "95 % 이상"],
  expected: ["Expected", "정답"], wrote: ["Written", "모델 출력"], no_call: ["no call", "호출 없음"], no_call_wanted: ["turns that want no call", "호출이 필요 없는 턴"], of: ["of", "중"], turns: ["turns", "턴"], dialogues: ["dialogues", "대화"], value: ["Value", "값"],
  tools: ["Exact turns by number of tools offered", "제시된 도구 수에 따른 정확도"], prompt_tokens: ["Exact turns by prompt length (tokens)", "프롬프트 길이(토큰)에 따른 정확도"],
  uri: ["Endpoint", "엔드포인트"], name: ["Name", "이름"], tier: ["Tier", "티어"], category: ["Category", "분류"], exact: ["Exact calls", "정확 호출"], calls: ["Calls", "호출 수"],
  s_kind: ["Kind of dialogue", "대화 종류"], s_language: ["Language", "언어"], s_tier: ["Tier", "티어"], s_method: ["Method", "메서드"], s_variant: ["Variant", "변형"], s_tools: ["Tools offered", "도구 수"], s_prompt_tokens: ["Prompt length", "프롬프트 길이"],
  memory: ["Peak memory, MiB", "최대 메모리, MiB"], speed: ["Tokens a second, batch", "초당 토큰(배치)"],
};
const groups = [
  [["What a user would feel", "사용자가 느끼는 것"], ["right_tool", "calls_exact", "exact_call", "same_end", "dialogue_exact", "chain_exact", "rollout"]],
  [["When to call, when not", "호출할 때와 말 때"], ["must_call", "abstention", "balanced", "abstention_no_tool", "abstention_clarify", "abstention_guard", "closing"]],
  [["Arguments", "인자"], ["leaf_precision", "leaf_recall", "leaf_f1", "ran"]],
  [["Form", "형식"], ["well_formed", "schema_valid", "offered_tool"]],
  [["The original's four figures", "원본의 네 지표"], ["tool_name_accuracy", "parameter_accuracy", "json_validity_rate", "hallucination_rate"]],
  [["Speed", "속도"], ["latency_mean_s", "latency_p50_s", "latency_p95_s", "tokens_written", "speed", "memory"]],
];
const names = {
  right_tool: ["Right tools", "올바른 도구"], calls_exact: ["Calls exact", "정확한 호출"], exact_call: ["Turns exact", "정확한 턴"], same_end: ["Same end state on the emulator", "에뮬레이터 최종 상태 일치"],
  dialogue_exact: ["Whole dialogues exact", "대화 전체 정확"], chain_exact: ["Chains exact", "연쇄 호출 정확"], rollout: ["Dialogues on its own calls", "자체 호출로 진행한 대화"], must_call: ["Calls when it must", "호출해야 할 때 호출"], abstention: ["Abstains when it must", "호출하지 말아야 할 때 자제"],
  balanced: ["Mean of both", "두 값의 평균"], abstention_no_tool: ["… no tool fits", "… 맞는 도구 없음"], abstention_clarify: ["… asks back", "… 되묻기"], abstention_guard: ["… asks before deleting", "… 삭제 전 확인"], closing: ["Closes when done", "끝나면 마무리"],
  leaf_precision: ["Values right, of those written", "작성한 값 중 정답"], leaf_recall: ["Values right, of those wanted", "정답 값 중 작성"], leaf_f1: ["F1 of values", "값 F1"], ran: ["Runs without refusal", "거부 없이 실행"],
  parameter_accuracy: ["parameter_accuracy (original\u2019s)", "parameter_accuracy (원본)"], well_formed: ["Well-formed turns", "형식이 바른 턴"], schema_valid: ["Schema-valid calls", "스키마에 맞는 호출"], offered_tool: ["Calls of offered tools", "제시된 도구 호출"],
  latency_mean_s: ["Latency, mean, s", "지연 평균, 초"], latency_p50_s: ["Latency, P50, s", "지연 P50, 초"], latency_p95_s: ["Latency, P95, s", "지연 P95, 초"], tokens_written: ["Tokens a turn", "턴당 토큰"], speed: words.speed, memory: words.memory,
};
const errorsKo = { malformed: "읽을 수 없는 호출", cut: "토큰 한도에서 잘림", empty: "아무 말 없음", silent: "호출해야 하는데 안 함", called: "호출하면 안 되는데 함", missing_call: "호출 누락", extra_call: "불필요한 호출", invented_tool: "제시되지 않은 도구", wrong_tool: "다른 엔드포인트", wrong_method: "메서드 틀림", wrong_key: "번호 틀림", missing_field: "필드 누락", extra_field: "불필요한 필드", wrong_number: "수치 틀림", wrong_sign: "부호 틀림", wrong_unit: "단위 틀림", wrong_enum: "코드 틀림", wrong_reference: "참조 틀림", wrong_switch: "예/아니오 틀림", wrong_text: "문자열 틀림", wrong_type: "자료형 틀림" };
let lang = (navigator.language || "en").startsWith("ko") ? "ko" : "en", active = 0, opened = null, order = ["exact", 1];
const pick = pair => Array.isArray(pair) ? pair[lang === "ko" ? 1 : 0] : String(pair);
const t = key => pick(words[key] || key);
const plain = new Set(["latency_mean_s", "latency_p50_s", "latency_p95_s", "tokens_written", "speed", "memory"]);
const lower = new Set(["hallucination_rate", "latency_mean_s", "latency_p50_s", "latency_p95_s", "memory"]);
const percent = x => (100 * x).toFixed(x > 0.9995 || x < 0.0005 ? 0 : 1) + " %";
function figure(one, key) {
  if (key === "rollout") return one.rollout ? one.rollout.right : null;
  if (key === "speed") return one.took && one.took.tokens_per_second ? { value: one.took.tokens_per_second, n: 1 } : null;
  if (key === "memory") return one.took && one.took.memory_mib ? { value: one.took.memory_mib, n: 1 } : null;
  return one.figures[key];
}
const worded = (f, key) => !f || f.value === null ? "–" : plain.has(key) ? (f.value >= 100 ? Math.round(f.value).toLocaleString() : f.value.toFixed(2)) : percent(f.value);
const range = (f, key) => !f || f.value === null || f.low === null || f.low === undefined ? "" : plain.has(key) ? f.low.toFixed(2) + "–" + f.high.toFixed(2) : (100 * f.low).toFixed(1) + "–" + (100 * f.high).toFixed(1);

function drawTabs() {
  const tabs = at("tabs"); tabs.replaceChildren(); tabs.hidden = data.evaluations.length < 2;
  data.evaluations.forEach((one, i) => tabs.append(el("button", { role: "tab", "aria-selected": i === active, tabindex: i === active ? 0 : -1, text: one.label, onclick: () => { active = i; draw(); }, onkeydown: e => {
    const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    if (step) { active = (active + step + data.evaluations.length) % data.evaluations.length; draw(); at("tabs").children[active].focus(); }
  } })));
}
function drawFigures() {
  const one = data.evaluations[active], box = at("figures"); box.replaceChildren();
  for (const key of ["calls_exact", "right_tool", "dialogue_exact", "same_end", "balanced", "schema_valid", "parameter_accuracy", "latency_p50_s"]) {
    const f = figure(one, key);
    if (!f || f.value === null) continue;
    const kids = [el("b", { text: worded(f, key) })];
    if (!plain.has(key)) kids.push(el("div", { class: "whisker", "aria-hidden": "true" }, el("i", { style: `left:${100 * f.low}%;width:${100 * (f.high - f.low)}%` }), el("u", { style: `left:${100 * f.value}%` })));
    kids.push(el("span", { text: names[key] ? pick(names[key]) : key }), el("span", { class: "span", text: range(f, key) + (plain.has(key) ? "" : " · n " + f.n.toLocaleString()) }));
    box.append(el("div", { class: "figure" }, ...kids));
  }
}
function drawTable() {
  at("cmphead").replaceChildren(el("th", { text: t("figure") }), ...data.evaluations.map(one => el("th", { class: "n", text: one.label })));
  const body = at("cmp"); body.replaceChildren();
  for (const [title, keys] of groups) {
    const rows = keys.filter(k => data.evaluations.some(one => { const f = figure(one, k); return f && f.value !== null; }));
    if (!rows.length) continue;
    body.append(el("tr", {}, el("td", { class: "group", colspan: data.evaluations.length + 1, text: pick(title) })));
    for (const key of rows) {
      const found = data.evaluations.map(one => figure(one, key)), known = found.filter(f => f && f.value !== null).map(f => f.value);
      const best = lower.has(key) ? Math.min(...known) : Math.max(...known);
      body.append(el("tr", {}, el("td", { class: "wrap", text: names[key] ? pick(names[key]) : key }), ...found.map(f => el("td", { class: "n cmp" },
        el("span", { class: found.length > 1 && f && f.value === best && key !== "tokens_written" ? "best" : "", text: worded(f, key) }), el("small", { text: f && f.value !== null && !plain.has(key) ? range(f, key) + " · " + f.n.toLocaleString() : range(f, key) })))));
    }
  }
}
const scoreOf = uri => { const by = data.evaluations[active].by.endpoint[uri]; return by ? by.calls_exact : null; };
const level = f => !f || !f.n ? "" : f.value >= 0.95 ? "l3" : f.value >= 0.8 ? "l2" : f.value >= 0.5 ? "l1" : "l0b";
function drawMap() {
  const map = at("map"), sorted = new Map(); map.replaceChildren();
  data.endpoints.forEach(e => { const k = t("tier") + " " + e.tier + " · " + e.category; sorted.has(k) || sorted.set(k, []); sorted.get(k).push(e); });
  [...sorted.entries()].sort((a, b) => a[0].localeCompare(b[0])).forEach(([name, list]) => {
    const cells = el("div", { class: "cells" });
    list.forEach(e => { const f = scoreOf(e.uri), said = e.uri + " – " + e[lang] + ": " + (f && f.n ? percent(f.value) + " " + t("of") + " " + f.n : t("none"));
      cells.append(el("button", { class: "cell " + level(f), title: said, "aria-label": said, onclick: () => reveal(e.uri) })); });
    map.append(el("div", { class: "group" }, el("h3", { text: name + " (" + list.length + ")" }), cells));
  });
  at("mapkey").replaceChildren(...[["", "none"], ["l0b", "low"], ["l1", "mid"], ["l2", "high"], ["l3", "top"]].map(([c, k]) => el("span", {}, el("i", { class: c }), document.createTextNode(t(k)))));
}
const errorName = key => lang === "ko" ? errorsKo[key] || key : data.labels[key] || key;
function drawErrors() {
  const one = data.evaluations[active], box = at("errors"), list = Object.entries(one.errors); box.replaceChildren();
  if (!list.length) box.append(el("p", { class: "soft", text: t("none_wrong") }));
  const most = Math.max(1, ...list.map(([, n]) => n));
  list.forEach(([key, n]) => box.append(el("div", { class: "barrow" }, el("span", { text: errorName(key) }), el("span", { class: "track" }, el("i", { style: `width:${100 * n / most}%` })), el("b", { text: n.toLocaleString() }))));
  at("confhead").replaceChildren(el("th", { text: t("wanted") }), el("th", { text: t("got") }), el("th", { class: "n", text: t("times") }));
  at("conf").replaceChildren(...(one.confusion.length ? one.confusion.slice(0, 15).map(c => el("tr", {}, el("td", {}, el("span", { class: "uri", text: c.wanted })), el("td", {}, el("span", { class: "uri", text: c.got })), el("td", { class: "n", text: c.count }))) : [el("tr", {}, el("td", { class: "soft", colspan: 3, text: t("none_wrong") }))]));
}
const svg = (tag, attrs, text) => { const n = document.createElementNS("http://www.w3.org/2000/svg", tag); Object.entries(attrs).forEach(([k, v]) => n.setAttribute(k, v)); if (text !== undefined) n.textContent = text; return n; };
function drawCurves() {
  const box = at("curves"); box.replaceChildren();
  for (const [name, lines] of Object.entries(data.curves)) {
    const xs = [...new Set(lines.flatMap(l => l.points.map(p => p.x)))].sort((a, b) => a.startsWith(">") - b.startsWith(">") || parseInt(a.replace(/\D/g, "")) - parseInt(b.replace(/\D/g, "")));
    if (!xs.length) continue;
    const W = 520, H = 220, left = 38, right = 12, top = 10, low = 28, x = v => left + (xs.length > 1 ? xs.indexOf(v) * (W - left - right) / (xs.length - 1) : (W - left - right) / 2), y = v => top + (1 - v) * (H - top - low);
    const chart = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": t(name) });
    [0, .25, .5, .75, 1].forEach(v => chart.append(svg("line", { class: "gridline", x1: left, x2: W - right, y1: y(v), y2: y(v) }), svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, 100 * v)));
    xs.forEach((v, i) => { if (xs.length < 12 || i % 2 === 0) chart.append(svg("text", { x: x(v), y: H - 8, "text-anchor": xs.length > 1 && i === xs.length - 1 ? "end" : "middle" }, v.replace("<=", "≤"))); });
    lines.forEach((l, i) => {
      l.points.forEach(p => chart.append(svg("line", { class: "s" + i % 5, x1: x(p.x), x2: x(p.x), y1: y(p.low), y2: y(p.high), "stroke-opacity": .45, "stroke-width": 2 })));
      if (l.points.length > 1) chart.append(svg("path", { class: "line s" + i % 5, d: "M" + l.points.map(p => x(p.x) + " " + y(p.value)).join(" L") }));
      l.points.forEach(p => { const dot = svg("circle", { class: "s" + i % 5, cx: x(p.x), cy: y(p.value), r: 3.5 }); dot.append(svg("title", {}, `${l.name}, ${p.x}: ${percent(p.value)} (${range(p, "")}), n ${p.n}`)); chart.append(dot); });
    });
    const caption = el("figcaption", {}, ...lines.map((l, i) => el("span", {}, el("span", { class: "swatch s" + i % 5, style: "background:currentColor" }), document.createTextNode(l.name))));
    [...caption.querySelectorAll(".swatch")].forEach((s, i) => s.style.background = ["#1f8a70", "#c2641a", "#3b6fd1", "#9b4fb5", "#8a8a1f"][i % 5]);
    box.append(el("section", {}, el("h2", { text: t(name) }), el("figure", { class: "panel" }, chart, caption)));
  }
}
function drawSlices() {
  const one = data.evaluations[active], choice = at("slice"), now = choice.value || "kind";
  choice.replaceChildren(...["kind", "language", "tier", "method", "variant", "tools", "prompt_tokens"].filter(k => Object.keys(one.by[k] || {}).length).map(k => el("option", { value: k, text: t("s_" + k) })));
  choice.value = [...choice.options].some(o => o.value === now) ? now : choice.options.length ? choice.options[0].value : "";
  choice.setAttribute("aria-label", t("slices"));
  const rows = Object.entries(one.by[choice.value] || {}), keys = rows.length ? Object.keys(rows[0][1]) : [];
  at("slicehead").replaceChildren(el("th", { text: t("value") }), ...keys.map(k => el("th", { class: "n", text: pick(names[k]) })));
  at("slices").replaceChildren(...rows.map(([value, f]) => el("tr", {}, el("td", { text: value }), ...keys.map(k => el("td", { class: "n cmp" }, document.createTextNode(worded(f[k], k)), el("small", { text: f[k].value === null ? "" : range(f[k], k) + " · " + f[k].n.toLocaleString() }))))));
}
function painted(value, place, marked, good) {
  const out = document.createElement("span"), hit = marked.has(place), put = (text, on) => out.append(on ? el("mark", { class: good ? "good" : "", text }) : document.createTextNode(text));
  if (value && typeof value === "object") {
    const list = Array.isArray(value), keys = list ? value.map((_, i) => i) : Object.keys(value);
    put(list ? "[" : "{", hit);
    keys.forEach((k, i) => {
      if (i) out.append(", ");
      const own = list && typeof value[k] === "number" && marked.has(place + "/" + value[k]) ? place + "/" + value[k] : place + "/" + k;
      const inside = [...marked].some(m => m === own);
      if (!list) put(JSON.stringify(k), inside), out.append(": ");
      out.append(painted(value[k], own, marked, good));
    });
    put(list ? "]" : "}", hit);
  } else put(JSON.stringify(value), hit);
  return out;
}
function side(title, calls, text, x, good) {
  const box = el("div", {}, el("h4", { text: title })), pre = el("pre");
  calls.forEach((c, i) => {
    const other = (good ? x.found : x.gold)[i], wrong = !other || other.name !== c.name;
    const marked = new Set(x.differences.filter(d => d.call === i && (good ? "wanted" in d : "found" in d)).map(d => d.place));
    pre.append(el(wrong ? "mark" : "span", { class: good ? "good" : "", text: c.name }), " ", painted(c.arguments, "", marked, good), "\n");
  });
  if (!calls.length) pre.append(el("span", { class: "soft", text: text || t("no_call") }));
  box.append(pre);
  return box;
}
const shownExample = x => el("div", { class: "example" }, el("div", {}, ...x.labels.map(l => el("span", { class: "tag bad", text: errorName(l) }))), el("div", { class: "user", text: x.user }),
  el("div", { class: "pair" }, side(t("expected"), x.gold, "", x, true), side(t("wrote"), x.found, x.text, x, false)));
const columns = [["uri", "uri", r => [el("span", { class: "uri", text: r.uri })]], ["name", "name", r => [r.title], "wrap"], ["tier", "tier", r => ["" + (r.tier || "")], "n hide"], ["category", "category", r => [r.category], "hide"],
  ["exact", "exact", r => r.f && r.f.n ? [el("span", { class: "meter" }, el("i", { style: `width:${100 * r.f.value}%` })), document.createTextNode(percent(r.f.value))] : ["–"]], ["n", "calls", r => ["" + (r.f ? r.f.n : r.examples.length)], "n"]];
function rowsNow() {
  const one = data.evaluations[active], known = new Set(data.endpoints.map(e => e.uri));
  const rows = data.endpoints.map(e => { const f = scoreOf(e.uri); return { uri: e.uri, title: e.ko + " · " + e.en, name: e.en, tier: e.tier, category: e.category, f, exact: f && f.n ? f.value : 2, n: f ? f.n : 0, examples: one.examples[e.uri] || [] }; }).filter(r => r.n);
  Object.entries(one.examples).filter(([k]) => !known.has(k)).forEach(([k, list]) => rows.push({ uri: k, title: t("no_call_wanted"), name: t("no_call_wanted"), tier: 0, category: "", f: null, exact: 3, n: list.length, examples: list }));
  return rows;
}
function drawEndpoints() {
  at("head").replaceChildren(...columns.map(([key, word, , cls]) => { const b = el("button", { text: t(word), onclick: () => { order = [key, order[0] === key ? -order[1] : 1]; drawEndpoints(); } }); if (order[0] === key) b.setAttribute("aria-sort", order[1] > 0 ? "ascending" : "descending"); return el("th", { class: cls || "" }, b); }));
  const q = at("find").value.trim().toLowerCase(), rows = rowsNow(), list = rows.filter(r => !q || (r.uri + " " + r.title + " " + r.category).toLowerCase().includes(q));
  list.sort((a, b) => { const [k, d] = order; return d * (typeof a[k] === "string" ? a[k].localeCompare(b[k]) : a[k] - b[k]) || b.n - a.n || a.uri.localeCompare(b.uri); });
  const body = at("body"); body.replaceChildren();
  list.forEach(r => {
    const tr = el("tr", { class: "row", tabindex: "0", "data-uri": r.uri, "aria-expanded": opened === r.uri, onclick: () => { opened = opened === r.uri ? null : r.uri; drawEndpoints(); }, onkeydown: e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); tr.click(); document.querySelector('tr[data-uri="' + CSS.escape(r.uri) + '"]').focus(); } } });
    columns.forEach(([, , make, cls]) => tr.append(el("td", { class: cls || "" }, ...make(r))));
    body.append(tr);
    if (opened === r.uri) body.append(el("tr", { class: "detail" }, el("td", { colspan: columns.length }, ...(r.examples.length ? r.examples.map(shownExample) : [el("p", { class: "soft", text: t("none_wrong") })]))));
  });
  at("shown").textContent = list.length + " " + t("of") + " " + rows.length;
}
function reveal(uri) {
  at("find").value = ""; opened = uri; drawEndpoints();
  const row = document.querySelector('tr[data-uri="' + CSS.escape(uri) + '"]');
  if (row) { row.scrollIntoView({ block: "center" }); row.focus({ preventScroll: true }); }
}
function draw() {
  document.documentElement.lang = lang;
  document.querySelectorAll("[data-t]").forEach(n => n.textContent = t(n.dataset.t));
  document.querySelectorAll("[data-lang]").forEach(b => b.setAttribute("aria-pressed", b.dataset.lang === lang));
  const one = data.evaluations[active], find = at("find"); find.placeholder = t("find"); find.setAttribute("aria-label", t("find"));
  at("subtitle").textContent = one.label + " – " + one.turns.toLocaleString() + " " + t("turns") + ", " + one.dialogues.toLocaleString() + " " + t("dialogues");
  drawTabs(); drawFigures(); drawTable(); drawMap(); drawErrors(); drawCurves(); drawSlices(); drawEndpoints();
}
document.querySelectorAll("[data-lang]").forEach(b => b.addEventListener("click", () => { lang = b.dataset.lang; draw(); }));
at("slice").addEventListener("input", drawSlices);
at("find").addEventListener("input", drawEndpoints);
if (!opened) { const worst = rowsNow().filter(r => r.examples.length).sort((a, b) => a.exact - b.exact || b.n - a.n)[0]; opened = worst ? worst.uri : null; }
draw();
