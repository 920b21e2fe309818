"""`gennx-gen`: make a data set of tool-calling dialogues."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gennx.generators.bank import TemplateProblem, check_folder
from gennx.generators.lexicon import WordsProblem
from gennx.generators.settings import COMPOSED, KINDS, BadSettings, Settings
from gennx.generators.writing import OutputProblem, Rewrite, check_output, run
from gennx.schemas import CatalogueError, load_catalogue
from gennx.schemas.catalogue import METHODS

EXPECTED = (BadSettings, OutputProblem, TemplateProblem, WordsProblem, CatalogueError)


class Refused(click.ClickException):
    """An expected failure: one line on stderr, exit code 2."""

    exit_code = 2


@contextmanager
def one_line() -> Any:
    """Expected failures as one line and exit code 2, an interrupt as a hint."""
    try:
        yield
    except EXPECTED as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"{error.filename or 'disk'}: {error.strerror}") from None


class Tier(click.ParamType):  # type: ignore[type-arg]
    """1, 2, 3 or all."""

    name = "1|2|3|all"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        if value == "all":
            return (1, 2, 3)
        if value in ("1", "2", "3"):
            return (int(value),)
        self.fail(f"{value!r} is no tier; take 1, 2, 3 or all", param, ctx)


class Span(click.ParamType):  # type: ignore[type-arg]
    """A number, or a range such as 0-16."""

    name = "N|N-M"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        low, dash, high = str(value).partition("-")
        if not low.isdigit() or (dash and not high.isdigit()):
            self.fail(f"{value!r} is no count; take a number such as 4 or a range such as 0-16", param, ctx)
        pair = (int(low), int(high) if dash else int(low))
        if pair[0] > pair[1]:
            self.fail(f"{value!r}: the range runs backwards", param, ctx)
        if pair[1] > 64:
            self.fail(f"{value!r}: at most 64 look-alikes fit a prompt", param, ctx)
        return pair


class Held(click.ParamType):  # type: ignore[type-arg]
    """How many endpoints, or a comma list of which."""

    name = "N|URI,URI"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | tuple[str, ...]:
        if isinstance(value, (int, tuple)):
            return value
        if str(value).lstrip("-").isdigit():
            if int(value) < 0:
                self.fail(f"{value} is below 0", param, ctx)
            return int(value)
        return tuple(dict.fromkeys(name.strip() for name in str(value).split(",") if name.strip()))


class Kinds(click.ParamType):  # type: ignore[type-arg]
    """A comma list of kinds, each with an optional share: single,chain or single=60,chain=40."""

    name = "KIND[=SHARE],..."

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[str, float]:
        if isinstance(value, dict):
            return value
        out: dict[str, float] = {}
        for part in str(value).split(","):
            name, equals, share = part.strip().partition("=")
            if name not in KINDS:
                self.fail(f"unknown kind {name!r}; take {', '.join(KINDS)}", param, ctx)
            try:
                out[name] = float(share) if equals else float(KINDS[name] or 10)
            except ValueError:
                self.fail(f"{part!r}: the share is no number", param, ctx)
            if out[name] <= 0:
                self.fail(f"{part!r}: a share is above zero", param, ctx)
        return out


def default_out(settings: Settings) -> Path:
    """Folder name that tells what was asked for."""
    tiers = settings.tiers or (1,)
    what = (
        f"{len(settings.endpoints)}-endpoints"
        if settings.endpoints
        else "all"
        if tiers == (1, 2, 3)
        else "tier" + "".join(map(str, tiers))
    )
    return Path("data") / f"gennx-{what}-seed{settings.seed}"


def progress_printer(quiet: bool) -> Callable[[int, int, int], None]:
    """One line that renews itself on a terminal; nothing when piped."""
    if quiet or not sys.stderr.isatty():
        return lambda done, total, rows: None

    def show(done: int, total: int, rows: int) -> None:
        width = 30
        filled = width * done // max(1, total)
        sys.stderr.write(f"\r[{'#' * filled}{'.' * (width - filled)}] {done}/{total} endpoints, {rows:,} dialogues ")
        if done == total:
            sys.stderr.write("\n")
        sys.stderr.flush()

    return show


@click.group(
    invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "--tier", "tiers", type=Tier(), multiple=True, help="Tier of endpoints; may be given more than once.  [default: 1]"
)
@click.option("--per-api", type=click.IntRange(min=1), help="Dialogues an endpoint; without it 20, 8 and 2 by tier.")
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="URI",
    help="Only this endpoint, such as db/NODE; may be given more than once.",
)
@click.option(
    "--method",
    "methods",
    type=click.Choice(METHODS, case_sensitive=False),
    multiple=True,
    help="Only tools of this method.",
)
@click.option(
    "--lang",
    type=click.Choice(["ko", "en", "mix"]),
    default="mix",
    show_default=True,
    help="Language of the dialogues; mix is two thirds Korean.",
)
@click.option(
    "--distractors", type=Span(), default="4", show_default=True, help="Look-alike tools offered beside the right one."
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=512),
    default=2048,
    show_default=True,
    help="Most tokens a dialogue may have (Qwen2.5).",
)
@click.option(
    "--kinds", type=Kinds(), default=None, help="Kinds of dialogue and their shares, such as single=60,chain=40."
)
@click.option(
    "--mix", "mix_file", type=click.Path(dir_okay=False, path_type=Path), help="YAML file with the shares of kinds."
)
@click.option(
    "--composed",
    type=click.FloatRange(0, 1),
    default=COMPOSED,
    show_default=True,
    help="Share of requests composed from field names: stiffer, but they reach every field; more of them for training.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed and settings, same bytes."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=min(4, os.cpu_count() or 1),
    show_default=True,
    help="Processes; the data do not depend on it.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder to write.  [default: data/gennx-tier1-seed0 and the like]"
)
@click.option("--overwrite", is_flag=True, help="Replace what the folder holds.")
@click.option(
    "--tool-names",
    type=click.Choice(["path", "snake"]),
    default="path",
    show_default=True,
    help="`POST /db/cons` or `post_db_cons`.",
)
@click.option(
    "--holdout-endpoints",
    type=Held(),
    default="0",
    show_default=True,
    help="Endpoints that go to test_endpoints.jsonl alone: how many, drawn by seed, or which.",
)
@click.option(
    "--templates", type=click.Path(path_type=Path), help="Folder with template folders of your own, which come first."
)
@click.option(
    "--focus", type=click.Path(path_type=Path), help="Folder of an evaluation: more data where the model failed."
)
@click.option(
    "--paraphrase", metavar="URL", help="Reword requests by a model behind this OpenAI-compatible endpoint, checked."
)
@click.option("--paraphrase-model", metavar="NAME", help="The model's name there; its key is in GENNX_PARAPHRASE_KEY.")
@click.option(
    "--paraphrase-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of the single training requests to reword.",
)
@click.option(
    "--paraphrase-rate",
    type=click.FloatRange(0, min_open=True),
    default=2.0,
    show_default=True,
    help="Most requests a second.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be made, and stop.")
@click.pass_context
def main(ctx: click.Context, /, **asked: Any) -> None:
    """Make tool-calling dialogues for MIDAS GEN NX, e.g.

    gennx-gen --tier 1 --per-api 20

    gennx-gen --tier all --lang ko --distractors 0-16 --out data/korean
    """
    if ctx.invoked_subcommand is not None:
        return
    with one_line():
        settings = settings_of(asked)
        generate(settings, asked)


def settings_of(asked: dict[str, Any]) -> Settings:
    """Settings out of the command line. Raises BadSettings."""
    kinds = asked["kinds"]
    if asked["mix_file"] is not None:
        if kinds is not None:
            raise BadSettings("--kinds and --mix: give one of them")
        kinds = read_mix(asked["mix_file"])
    templates = asked["templates"]
    if templates is not None and not templates.is_dir():
        raise BadSettings(f"--templates {templates}: no such folder")
    focus: dict[str, float] = {}
    if asked["focus"] is not None:
        from gennx.generators.focus import weights

        focus = weights(asked["focus"])
    tiers = tuple(sorted({t for group in asked["tiers"] for t in group}))
    return Settings(
        tiers=tiers, endpoints=tuple(asked["endpoints"]), methods=tuple(m.upper() for m in asked["methods"]), per_api=asked["per_api"],
        lang=asked["lang"], distractors=asked["distractors"], max_tokens=asked["max_tokens"], seed=asked["seed"],
        tool_names=asked["tool_names"], holdout_endpoints=asked["holdout_endpoints"], kinds=kinds or dict(KINDS), composed=asked["composed"],
        templates=str(templates.resolve()) if templates else None, focus=focus,
    )  # fmt: skip


def read_mix(path: Path) -> dict[str, float]:
    """Shares of kinds from a YAML file. Raises BadSettings."""
    import yaml

    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(f"--mix {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadSettings(f"--mix {path}: not YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(data, dict) or not data:
        raise BadSettings(f"--mix {path}: wants lines such as `single: 60`")
    for name, share in data.items():
        if name not in KINDS:
            raise BadSettings(f"--mix {path}: unknown kind {name!r}; take {', '.join(KINDS)}")
        if not isinstance(share, (int, float)) or isinstance(share, bool) or share <= 0:
            raise BadSettings(f"--mix {path}: {name}: {share!r} is no share above zero")
    return {str(k): float(v) for k, v in data.items()}


def paraphraser(settings: Settings, asked: dict[str, Any]) -> Rewrite | None:
    """The step that rewords requests, None where it is not asked for. Raises BadSettings."""
    if asked["paraphrase"] is None:
        if asked["paraphrase_model"] is not None:
            raise BadSettings("--paraphrase-model: also give --paraphrase, the endpoint's address")
        return None
    from gennx.generators.paraphrasing import Paraphraser

    return Paraphraser.from_options(
        settings, asked["paraphrase"], asked["paraphrase_model"], asked["paraphrase_share"], asked["paraphrase_rate"]
    )


def generate(settings: Settings, asked: dict[str, Any]) -> None:
    """Run the generation and print what came of it."""
    catalogue = load_catalogue()
    endpoints = settings.chosen(catalogue)
    out = asked["out"] or default_out(settings)
    total = sum(settings.count(e) for e in endpoints)
    rewrite = paraphraser(settings, asked)
    if asked["dry_run"]:
        tools = sum(len([m for m in e.methods if not settings.methods or m in settings.methods]) for e in endpoints)
        click.echo(f"would make {total:,} dialogues over {len(endpoints)} endpoints and {tools} tools in {out}")
        return
    check_output(out, asked["overwrite"])
    if settings.templates:
        check_folder(Path(settings.templates), catalogue)
    started = time.perf_counter()
    try:
        written = run(
            settings,
            [e.uri for e in endpoints],
            out,
            asked["workers"],
            asked["overwrite"],
            progress_printer(False),
            rewrite,
        )
    except KeyboardInterrupt:
        click.echo(
            f"\ninterrupted; finished parts are kept, run the same command again to go on ({out}.partial)", err=True
        )
        sys.exit(130)
    seconds = time.perf_counter() - started
    manifest = written.manifest
    splits = ", ".join(f"{name.removesuffix('.jsonl')} {info['rows']:,}" for name, info in manifest["files"].items())
    click.echo(
        f"{manifest['dialogues']:,} dialogues over {manifest['endpoints']} endpoints in {out} ({splits}); {seconds:.1f} s"
    )
    if "paraphrase" in manifest:
        words = manifest["paraphrase"]
        why = ", ".join(f"{reason} {count:,}" for reason, count in words["originals kept"].items())
        cost = words["tokens"]
        click.echo(
            f"{words['rewritten']:,} of {words['asked']:,} requests reworded by {words['model']}"
            + (f" (originals kept: {why})" if why else "")
            + f"; {cost['prompt']:,} + {cost['completion']:,} tokens"
        )
    short = sum(manifest["missing"].values())
    if short:
        click.echo(
            f"{short} fewer than asked for: {', '.join(list(manifest['missing'])[:6])} have no more distinct ones (see {out / 'coverage.html'})",
            err=True,
        )


@main.command("verify")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--max-tokens", type=click.IntRange(min=1), default=2048, show_default=True, help="Most tokens of a dialogue."
)
@click.option(
    "--words", is_flag=True, help="Measure the words too: skeletons, near-duplicates, particles, names of the API."
)
def verify_command(folder: Path, max_tokens: int, words: bool) -> None:
    """Check a data set from its files: run every call again, look for what is unsaid, repeated or leaked."""
    from gennx.generators.verifying import CHECKS, BadData, verify

    try:
        report = verify(folder, max_tokens)
    except (BadData, OSError) as error:
        raise click.UsageError(str(error)) from None
    for name in CHECKS:
        click.echo(
            f"{name:12} {report.looked[name]:>8,} looked at {report.failed[name]:>6,} failed  {report.first.get(name, '')}".rstrip()
        )
    each = 1000 * report.seconds / max(1, report.calls)
    click.echo(f"{report.calls:,} calls run again, {each:.2f} ms each; {report.derived:,} values worked out by plans")
    if words:
        print_wording(folder)
    if any(report.failed.values()):
        raise SystemExit(1)


def print_wording(folder: Path) -> None:
    """Measures of a data set's words."""
    from gennx.generators.verifying import rows_of
    from gennx.generators.wording import measure
    from gennx.generators.writing import SPLITS

    paths = [folder / f"{s}.jsonl" for s in SPLITS if (folder / f"{s}.jsonl").exists()]
    try:
        found = measure(row for path in paths for _, row in rows_of(path))
    except ModuleNotFoundError as error:
        raise click.UsageError(f'--words needs {error.name}: pip install "gennx[dev]"') from None
    largest = ", ".join(f"{lang} {100 * share:.2f} %" for lang, share in found.largest_skeleton.items())
    click.echo(f"distinct user texts  {found.distinct:,} of {found.requests:,}")
    click.echo(f"commonest skeleton   {largest}")
    click.echo(f"near-duplicates      {100 * found.near_duplicates:.2f} %")
    click.echo(f"names of the API     {100 * found.leaks:.2f} %")
    click.echo(f"wrong particles      {len(found.wrong_particles)}  {', '.join(found.wrong_particles[:8])}".rstrip())


if __name__ == "__main__":
    main()
