"""The emulator over HTTP: addresses, keys, statuses, limits, files; a short form of the stress run."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
from click.testing import CliRunner

from gennx.emulator import Model
from gennx.emulator import server as server_module
from gennx.emulator.cli import main
from gennx.emulator.files import FolderFiles, MemoryFiles
from gennx.emulator.server import running

ROOT = Path(__file__).resolve().parent.parent
NODE = {"Assign": {"1": {"X": 1.5}}}


class Http:
    """Plain exchanges with a server: status and parsed body."""

    def __init__(self, address: str) -> None:
        self.host = address.split("//")[1].split("/")[0]

    def __call__(
        self, method: str, path: str, body: Any = None, key: str | None = "k", raw: bytes | None = None
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, timeout=20)
        headers = {"Content-Type": "application/json"} | ({"MAPI-Key": key} if key is not None else {})
        connection.request(method, path, raw if raw is not None else json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(data)


@pytest.fixture
def ask() -> Iterator[Http]:
    with running(Model()) as address:
        yield Http(address)


def test_addresses_keys_and_statuses(ask: Http) -> None:
    assert ask("GET", "/health", key=None) == (200, {"status": "ok", "faults": 0})
    status, body = ask("GET", "/mapikey/verify")
    assert status == 200 and body["status"] == "connected" and body["keyVerified"] is True
    assert ask("GET", "/gen/db/NODE", key=None)[0] == 401
    assert ask("GET", "/gen/db/NODE") == (200, {"message": ""})
    assert ask("POST", "/gen/db/node", NODE) == (201, {"NODE": {"1": {"X": 1.5}}})
    assert ask("POST", "/gen/DB/Node", NODE) == (201, {"error": {"message": "Key Already Exist"}})
    assert ask("PUT", "/gen/db/NODE", {"Assign": {"2": {"Y": 2}}})[0] == 200
    assert ask("GET", "/gen/db/NODE/2,1")[1] == {
        "NODE": {"2": {"Y": 2, "X": 0.0, "Z": 0.0}, "1": {"X": 1.5, "Y": 0.0, "Z": 0.0}}
    }
    assert ask("PUT", "/gen/db/NODE/2", {"Assign": {"X": 7}}) == (200, {"NODE": {"2": {"X": 7}}})
    assert ask("DELETE", "/gen/db/NODE/2,9")[1] == {"NODE": {"2": {"Y": 2, "X": 7, "Z": 0.0}}}
    assert ask("DELETE", "/gen/db/NODE", {"Assign": {"1": {}}})[0] == 400  # would empty the table
    assert ask("GET", "/gen/db/NODE/1")[0] == 200
    for path in ("/gen/db/NONE", "/gen/ope/STORPROP", "/civil/db/NODE", "/db/NODE", "/gen/info/db/NONE", "/gen/.."):
        status, body = ask("GET", path)
        assert status == 404 and isinstance(body["error"]["message"], str), path
    assert ask("DELETE", "/gen/db/UNIT/1")[0] == 405 and ask("PATCH", "/gen/db/NODE")[0] == 405
    assert ask("GET", "/gen/info/db/node")[1]["Argument"]["properties"]["X"]["type"] == "number"
    assert ask("GET", "/gen/config/ver")[1]["VER"]["NAME"].startswith("MIDAS GEN NX")
    assert ask("POST", "/gen/ope/MATL_DB/KS01(RC)", {})[0] == 405
    assert "C24" in ask("GET", "/gen/ope/MATL_DB/KS01(RC)")[1]["MATL_DB"]


def test_only_the_given_key_opens(tmp_path: Path) -> None:
    with running(Model(), key="secret") as address:
        ask = Http(address)
        assert ask("GET", "/gen/db/UNIT", key="other") == (401, {"error": {"message": "invalid MAPI-Key"}})
        assert ask("GET", "/gen/db/UNIT", key="secret")[1]["UNIT"]["1"]["DIST"] == "M"


def test_after_exit_the_program_is_gone_until_a_document_is_opened(ask: Http) -> None:
    assert ask("POST", "/gen/doc/EXIT", {"Argument": {}})[0] == 200
    assert ask("GET", "/gen/db/NODE") == (404, {"error": {"message": "client does not exist"}})
    assert ask("GET", "/mapikey/verify")[1]["status"] == "disconnected"
    assert ask("POST", "/gen/doc/NEW", {"Argument": {}}) == (200, {"message": "MIDAS GEN NX command complete"})
    assert ask("GET", "/gen/db/NODE") == (200, {"message": ""})


def test_bodies_that_are_no_bodies(ask: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    for raw in (b"{", b"\xff\xfe", b'{"Assign": NaN}', b"[" * 5000 + b"]" * 5000):
        assert ask("POST", "/gen/db/NODE", raw=raw)[0] == 400
    for raw in (b"", b"[]", b"null", b'{"Assign": []}', b'{"Assign": {"01": {}}}', b'{"Assign": {"1": null}}'):
        assert ask("POST", "/gen/db/NODE", raw=raw) == (201, {"error": {"message": "Wrong Field"}})
    monkeypatch.setattr(server_module, "LARGEST_BODY", 1000)
    assert ask("POST", "/gen/db/NODE", raw=b" " * 5000)[0] == 413
    assert ask("GET", "/health")[1]["faults"] == 0


def test_an_error_of_the_emulator_itself_is_no_500(ask: Http, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(server_module, "respond", lambda *args: 1 / 0)
    assert ask("GET", "/gen/db/NODE") == (200, {"error": {"message": "Unknown Error"}})
    assert ask("GET", "/health")[1]["faults"] == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_files_stay_in_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    with running(Model(files=FolderFiles(folder))) as address:
        ask = Http(address)
        ask("POST", "/gen/db/NODE", NODE)
        for path in ("../../evil.mgb", "/etc/evil.mgb", "C:\\MIDAS\\절점.mgb", "..", "\x00.mgb"):
            assert "command complete" in ask("POST", "/gen/doc/SAVEAS", {"Argument": path})[1]["message"]
        ask("POST", "/gen/doc/NEW", {"Argument": {}})
        ask("POST", "/gen/doc/OPEN", {"Argument": "c:/midas/절점.MGB"})
        assert ask("GET", "/gen/db/NODE/1")[0] == 200
    assert {p.parent for p in tmp_path.rglob("*") if p.is_file()} == {folder}
    assert len(list(folder.iterdir())) == 5 and all(p.name.count("/") == 0 for p in folder.iterdir())
    assert MemoryFiles().read("nothing") is None


def test_design_tables_transactions_and_system_commands(ask: Http) -> None:
    path = "/gen/DESIGN/RC/KDS-41-20-2022/LENG"
    assert ask("POST", path, {"Assign": {"1": {"LY": 3}}}) == (200, {"LENG": {"1": {"LY": 3}}})
    assert ask("PUT", f"{path}", {"Assign": {"1": {"LZ": 2}}})[0] == 200
    assert ask("GET", path.lower() + "/1") == (200, {"LENG": {"1": {"LY": 3, "LZ": 2}}})
    assert ask("PUT", "/gen/DESIGN/RC/DRC", {"Assign": {"1": {"A": 1}}}) == (200, {"DCON": {"1": {"A": 1}}})
    ask("POST", "/gen/ope/TRANSACTION-OPEN", {"Argument": {}})
    ask("POST", "/gen/db/NODE", NODE)
    ask("POST", "/gen/ope/TRANSACTION-CANCEL", {"Argument": {}})
    assert ask("GET", "/gen/db/NODE") == (200, {"message": ""})
    assert ask("GET", "/gen/ope/UTBLTYPES") == (200, {"UTBLTYPES": []})
    assert ask("POST", "/gen/ope/MXTCMDSHELL", {"Argument": "rm -rf /"}) == (200, {"message": ""})
    assert ask("POST", "/gen/ope/LCOM-GEN", {"Argument": {}})[1]["error"]["message"] == "Wrong Field"


def test_every_endpoint_and_method_answers(ask: Http) -> None:
    from gennx.emulator.minimal import minimal_record
    from gennx.schemas import load_catalogue

    catalogue, answered = load_catalogue(), 0
    for tool in catalogue.tools.values():
        if tool.endpoint.uri == "doc/EXIT":
            continue
        ids = [tool.endpoint.path_values[0]] if tool.endpoint.path_parameter is not None else []
        ids = [1] if tool.method == "DELETE" else ids
        record = minimal_record(tool.endpoint.schema)
        body = {"Assign": {"1": record}} if tool.endpoint.is_table else record
        path = "/gen" + tool.url(ids)
        status, answer = ask(tool.method, path, body if tool.method in ("POST", "PUT") else None)
        assert status in (200, 201) and isinstance(answer, dict) and answer, tool.name
        answered += 1
    assert answered == len(catalogue.tools) - 1
    assert ask("GET", "/health")[1]["faults"] == 0


def test_serve_command_and_its_refusals(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    result = CliRunner().invoke(main, ["serve", "--files", str(taken / "below")])
    assert result.exit_code != 0 and "--files" in result.output
    assert CliRunner().invoke(main, ["serve", "--port", "0"]).exit_code == 2
    assert "serve" in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (["requests", "--count", "2500", "--seed", "3"], "500s: 0; problems: 0"),
        (["clients", "--clients", "60", "--seconds", "2"], "lost or wrong: 0"),
    ],
)
def test_stress_in_short_form(command: list[str], wanted: str) -> None:
    started = time.perf_counter()
    script = str(ROOT / "benchmarks" / "emulator.py")
    done = subprocess.run([sys.executable, script, *command], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0 and wanted in done.stdout, done.stdout + done.stderr
    assert time.perf_counter() - started < 60


def test_documentation_holds() -> None:
    """The example of docs/EMULATOR.md runs, and its list of options is that of the command."""
    import re

    text = (ROOT / "docs" / "EMULATOR.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 1
    exec(compile(blocks[0], "docs/EMULATOR.md", "exec"), {})
    usage = re.search(r"`gennx-emulator serve (\[.*\])`", text)
    assert usage is not None
    options = {o for p in main.commands["serve"].params for o in p.opts}
    assert set(re.findall(r"--\w+", usage[1])) == options
