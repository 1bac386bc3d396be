# SPDX-License-Identifier: Apache-2.0
"""Definitions in files: one file, a folder, and files that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glance_compat.definitions.sources import read_definitions
from glance_compat.exceptions import InvalidOption
from tests.unit.definitions.namespaces import namespace, schema


def write(folder: Path, **files: Any) -> str:
    for name, document in files.items():
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / f"{name}.json").write_text(text, "utf-8")
    return str(folder)


def test_file_with_one_namespace(tmp_path: Path) -> None:
    write(tmp_path, one=namespace({"p": schema()}))
    found = read_definitions(str(tmp_path / "one.json"))
    assert [one.name for one in found] == ["p"]


def test_folder_of_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        b=namespace({"b": schema()}, "B"),
        a=namespace({"a": schema()}, "A"),
        c=namespace({"c": schema()}, "C", resource_type_associations=[]),
    )
    (tmp_path / "README").write_text("not JSON")
    assert [one.name for one in read_definitions(str(tmp_path))] == ["a", "b"]


@pytest.mark.usefixtures("without_garbage")
def test_malformed_file_is_skipped_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(
        tmp_path,
        good=namespace({"p": schema()}),
        bad="{",
        deep="[" * 100_000,
        big=json.dumps("x" * 2**20),
        same=namespace({"q": schema()}),
        remarks=namespace({"r": schema(pattern="(?=a)"), "s": schema(colour=1)}, "R"),
    )
    for _ in range(2):
        assert [one.name for one in read_definitions(folder)] == ["p", "r", "s"]
    assert [one.getMessage().partition("namespace ")[2] for one in caplog.records] == [
        "'bad.json': it is skipped, because it is not JSON",
        "'big.json': it is skipped, because it has more than 1048576 bytes",
        "'deep.json': it is skipped, because it is not JSON",
        "'remarks.json': the pattern of property 'r' is not checked: it has a group with (?;"
        " unknown keywords are ignored: ['colour']",
        "'same.json': it is skipped, because another one has the same name",
    ]


@pytest.mark.parametrize("name", ["none.json", "one.json", "empty"])
def test_path_without_definitions_is_an_invalid_option(tmp_path: Path, name: str) -> None:
    write(tmp_path, one=namespace({}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidOption, match="option definitions_file") as caught:
        read_definitions(str(tmp_path / name))
    assert name in str(caught.value)
