# SPDX-License-Identifier: Apache-2.0
"""Image data read directly from Ceph: a real cluster, and a stand-in.

Tests that need a cluster run on both; the real one is started if Ceph is installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture
from glance_compat.transfers.locations import Location
from glance_compat.transfers.rbd import BLOCK_BYTES, read_snapshot
from glance_compat.transport import retry
from tests.ceph import READER, Ceph
from tests.ceph.cluster import Cluster, UnavailableError
from tests.ceph.stand_in import StandIn

DATA = bytes(range(256)) * 4096
OTHER = DATA[:-1] + b"x"
ANOTHER_FSID = "01234567-89ab-cdef-0123-456789abcdef"
#: The path of a valid location; ``{fsid}`` stands for the fsid of the cluster.
SHOWN = {"show_multiple_locations": True}
USUAL = "{fsid}/images/image/snap"


@pytest.fixture(params=["stand-in", pytest.param("real", marks=pytest.mark.functional)])
def ceph(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ceph]:
    """Provide a cluster whose modules are the ones that are imported."""
    if request.param == "real":
        found: Ceph = request.getfixturevalue("cluster")
        request.getfixturevalue("cluster").empty()
    else:
        folder = tmp_path / "ceph"
        folder.mkdir()
        found = StandIn(folder)
    monkeypatch.setitem(sys.modules, "rados", found.rados)
    monkeypatch.setitem(sys.modules, "rbd", found.rbd)
    yield found
    assert not found.is_connected()


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with retry.without_pauses():
        yield


def options(ceph: Ceph, *entries: str, **others: Any) -> Options:
    """Return options; by default they allow the first pool."""
    given: dict[str, Any] = {
        "allowed_location_schemes": entries or (f"rbd://{ceph.fsid}/images",),
        "ceph_conf": str(ceph.conf),
        "ceph_user": READER,
        # Short, because a test waits for the timeout.
        "stall_timeout": 1,
        **others,
    }
    return Options(**given)


def location(ceph: Ceph, path: str, *entries: str, **others: Any) -> Location:
    """Return the argument of the handler.

    :param path: the path of the URL; ``{fsid}`` stands for the fsid of the cluster.
    """
    image_id = others.pop("image_id", "image")
    chosen = options(ceph, *entries, **others)
    return Location(
        url="rbd://" + path.replace("{fsid}", ceph.fsid),
        metadata={},
        image_id=image_id,
        size=len(DATA),
        entries=chosen.allowed_location_schemes,
        options=chosen,
    )


def read(ceph: Ceph, path: str = USUAL, *entries: str, **others: Any) -> bytes:
    return b"".join(read_snapshot(location(ceph, path, *entries, **others)))


def refused(ceph: Ceph, path: str, *entries: str, **others: Any) -> OSError:
    with pytest.raises(OSError, match=r".+") as caught:
        read(ceph, path, *entries, **others)
    return caught.value


# -- locations that are read


@pytest.mark.parametrize("size", [1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES + 12345])
def test_snapshot_is_read_in_blocks(ceph: Ceph, size: int) -> None:
    data = (DATA * 10)[:size]
    ceph.put("images", "image", data)
    found = list(read_snapshot(location(ceph, USUAL)))
    assert b"".join(found) == data
    assert {len(one) for one in found[:-1]} <= {BLOCK_BYTES}


def test_empty_snapshot_yields_no_data(ceph: Ceph) -> None:
    ceph.put("images", "image", b"")
    assert read(ceph) == b""


def test_download_reads_snapshot_not_later_data(ceph: Ceph) -> None:
    ceph.put("images", "image", DATA)
    ceph.overwrite("images", "image", OTHER)
    assert read(ceph) == DATA


@pytest.mark.parametrize(
    ("image", "snapshot", "path"),
    [
        ("a b", "\u00fc/%@", "a%20b/%c3%BC%2F%25%40"),
        ("1.2_3-4~5", "snap", "1.2_3-4~5/snap"),
        ("...", "..", ".../.."),
    ],
)
def test_names_are_percent_encoded(ceph: Ceph, image: str, snapshot: str, path: str) -> None:
    ceph.put("images", image, DATA, snapshot)
    assert read(ceph, "{fsid}/images/" + path, image_id=image) == DATA


def test_snapshot_is_found_in_any_allowed_pool(ceph: Ceph) -> None:
    ceph.put("images", "image", DATA)
    ceph.put("volumes", "image", OTHER)
    pools = [f"rbd://{ceph.fsid}/volumes", f"rbd://{ceph.fsid}/images", "rbd"]
    assert read(ceph, USUAL, *pools) == DATA
    assert read(ceph, "{fsid}/volumes/image/snap", *pools, ceph_user="") == OTHER


@pytest.mark.parametrize("seconds", [0.001, 1e300])
def test_read_accepts_extreme_timeouts(ceph: Ceph, seconds: float) -> None:
    ceph.put("images", "image", DATA)
    assert read(ceph, connect_timeout=seconds, stall_timeout=seconds) == DATA


def test_closing_iterator_closes_connection(ceph: Ceph) -> None:
    ceph.put("images", "image", DATA * 10)
    blocks = read_snapshot(location(ceph, USUAL))
    assert not ceph.is_connected()
    assert next(iter(blocks))
    assert ceph.is_connected()
    blocks.close()  # type: ignore[attr-defined]
    assert not ceph.is_connected()


# -- locations that are not read

#: Paths that are not the image's snapshot in the allowed pool; all but the last few are refused
#: before the cluster is contacted. ``{fsid}`` stands for the fsid of the cluster.
HOSTILE = (
    "",
    "/",
    "image",
    "{fsid}",
    "{fsid}/images",
    "{fsid}/images/image",
    "{fsid}/images/image/",
    "{fsid}/images/image/snap/",
    "{fsid}/images/image/snap/more",
    "{fsid}//image/snap",
    "/images/image/snap",
    "{fsid}/images//snap",
    "{fsid}/volumes/image/snap",
    "{fsid}/images2/image/snap",
    "{fsid}/images%00/image/snap",
    "{fsid}/images%2Fimage/snap",
    "{fsid}/images/other/snap",
    "{fsid}/images/image2/snap",
    "{fsid}/images/image@snap/snap",
    "{fsid}/images/image%40snap/snap",
    "{fsid}/images/image%00/snap",
    "{fsid}/images/image%00other/snap",
    "{fsid}/images/volumes%2Fimage/snap",
    "{fsid}/images/other/../image/snap",
    "{fsid}/images/image/snap%00",
    "{fsid}/images/image/%00",
    "{fsid}/images/image/%0a",
    "{fsid}/images/image/%7f",
    "{fsid}/images/image/%ff",
    "{fsid}/images/image/%ed%a0%80",
    "{fsid}/images/image/\ud800",
    "{fsid}/images/\ud800/snap",
    "{fsid}/images/image/%e2%80%ae",
    "{fsid}/images/image/snap%",
    "{fsid}/images/image/snap%4",
    "{fsid}/images/image/sn ap",
    "{fsid}/images/image/snap?x=y",
    "{fsid}/images/image/snap#x",
    "{fsid}/images/image/snap\n",
    "{fsid}/images/image/\u017fnap",
    "user:password@{fsid}/images/image/snap",
    "{fsid}:6789/images/image/snap",
    ANOTHER_FSID + "/images/image/snap",
    "127.0.0.1/images/image/snap",
    "{fsid}/images/image/" + "a/" * 50_000,
    "{fsid}/images/image/" + "%" * 100_000,
)


def nowhere(tmp_path: Path, path: str, **others: Any) -> OSError:
    """Return the error for a location; contacting the cluster would raise another error."""
    return refused(StandIn(tmp_path), path, ceph_conf="/nowhere/ceph.conf", **others)


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: ascii(path)[:60])
def test_disallowed_rbd_location_is_refused(tmp_path: Path, path: str) -> None:
    error = nowhere(tmp_path, path)
    assert error.errno == errno.EPERM
    assert error.strerror in {
        "it is not of the form rbd://fsid/pool/image/snapshot",
        "it is not in an allowed pool",
        "its name is not the id of the image",
    }


@pytest.mark.parametrize("scheme", ["RBD", "rbd+x", "file", "http", " rbd", ""])
def test_other_scheme_is_not_an_rbd_location(tmp_path: Path, scheme: str) -> None:
    chosen = location(StandIn(tmp_path), USUAL)
    other = dataclasses.replace(chosen, url=scheme + chosen.url.removeprefix("rbd"))
    with pytest.raises(PermissionError, match="not of the form"):
        list(read_snapshot(other))


@pytest.mark.parametrize("image_id", ["other", "IMAGE", "", "image ", "../image", "image\0"])
def test_ceph_image_with_another_name_is_rejected(tmp_path: Path, image_id: str) -> None:
    error = nowhere(tmp_path, USUAL, image_id=image_id)
    assert error.strerror == "its name is not the id of the image"


def test_location_in_another_cluster_is_refused(ceph: Ceph) -> None:
    ceph.put("images", "image", DATA)
    error = refused(ceph, f"{ANOTHER_FSID}/images/image/snap", f"rbd://{ANOTHER_FSID}/images")
    assert error.strerror == "it is in another Ceph cluster"


@pytest.mark.parametrize("snapshot", ["nothing", "s" * 10_000, "%20", "image%40snap"])
def test_missing_snapshot_is_an_error(ceph: Ceph, snapshot: str) -> None:
    ceph.put("images", "image", DATA)
    error = refused(ceph, "{fsid}/images/image/" + snapshot)
    assert error.errno == errno.ENOENT
    assert error.strerror == "its snapshot cannot be opened: No such file or directory"


def test_missing_ceph_image_is_an_error(ceph: Ceph) -> None:
    assert refused(ceph, USUAL).errno == errno.ENOENT
    name = "i" * 10_000
    error = refused(ceph, "{fsid}/images/" + name + "/snap", image_id=name)
    assert error.errno == errno.ENAMETOOLONG


def test_missing_pool_is_an_error(ceph: Ceph) -> None:
    error = refused(ceph, "{fsid}/nothing/image/snap", f"rbd://{ceph.fsid}/nothing")
    assert error.strerror == "its pool cannot be opened: No such file or directory"


def test_unreadable_pool_is_an_error(ceph: Ceph) -> None:
    ceph.put("volumes", "image", OTHER)
    error = refused(ceph, "{fsid}/volumes/image/snap", f"rbd://{ceph.fsid}/volumes")
    assert error.strerror == "its snapshot cannot be opened: Operation not permitted"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"ceph_user": "nobody"}, "No such file or directory"),
        ({"ceph_conf": "/nowhere/ceph.conf"}, "No such file or directory"),
        ({"ceph_conf": "/"}, "No such file or directory"),
        ({"ceph_conf": __file__}, "Invalid argument"),
    ],
)
def test_unreachable_cluster_is_an_error(ceph: Ceph, wrong: Mapping[str, str], why: str) -> None:
    ceph.put("images", "image", DATA)
    error = refused(ceph, USUAL, **wrong)
    assert error.strerror == f"the Ceph cluster cannot be reached: {why}"


def test_read_times_out_when_monitor_is_silent(ceph: Ceph) -> None:
    ceph.put("images", "image", DATA)
    with ceph.silent_monitor():
        error = refused(ceph, USUAL, connect_timeout=0.5)
    assert error.errno == errno.ETIMEDOUT
    assert error.strerror == "the Ceph cluster cannot be reached: Connection timed out"


def test_open_times_out_when_storage_is_silent(ceph: Ceph) -> None:
    ceph.put("images", "image", DATA)
    with ceph.silent_storage():
        error = refused(ceph, USUAL)
    assert error.strerror == "its snapshot cannot be opened: Connection timed out"


def test_read_times_out_when_storage_stops_responding(ceph: Ceph) -> None:
    ceph.put("images", "image", DATA * 10)
    blocks = iter(read_snapshot(location(ceph, USUAL)))
    assert len(next(blocks)) == BLOCK_BYTES
    with ceph.silent_storage(), pytest.raises(TimeoutError) as caught:
        next(blocks)
    assert caught.value.strerror == "it cannot be read: Connection timed out"


# -- the cluster of these tests


def test_cluster_without_ceph_names_missing_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="Ceph is not installed: ceph-authtool, ceph-mon"):
        Cluster(tmp_path)


# -- configuration of the operator


@pytest.mark.parametrize("name", ["rados", "rbd"])
def test_missing_ceph_modules_raise_invalid_option(
    ceph: Ceph, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    ceph.put("images", "image", DATA)
    with pytest.raises(exceptions.InvalidOption) as caught:
        read(ceph)
    assert "python3-rados, python3-rbd" in str(caught.value)
    # A location that is not allowed is refused before that.
    assert refused(ceph, "{fsid}/volumes/image/snap").errno == errno.EPERM


def test_rbd_without_allowed_pool_raises_invalid_option(ceph: Ceph) -> None:
    ceph.put("images", "image", DATA)
    with pytest.raises(exceptions.InvalidOption, match="rbd://<fsid>/<pool>"):
        read(ceph, USUAL, "rbd")


# -- downloads


class Place:
    """An embedded Glance beside a cluster."""

    def __init__(self, glance: GlanceFixture, ceph: Ceph) -> None:
        self.glance = glance
        self.ceph = ceph

    def image(self, path: str = USUAL, **fields: Any) -> None:
        """Create an image with DATA and a location."""
        url = "rbd://" + path.replace("{fsid}", self.ceph.fsid)
        # The server itself reads the first location.
        self.glance.sources[url] = DATA
        given = {"id": "image", "data": DATA, "locations": [url], "stores": ()}
        self.glance.add_image({**given, **fields})

    def service(self, **others: Any) -> ImageService:
        return ImageService(self.glance.session("token"), options=options(self.ceph, **others))

    @contextlib.contextmanager
    def asked(self) -> Iterator[list[str]]:
        """Collect the requests for the image: "look" for a GET of the image, or "data"."""
        self.glance.requests.clear()
        found: list[str] = []
        yield found
        for request in self.glance.requests:
            if "/images/image" in request.path:
                found.append("data" if request.path.endswith("/file") else "look")


@pytest.fixture(params=["pike", "33"])
def place(request: pytest.FixtureRequest, ceph: Ceph) -> Iterator[Place]:
    with GlanceFixture(release=request.param, sockets=False, config=SHOWN) as glance:
        yield Place(glance, ceph)


def test_download_from_ceph_sends_no_data_request(place: Place, tmp_path: Path) -> None:
    place.image()
    place.ceph.put("images", "image", DATA)
    path, file = tmp_path / "target", io.BytesIO()
    service = place.service(verify_downloads="strong", check_format=True)
    with place.asked() as asked:
        assert b"".join(service.download(None, "image")) == DATA
        service.download(None, "image", dst_path=str(path))
        service.download(None, "image", data=file)
    assert path.read_bytes() == file.getvalue() == DATA
    assert asked == ["look"] * 3


def test_ceph_is_not_read_unless_allowed(place: Place) -> None:
    place.image()
    place.ceph.put("images", "image", OTHER)
    with place.asked() as asked:
        assert b"".join(place.service(allowed_location_schemes=()).download(None, "image")) == DATA
    assert asked == ["data"]


@pytest.mark.parametrize(
    "data", [OTHER, DATA[:-1], DATA + b"x", b""], ids=["changed", "short", "long", "empty"]
)
def test_corrupt_ceph_data_raises_integrity_error(
    place: Place, data: bytes, tmp_path: Path
) -> None:
    place.image()
    place.ceph.put("images", "image", data)
    with place.asked() as asked, pytest.raises(exceptions.IntegrityError) as caught:
        place.service().download(None, "image", dst_path=str(tmp_path / "target"))
    assert caught.value.image_id == "image"
    assert asked == ["look"]
    assert not (tmp_path / "target").exists()


def test_data_beyond_image_size_is_not_read(place: Place) -> None:
    place.image()
    place.ceph.put("images", "image", DATA + bytes(5 * BLOCK_BYTES))
    told: list[int] = []
    with pytest.raises(exceptions.IntegrityError):
        place.service().download(
            None, "image", data=io.BytesIO(), progress=lambda done, total: told.append(done)
        )
    assert max(told, default=0) <= BLOCK_BYTES


@pytest.mark.parametrize(
    "path",
    [
        "{fsid}/volumes/image/snap",
        "{fsid}/images/elsewhere/snap",
        "{fsid}/images/image/elsewhere",
        ANOTHER_FSID + "/images/image/snap",
        "image",
        "{fsid}/images/image/%00",
        "{fsid}/images/image/\ud800",
    ],
    ids=ascii,
)
def test_unreadable_rbd_location_falls_back_to_api(
    place: Place, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    place.image(path)
    for pool, image in (("images", "image"), ("images", "elsewhere"), ("volumes", "image")):
        place.ceph.put(pool, image, OTHER)
    with place.asked() as asked, caplog.at_level(logging.DEBUG):
        assert b"".join(place.service(ceph_user="").download(None, "image")) == DATA
    assert asked == ["look", "data"]
    [record] = [one for one in caplog.records if "cannot be read" in one.getMessage()]
    assert record.getMessage().startswith(
        "Skipping a rbd location of image image, which cannot be read: it"
    )
    for never in ("volumes", "elsewhere", place.ceph.fsid):
        assert never not in record.getMessage()


def test_silent_cluster_falls_back_to_api(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.image()
    place.ceph.put("images", "image", DATA)
    service = place.service(connect_timeout=1)
    with place.asked() as asked, place.ceph.silent_monitor():
        assert b"".join(service.download(None, "image")) == DATA
    assert asked == ["look", "data"]
    assert "the Ceph cluster cannot be reached: Connection timed out" in caplog.text


def test_interrupted_ceph_download_continues_over_api(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    data = DATA * 10
    place.image(data=data)
    place.glance.sources[f"rbd://{place.ceph.fsid}/images/image/snap"] = data
    place.ceph.put("images", "image", data)
    found = place.service().download(None, "image")
    first = next(found)
    with place.asked() as asked, place.ceph.silent_storage():
        assert first + b"".join(found) == data
    assert asked.count("data") >= 1
    assert f"failed after {BLOCK_BYTES} bytes: it cannot be read" in caplog.text


@pytest.mark.parametrize("entry", ["rbd", None])
def test_incomplete_rbd_setup_raises_invalid_option(
    place: Place, entry: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.image()
    place.ceph.put("images", "image", DATA)
    chosen = {"allowed_location_schemes": (entry,)} if entry else {}
    if entry is None:
        monkeypatch.setitem(sys.modules, "rbd", None)
    with place.asked() as asked, pytest.raises(exceptions.InvalidOption):
        place.service(**chosen).download(None, "image")
    assert asked == ["look"]


def test_v1_download_never_reads_ceph(ceph: Ceph) -> None:
    ceph.put("images", "image", OTHER)
    with GlanceFixture(sockets=False, config=SHOWN) as glance:
        place = Place(glance, ceph)
        place.image()
        assert b"".join(place.service(prefer="1").download(None, "image")) == DATA
