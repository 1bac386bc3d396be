# SPDX-License-Identifier: Apache-2.0
"""create(): every type of data, every attribute, and cleanup after failures."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glance_compat import exceptions
from tests.contract import shape
from tests.contract.shape import DATA, FORMATS, MD5, MD5_OF_NOTHING, extended
from tests.contract.targets import (
    Target,
    everywhere,
    is_usual,
    on_33,
    on_pike,
    on_real,
    only,
)

# ---------------------------------------------------------------------------------------------
# Data.


def a_file(path: Path) -> object:
    path.write_bytes(DATA)
    return path.open("rb")


def the_rest_of_a_file(path: Path) -> object:
    path.write_bytes(b"not of the image" + DATA)
    file = path.open("rb")
    file.seek(len(b"not of the image"))
    return file


def a_pipe(path: Path) -> object:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        file.write(DATA)
    return os.fdopen(reader, "rb")


FORMS: dict[str, Callable[[Path], object]] = {
    "bytes": lambda path: DATA,
    "bytearray": lambda path: bytearray(DATA),
    "memoryview": lambda path: memoryview(DATA),
    "BytesIO": lambda path: io.BytesIO(DATA),
    "file": a_file,
    "the rest of a file": the_rest_of_a_file,
    "pipe": a_pipe,
    "generator": lambda path: (DATA[i : i + 100] for i in range(0, len(DATA), 100)),
    "list": lambda path: [DATA[:7], b"", DATA[7:]],
    "list of views": lambda path: [memoryview(DATA)],
    "no bytes": lambda path: b"",
    "empty file": lambda path: io.BytesIO(),
    "empty iterator": lambda path: iter(()),
}


@contextlib.contextmanager
def opened(form: Callable[[Path], object], folder: Path) -> Iterator[object]:
    """Provide the data; close a file at the end."""
    data = form(folder / "data")
    with contextlib.ExitStack() as stack:
        if isinstance(data, io.IOBase):
            stack.callback(data.close)
        yield data


@everywhere
@pytest.mark.parametrize("form", FORMS)
def test_create_accepts_all_data_types(
    target: Target, name: str, form: str, tmp_path: Path
) -> None:
    expected = b"" if "empty" in form or form == "no bytes" else DATA
    service = target.service()
    with opened(FORMS[form], tmp_path) as data:
        created = service.create(None, {"name": name, **FORMATS}, data=data)
    assert shape.without_times(created) == shape.new_image(
        target.projects["demo"],
        name,
        **FORMATS,
        status="active",
        size=len(expected),
        checksum=hashlib.md5(expected, usedforsecurity=False).hexdigest(),
    )
    assert b"".join(service.download(None, created["id"])) == expected
    assert service.show(None, created["id"]) == created


@pytest.mark.parametrize("declared", [None, 0, len(DATA)])
@pytest.mark.parametrize("form", ["generator", "BytesIO"])
def test_size_and_checksum_may_be_declared(
    target: Target, name: str, form: str, declared: int | None, tmp_path: Path
) -> None:
    # With data, 0 and None mean that the size is unknown.
    meta = {"name": name, **FORMATS, "size": declared, "checksum": MD5}
    with opened(FORMS[form], tmp_path) as data:
        created = target.service().create(None, meta, data=data)
    assert (created["size"], created["checksum"]) == (len(DATA), MD5)


@everywhere
def test_size_0_without_data_makes_an_empty_active_image(target: Target, name: str) -> None:
    service = target.service()
    created = service.create(None, {"name": name, "size": 0})
    assert shape.without_times(created) == shape.new_image(
        target.projects["demo"],
        name,
        **FORMATS,
        status="active",
        checksum=MD5_OF_NOTHING,
    )
    assert service.show(None, created["id"]) == created
    assert b"".join(service.download(None, created["id"])) == b""


def test_nonzero_size_without_data_is_ignored(target: Target, name: str) -> None:
    created = target.service().create(None, {"name": name, "size": 5})
    assert (created["status"], created["size"]) == ("queued", 0)


@everywhere
def test_progress_is_reported(target: Target, name: str) -> None:
    told: list[tuple[int, int | None]] = []
    target.service().create(
        None,
        {"name": name, **FORMATS},
        data=io.BytesIO(DATA),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == sorted(told)
    assert {total for _, total in told} == {len(DATA)}
    assert told[-1] == (len(DATA), len(DATA))


@everywhere
def test_progress_of_unknown_size_has_no_total(target: Target, name: str) -> None:
    told: list[tuple[int, int | None]] = []
    target.service().create(
        None,
        {"name": name, **FORMATS},
        data=iter([DATA, DATA]),
        progress=lambda done, total: told.append((done, total)),
    )
    assert {total for _, total in told} == {None}
    assert told[-1][0] == 2 * len(DATA)


class CancelledError(Exception):
    """An exception class of the caller."""


@everywhere
def test_progress_exception_cancels(target: Target, name: str) -> None:
    def cancel(done: int, total: int | None) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        target.service().create(
            None, {"name": name, **FORMATS}, data=iter([DATA, DATA]), progress=cancel
        )
    assert target.leftovers(name) == []


# ---------------------------------------------------------------------------------------------
# Metadata.


@dataclasses.dataclass(frozen=True)
class Given:
    """Metadata, and the expected result."""

    meta: dict[str, Any]
    shown: dict[str, Any]
    user: str = "demo"


GIVEN = (
    Given(
        {"min_disk": 3, "min_ram": 2147483647, "disk_format": "qcow2", "container_format": "ovf"},
        {"min_disk": 3, "min_ram": 2147483647, "disk_format": "qcow2", "container_format": "ovf"},
    ),
    Given({"disk_format": "ami"}, {"disk_format": "ami", "container_format": "ami"}),
    Given({"is_public": True}, {"is_public": True, "visibility": "public"}, user="admin"),
    Given({"visibility": "public"}, {"is_public": True, "visibility": "public"}, user="admin"),
    Given({"is_public": False}, {"is_public": False}),
    Given({"visibility": "private"}, {"is_public": False}),
    Given({"visibility": "shared"}, {"is_public": False}),
    Given({"visibility": None, "is_public": None}, {"is_public": False}),
    Given({"visibility": "shared", "is_public": False}, {"is_public": False}),
    # On servers without os_hidden no image is hidden.
    Given({"os_hidden": False}, {"is_public": False}),
    Given({"tags": []}, {"is_public": False}),
    Given({"protected": True}, {"protected": True}),
    Given({"protected": False}, {"protected": False}),
    Given({"properties": None}, {"properties": {}}),
    Given({"properties": {"gone": None, "kept": "x"}}, {"properties": {"kept": "x"}}),
    Given(
        {"properties": {"int": 1, "float": 1.5, "bool": True, "text": "None"}},
        {"properties": {"int": "1", "float": "1.5", "bool": "True", "text": "None"}},
    ),
    Given(
        {"properties": {"mappings": [{"virtual": "a"}], "block_device_mapping": '[{"b": null}]'}},
        {"properties": {"mappings": [{"virtual": "a"}], "block_device_mapping": [{"b": None}]}},
    ),
    Given(
        {"properties": {"mappings": "not JSON", "block_device_mapping": "7"}},
        {"properties": {"mappings": "not JSON", "block_device_mapping": "7"}},
    ),
    # Read-only attributes of a whole dict.
    Given(
        {
            "status": "active",
            "deleted": True,
            "deleted_at": None,
            "created_at": "2001-01-01T00:00:00",
            "updated_at": None,
            "virtual_size": None,
            "checksum": None,
        },
        {"status": "queued", "deleted": False, "checksum": None, "virtual_size": None},
    ),
)


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: str(given.meta)[:60])
def test_metadata_is_stored(target: Target, name: str, given: Given) -> None:
    service = target.service(given.user, extended=True)
    created = service.create(None, {"name": name, **given.meta})
    shape.check(created, extended=True)
    assert {**created, **given.shown} == created
    assert service.show(None, created["id"]) == created
    assert service.detail(None, filters={"name": name}) == [created]


@pytest.mark.parametrize("visibility", [None, "private", "shared"])
def test_requested_visibility_is_stored(target: Target, name: str, visibility: str | None) -> None:
    created = target.service().create(None, {"name": name, "visibility": visibility})
    stored = target.record(created["id"])["visibility"]
    # v1 has only is_public; an image that is not public is stored as shared.
    assert stored == ("shared" if target.is_v1 else visibility or "shared")


@pytest.mark.parametrize("is_public", [False, None])
def test_is_public_false_leaves_visibility_to_the_server(
    target: Target, name: str, is_public: bool | None
) -> None:
    created = target.service().create(None, {"name": name, "is_public": is_public})
    assert target.record(created["id"])["visibility"] == "shared"


def test_community_needs_v2(target: Target, name: str) -> None:
    meta = {"name": name, "visibility": "community"}
    if not target.is_v1:
        created = target.service().create(None, meta)
        assert created["is_public"] is False
        assert target.record(created["id"])["visibility"] == "community"
        return
    with target.counting() as exchanges, pytest.raises(exceptions.UnsupportedByVersion) as caught:
        target.service().create(None, meta)
    assert exchanges == []
    assert "v2" in caught.value.needed
    assert "v1" in caught.value.offered


def test_tags_need_v2(target: Target, name: str) -> None:
    meta = {"name": name, "tags": ["b", "a", "a"]}
    if not target.is_v1:
        created = target.service(extended=True).create(None, meta)
        assert extended(created)["tags"] == ["a", "b"]
        return
    with target.counting() as exchanges, pytest.raises(exceptions.UnsupportedByVersion):
        target.service().create(None, meta)
    assert exchanges == []


@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_requested_id_is_used(target: Target, name: str, spelling: Callable[[str], str]) -> None:
    image_id = spelling(str(uuid.uuid4()))
    created = target.service().create(None, {"name": name, "id": image_id})
    assert created["id"] == image_id


def test_admin_sets_the_owner(target: Target, name: str) -> None:
    owner = target.projects["other"]
    created = target.service("admin").create(None, {"name": name, "owner": owner})
    assert created["owner"] == owner
    assert target.service("other").show(None, created["id"]) == created


@pytest.mark.parametrize("length", [255, 256])
def test_name_length_is_limited(target: Target, name: str, length: int) -> None:
    full = name.ljust(length, "x")
    if length == 255:
        assert target.service().create(None, {"name": full})["name"] == full
    else:
        with pytest.raises(exceptions.ImageBadRequest):
            target.service().create(None, {"name": full})


@pytest.mark.parametrize("data", [None, DATA])
def test_callers_dict_is_not_changed(target: Target, name: str, data: bytes | None) -> None:
    meta = {"name": name, **FORMATS, "properties": {"a": None, "b": 1}, "is_public": False}
    before = {**meta, "properties": {"a": None, "b": 1}}
    target.service().create(None, meta, data=data)
    assert meta == before


# ---------------------------------------------------------------------------------------------
# External data.


@on_real
def test_location_makes_image_active(target: Target, name: str, source: str) -> None:
    meta = {"name": name, **FORMATS, "location": f"{source}/data"}
    if target.kind.release == "33":
        # The server has no http store.
        with pytest.raises(exceptions.GlanceCompatError):
            target.service().create(None, meta)
        assert target.leftovers(name) == []
        return
    service = target.service()
    created = service.create(None, meta)
    assert (created["status"], created["size"]) == ("active", len(DATA))
    assert created["properties"] == {}
    assert b"".join(service.download(None, created["id"])) == DATA


@only(lambda kind: kind.name == "pike-v1")
def test_copy_from_copies_data_on_v1(target: Target, name: str, source: str) -> None:
    meta = {"name": name, **FORMATS, "copy_from": f"{source}/data"}
    created = target.service().create(None, meta)
    assert created["status"] in ("queued", "saving", "active")
    assert created["size"] == len(DATA)
    assert created["properties"] == {}


@only(lambda kind: kind.name == "pike-v1")
@pytest.mark.parametrize(
    ("origin", "path", "error"),
    [
        ("copy_from", "/missing", exceptions.NotFound),
        ("location", "/missing", exceptions.NotFound),
        ("copy_from", "file:///etc/passwd", exceptions.Invalid),
        ("location", "file:///etc/passwd", exceptions.Invalid),
    ],
)
def test_refused_source_leaves_no_image(
    target: Target, name: str, source: str, origin: str, path: str, error: type[Exception]
) -> None:
    url = path if path.startswith("file") else f"{source}{path}"
    with pytest.raises(error):
        target.service().create(None, {"name": name, **FORMATS, origin: url})
    assert target.leftovers(name) == []


@only(lambda kind: kind.region is not None and kind.release == "pike")
def test_location_with_wrong_size_is_refused(target: Target, name: str, source: str) -> None:
    meta = {"name": name, **FORMATS, "location": f"{source}/data"}
    for size in (len(DATA) - 1, len(DATA) + 1):
        with pytest.raises(exceptions.IntegrityError):
            target.service().create(None, {**meta, "size": size})
    assert target.leftovers(name) == []
    assert target.service().create(None, {**meta, "size": len(DATA)})["status"] == "active"


@pytest.mark.parametrize("origin", ["location", "copy_from"])
def test_empty_location_is_refused(target: Target, name: str, origin: str) -> None:
    with target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest) as caught:
        target.service().create(None, {"name": name, **FORMATS, origin: ""})
    assert exchanges == []
    assert origin in str(caught.value)


@pytest.mark.parametrize("origin", ["location", "copy_from"])
def test_data_and_source_together_are_refused(target: Target, name: str, origin: str) -> None:
    meta = {"name": name, **FORMATS, origin: "http://127.0.0.1:1/x"}
    image_id = target.make(name=name)
    with target.counting() as exchanges:
        with pytest.raises(exceptions.ImageBadRequest):
            target.service().create(None, meta, data=DATA)
        with pytest.raises(exceptions.ImageBadRequest):
            target.service().update(None, image_id, meta, data=DATA)
    assert exchanges == []


# ---------------------------------------------------------------------------------------------
# Failures.


@dataclasses.dataclass(frozen=True)
class Refused:
    """Invalid metadata.

    :param sent: whether the server refuses it; if False, no request is sent.
    """

    meta: Any
    error: type[exceptions.GlanceCompatError]
    sent: bool = False
    data: bytes | None = None
    user: str = "demo"


UNDASHED = "00000000000040008000000000000000"

REFUSED = (
    Refused({"colour": "red"}, exceptions.ImageBadRequest),
    Refused({"file": "x"}, exceptions.ImageBadRequest),
    Refused([], exceptions.Invalid),
    Refused(None, exceptions.Invalid),
    Refused({"properties": ["a"]}, exceptions.ImageBadRequest),
    Refused({"min_disk": -1}, exceptions.ImageBadRequest),
    Refused({"min_disk": 1.5}, exceptions.ImageBadRequest),
    Refused({"min_disk": ""}, exceptions.ImageBadRequest),
    Refused({"min_ram": "much"}, exceptions.ImageBadRequest),
    Refused({"size": ""}, exceptions.ImageBadRequest),
    Refused({"protected": "maybe"}, exceptions.ImageBadRequest),
    Refused({"min_ram": True}, exceptions.ImageBadRequest),
    Refused({"min_ram": 2147483648}, exceptions.ImageBadRequest, sent=True),
    Refused({"name": 7}, exceptions.ImageBadRequest),
    Refused({"name": b"bytes"}, exceptions.ImageBadRequest),
    Refused({"is_public": "maybe"}, exceptions.ImageBadRequest),
    Refused({"visibility": "secret"}, exceptions.ImageBadRequest, sent=True),
    Refused({"is_public": True, "visibility": "private"}, exceptions.ImageBadRequest),
    Refused({"is_public": False, "visibility": "public"}, exceptions.ImageBadRequest),
    Refused({"disk_format": "punchcard"}, exceptions.ImageBadRequest, sent=True),
    # v1 refuses the request immediately, v2 only the upload of the data.
    Refused(
        {"disk_format": "ami", "container_format": "bare"}, exceptions.ImageBadRequest, sent=True
    ),
    Refused({"id": "not-a-uuid"}, exceptions.Invalid, sent=True),
    Refused({"id": "../images"}, exceptions.Invalid),
    # v1 accepts the id and v2 does not, so the library refuses it.
    Refused({"id": UNDASHED}, exceptions.Invalid, sent=True),
    Refused({"is_public": True}, exceptions.Forbidden, sent=True),
    Refused({"is_public": True, **FORMATS}, exceptions.Forbidden, sent=True, data=DATA),
    Refused({"owner": "somebody-else"}, exceptions.Forbidden, sent=True),
    Refused({"owner": "somebody-else", **FORMATS}, exceptions.Forbidden, sent=True, data=DATA),
    Refused({}, exceptions.ImageBadRequest, sent=True, data=DATA),
    Refused({"disk_format": "raw"}, exceptions.ImageBadRequest, sent=True, data=DATA),
    Refused({"properties": {"visibility": "public"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"owner": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"self": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"locations": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"os_hidden": "true"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"stores": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"is_public": "True"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"deleted": "True"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"copy_from": "http://x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"location": "http://x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"store": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"os_glance_x": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"image_id": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"extra_properties": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"\U0001f600": "x"}}, exceptions.PropertyNotAllowed),
    Refused({"owner": "x" * 256}, exceptions.ImageBadRequest),
    Refused({"properties": {7: "x"}}, exceptions.PropertyNotAllowed),
    Refused({"properties": {"a": b"bytes"}}, exceptions.PropertyNotAllowed),
    Refused(
        {"properties": {f"p{number}": "x" for number in range(129)}},
        exceptions.ImageQuotaExceeded,
        sent=True,
    ),
)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: str(refused.meta)[:60])
def test_refused_metadata_leaves_no_image(target: Target, name: str, refused: Refused) -> None:
    meta = refused.meta
    if isinstance(meta, dict) and "name" not in meta:
        meta = {"name": name, **meta}
    with target.counting() as exchanges, pytest.raises(refused.error) as caught:
        target.service(refused.user).create(None, meta, data=refused.data)
    assert isinstance(caught.value, exceptions.GlanceCompatError)
    if refused.sent:
        assert target.leftovers(name) == []
    else:
        assert exchanges == []


def test_overlong_checksum_is_refused(target: Target, name: str) -> None:
    with pytest.raises(exceptions.GlanceCompatError) as caught:
        target.service().create(None, {"name": name, "checksum": "d" * 33})
    # v2 accepts no checksum.
    expected = exceptions.ImageBadRequest if target.is_v1 else exceptions.UnsupportedByVersion
    assert type(caught.value) is expected
    assert target.leftovers(name) == []
    with pytest.raises(exceptions.IntegrityError):
        target.service().create(None, {"name": name, **FORMATS, "checksum": "d" * 33}, data=DATA)
    assert target.leftovers(name) == []


class _Unreadable(io.RawIOBase):
    def __init__(self, blocks: list[object]) -> None:
        super().__init__()
        self._left = blocks

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> Any:
        block = self._left.pop(0) if self._left else b""
        if isinstance(block, Exception):
            raise block
        return block


def _fails_midway() -> Iterator[bytes]:
    yield DATA
    raise RuntimeError("secret-detail")


def _closed_file() -> object:
    file = io.BytesIO(DATA)
    file.close()
    return file


@dataclasses.dataclass(frozen=True)
class BadData:
    """Data that cannot be read or sent."""

    data: Callable[[], object]
    error: type[exceptions.GlanceCompatError]
    meta: dict[str, Any] = dataclasses.field(default_factory=dict)
    sent: bool = True


BAD_DATA = {
    "text": BadData(lambda: "text", exceptions.Invalid, sent=False),
    "number": BadData(lambda: 7, exceptions.Invalid, sent=False),
    "dict": BadData(lambda: {"a": "b"}, exceptions.Invalid, sent=False),
    "text file": BadData(lambda: io.StringIO("text"), exceptions.Invalid, sent=False),
    "iterator of text": BadData(lambda: iter(["a", "b"]), exceptions.DataSourceError),
    "text after bytes": BadData(lambda: iter([DATA, "b"]), exceptions.DataSourceError),
    "iterator of numbers": BadData(lambda: iter([1, 2]), exceptions.DataSourceError),
    "failing iterator": BadData(_fails_midway, exceptions.DataSourceError),
    "failing at once": BadData(lambda: _Unreadable([OSError("disk")]), exceptions.DataSourceError),
    "failing file": BadData(
        lambda: _Unreadable([DATA, OSError("disk")]), exceptions.DataSourceError
    ),
    "file of text": BadData(lambda: _Unreadable([DATA, "text"]), exceptions.DataSourceError),
    "closed file": BadData(_closed_file, exceptions.GlanceCompatError),
    "short file": BadData(
        lambda: io.BytesIO(DATA), exceptions.DataSourceError, {"size": len(DATA) + 1}, sent=False
    ),
    "long file": BadData(
        lambda: io.BytesIO(DATA), exceptions.DataSourceError, {"size": len(DATA) - 1}, sent=False
    ),
    "short iterator": BadData(
        lambda: iter([DATA]), exceptions.DataSourceError, {"size": len(DATA) + 1}
    ),
    "long iterator": BadData(
        lambda: iter([DATA]), exceptions.DataSourceError, {"size": len(DATA) - 1}
    ),
    "long iterator of blocks": BadData(
        lambda: iter([DATA, DATA]), exceptions.DataSourceError, {"size": len(DATA)}
    ),
    "wrong checksum": BadData(
        lambda: io.BytesIO(DATA), exceptions.IntegrityError, {"checksum": MD5_OF_NOTHING}
    ),
    "wrong checksum of an iterator": BadData(
        lambda: iter([DATA, DATA]), exceptions.IntegrityError, {"checksum": MD5}
    ),
}


@everywhere
@pytest.mark.parametrize("case", BAD_DATA)
def test_refused_data_leaves_no_image(target: Target, name: str, case: str) -> None:
    bad = BAD_DATA[case]
    meta = {"name": name, **FORMATS, **bad.meta}
    with target.counting() as exchanges, pytest.raises(bad.error) as caught:
        target.service().create(None, meta, data=bad.data())
    assert "secret-detail" not in str(caught.value)
    if bad.sent:
        assert target.leftovers(name) == []
    else:
        assert exchanges == []


@everywhere
@pytest.mark.parametrize("data", [None, DATA])
@pytest.mark.parametrize("user", ["demo", "other"])
def test_duplicate_id_is_a_conflict(
    target: Target, name: str, user: str, data: bytes | None
) -> None:
    first = target.service().create(None, {"name": name, **FORMATS}, data=DATA)
    meta = {"name": f"{name} again", **FORMATS, "id": first["id"]}
    with pytest.raises(exceptions.Conflict) as caught:
        target.service(user).create(None, meta, data=data)
    assert caught.value.status == 409
    assert target.service().show(None, first["id"]) == first
    assert b"".join(target.service().download(None, first["id"])) == DATA


def test_refused_create_with_data_is_removed_immediately(target: Target, name: str) -> None:
    service = target.service()
    service.discover()
    meta = {"name": name, **FORMATS, "is_public": True}
    with target.counting() as exchanges, pytest.raises(exceptions.Forbidden):
        service.create(None, meta, data=DATA)
    # The server has responded, so no image can appear later.
    assert len(exchanges) <= 2, exchanges


@on_pike
def test_failed_upload_is_removed(target: Target, name: str) -> None:
    # The server creates the record and refuses the data: qcow2 without a container format.
    with pytest.raises(exceptions.ImageBadRequest) as caught:
        target.service().create(None, {"name": name, "disk_format": "qcow2"}, data=DATA)
    assert caught.value.status == 400
    assert target.leftovers(name) == []


@on_33
def test_data_of_wrong_format_is_unacceptable(target: Target, name: str) -> None:
    meta = {"name": name, "disk_format": "qcow2", "container_format": "bare"}
    with pytest.raises(exceptions.ImageUnacceptable) as caught:
        target.service().create(None, meta, data=DATA)
    assert caught.value.status == 415
    assert target.leftovers(name) == []


@pytest.mark.parametrize("data", [None, DATA])
def test_unknown_store_is_refused(target: Target, name: str, data: bytes | None) -> None:
    meta = {"name": name, **FORMATS, "store": "nowhere"}
    with pytest.raises(exceptions.GlanceCompatError) as caught:
        target.service().create(None, meta, data=data)
    # v1 checks the store immediately; v2 gets it with the data, and Pike's v2 ignores it.
    unsupported = not target.is_v1 and (data is None or target.kind.release == "pike")
    assert isinstance(caught.value, exceptions.UnsupportedByVersion) is unsupported
    assert target.leftovers(name) == []


@only(lambda kind: kind.name == "glance-33")
def test_known_store_is_used(target: Target, name: str) -> None:
    meta = {"name": name, **FORMATS, "store": "slow"}
    created = target.service(extended=True).create(None, meta, data=DATA)
    assert extended(created)["stores"] == ["slow"]
    assert created["properties"] == {}


@only(lambda kind: is_usual(kind) and kind.api == "v2" and kind.release == "pike")
def test_copy_from_is_refused_on_v2(target: Target, name: str) -> None:
    with target.counting() as exchanges, pytest.raises(exceptions.UnsupportedByVersion) as caught:
        target.service().create(None, {"name": name, "copy_from": "http://example.invalid/x"})
    assert exchanges == []
    assert "web-download" in caught.value.needed
    assert target.leftovers(name) == []
