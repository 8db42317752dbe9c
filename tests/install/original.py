"""Runs the original virt-install, virt-xml and virt-clone many times in one process, for the differential tests.

Started with ``scripts/peer run -- python3 tests/install/original.py``: reads one JSON request a line (``tool``, ``argv``,
``stdin``) and answers one line (``rc``, ``out``, ``err``). Standard library, and the peers' modules only.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from typing import Any

MODULES = {"virt-install": "virtinstall", "virt-xml": "virtxml", "virt-clone": "virtclone"}


def once(request: dict[str, Any]) -> dict[str, Any]:
    """One run, as the program of that name would end."""
    module = importlib.import_module("virtinst." + MODULES[request["tool"]])
    out, err = io.StringIO(), io.StringIO()
    sys.argv = [request["tool"], *request["argv"]]
    before = sys.stdin
    sys.stdin = io.StringIO(request.get("stdin") or "")
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = module.main()
            except SystemExit as end:
                code = end.code
            except Exception as error:
                print(f"ERROR    {error}", file=err)
                code = 1
    finally:
        sys.stdin = before
    return {"rc": int(code or 0), "out": out.getvalue(), "err": err.getvalue()}


def main() -> None:
    sys.path.insert(0, "/usr/share/virt-manager")
    answers = sys.stdout
    for line in sys.stdin:
        answers.write(json.dumps(once(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
