# SPDX-License-Identifier: Apache-2.0
"""``glance-compat import``, and ``create`` with a URL or with stores."""

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

ONE = "70a599e0-31e7-49b7-b260-868f441e862b"
ADMIN = "admin:fixture-project:admin"
URL = "http://example.org/disk"
SOURCES: dict[str, bytes | int] = {URL: b"the data", "http://example.org/none": 404}


@pytest.fixture
def newest() -> Iterator[GlanceFixture]:
    """Provide a Glance 33 with two stores."""
    with GlanceFixture(
        fault_injection=False, apis=("v2",), release="33", sources=SOURCES
    ) as running:
        yield running


@pytest.fixture(params=["v1", "v2"])
def pike(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide a Glance of Pike with one API."""
    with GlanceFixture(fault_injection=False, apis=(request.param,), sources=SOURCES) as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(b"the data")
    return path


def run(glance: GlanceFixture, *argv: str) -> Outcome:
    return in_process(*argv, *options(glance, ADMIN))


def created(glance: GlanceFixture, *argv: str) -> dict[str, Any]:
    outcome = run(glance, "create", "new", "--disk-format", "raw", "-f", "json", *argv)
    assert (outcome.code, outcome.err) == (0, "")
    image: dict[str, Any] = json.loads(outcome.out)
    return image


def left(glance: GlanceFixture) -> list[str]:
    return [one.id for one in glance.images.values() if not one.deleted]


def test_create_imports_from_url(newest: GlanceFixture) -> None:
    image = created(newest, "--import", URL)
    assert (image["status"], image["container_format"]) == ("active", "bare")
    assert newest.images[image["id"]].data == b"the data"


def test_create_copies_from_url_over_v1(pike: GlanceFixture) -> None:
    if run(pike, "discover", "-f", "value", "-c", "api").out.strip() == "v1":
        assert created(pike, "--import", URL)["status"] == "active"
        return
    outcome = run(pike, "create", "new", "--disk-format", "raw", "--import", URL)
    assert outcome.code == 1
    assert outcome.error.startswith("UnsupportedByVersion: ")
    assert left(pike) == []


def test_failed_import_leaves_no_image(newest: GlanceFixture) -> None:
    argv = ("--disk-format", "raw", "--import", "http://example.org/none")
    outcome = run(newest, "create", "new", *argv)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("ImportFailed: ")
    assert left(newest) == []


@pytest.mark.parametrize(
    ("argv", "stores"),
    [
        (("--store", "slow"), ["slow"]),
        (("--store", "fast", "--store", "slow"), ["fast", "slow"]),
        (("--all-stores",), ["fast", "slow"]),
    ],
)
def test_create_stores_data_in_chosen_stores(
    newest: GlanceFixture, disk: Path, argv: tuple[str, ...], stores: list[str]
) -> None:
    image = created(newest, "--file", str(disk), *argv)
    assert (image["status"], sorted(image["stores"])) == ("active", stores)


@pytest.mark.parametrize("argv", [("--all-stores",), ("--store", "fast", "--store", "slow")])
def test_older_servers_have_no_stores_for_uploads(
    pike: GlanceFixture, disk: Path, argv: tuple[str, ...]
) -> None:
    file = ("--file", str(disk), "--disk-format", "raw")
    outcome = run(pike, "create", "new", *file, *argv)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("UnsupportedByVersion: ")
    assert left(pike) == []


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("create", "new", "--import", URL), "--import needs --disk-format"),
        (("create", "new", "--store", "fast"), "pass --file or --import"),
        (("create", "new", "--all-stores"), "pass --file or --import"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(argv: tuple[str, ...], message: str) -> None:
    outcome = in_process(*argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.error


@pytest.mark.parametrize("formats", [{}, {"disk_format": "iso", "container_format": "bare"}])
def test_import_uploads_data_of_queued_image(
    pike: GlanceFixture, disk: Path, formats: dict[str, str]
) -> None:
    pike.add_image({"id": ONE, "name": "one", "owner": "fixture-project", **formats})
    outcome = run(pike, "import", ONE, "--file", str(disk), "-q")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    image = pike.images[ONE]
    assert (image.status, image.data) == ("active", b"the data")
    assert image.disk_format == formats.get("disk_format", "raw")
    outcome = run(pike, "import", ONE, "--file", str(disk), "-q")
    assert outcome.code == 1
    assert outcome.error == (
        f"ImageNotActive: image {ONE} is active, and only a queued image takes data"
    )


def test_import_copies_data_to_another_store(newest: GlanceFixture, disk: Path) -> None:
    image_id = created(newest, "--file", str(disk), "--store", "slow")["id"]
    outcome = run(newest, "import", image_id, "--store", "nonsense")
    assert outcome.code == 1
    assert outcome.error.startswith("ImageImportImpossible: ")
    outcome = run(newest, "import", image_id, "--store", "fast", "-v")
    assert (outcome.code, outcome.out) == (0, "")
    assert f"The server copies the data of image {image_id}" in outcome.err


@pytest.mark.parametrize("wait", [(), ("--wait",)])
def test_import_reads_url_into_queued_image(newest: GlanceFixture, wait: tuple[str, ...]) -> None:
    image_id = created(newest, "--container-format", "bare")["id"]
    outcome = run(newest, "import", image_id, "--uri", URL, "--all-stores", "-v", *wait)
    assert (outcome.code, outcome.out) == (0, "")
    assert f"data of image {image_id}" in outcome.err.splitlines()[-1]
    image = newest.images[image_id]
    assert (image.status, image.data, sorted(image.stores)) == (
        *("active", b"the data"),
        ["fast", "slow"],
    )


def test_import_copies_from_url_over_v1(pike: GlanceFixture) -> None:
    pike.add_image({"id": ONE, "owner": "fixture-project"})
    outcome = run(pike, "import", ONE, "--uri", URL, "--disk-format", "raw", "--wait")
    image = pike.images[ONE]
    if run(pike, "discover", "-f", "value", "-c", "api").out.strip() == "v1":
        assert (outcome.code, outcome.err) == (0, "")
        assert (image.status, image.data, image.disk_format) == ("active", b"the data", "raw")
    else:
        assert outcome.error.startswith("UnsupportedByVersion: ")
        assert (outcome.code, image.status, image.disk_format) == (1, "queued", None)


def test_failed_import_can_be_repeated(newest: GlanceFixture) -> None:
    image_id = created(newest, "--container-format", "bare")["id"]
    none = "http://example.org/none"
    outcome = run(newest, "import", image_id, "--uri", none, "--wait", "--store", "slow")
    assert outcome.code == 1
    assert outcome.error.startswith("ImportFailed: ")
    assert none in outcome.error
    assert "failed stores: slow" in outcome.error
    assert newest.images[image_id].status == "queued"
    assert run(newest, "import", image_id, "--uri", URL, "--wait").code == 0
    assert newest.images[image_id].data == b"the data"


def test_import_stores_uploaded_data_in_several_stores(newest: GlanceFixture, disk: Path) -> None:
    image_id = str(run(newest, "create", "new", "-f", "value", "-c", "id").out.strip())
    unknown = ("--store", "fast", "--store", "none")
    outcome = run(newest, "import", image_id, "--file", str(disk), "-q", *unknown)
    assert outcome.code == 1
    assert outcome.error.startswith("ImageImportImpossible: there is no store 'none'")
    image = newest.images[image_id]
    assert (image.status, image.disk_format) == ("queued", None)
    several = ("--store", "fast", "--store", "slow")
    outcome = run(newest, "import", image_id, "--file", str(disk), "-q", "--wait", *several)
    assert (outcome.code, outcome.err) == (0, "")
    image = newest.images[image_id]
    assert (image.status, image.data, image.disk_format) == ("active", b"the data", "raw")
    assert sorted(image.stores) == ["fast", "slow"]


def test_import_of_file_into_one_store(newest: GlanceFixture, disk: Path) -> None:
    image_id = created(newest)["id"]
    outcome = run(newest, "import", image_id, "--file", str(disk), "--store", "slow")
    assert (outcome.code, outcome.err) == (0, "")
    assert list(newest.images[image_id].stores) == ["slow"]


@pytest.mark.parametrize("argv", [("--all-stores",), ("--store", "fast", "--store", "slow")])
def test_import_into_stores_is_refused_by_older_servers(
    pike: GlanceFixture, disk: Path, argv: tuple[str, ...]
) -> None:
    pike.add_image({"id": ONE, "owner": "fixture-project"})
    for source in (("--file", str(disk), "-q"), ("--uri", URL, "--disk-format", "raw"), ()):
        outcome = run(pike, "import", ONE, *source, *argv)
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.error.startswith("UnsupportedByVersion: ")
    image = pike.images[ONE]
    assert (image.status, image.disk_format, image.data) == ("queued", None, None)


def test_wait_names_stores_that_fail(newest: GlanceFixture, disk: Path) -> None:
    image_id = created(newest, "--file", str(disk), "--store", "slow")["id"]
    newest.broken_stores.add("fast")
    outcome = run(newest, "import", image_id, "--all-stores", "--wait")
    assert outcome.code == 1
    assert outcome.error.startswith("ImportFailed: ")
    assert "failed stores: fast" in outcome.error
    newest.broken_stores.clear()
    outcome = run(newest, "import", image_id, "--all-stores", "--wait", "-v")
    assert outcome.code == 0
    assert f"Copied the data of image {image_id}" in outcome.err


def test_wait_ends_after_timeout() -> None:
    with GlanceFixture(
        fault_injection=False, apis=("v2",), release="33", sources=SOURCES, task_mode="manual"
    ) as slow:
        image_id = created(slow)["id"]
        argv = ("--uri", URL, "--wait", "--wait-timeout", "0")
        outcome = run(slow, "import", image_id, *argv)
        assert outcome.code == 1
        assert outcome.error.startswith("OutcomeUnknown: ")
        assert "after 0 s (status importing)" in outcome.error
        assert image_id in outcome.error


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "pass --uri or --file for a queued image, --store or --all-stores for an active one"),
        (("--wait",), "pass --uri or --file"),
        (("--uri", URL, "--file", "x"), "not allowed with argument"),
        (("--store", "x", "--all-stores"), "not allowed with argument"),
        (("--uri", URL, "--wait-timeout", "soon"), "must be an integer of at least 0, not 'soon'"),
    ],
)
def test_import_needs_a_source(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], message: str
) -> None:
    outcome = in_process("import", ONE, *argv)
    assert outcome.code == 2
    assert message in outcome.err + capsys.readouterr().err


def test_import_from_url_needs_formats(newest: GlanceFixture) -> None:
    newest.add_image({"id": ONE, "owner": "fixture-project"})
    outcome = run(newest, "import", ONE, "--uri", URL)
    assert outcome.code == 2
    assert "--disk-format is needed, because the image has none" in outcome.error
