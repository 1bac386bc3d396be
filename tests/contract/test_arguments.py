# SPDX-License-Identifier: Apache-2.0
"""Invalid arguments, which are refused before any request over either API; and unusual valid
ones."""

from __future__ import annotations

import enum
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session
from oslo_config import cfg

from glance_compat import ImageService, Options, exceptions
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Target, on_each_api

MISSING = "00000000-0000-4000-8000-000000000000"

Call = Callable[[ImageService, Any], object]


class Unspeakable:
    """An object whose ``__repr__`` raises an exception."""

    def __repr__(self) -> str:
        raise LookupError("no text")


class Word(str, enum.Enum):
    """A string whose ``str()`` differs from its value."""

    NAME = "word"


#: A number that Python does not convert to a string.
HUGE = 10**5000


def released() -> memoryview:
    view = memoryview(bytearray(DATA))
    view.release()
    return view


def closed() -> io.BytesIO:
    file = io.BytesIO()
    file.close()
    return file


IDS = (None, "", 7, HUGE, True, b"bytes", ["a"], Unspeakable(), "a/b", "\ud800", "x" * 1025)
TAGS = (None, "", 7, HUGE, True, b"tag", ["tag"], "t" * 256, "\ud800", Unspeakable())
NOT_CALLABLE: tuple[Any, ...] = (5, True, "", [], Unspeakable())
TEXTS = (io.StringIO(), io.TextIOWrapper(io.BytesIO()))

#: For each parameter, a function that passes it, and invalid values.
CANNOT_BE: dict[str, tuple[Call, tuple[Any, ...]]] = {
    "show image_id": (lambda service, value: service.show(None, value), IDS),
    "delete image_id": (lambda service, value: service.delete(None, value), IDS),
    "delete missing_ok": (
        lambda service, value: service.delete(None, MISSING, missing_ok=value),
        ("False", "", None, 0, 1, HUGE, Unspeakable()),
    ),
    "resolve reference": (lambda service, value: service.resolve(None, value), IDS),
    "iter_detail marker": (
        lambda service, value: service.iter_detail(None, marker=value),
        (7, HUGE, b"bytes", Unspeakable(), "a/b", "größe", "x" * 1025),
    ),
    "iter_detail limit": (
        lambda service, value: service.iter_detail(None, limit=value),
        (-1, 1.5, True, "many", [], Unspeakable()),
    ),
    "iter_detail sort_key": (
        lambda service, value: service.iter_detail(None, sort_key=value),
        (7, HUGE, "colour", "x" * 5000, Unspeakable()),
    ),
    "iter_detail sort_dir": (
        lambda service, value: service.iter_detail(None, sort_dir=value),
        (7, HUGE, "up", Unspeakable()),
    ),
    "iter_detail filters": (
        lambda service, value: service.iter_detail(None, {value: "x"}),
        (7, HUGE, "x" * 5000, Unspeakable()),
    ),
    "iter_detail property": (
        lambda service, value: service.iter_detail(None, {"property-p": value}),
        (b"bytes", HUGE, Unspeakable(), "\ud800"),
    ),
    "create image_meta": (
        lambda service, value: service.create(None, value),
        (None, 5, [("name", "x")], {HUGE: "x"}, {Unspeakable(): "x"}, {"name": Unspeakable()}),
    ),
    "create properties": (
        lambda service, value: service.create(None, {"properties": value}),
        ([], {HUGE: "x"}, {"p": HUGE}, {Unspeakable(): "x"}, {"p": Unspeakable()}),
    ),
    "create store": (
        lambda service, value: service.create(None, {"store": value, **FORMATS}, data=DATA),
        ("", " ", " store", "a\nb", "a\rb", "a\0b", 5),
    ),
    "create data": (
        lambda service, value: service.create(None, FORMATS, data=value),
        (5, "text", {}, io.StringIO(), released(), Unspeakable()),
    ),
    "create progress": (
        lambda service, value: service.create(None, FORMATS, data=DATA, progress=value),
        NOT_CALLABLE,
    ),
    "create progress without data": (
        lambda service, value: service.create(None, {}, progress=value),
        NOT_CALLABLE,
    ),
    "update progress": (
        lambda service, value: service.update(None, MISSING, {}, data=DATA, progress=value),
        NOT_CALLABLE,
    ),
    "update purge_props": (
        lambda service, value: service.update(None, MISSING, {}, purge_props=value),
        ("False", "", None, 0, 1, HUGE, Unspeakable()),
    ),
    "download progress": (
        lambda service, value: service.download(None, MISSING, progress=value),
        NOT_CALLABLE,
    ),
    "download dst_path": (
        lambda service, value: service.download(None, MISSING, dst_path=value),
        # open() would treat a number as a file descriptor.
        ("", b"image", b"", 0, 1, False, HUGE, 1.5, [], "a\0b", "\ud800", Unspeakable()),
    ),
    "download data": (
        lambda service, value: service.download(None, MISSING, data=value),
        (5, True, "", b"", [], io.BytesIO, closed(), *TEXTS, Unspeakable()),
    ),
    "download trusted_certs": (
        lambda service, value: service.download(None, MISSING, trusted_certs=value),
        ("abc", 5, [5], [""], [HUGE], [Unspeakable()]),
    ),
    "delete_from_store image_id": (
        lambda service, value: service.delete_from_store(None, value, "fast"),
        IDS,
    ),
    "delete_from_store store": (
        lambda service, value: service.delete_from_store(None, MISSING, value),
        IDS,
    ),
    "copy_to_stores stores": (
        lambda service, value: service.copy_to_stores(None, MISSING, value),
        (
            None,
            5,
            "fast",
            (),
            [],
            [5],
            [""],
            ["fast", None],
            {"fast"},
            iter(["fast"]),
            ["\ud800"],
            ["slow", "slow"],
        ),
    ),
    "hide image_id": (lambda service, value: service.hide(None, value), IDS),
    "successor image_id": (lambda service, value: service.successor(None, value), IDS),
    "supersede old_id": (lambda service, value: service.supersede(None, value, MISSING), IDS),
    "supersede new_id": (
        lambda service, value: service.supersede(None, MISSING, value),
        (*IDS, MISSING),
    ),
    "add_tag tag": (lambda service, value: service.add_tag(None, MISSING, value), TAGS),
    "remove_tag tag": (lambda service, value: service.remove_tag(None, MISSING, value), TAGS),
    "add_member member_id": (
        lambda service, value: service.add_member(None, MISSING, value),
        (*IDS, "m" * 256, "größe"),
    ),
    "remove_member member_id": (
        lambda service, value: service.remove_member(None, MISSING, value),
        (*IDS, "m" * 256, "größe"),
    ),
    "update_member status": (
        lambda service, value: service.update_member(None, MISSING, "a", value),
        (None, "", "perhaps", "Accepted", 5, HUGE, b"accepted", ["accepted"], Unspeakable()),
    ),
}


@on_each_api
@pytest.mark.parametrize("parameter", CANNOT_BE)
def test_invalid_argument_is_refused_without_a_request(target: Target, parameter: str) -> None:
    call, values = CANNOT_BE[parameter]
    service = target.service()
    for value in values:
        with target.counting() as exchanges, pytest.raises(exceptions.Invalid) as caught:
            call(service, value)
        assert exchanges == []
        said = str(caught.value)
        assert said.isprintable()
        assert len(said) < 300


#: Invalid values of the constructor's arguments, by argument; they need no server.
NO_SERVICE: dict[str, tuple[Any, ...]] = {
    "session": (None, 5, Session, Unspeakable()),
    "auth": (5, True, "", "token", NoAuth, Unspeakable()),
    "endpoint_override": (5, "", "image", "file:///", [5], [""], [Unspeakable()], HUGE),
    "region_name": (5, True, b"one", ["one"], HUGE, Unspeakable()),
    "interface": (5, b"public", {"public"}, [None], [5], HUGE, Unspeakable()),
    "service_type": (None, 5, b"image", ["image"], Unspeakable()),
    "service_name": (5, b"glance", Unspeakable()),
    "options": (None, {}, Options, Unspeakable()),
}


@pytest.mark.parametrize("argument", NO_SERVICE)
def test_invalid_constructor_argument_is_refused(argument: str) -> None:
    for value in NO_SERVICE[argument]:
        with pytest.raises(exceptions.InvalidOption) as caught:
            ImageService(**{"session": Session(), argument: value})
        said = str(caught.value)
        assert argument in said
        assert said.isprintable()


@pytest.mark.parametrize("conf", [None, {}, 5, cfg.ConfigOpts], ids=repr)
def test_invalid_configuration_is_refused(conf: Any) -> None:
    with pytest.raises(exceptions.InvalidOption):
        ImageService.from_conf(conf)


@pytest.mark.parametrize("group", [None, "", 5, True, [], "a\nb", Unspeakable()])
def test_invalid_configuration_group_is_refused(group: Any) -> None:
    with pytest.raises(exceptions.InvalidOption):
        ImageService.from_conf(cfg.ConfigOpts(), group)


@on_each_api
def test_read_only_file_is_refused_without_a_request(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"old")
    with (
        path.open("rb") as file,
        target.counting() as exchanges,
        pytest.raises(exceptions.Invalid),
    ):
        target.service().download(None, MISSING, data=file)
    assert exchanges == []
    assert path.read_bytes() == b"old"


UNWRITABLE: dict[str, type[OSError]] = {
    "": IsADirectoryError,
    ".": IsADirectoryError,
    "missing/image": FileNotFoundError,
    "missing/": IsADirectoryError,
    "file/image": NotADirectoryError,
    "file/": NotADirectoryError,
    "n" * 300: OSError,
}


@on_each_api
@pytest.mark.parametrize("name", UNWRITABLE)
def test_unwritable_path_is_refused_without_a_request(
    target: Target, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with target.counting() as exchanges, pytest.raises(UNWRITABLE[name]):
        target.service().download(None, MISSING, dst_path=os.path.join(tmp_path, name))
    assert exchanges == []
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("file", b"old")]


@pytest.mark.parametrize("old", [None, b"old"])
def test_missing_image_leaves_path_unchanged(
    target: Target, tmp_path: Path, old: bytes | None
) -> None:
    path = tmp_path / "image"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(exceptions.ImageNotFound):
        target.service().download(None, MISSING, dst_path=str(path))
    left = [] if old is None else [("image", old)]
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == left


def test_path_object_is_accepted(target: Target, tmp_path: Path) -> None:
    image_id = target.make(name="by path", data=DATA)
    target.service().download(None, image_id, dst_path=tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == DATA


def test_non_contiguous_buffer_is_uploaded(target: Target, name: str) -> None:
    service = target.service()
    created = service.create(None, {"name": name, **FORMATS}, data=memoryview(DATA)[::2])
    assert created["size"] == len(DATA[::2])
    assert b"".join(service.download(None, created["id"])) == DATA[::2]


def test_str_subclass_is_sent_as_its_value(target: Target, name: str) -> None:
    service = target.service()
    meta = {"name": name, "properties": {Word.NAME: Word.NAME}}
    created = service.create(None, meta)
    assert created["properties"] == {"word": "word"}
    image_id = created["id"]
    added = service.add_member(None, image_id, Word.NAME)
    assert (added["member_id"], type(added["member_id"])) == ("word", str)
    assert service.remove_member(None, image_id, Word.NAME) is True


@pytest.mark.parametrize("owner", [None, ""])
def test_default_owner_is_the_callers_project(
    target: Target, name: str, owner: str | None
) -> None:
    created = target.service().create(None, {"name": name, "owner": owner})
    assert created["owner"] == target.projects["demo"]


@pytest.mark.parametrize("data", [None, DATA])
def test_empty_checksum_means_none(target: Target, name: str, data: bytes | None) -> None:
    created = target.service().create(None, {"name": name, "checksum": "", **FORMATS}, data=data)
    assert created["status"] == ("queued" if data is None else "active")
