"""Both sides of the differential tests: the original in one long-lived process, ours in this one."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.conftest import PROJECT

TOOLS = {"virt-install": "virt_install", "virt-xml": "virt_xml", "virt-clone": "virt_clone"}


class Original:
    """The real tools 4.1, fed with requests."""

    def __init__(self, peers: Path) -> None:
        env = {**os.environ, "KVASIR_PEERS": str(peers), "LC_ALL": "C"}
        command = [str(PROJECT / "scripts/peer"), "run", "--", "python3", str(PROJECT / "tests/install/original.py")]
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, tool: str, argv: list[str], stdin: str = "") -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"tool": tool, "argv": argv, "stdin": stdin}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


def ours(tool: str, argv: list[str], stdin: str = "") -> dict[str, Any]:
    """Our tool in this process, with what it printed and how it ended."""
    module = importlib.import_module("kvasir.cli." + TOOLS[tool])
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdin
    sys.stdin = io.StringIO(stdin)
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = module.main(argv)
            except SystemExit as end:
                code = end.code
    finally:
        sys.stdin = before
    return {"rc": int(code or 0), "out": out.getvalue(), "err": err.getvalue()}


def canonical(text: str) -> str:
    """Documents in one form: what is random named, attributes and unlike siblings in one order (it says nothing here)."""
    text = re.sub(r"<uuid>.*?</uuid>", "<uuid>U</uuid>", text)
    text = re.sub(r"52:54:00:[0-9a-f:]+", "MAC", text)
    root = ET.fromstring(f"<x>{text}</x>")
    lines: list[str] = []
    for kid in root:
        _lines(kid, 0, lines)
    return "\n".join(lines)


def _lines(node: ET.Element, depth: int, lines: list[str]) -> None:
    words = "".join(f" {k}={v!r}" for k, v in sorted(node.attrib.items()))
    value = (node.text or "").strip()
    lines.append(f"{' ' * depth}{node.tag}{words}{': ' + value if value else ''}")
    for kid in sorted(node, key=lambda kid: str(kid.tag)):
        _lines(kid, depth + 1, lines)


def words(line: str) -> tuple[str, list[str]]:
    tool, *argv = shlex.split(line)
    return tool, argv
