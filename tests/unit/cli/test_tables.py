# SPDX-License-Identifier: Apache-2.0
"""Tables fit the terminal, and ids never wrap."""

from __future__ import annotations

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import in_process, sdk_may_warn

pytestmark = sdk_may_warn

ONE = "70a599e0-31e7-49b7-b260-868f441e862b"


@pytest.fixture
def one(glance: GlanceFixture) -> GlanceFixture:
    name = "a name of several words " * 4
    glance.add_image({"id": ONE, "name": name, "owner": "o" * 32, "visibility": "public"})
    return glance


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("argv", [("list",), ("list", "--long"), ("show", ONE)])
def test_table_fits_and_shows_whole_ids(
    one: GlanceFixture, argv: tuple[str, ...], width: int
) -> None:
    outcome = in_process(*argv, *options(one), "--max-width", str(width))
    assert (outcome.code, outcome.err) == (0, "")
    assert f" {ONE} " in outcome.out
    table = [line for line in outcome.out.splitlines() if line[0] in "+|"]
    assert max(map(len, table)) <= width


def test_columns_that_do_not_fit_are_named(one: GlanceFixture) -> None:
    outcome = in_process("list", "--long", *options(one), "--max-width", "60")
    *_, note = outcome.out.splitlines()
    assert note.startswith("Too narrow for: ")
    assert note.endswith("owner, tags (-f json shows all columns)")
    header = outcome.out.splitlines()[1]
    assert [name.strip() for name in header.strip("|").split("|")] == ["id", "name", "status"]


@pytest.mark.parametrize("width", [60, 80, 160])
def test_member_ids_that_no_keystone_has_may_wrap(glance: GlanceFixture, width: int) -> None:
    glance.add_image({"id": ONE, "owner": "fixture-project", "visibility": "shared"})
    for member in ("b" * 64, "a" * 255):
        assert in_process("member", "add", ONE, member, *options(glance)).code == 0
        outcome = in_process("member", "list", ONE, *options(glance), "--max-width", str(width))
        assert outcome.code == 0
        assert len(outcome.out.splitlines()[0]) <= max(width, 64 + 4)
        assert ("status" in outcome.out.splitlines()[1]) == (len(member) == 255 or width > 64)
        wanted = "a" * 36 if len(member) == 255 else member
        assert wanted in outcome.out


def test_narrowest_table_keeps_the_id(one: GlanceFixture) -> None:
    outcome = in_process("list", *options(one), "--max-width", "10")
    assert f"| {ONE} |" in outcome.out
    assert "Too narrow for: name, status" in outcome.out


def test_wide_table_is_left_alone(one: GlanceFixture) -> None:
    outcome = in_process("list", "--long", *options(one))
    assert "Too narrow" not in outcome.out
    assert len({len(line) for line in outcome.out.splitlines()}) == 1
