# SPDX-License-Identifier: Apache-2.0
"""The argument IMAGE: an id, an href, or an exact name; and commands with several of them."""

from __future__ import annotations

import json
import uuid

import pytest
import yaml

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import as_user, options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

ONE, OTHER = "70a599e0-31e7-49b7-b260-868f441e862b", "11111111-2222-4333-8444-555555555555"
MINE = {"owner": "fixture-project"}


def add(glance: GlanceFixture, name: str, image_id: str | None = None, **fields: object) -> str:
    """Add an image, and return its id."""
    image_id = image_id or str(uuid.uuid4())
    glance.add_image({"id": image_id, "name": name, **MINE, **fields})
    return image_id


def show(glance: GlanceFixture, *references: str) -> Outcome:
    return in_process("show", *references, *options(glance), "-f", "json", "-c", "id")


def shown(glance: GlanceFixture, reference: str) -> str:
    """Return the id of the image that ``show`` finds."""
    outcome = show(glance, reference)
    assert (outcome.code, outcome.err) == (0, "")
    return str(json.loads(outcome.out)["id"])


@pytest.mark.parametrize(
    "name",
    [
        *("ubuntu", "Ubuntu 22.04 (LTS)", "ubuntu/22.04", "..", "a?b#c", "café", "100%", "a:b"),
        *("in:a,b", "x" * 255, "-dash", "detail"),
    ],
)
def test_exact_name_finds_image(glance: GlanceFixture, name: str) -> None:
    image_id = add(glance, name)
    add(glance, f"{name}2"[-255:])
    outcome = in_process("show", *options(glance), "-f", "value", "-c", "id", "--", name)
    assert (outcome.code, outcome.err, outcome.out.strip()) == (0, "", image_id)


def test_id_and_href_find_image(glance: GlanceFixture) -> None:
    image_id = add(glance, "one", ONE)
    for reference in (image_id, f"{glance.url}/v2/images/{image_id}"):
        assert shown(glance, reference) == image_id


def test_id_is_found_before_name(glance: GlanceFixture) -> None:
    add(glance, "one", ONE)
    add(glance, ONE, OTHER)
    assert shown(glance, ONE) == ONE


def test_name_of_the_form_of_an_id_is_found(glance: GlanceFixture) -> None:
    add(glance, OTHER, ONE)
    assert shown(glance, OTHER) == ONE


@pytest.mark.parametrize("reference", ["nothing", OTHER, "../images", "a?b", "x" * 300])
def test_unknown_name_is_image_not_found(glance: GlanceFixture, reference: str) -> None:
    outcome = show(glance, reference)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("ImageNotFound: no image has the id or the name '")
    assert outcome.error.endswith("'; glance-compat list shows the images that you may see")


def test_empty_reference_is_invalid(glance: GlanceFixture) -> None:
    add(glance, "")
    outcome = show(glance, "")
    assert (outcome.code, outcome.out) == (1, "")
    assert "IMAGE is empty" in outcome.error


def test_name_is_not_a_prefix_or_pattern(glance: GlanceFixture) -> None:
    add(glance, "ubuntu")
    for reference in ("ubunt", "Ubuntu", "ubuntu ", "%", "ubunt_"):
        assert show(glance, reference).code == 1


def test_ambiguous_name_is_refused_with_a_table(glance: GlanceFixture) -> None:
    ids = {add(glance, "two\x1b[31m"), add(glance, "two\x1b[31m")}
    outcome = show(glance, "two\x1b[31m")
    assert (outcome.code, outcome.out) == (1, "")
    message, head, *rows = outcome.err.splitlines()
    assert message.startswith("AmbiguousName: 2 images are called 'two\\x1b[31m': pass the id")
    assert head.split() == ["id", "status", "size", "created_at", "visibility", "owner"]
    assert {row.split()[0] for row in rows} == ids
    assert all(row.endswith("fixture-project") for row in rows)
    assert outcome.err.replace("\n", "").isprintable()


def test_table_of_an_ambiguous_name_is_bounded(glance: GlanceFixture) -> None:
    for _ in range(12):
        add(glance, "many")
    outcome = show(glance, "many")
    assert outcome.err.startswith("AmbiguousName: more than 10 images are called 'many'")
    assert len(outcome.err.splitlines()) == 12


def test_hidden_image_is_found_unless_another_has_its_name() -> None:
    with GlanceFixture(fault_injection=False, apis=("v2",), release="33") as glance:
        hidden = add(glance, "one", os_hidden=True)
        assert shown(glance, "one") == hidden
        visible = add(glance, "one")
        assert shown(glance, "one") == visible


def test_locations_are_shown_by_name(glance: GlanceFixture) -> None:
    add(glance, "one")
    argv = ("show", "one", *options(glance), "-f", "json", "-c", "locations")
    assert json.loads(in_process(*argv).out) == {"locations": []}


# ---------------------------------------------------------------------------------------------
# Several images.


@pytest.mark.parametrize("output_format", ["json", "yaml"])
def test_several_images_are_a_list(glance: GlanceFixture, output_format: str) -> None:
    ids = [add(glance, "a"), add(glance, "b")]
    argv = ("show", "b", ids[0], *options(glance), "-c", "id", "-c", "name", "-f", output_format)
    outcome = in_process(*argv)
    assert (outcome.code, outcome.err) == (0, "")
    read = json.loads if output_format == "json" else yaml.safe_load
    assert read(outcome.out) == [{"id": ids[1], "name": "b"}, {"id": ids[0], "name": "a"}]


def test_several_images_follow_each_other_in_a_table(glance: GlanceFixture) -> None:
    ids = [add(glance, "a"), add(glance, "b")]
    outcome = in_process("show", "a", "b", *options(glance), "-c", "id")
    assert outcome.code == 0
    assert [outcome.out.count(one) for one in ids] == [1, 1]
    values = in_process("show", "a", "b", *options(glance), "-f", "value", "-c", "id")
    assert values.out.split() == ids


def test_shell_format_shows_one_image_only(glance: GlanceFixture) -> None:
    outcome = in_process("show", "a", "b", *options(glance), "-f", "shell")
    assert (outcome.code, outcome.out) == (2, "")


def test_missing_image_does_not_hide_the_others(glance: GlanceFixture) -> None:
    ids = [add(glance, "a"), add(glance, "b")]
    outcome = show(glance, "a", "missing", "b")
    assert outcome.code == 1
    assert "'missing'" in outcome.error
    assert [one["id"] for one in json.loads(outcome.out)] == ids
    outcome = show(glance, "missing", "neither")
    assert (outcome.code, json.loads(outcome.out)) == (1, [])


# ---------------------------------------------------------------------------------------------
# delete.


def delete(glance: GlanceFixture, *argv: str) -> Outcome:
    outcome = in_process("delete", *argv)
    assert outcome.out == ""
    return outcome


def left(glance: GlanceFixture) -> set[str]:
    return {one.id for one in glance.images.values() if not one.deleted}


def test_delete_removes_own_images_by_id_and_name(
    glance: GlanceFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, glance, "demo", "fixture-project")
    ids = [add(glance, name) for name in "abc"]
    outcome = delete(glance, ids[0], "b", ids[1], ids[0])
    assert (outcome.code, outcome.err) == (0, "")
    assert left(glance) == {ids[2]}


def test_delete_goes_on_after_a_missing_image(
    glance: GlanceFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, glance, "demo", "fixture-project")
    add(glance, "a"), add(glance, "b")
    kept = add(glance, "kept", protected=True)
    outcome = delete(glance, "a", "missing", kept, "b")
    assert outcome.code == 1
    missing, refused = outcome.err.splitlines()
    assert missing.startswith("ImageNotFound: no image has the id or the name 'missing'")
    assert refused.startswith("ImageNotAuthorized: ")
    assert kept in refused
    assert left(glance) == {kept}


def test_delete_needs_a_name_of_the_own_project(
    glance: GlanceFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, glance, "admin", "fixture-project")
    foreign = add(glance, "ubuntu", owner="somebody", visibility="public")
    outcome = delete(glance, "ubuntu")
    assert outcome.code == 1
    assert "of another project is not meant by its name; pass its id, or --all-projects" in (
        outcome.error
    )
    assert left(glance) == {foreign}
    own = add(glance, "ubuntu")
    assert delete(glance, "ubuntu").code == 0
    assert left(glance) == {foreign}
    assert own not in left(glance)
    assert delete(glance, "ubuntu", "--all-projects").code == 0
    assert left(glance) == set()


def test_delete_by_name_needs_a_known_project(glance: GlanceFixture) -> None:
    image_id = add(glance, "a")
    outcome = delete(glance, "a", *options(glance))
    assert outcome.code == 1
    assert "these credentials do not tell which project that is" in outcome.error
    assert left(glance) == {image_id}
    assert delete(glance, "a", "--all-projects", *options(glance)).code == 0
    assert left(glance) == set()


def test_delete_of_ambiguous_name_deletes_nothing(
    glance: GlanceFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, glance, "demo", "fixture-project")
    ids = {add(glance, "a"), add(glance, "a")}
    outcome = delete(glance, "a")
    assert outcome.code == 1
    assert outcome.err.startswith("AmbiguousName: 2 images are called 'a'")
    assert all(one in outcome.err for one in ids)
    assert left(glance) == ids


def test_delete_by_id_sends_one_request_for_each_image(glance: GlanceFixture) -> None:
    ids = [add(glance, name) for name in "abc"]
    glance.requests.clear()
    outcome = delete(glance, *ids, "-v", *options(glance))
    assert outcome.code == 0
    assert [request.method for request in glance.requests if "images" in request.path] == (
        ["DELETE"] * 3
    )
    assert [line for line in outcome.err.splitlines() if line.startswith("Deleted")] == [
        f"Deleted image {one}" for one in ids
    ]


def test_delete_stops_when_the_token_is_rejected() -> None:
    with GlanceFixture(fault_injection=False, strict_tokens=True) as glance:
        ids = [add(glance, name) for name in "abc"]
        outcome = delete(glance, *ids, *options(glance))
        assert outcome.code == 1
        skipped, error = outcome.err.splitlines()
        assert all(one in skipped for one in ids[1:])
        assert error.startswith("NotAuthenticated: ")
        assert left(glance) == set(ids)


def test_own_images_are_listed(glance: GlanceFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    add(glance, "foreign", owner="somebody", visibility="public")
    add(glance, "mine")
    refused = in_process("list", "--own", *options(glance))
    assert refused.code == 2
    assert "--owner PROJECT" in refused.error
    as_user(monkeypatch, glance, "demo", "fixture-project")
    outcome = in_process("list", "--own", "-f", "value", "-c", "name")
    assert (outcome.code, outcome.out.split()) == (0, ["mine"])
