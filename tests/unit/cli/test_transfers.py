# SPDX-License-Identifier: Apache-2.0
"""``glance-compat create`` and ``save``, over v1 and over v2."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from glance_compat import cli
from glance_compat.cli.app import GlanceCompat
from glance_compat.fixture import GlanceFixture, faults
from tests.unit.cli.conftest import as_user, options
from tests.unit.cli.running import Outcome, Pipe, Terminal, in_process, sdk_may_warn, with_data

pytestmark = sdk_may_warn

QCOW2 = b"QFI\xfb\x00\x00\x00\x03" + bytes(600)
#: More than the bytes that are inspected.
LARGE = os.urandom(1024) * 1200


def create(glance: GlanceFixture, *argv: str) -> Outcome:
    return in_process("create", "new", *argv, *options(glance), "-f", "json")


def created(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0
    image: dict[str, Any] = json.loads(outcome.out)
    return image


def only_image(glance: GlanceFixture) -> Any:
    [image] = [one for one in glance.images.values() if not one.deleted]
    return image


def is_empty(glance: GlanceFixture) -> bool:
    return all(one.deleted for one in glance.images.values())


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(QCOW2)
    return path


# ---------------------------------------------------------------------------------------------
# create.


def test_create_uploads_file_and_says_its_format(glance: GlanceFixture, disk: Path) -> None:
    outcome = create(glance, "--file", str(disk))
    assert outcome.err == "disk_format: qcow2 (the content; --disk-format overrides it)\n"
    image = created(outcome)
    stored = only_image(glance)
    assert (image["id"], image["status"], image["name"]) == (stored.id, "active", "new")
    assert (image["disk_format"], image["container_format"]) == ("qcow2", "bare")
    assert stored.data == QCOW2


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (bytes(1024), "raw"),
        (b"KDMV\x01\x00\x00\x00" + bytes(700), "vmdk"),
        (bytes(0x8000) + b"\x01CD001\x01" + bytes(0x800), "iso"),
        (b"vhdxfile" + bytes(70000), "vhdx"),
        (bytes(510) + b"\x55\xaa", "raw"),
    ],
)
def test_create_detects_format(glance: GlanceFixture, disk: Path, head: bytes, found: str) -> None:
    disk.write_bytes(head)
    assert created(create(glance, "--file", str(disk)))["disk_format"] == found


def test_create_keeps_chosen_formats(glance: GlanceFixture, disk: Path) -> None:
    chosen = ("--disk-format", "vmdk", "--container-format", "ova")
    outcome = create(glance, "--file", str(disk), *chosen)
    assert outcome.err == ""
    image = created(outcome)
    assert (image["disk_format"], image["container_format"]) == ("vmdk", "ova")


@pytest.mark.parametrize("size", [5, len(LARGE)])
def test_create_reads_stdin(glance: GlanceFixture, size: int) -> None:
    data = LARGE[:size]
    argv = ("create", "new", "--file", "-", *options(glance), "-f", "value", "-c", "id", "-q")
    outcome = with_data(*argv, stdin=Pipe(data[:3], data[3:]))
    assert (outcome.code, outcome.err) == (0, "")
    stored = only_image(glance)
    assert (outcome.data.decode().strip(), stored.disk_format) == (stored.id, "raw")
    assert stored.data == data


def test_create_reads_redirected_file_from_its_position(glance: GlanceFixture, disk: Path) -> None:
    with disk.open("rb") as file:
        file.seek(8)
        outcome = with_data("create", "new", "--file", "-", *options(glance), stdin=file)
    assert outcome.code == 0
    assert only_image(glance).data == QCOW2[8:]


def test_create_without_file_does_not_read_stdin(glance: GlanceFixture) -> None:
    unread = Pipe(AssertionError("stdin was read"))
    outcome = with_data("create", "new", *options(glance), stdin=unread)
    assert (outcome.code, outcome.err) == (0, "")
    assert only_image(glance).status == "queued"


ATTRIBUTES = (
    *("--min-disk", "3", "--min-ram", "64", "--protected", "--property", "os_type=linux"),
    *("--property", "a=b=c", "--property", "empty=", "--public"),
)


def test_create_sets_attributes(
    glance: GlanceFixture, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, glance, "admin", "fixture-project")
    image_id = "70a599e0-31e7-49b7-b260-868f441e862b"
    argv = ("create", "new", "--id", image_id, "--file", str(disk), *ATTRIBUTES, "-f", "json")
    image = created(in_process(*argv))
    assert (image["id"], image["min_disk"], image["min_ram"]) == (image_id, 3, 64)
    assert (image["protected"], image["is_public"]) == (True, True)
    assert image["properties"] == {"os_type": "linux", "a": "b=c", "empty": ""}


ONLY_V2 = [("--tag", "t"), ("--community",)]


@pytest.mark.parametrize("argv", ONLY_V2, ids=lambda one: one[0])
def test_create_refuses_what_the_api_lacks(
    glance: GlanceFixture, disk: Path, argv: tuple[str, ...]
) -> None:
    outcome = create(glance, "--file", str(disk), "-q", *argv)
    if any(request.path.startswith("/v2/") for request in glance.requests):
        assert outcome.code == 0
        return
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("UnsupportedByVersion: ")
    assert {request.method for request in glance.requests} == {"GET"}
    assert glance.images == {}


@pytest.mark.parametrize("visibility", ["private", "shared"])
def test_create_sets_visibility(glance: GlanceFixture, visibility: str) -> None:
    image = created(create(glance, f"--{visibility}"))
    assert image["is_public"] is False
    assert image["visibility"] in (visibility, None)


def test_tags_are_set(disk: Path) -> None:
    with GlanceFixture(fault_injection=False, apis=("v2",)) as glance:
        image = created(create(glance, "--file", str(disk), "--tag", "b", "--tag", "a"))
    assert image["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing", None, "No such file or directory"),
        ("", None, "Is a directory"),
        ("empty", b"", "holds no data; leave out --file to create a queued image"),
        ("a\0b", None, "null byte"),
    ],
)
def test_unusable_file_is_named_before_any_request(
    glance: GlanceFixture, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    glance.requests.clear()
    outcome = create(glance, "--file", str(path))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("DataSourceError: ")
    assert words in outcome.error
    assert not glance.requests


@pytest.mark.parametrize(
    ("content", "argv", "words"),
    [
        (b"LUKS\xba\xbe\x00\x01" + bytes(700), (), "luks"),
        (QCOW2, ("--container-format", "ova"), "container ('ova')"),
        (QCOW2, ("--min-disk", "-1"), ""),
        (QCOW2, ("--property", "novalue"), ""),
        (QCOW2, ("--public", "--private"), ""),
        (QCOW2, ("-c", "nonsense"), "there is no column 'nonsense'"),
    ],
)
def test_wrong_usage_creates_nothing(
    glance: GlanceFixture, disk: Path, content: bytes, argv: tuple[str, ...], words: str
) -> None:
    disk.write_bytes(content)
    outcome = create(glance, "--file", str(disk), *argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert not glance.requests


def test_terminal_is_not_read(glance: GlanceFixture) -> None:
    err = io.StringIO()
    app = GlanceCompat(stdout=io.StringIO(), stderr=err, stdin=Terminal())
    assert app.run(["create", "new", "--file", "-", *options(glance)]) == 2
    assert "stdin, but that is a terminal" in err.getvalue()


def test_failed_upload_leaves_no_image(glance: GlanceFixture) -> None:
    broken = Pipe(LARGE, OSError(5, "Input/output error"))
    outcome = with_data("create", "new", "--file", "-", "-q", *options(glance), stdin=broken)
    assert outcome.code == 1
    assert "DataSourceError: the data could not be read" in outcome.err
    assert is_empty(glance)


def test_interrupted_create_leaves_no_image(glance: GlanceFixture) -> None:
    pipe = Pipe(LARGE, LARGE, KeyboardInterrupt())
    outcome = with_data("create", "new", "--file", "-", "-q", *options(glance), stdin=pipe)
    assert (outcome.code, outcome.data) == (130, b"")
    assert outcome.err.splitlines()[-1] == "Interrupted"
    assert is_empty(glance)


# ---------------------------------------------------------------------------------------------
# save.


@pytest.fixture(params=["v1", "v2"])
def stored(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide a Glance with one API, an image with data, and a queued one."""
    images: list[Mapping[str, Any]] = [
        {"name": "disk", "disk_format": "raw", "container_format": "bare", "data": LARGE},
        {"name": "queued"},
    ]
    with GlanceFixture(apis=(request.param,), images=images) as running:
        yield running


def test_save_writes_file(stored: GlanceFixture, tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_text("old")
    outcome = in_process("save", "disk", "--file", str(path), *options(stored))
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert path.read_bytes() == LARGE
    assert [one.name for one in tmp_path.iterdir()] == ["saved"]


@pytest.mark.parametrize("argv", [(), ("--file", "-")])
def test_save_writes_stdout(stored: GlanceFixture, argv: tuple[str, ...]) -> None:
    outcome = with_data("save", "disk", *argv, *options(stored))
    assert (outcome.code, outcome.data, outcome.err) == (0, LARGE, "")


def test_save_does_not_write_to_a_terminal(stored: GlanceFixture) -> None:
    stored.requests.clear()
    err = io.StringIO()
    app = GlanceCompat(stdout=Terminal(), stderr=err)
    assert app.run(["save", "disk", *options(stored)]) == 2
    assert "pass --file FILE" in err.getvalue()
    assert not stored.requests


@pytest.mark.parametrize(
    ("reference", "error"), [("missing", "ImageNotFound"), ("queued", "ImageNotActive")]
)
def test_failed_save_leaves_the_file_as_it_was(
    stored: GlanceFixture, tmp_path: Path, reference: str, error: str
) -> None:
    path = tmp_path / "saved"
    path.write_text("old")
    outcome = in_process("save", reference, "--file", str(path), *options(stored))
    assert outcome.code == 1
    assert outcome.error.startswith(f"{error}: ")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["saved"]


@pytest.mark.slow
@pytest.mark.parametrize("to_file", [True, False])
def test_damaged_data_is_an_error(stored: GlanceFixture, tmp_path: Path, to_file: bool) -> None:
    [image_id] = (one.id for one in stored.images.values() if one.name == "disk")
    for path in (f"v1/images/{image_id}", "images/*/file"):
        stored.faults.add(faults.BodyCorrupted(), "GET", path, times=None)
    saved = tmp_path / "saved"
    argv = ("--file", str(saved)) if to_file else ()
    outcome = with_data("save", "disk", *argv, "-q", *options(stored))
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith("IntegrityError: ")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_file_is_named_as_the_user_did(stored: GlanceFixture, tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "no" / "x", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        for resume in ((), ("--resume",)):
            argv = ("--file", str(path), *resume, *options(stored))
            outcome = in_process("save", "disk", *argv)
            assert outcome.code == 1
            assert outcome.error == f"OutputError: cannot write '{path}': {reason}"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["list", "save"])
def test_full_disk_under_stdout_is_an_error(
    stored: GlanceFixture,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = [command, *(["disk"] if command == "save" else []), *options(stored)]
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert cli.main(argv) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all("No space left on device" in line for line in lines)


def test_save_with_resume_continues_and_names_what_is_left(tmp_path: Path) -> None:
    image = {"name": "disk", "disk_format": "raw", "container_format": "bare", "data": LARGE}
    saved = tmp_path / "saved"
    with GlanceFixture(apis=("v2",), images=[image]) as glance:
        argv = ("save", "disk", "--file", str(saved), "--resume", *options(glance))
        [image_id] = glance.images
        path = f"images/{image_id}/file"
        glance.faults.add(faults.Truncated(after=600_000), "GET", path)
        glance.faults.add(faults.Status(403), "GET", path)
        outcome = in_process(*argv)
        assert outcome.code == 1
        [kept, error] = outcome.err.splitlines()
        assert kept.startswith("The first ")
        assert str(tmp_path) in kept
        assert error.startswith("ImageNotAuthorized: ")
        outcome = in_process(*argv)
        assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
        ranges = [
            one.headers.get("Range") for one in glance.requests if one.path.endswith("/file")
        ]
    assert saved.read_bytes() == LARGE
    assert ranges[-1] is not None
    assert list(tmp_path.iterdir()) == [saved]


def test_save_with_resume_needs_a_file() -> None:
    outcome = in_process("save", "disk", "--resume")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--resume needs --file FILE" in outcome.error
