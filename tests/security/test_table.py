# SPDX-License-Identifier: Apache-2.0
"""The table of attacks names tests that exist, and every test here belongs to an attack."""

from __future__ import annotations

import ast
import typing
from pathlib import Path

from tests.security.table import ATTACKS, Attacker

FOLDER = Path(__file__).parent


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {f"{file.name}::{name}" for name in names if name.startswith("test_")}


def test_table_names_every_test_and_no_other() -> None:
    files = [file for file in FOLDER.glob("test_*.py") if file != Path(__file__)]
    written = set[str]().union(*map(names_in, files))
    assert written
    assert {test for attack in ATTACKS for test in attack.tests} == written


def test_rows_are_complete() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    for attack in ATTACKS:
        assert attack.attacker in typing.get_args(Attacker)
        assert attack.tests
        for text in (attack.attempt, attack.outcome):
            assert text.endswith("."), attack.name
