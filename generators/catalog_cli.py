"""`gennx-catalog`: look at the endpoints, their tools and words; harvest and check template folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import orjson

from gennx.generators.cli import Refused, Tier, one_line
from gennx.schemas import Validation, load_catalogue
from gennx.schemas.catalogue import METHODS, Catalogue, Endpoint, Tool

FORMATS = click.Choice(["table", "json"])


def print_rows(rows: list[dict[str, Any]], style: str) -> None:
    """Rows as a table for eyes, or as JSON for programs."""
    if style == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    if not rows:
        return
    names = list(rows[0])
    texts = [[str(r[n]) for n in names] for r in rows]
    widths = [max(_width(n), *(_width(t[i]) for t in texts)) for i, n in enumerate(names)]
    for line in [names, *texts]:
        click.echo("  ".join(cell + " " * (w - _width(cell)) for cell, w in zip(line, widths, strict=True)).rstrip())


def _width(text: str) -> int:
    """Columns on a terminal: Korean takes two."""
    return sum(2 if "ᄀ" <= c <= "힣" or "一" <= c <= "鿿" else 1 for c in text)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The 273 endpoints of GEN NX as gennx knows them."""


def _chosen(
    tiers: tuple[tuple[int, ...], ...], categories: tuple[str, ...], methods: tuple[str, ...]
) -> list[Endpoint]:
    catalogue = load_catalogue()
    known = sorted({e.category for e in catalogue})
    for c in categories:
        if c not in known:
            raise Refused(f"--category {c!r}: none of {', '.join(known)}")
    return catalogue.select([t for group in tiers for t in group], categories, [m.upper() for m in methods])


@main.command("list")
@click.option("--tier", "tiers", type=Tier(), multiple=True, help="Only this tier.")
@click.option("--category", "categories", multiple=True, help="Only this category.")
@click.option(
    "--method",
    "methods",
    type=click.Choice(METHODS, case_sensitive=False),
    multiple=True,
    help="Only endpoints with this method.",
)
@click.option("--format", "style", type=FORMATS, default="table", show_default=True)
def list_(
    tiers: tuple[tuple[int, ...], ...], categories: tuple[str, ...], methods: tuple[str, ...], style: str
) -> None:
    """List endpoints, e.g. gennx-catalog list --tier 1 --category Boundary"""
    rows = [
        {"uri": e.uri, "tier": e.tier, "category": e.category, "methods": " ".join(e.methods), "ko": e.ko, "en": e.en}
        for e in _chosen(tiers, categories, methods)
    ]
    print_rows(rows, style)


@main.command()
@click.argument("uri")
@click.option("--format", "style", type=FORMATS, default="table", show_default=True)
def show(uri: str, style: str) -> None:
    """Show one endpoint: its fields, codes and rules, e.g. gennx-catalog show db/CONS"""
    from gennx.generators.leaves import inner_schema
    from gennx.generators.lexicon import fields_of
    from gennx.schemas.rules import rules_of

    with one_line():
        endpoint = load_catalogue().endpoint(uri)
    if style == "json":
        click.echo(json.dumps(endpoint.schema, ensure_ascii=False, indent=1))
        return
    click.echo(
        f"{endpoint.uri}  {endpoint.ko} / {endpoint.en}  (tier {endpoint.tier}, {endpoint.category}, {' '.join(endpoint.methods)})"
    )
    click.echo(f"{endpoint.about_ko}\n{endpoint.about_en}\n")
    rows = []
    for path, schema in fields_of(endpoint.schema):
        note, deep = schema.get("x-gennx", {}), inner_schema(schema)
        kind = deep.get("type", "")
        codes = ", ".join(f"{c}={m['en']}" for c, m in list(note.get("enum", {}).items())[:6])
        rows.append({
            "field": path, "type": f"{kind}[]" if deep is not schema else kind, "ko": note.get("ko", ""), "en": note.get("en", ""),
            "unit": note.get("dim", ""), "default": json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else "", "codes": codes,
        })  # fmt: skip
    print_rows(rows, style)
    for rule in rules_of(endpoint):
        click.echo(f"- {rule.at + ': ' if rule.at else ''}{rule.why}")


@main.command()
@click.option("--tier", "tiers", type=Tier(), multiple=True, help="Only this tier.")
@click.option("--endpoint", "uris", multiple=True, help="Only this endpoint.")
@click.option("--tool-names", type=click.Choice(["path", "snake"]), default="path", show_default=True)
@click.option(
    "--format", "style", type=FORMATS, default="table", show_default=True, help="json prints whole definitions."
)
def tools(tiers: tuple[tuple[int, ...], ...], uris: tuple[str, ...], tool_names: str, style: str) -> None:
    """List the 922 tools, e.g. gennx-catalog tools --endpoint db/CONS --format json"""
    from gennx.generators.definitions import Definitions

    catalogue = load_catalogue()
    with one_line():
        picked = [catalogue.endpoint(u) for u in uris] or catalogue.select([t for group in tiers for t in group])
    definitions = Definitions(catalogue, tool_names)
    every = [Tool(e, m) for e in picked for m in METHODS if m in e.methods]
    if style == "json":
        click.echo("[" + ",\n".join(definitions.shown(t)[0] for t in every) + "]")
        return
    print_rows(
        [
            {
                "tool": t.named(tool_names),
                "url": "/" + t.endpoint.uri,
                "tokens": definitions.shown(t)[1],
                "en": t.endpoint.en,
            }
            for t in every
        ],
        style,
    )


@main.command()
@click.option("--format", "style", type=FORMATS, default="table", show_default=True)
def stats(style: str) -> None:
    """Count endpoints, tools, fields, codes and rules by tier."""
    from gennx.generators.leaves import inner_schema
    from gennx.generators.lexicon import fields_of
    from gennx.schemas.rules import rules_of

    rows: list[dict[str, Any]] = []
    for tier in (1, 2, 3):
        picked = load_catalogue().select([tier])
        fields = [(p, s) for e in picked for p, s in fields_of(e.schema)]
        rows.append({
            "tier": tier, "endpoints": len(picked), "tools": sum(len(e.methods) for e in picked), "fields": len(fields),
            "codes": sum(len(inner_schema(s).get("enum", ())) for _, s in fields), "rules": sum(len(rules_of(e)) for e in picked),
        })  # fmt: skip
    totals: dict[str, Any] = {k: sum(r[k] for r in rows) for k in rows[0] if k != "tier"}
    rows.append({**totals, "tier": "all"})
    print_rows(rows, style)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: stdout]")
def rules(out: Path | None) -> None:
    """Write the rules that the schemas took from prose (schemas/rules.md)."""
    from gennx.generators.harvest.files import write_whole
    from gennx.schemas.rules import rules_page

    text = rules_page(load_catalogue())
    with one_line():
        write_whole(out, text) if out else click.echo(text, nl=False)


# ---------------------------------------------------------------- words


def _root(templates: Path | None) -> Path:
    from gennx.generators.lexicon import TEMPLATES

    if templates is not None and not templates.is_dir():
        raise Refused(f"--templates {templates}: no such folder")
    return templates or TEMPLATES


@main.command()
@click.argument("uris", nargs=-1)
@click.option(
    "--templates", type=click.Path(path_type=Path), help="Template folder to check.  [default: the package's own]"
)
@click.option("--limit", default=20, show_default=True, help="Findings to print an endpoint.")
def lint(uris: tuple[str, ...], templates: Path | None, limit: int) -> None:
    """Check template folders, e.g. gennx-catalog lint db/CONS"""
    from gennx.generators.harvest.files import stale
    from gennx.generators.lint import lint as check
    from gennx.generators.lint import numbered, summary

    catalogue, validation, total = load_catalogue(), Validation(), 0
    with one_line():
        root = _root(templates)
        for endpoint in [catalogue.endpoint(u) for u in uris] or list(catalogue):
            found = check(endpoint, catalogue, root, validation)
            found.findings += stale(endpoint, root, found)
            total += len(found.findings)
            if found.findings or uris:
                click.echo(summary(found))
                for line in numbered(found.findings, limit):
                    click.echo(line)
        if not uris:
            total += _lint_plans(catalogue, root, limit)
    click.echo(f"{total} findings")
    if total:
        raise SystemExit(1)


def _lint_plans(catalogue: Catalogue, root: Path, limit: int) -> int:
    """Check a template folder's plans of chains and of parallel requests; the number of findings."""
    from gennx.generators.lexicon import lexicon_of
    from gennx.generators.plan_lint import lint_plan
    from gennx.generators.scenarios import FOLDER, PARALLEL, plans

    total = 0
    for plan in (*plans(root / FOLDER.name), *plans(root / PARALLEL.name)):
        found = lint_plan(plan, {uri: lexicon_of(catalogue.endpoint(uri)) for uri in plan.endpoints})
        total += len(found)
        for line in found[:limit]:
            click.echo(f"   {plan.place}: {line}")
    return total


@main.command()
@click.argument("uris", nargs=-1, metavar="[URI]...")
@click.option("--tier", "tiers", type=Tier(), multiple=True, help="Only this tier.")
@click.option("--draws", type=click.IntRange(min=1), default=1000, show_default=True, help="Requests drawn a tool.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--all", "every", is_flag=True, help="Show every tool, not only those with fewer than wanted.")
@click.option("--templates", type=click.Path(path_type=Path), help="Template folder beside the package's own.")
@click.option("--format", "style", type=FORMATS, default="table")
def skeletons(
    uris: tuple[str, ...],
    tiers: tuple[tuple[int, ...], ...],
    draws: int,
    seed: int,
    every: bool,
    templates: Path | None,
    style: str,
) -> None:
    """Count the different sentences (values masked) that each tool's words make, beside how many are wanted."""
    from gennx.generators.skeletons import widths

    catalogue = load_catalogue()
    endpoints = [catalogue.endpoint(u) for u in uris] or _chosen(tiers, (), ())
    rows: list[dict[str, Any]] = []
    tools = 0
    for width in widths(catalogue, endpoints, draws, seed, templates):
        tools += 1
        if every or width.skeletons < width.wanted:
            rows.append({"tool": width.tool.name, "tier": width.tool.endpoint.tier, "made": width.made,
                         "skeletons": width.skeletons, "wanted": width.wanted})  # fmt: skip
    print_rows(rows, style)
    if style == "table":
        short = sum(r["skeletons"] < r["wanted"] for r in rows)
        click.echo(f"{tools} tools, {short} with fewer skeletons than wanted in {draws:,} draws")


@main.command()
@click.argument("requests", required=False, type=click.Path(path_type=Path))
@click.option("--endpoint", "uris", multiple=True, help="Harvest the requests.jsonl of this endpoint's folder again.")
@click.option(
    "--templates", type=click.Path(path_type=Path), help="Template folder to write to.  [default: the package's own]"
)
def harvest(requests: Path | None, uris: tuple[str, ...], templates: Path | None) -> None:
    """Turn requests with calls into templates.

    gennx-catalog harvest chat.jsonl --templates my-templates

    takes lines {"endpoint", "method", "lang", "user", "ids" or "body"}, adds them to the folders of their endpoints and harvests those; what cannot be placed is shown with its
    line. Without a file the folders' own requests.jsonl are harvested again.
    """
    from gennx.generators.harvest.files import add_requests, harvest_folder
    from gennx.generators.lint import numbered, summary

    catalogue, validation = load_catalogue(), Validation()
    with one_line():
        if templates is not None and requests is not None:
            templates.mkdir(parents=True, exist_ok=True)
        root = _root(templates)
        if requests is not None:
            picked = [catalogue.endpoint(u) for u in add_requests(requests, root, catalogue)]
        else:
            picked = [catalogue.endpoint(u) for u in uris] or list(catalogue)
        made = findings = 0
        for endpoint in picked:
            found = harvest_folder(endpoint, catalogue, root, validation)
            made += sum(len(b) for b in found.blocks.values())
            findings += len(found.findings)
            if found.findings:
                click.echo(summary(found))
                for line in numbered(found.findings, 40):
                    click.echo(line)
    click.echo(f"{made:,} templates in {len(picked)} folders of {root}; {findings} findings")
    if findings:
        raise SystemExit(1)


@main.command()
@click.argument("uri")
@click.option("--method", type=click.Choice(METHODS, case_sensitive=False), help="Only this method.")
@click.option("--lang", type=click.Choice(["ko", "en"]), help="Only this language.")
@click.option("--render", default=10, show_default=True, help="Requests to draw.")
@click.option("--seed", default=0, show_default=True)
@click.option("--templates", type=click.Path(path_type=Path), help="Template folder of your own.")
def phrasings(uri: str, method: str | None, lang: str | None, render: int, seed: int, templates: Path | None) -> None:
    """Draw requests of an endpoint with their calls; values that words say stand in ⟦brackets⟧, e.g.

    gennx-catalog phrasings db/CONS --render 20
    """
    import random

    from gennx.generators.bank import Bank
    from gennx.generators.single import Maker, Want

    catalogue = load_catalogue()
    with one_line():
        endpoint = catalogue.endpoint(uri)
        maker = Maker(catalogue, Bank(templates))
        for index in range(render):
            rng = random.Random(f"{seed}/{uri}/{index}")
            tool = catalogue.tool(uri, method.upper() if method else rng.choice(endpoint.methods))
            case = maker.case(tool, lang or rng.choice(("ko", "ko", "en")), rng, Want(turn=index, held_out=None))
            if case is None:
                click.echo(f"({tool.name}: nothing could be said)")
                continue
            text = case.text
            for _, words in sorted(case.said, key=lambda p: -len(p[1])):
                text = text.replace(words, f"⟦{words}⟧", 1) if f"⟦{words}⟧" not in text else text
            click.echo(f"{tool.name}  [{case.phrasing}]\n  {text}\n  {orjson.dumps(case.arguments).decode()}\n")


if __name__ == "__main__":
    main()
