"""Writes build/guide-results.json: for each row of the guide, which tagged test showed it, and how it ended.

A test says which rows it shows with ``@pytest.mark.guide("row-id", ...)``. A row counts as passed only when a test tagged
with it passed and none failed; of a run of some tests, only the rows that it touched are written anew, and a test that was
skipped takes nothing from what another showed.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RANK = {"skipped": 0, "passed": 1, "failed": 2}


def rows_of(item: pytest.Item) -> list[str]:
    """The rows that a test is tagged with, on itself, its class or its module."""
    return [str(row) for mark in item.iter_markers("guide") for row in mark.args]


class GuideResults:
    """Collects the outcomes in the process that the user started (not in xdist's workers)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, str]] = {}

    def note(self, row: str, test: str, outcome: str) -> None:
        known = self.rows.get(row)
        if known is None or RANK[outcome] > RANK[known["outcome"]]:
            self.rows[row] = {"test": test, "outcome": outcome}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        rows = [str(value) for name, value in report.user_properties if name == "guide"]
        final = report.when == "call" or report.outcome != "passed"  # set-up and tear-down count when they fail or skip
        if not rows or not final or str(report.outcome) == "rerun":
            return
        for row in rows:
            self.note(row, report.nodeid, "skipped" if hasattr(report, "wasxfail") else report.outcome)

    def pytest_sessionfinish(self) -> None:
        before = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.path.parent.mkdir(exist_ok=True)
        said = {row: new for row, new in self.rows.items() if new["outcome"] != "skipped" or _alone(new, before.get(row))}
        merged = dict(sorted({**before, **said}.items()))
        self.path.write_text(json.dumps(merged, indent=1) + "\n")


def _alone(skipped: dict[str, str], before: dict[str, str] | None) -> bool:
    """Whether no other test is known to show the row."""
    return before is None or before["outcome"] == "skipped" or before["test"] == skipped["test"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "guide(row, ...): the rows of the guide that the test shows")
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(GuideResults(config.rootpath / "build/guide-results.json"), "guide-results")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties += [("guide", row) for row in rows_of(item)]
