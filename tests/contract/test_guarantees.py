"""docs/guarantees.md names tests that there are."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (?!guarantee|-)(?P<guarantee>.+) \| `(?P<file>tests/\S+\.py)::(?P<test>test_\w+)` \|$", re.M)


def test_every_guarantee_is_shown_by_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text()
    rows = list(ROW.finditer(page))
    assert len(rows) == page.count("\n| ") - page.count("| guarantee | shown by |"), "a row of another form"
    missing = [row["test"] for row in rows if row["test"] not in names_of_tests(ROOT / row["file"])]
    assert missing == []


def names_of_tests(file: Path) -> set[str]:
    """The names of a file's tests."""
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
