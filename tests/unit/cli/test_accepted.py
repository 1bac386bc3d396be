# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit`` with findings that are known: ``--baseline`` and ``--ignore``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
IMAGES: list[dict[str, Any]] = [
    {"id": ONE, "name": "my%20image", "properties": {"note": "a%20b"}},
    {"id": TWO, "name": "other%20image"},
]


@pytest.fixture
def encoded() -> Iterator[GlanceFixture]:
    """Provide a Glance with three percent-encoded strings in two images."""
    with GlanceFixture(fault_injection=False, images=IMAGES) as running:
        yield running


def audited(glance: GlanceFixture, *argv: str) -> Outcome:
    return in_process("audit", *argv, *options(glance))


def subjects(outcome: Outcome) -> list[tuple[str, str]]:
    return sorted((one["id"], one["subject"]) for one in json.loads(outcome.out))


ALL = [(ONE, "name"), (ONE, "property note"), (TWO, "name")]


def test_baseline_leaves_what_is_new(encoded: GlanceFixture, tmp_path: Path) -> None:
    before = audited(encoded, "-f", "json")
    assert (before.code, subjects(before)) == (3, ALL)
    baseline = tmp_path / "findings.json"
    baseline.write_text(before.out)
    after = audited(encoded, "-f", "json", "--baseline", str(baseline))
    assert (after.code, after.out) == (0, "[]\n")
    assert "Not shown: 3 findings known from the baseline." in after.err.splitlines()
    encoded.add_image({"id": TWO.replace("2", "3"), "name": "third%20image"})
    after = audited(encoded, "-f", "json", "--baseline", str(baseline))
    assert (after.code, subjects(after)) == (3, [(TWO.replace("2", "3"), "name")])


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ("kind: percent-encoded", []),
        ("kind: null-property", ALL),
        (f"image: {ONE}", [(TWO, "name")]),
        ("property: note", [(ONE, "name"), (TWO, "name")]),
        (f"kind: percent-encoded, image: {TWO}", [(ONE, "name"), (ONE, "property note")]),
    ],
)
def test_accepted_findings_are_not_shown(
    encoded: GlanceFixture, tmp_path: Path, entry: str, left: list[tuple[str, str]]
) -> None:
    path = tmp_path / "accepted.yaml"
    path.write_text(f"- {{{entry}, reason: it was meant so}}\n")
    outcome = audited(encoded, "-f", "json", "--ignore", str(path))
    assert (outcome.code, subjects(outcome)) == (3 if left else 0, left)
    hidden = len(ALL) - len(left)
    noun = "finding" if hidden == 1 else "findings"
    line = f"Not shown: {hidden} {noun} accepted in the file of --ignore."
    assert (line in outcome.err.splitlines()) is (hidden > 0)


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--baseline", "no JSON", "must be the output of audit -f json"),
        ("--baseline", "[" * 100_000, "must be the output of audit -f json"),
        ("--baseline", '[{"id": "x"}]', "must be the output of audit -f json"),
        ("--baseline", "3", "must be the output of audit -f json"),
        ("--ignore", "- [", "is not valid YAML"),
        ("--ignore", "kind: x", "must be a list of entries"),
        ("--ignore", "- kind", "must be a mapping of strings: kind, image, property, reason"),
        ("--ignore", "- {kind: percent-encoded}", "needs reason, and kind, image or property"),
        ("--ignore", "- {reason: x}", "needs reason, and kind, image or property"),
        ("--ignore", "- {kinds: x, reason: x}", "has the unknown key 'kinds'"),
        ("--ignore", "- {kind: percent-coded, reason: x}", "Did you mean percent-encoded?"),
        ("--ignore", "- !!python/object/apply:os.system [x]", "is not valid YAML"),
        ("--ignore", "\udcff", "it is not UTF-8 text"),
    ],
)
def test_file_with_another_content_is_wrong_usage(
    encoded: GlanceFixture, tmp_path: Path, option: str, content: str, message: str
) -> None:
    path = tmp_path / "file"
    path.write_text(content, errors="surrogateescape")
    outcome = audited(encoded, option, str(path))
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.error
    assert not encoded.requests


@pytest.mark.parametrize("option", ["--baseline", "--ignore"])
def test_missing_file_is_wrong_usage(encoded: GlanceFixture, option: str) -> None:
    outcome = audited(encoded, option, "missing")
    assert outcome.code == 2
    assert (
        outcome.error == f"UsageError: cannot read {option} 'missing': No such file or directory"
    )
