"""Files stay under 400 lines, functions under 60: what is longer does more than one thing. Tables are excepted."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TABLES = {
    "tests/golden/guide_cases.py",
    "src/kvasir/cpu/x86_tables.py",
    "src/kvasir/daemon/config_keys.py",
    "src/kvasir/rpc/table.py",
    "src/kvasir/qemu/capability_words.py",
}
FILE_LINES, FUNCTION_LINES = 400, 60
SOURCES = sorted(path for top in ("src", "tests", "benchmarks") for path in (PROJECT / top).rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def longest(tree: ast.AST) -> tuple[int, str]:
    """Lines and name of the longest function, its docstring and its inner functions included."""
    sizes = [(0, "")]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            sizes.append((node.end_lineno - node.lineno + 1, node.name))
    return max(sizes)


@pytest.mark.parametrize("path", [path for path in SOURCES if name(path) not in TABLES], ids=name)
def test_file_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    assert lines < FILE_LINES, f"{name(path)} has {lines} lines"
    size, function = longest(ast.parse(text))
    assert size < FUNCTION_LINES, f"{name(path)}: {function} has {size} lines"


def test_excepted_tables_exist() -> None:
    assert [table for table in TABLES if not (PROJECT / table).exists()] == []
