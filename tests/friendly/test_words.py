"""What needs no guest: YAML, the parser, completion in a real bash."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kvasir.cli import kvasir as front
from kvasir.cli.friendly import completion, words
from tests.conftest import PROJECT

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@settings(deadline=None)
@given(DATA)
def test_yaml_is_read_by_another_reader(value: object) -> None:
    assert yaml.safe_load(words.yaml(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "Yes",
        "null",
        "1",
        "1.5",
        "",
        " x",
        "x ",
        "a: b",
        "# x",
        "- x",
        "a\nb",
        "é",
        "0x10",
        "~",
        "2026-11-30",
        "1e3",
        "=",
        "<<",
        "_",
    ],
)
def test_yaml_keeps_text_text(text: str) -> None:
    assert yaml.safe_load(words.yaml({text: [text, {"k": text}]})) == {text: [text, {"k": text}]}


def test_every_word_has_its_options() -> None:
    for word, (where, _) in front.WORDS.items():
        if where:
            options = front.word_parser(word)
            assert isinstance(options, argparse.ArgumentParser) and "run" in options._defaults, word


def test_a_wrong_word_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        front.main(["lanch"])
    assert ended.value.code == 2 and "no command 'lanch'; did you mean 'launch'?" in capsys.readouterr().err


def test_words_load_only_what_they_need() -> None:
    """``list`` starts quickly: nothing of the other words, of asyncio or lxml is loaded."""
    code = "import sys; from kvasir.cli import kvasir; kvasir.main(['-c', 'test:///default', 'list', '--json']); print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert '"name": "test"' in done.stdout
    loaded = done.stdout.splitlines()[-1].split()
    assert not {"asyncio", "lxml", "urllib.request", "kvasir.cli.virt_install", "kvasir.cli.friendly.launch"} & set(
        loaded
    )


def test_what_may_follow() -> None:
    assert completion.following([], "sn", None) == ["snapshot"]
    assert completion.following(["-c", "test:///default"], "sta", None) == ["start"]
    assert completion.following(["stop"], "", "test:///default") == ["test"]
    assert completion.following(["stop", "test"], "", "test:///default") == []
    assert completion.following(["launch"], "deb", None) == ["debian", "debian:12", "debian:13"]
    assert "--snapshot" not in completion.following(["snapshot"], "--", None)
    assert completion.following(["snapshot", "web"], "--r", None) == ["--restore"]


def test_completion_in_bash(tmp_path: Path) -> None:
    tool = tmp_path / "kvasir"
    tool.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT / "src"} exec {sys.executable} -m kvasir.cli.kvasir "$@"\n')
    tool.chmod(0o755)
    script = 'source <(kvasir completion bash); COMP_WORDS=(kvasir -c test:///default start te); COMP_CWORD=4; _kvasir; echo "${COMPREPLY[@]}"'
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "test\n", done.stderr
    for shell in ("zsh", "fish"):
        assert (
            "kvasir completion --words"
            in subprocess.run([str(tool), "completion", shell], capture_output=True, text=True).stdout
        )
