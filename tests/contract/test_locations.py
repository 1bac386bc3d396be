# SPDX-License-Identifier: Apache-2.0
"""download() with allowed_location_schemes: data is read directly from its location.

The embedded server shows the locations that a test sets; the real ones show their own files.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import shutil
import socket
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stevedore

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture
from glance_compat.transfers.locations import GROUP, MOST_LOCATIONS
from glance_compat.transport import retry
from tests.contract import signing
from tests.contract.targets import Target, everywhere

DATA = bytes(range(256)) * 4096
OTHER = DATA[:-1] + b"x"

#: Options of a server that shows locations.
SHOWN = {"show_multiple_locations": True}
ROOT = Path(__file__).parents[2]


class Place:
    """An embedded Glance beside a folder of files."""

    def __init__(self, glance: GlanceFixture, folder: Path) -> None:
        self.glance = glance
        self.folder = folder

    def image(self, *locations: Any, **fields: Any) -> str:
        """Create an image with DATA; its locations are URLs, or names of files in the folder."""
        urls = [f"file://{self.folder}/{one}" if _is_name(one) else one for one in locations]
        given = {"id": "image", "data": DATA, "locations": urls, **fields}
        if urls:
            # The server itself reads the first location.
            first = urls[0]["url"] if isinstance(urls[0], dict) else urls[0]
            self.glance.sources[first] = DATA
            given["stores"] = ()
        self.glance.add_image(given)
        return str(given["id"])

    def file(self, name: str = "file", data: bytes = DATA) -> str:
        """Put a file into the folder."""
        (self.folder / name).write_bytes(data)
        return name

    def service(self, token: str = "token", **options: Any) -> ImageService:
        """Return an ImageService; by default, files in the folder are allowed."""
        allowed = {"allowed_location_schemes": (self.folder.as_uri(),), **options}
        return ImageService(self.glance.session(token), options=Options(**allowed))

    @contextlib.contextmanager
    def asked(self) -> Iterator[list[str]]:
        """Collect the requests: "look" for a GET of the image, "data", or the path."""
        self.glance.requests.clear()
        found: list[str] = []
        yield found
        for request in self.glance.requests:
            path = request.path
            if path.endswith("/file"):
                found.append("data")
            elif "/v2/images/" in path:
                found.append("look")


def _is_name(one: object) -> bool:
    return isinstance(one, str) and ":" not in one


@pytest.fixture(params=["pike", "33"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "images"
    folder.mkdir()
    with GlanceFixture(release=request.param, sockets=False, config=SHOWN) as glance:
        yield Place(glance, folder)


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with retry.without_pauses():
        yield


def read(place: Place, image_id: str = "image", **options: Any) -> bytes:
    return b"".join(place.service(**options).download(None, image_id))


# -- locations that are read


def test_download_from_file_sends_no_data_request(place: Place, tmp_path: Path) -> None:
    place.image(place.file())
    path, file = tmp_path / "target", io.BytesIO()
    told: list[tuple[int, int | None]] = []
    service = place.service()
    with place.asked() as asked:
        found = service.download(
            None, "image", progress=lambda done, total: told.append((done, total))
        )
        assert b"".join(found) == DATA
        service.download(None, "image", dst_path=str(path))
        service.download(None, "image", data=file)
    assert path.read_bytes() == file.getvalue() == DATA
    assert told[-1] == (len(DATA), len(DATA))
    assert asked == ["look"] * 3


def test_file_is_not_read_unless_allowed(place: Place) -> None:
    place.image(place.file(data=OTHER))
    with place.asked() as asked:
        assert read(place, allowed_location_schemes=()) == DATA
    assert asked == ["data"]


def test_direct_url_is_used_without_locations(tmp_path: Path) -> None:
    with GlanceFixture(sockets=False, config={"show_image_direct_url": True}) as glance:
        place = Place(glance, tmp_path)
        place.image(place.file())
        with place.asked() as asked:
            assert read(place) == DATA
    assert asked == ["look"]


@pytest.mark.parametrize("verify", ["auto", "strong", "off"])
@pytest.mark.parametrize("user", ["u:p:member", "u:p:admin"])
def test_direct_download_sends_one_request(place: Place, verify: str, user: str) -> None:
    place.image(place.file(), owner="p")
    service = place.service(user, verify_downloads=verify, check_format=True)
    with place.asked() as asked:
        assert b"".join(service.download(None, "image")) == DATA
    assert asked == ["look"]


def test_first_readable_location_is_used(place: Place) -> None:
    place.file("second")
    place.file("third", OTHER)
    place.image("http://elsewhere.example/image", "rbd://a/b/c/d", "missing", "second", "third")
    with place.asked() as asked:
        assert read(place) == DATA
    assert asked == ["look"]


def test_image_without_checksum_is_read_with_warning(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.image(place.file(data=OTHER), checksum=None, os_hash_algo=None, os_hash_value=None)
    assert read(place) == OTHER
    assert "no checksum" in caplog.text


def test_download_can_be_closed_early(place: Place) -> None:
    place.image(place.file())
    before = len(os.listdir("/proc/self/fd"))
    found = place.service().download(None, "image")
    assert next(found)
    found.close()
    found.close()
    assert len(os.listdir("/proc/self/fd")) == before


# -- damaged data does not fall back to another location


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("data", "modes"),
    [
        (OTHER, ("auto", "strong")),
        (DATA[:-1], ("auto", "strong", "off")),
        (DATA + b"x", ("auto", "strong", "off")),
        (b"", ("auto", "strong", "off")),
        # The file has a tebibyte, but only the size of the image is read.
        (None, ("auto", "strong", "off")),
    ],
    ids=["changed", "short", "long", "empty", "huge"],
)
def test_damaged_file_raises_integrity_error(
    place: Place, data: bytes | None, modes: tuple[str, ...], tmp_path: Path
) -> None:
    place.image(place.file(data=data or b""), "second")
    place.file("second")
    if data is None:
        sparse(place.folder / "file")
    path = tmp_path / "target"
    path.write_bytes(b"old")
    for mode in modes:
        service = place.service(verify_downloads=mode)
        with place.asked() as asked, pytest.raises(exceptions.IntegrityError) as caught:
            service.download(None, "image", dst_path=str(path))
        assert caught.value.image_id == "image"
        assert asked == ["look"]
        assert path.read_bytes() == b"old"


def test_content_is_inspected_if_enabled(place: Place) -> None:
    place.image(place.file(), disk_format="qcow2")
    assert read(place) == DATA
    with place.asked() as asked, pytest.raises(exceptions.ImageUnacceptable):
        read(place, check_format=True)
    assert asked == ["look"]


@pytest.mark.parametrize("good", [True, False])
def test_signatures_are_verified(place: Place, good: bool) -> None:
    properties = signing.properties(DATA if good else OTHER)
    place.image(place.file(), properties=properties)
    service, trusted = place.service(), [signing.root()]
    with signing.configured(), place.asked() as asked:
        found = service.download(None, "image", trusted_certs=trusted)
        if good:
            assert b"".join(found) == DATA
        else:
            with pytest.raises(exceptions.InvalidSignature):
                list(found)
    assert asked == ["look"]


# -- unreadable locations are logged, and the API is used


def missing(place: Place) -> str:
    return "missing"


def outside(place: Place) -> str:
    (place.folder.parent / "secret").write_bytes(OTHER)
    return f"file://{place.folder.parent}/secret"


def above(place: Place) -> str:
    (place.folder.parent / "secret").write_bytes(OTHER)
    return "../secret"


def encoded(place: Place) -> str:
    (place.folder.parent / "secret").write_bytes(OTHER)
    return "%2e%2e%2fsecret"


def link(place: Place) -> str:
    (place.folder.parent / "secret").write_bytes(OTHER)
    (place.folder / "link").symlink_to(place.folder.parent / "secret")
    return "link"


def link_inside(place: Place) -> str:
    place.file("other", OTHER)
    (place.folder / "link").symlink_to("other")
    return "link"


def subfolder(place: Place) -> str:
    (place.folder / "folder").mkdir()
    return "folder"


def fifo(place: Place) -> str:
    os.mkfifo(place.folder / "fifo")
    return "fifo"


def of_another_host(place: Place) -> str:
    place.file("file", OTHER)
    return f"file://user:password@elsewhere.example{place.folder}/file"


def with_control_characters(place: Place) -> str:
    return "a\r\nWARNING forged line\x1b[2J"


def of_no_text(place: Place) -> str:
    return "\ud800"


UNREADABLE: tuple[Callable[[Place], str], ...] = (
    *(missing, outside, above, encoded, link, link_inside, subfolder, fifo),
    *(of_another_host, with_control_characters, of_no_text),
)


@pytest.mark.parametrize("make", UNREADABLE, ids=lambda make: make.__name__)
def test_unreadable_location_falls_back_to_api(
    place: Place, make: Callable[[Place], str], caplog: pytest.LogCaptureFixture
) -> None:
    place.image(make(place))
    with place.asked() as asked, caplog.at_level(logging.DEBUG):
        assert read(place) == DATA
    assert asked == ["look", "data"]
    [record] = [one for one in caplog.records if "cannot be read" in one.getMessage()]
    assert record.levelno == logging.WARNING
    assert "image image" in record.getMessage()
    for never in ("password", "forged", "\n", "\x1b", "secret"):
        assert never not in record.getMessage()


@pytest.mark.parametrize(
    "locations",
    [
        ["swift+https://user:password@keystone.example/v3/container/object"],
        ["http://elsewhere.example/image", "cinder://1", ":", "://", "nothing"],
    ],
)
def test_other_schemes_fall_back_to_api(
    place: Place, locations: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    place.image(*[{"url": one, "metadata": {}} for one in locations])
    with place.asked() as asked, caplog.at_level(logging.DEBUG):
        assert read(place) == DATA
    assert asked == ["look", "data"]
    assert "cannot be read" not in caplog.text
    assert "password" not in caplog.text


def test_download_uses_api_when_locations_are_hidden(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with GlanceFixture(sockets=False) as glance:
        place = Place(glance, tmp_path)
        place.image(place.file(data=OTHER))
        with place.asked() as asked:
            assert read(place) == DATA
    assert asked == ["look", "data"]
    assert caplog.text == ""


def test_download_tries_limited_number_of_locations(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.image(*[f"missing{number}" for number in range(100)], place.file())
    with place.asked() as asked:
        assert read(place) == DATA
    assert asked == ["look", "data"]
    assert caplog.text.count("cannot be read") == MOST_LOCATIONS


# -- images whose data must not be read


@pytest.mark.parametrize("user", ["u:p:member", "u:p:admin"])
@pytest.mark.parametrize("status", ["queued", "saving", "deactivated", "killed"])
def test_direct_download_respects_image_status(place: Place, status: str, user: str) -> None:
    place.image(place.file(data=OTHER), owner="p", status=status)
    refusals = (exceptions.ImageNotActive, exceptions.ImageNotAuthorized)
    # The API decides about such an image; the file is not read.
    with place.asked() as asked, contextlib.suppress(*refusals):
        assert b"".join(place.service(user).download(None, "image")) == DATA
    assert asked[0] == "look"
    assert len(asked) > 1


def test_direct_download_respects_image_visibility(place: Place) -> None:
    place.image(place.file(), owner="p", visibility="private")
    with pytest.raises(exceptions.ImageNotFound):
        place.service("u:another:member").download(None, "image")


@pytest.mark.parametrize("image_id", ["missing", "../image", ""])
def test_missing_image_is_not_found(place: Place, image_id: str) -> None:
    place.image(place.file())
    with pytest.raises((exceptions.ImageNotFound, exceptions.InvalidImageRef)):
        place.service().download(None, image_id)


def test_download_over_v1_requests_no_locations(tmp_path: Path) -> None:
    with GlanceFixture(sockets=False, config=SHOWN) as glance:
        place = Place(glance, tmp_path)
        place.image(place.file(data=OTHER))
        glance.requests.clear()
        assert read(place, prefer="1") == DATA
        assert [(one.method, one.path) for one in glance.requests][-1] == (
            "GET",
            "/v1/images/image",
        )
        assert len([one for one in glance.requests if "/images/" in one.path]) == 1


# -- handlers


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a distribution that registers handlers, as if installed."""
    site = tmp_path_factory.mktemp("site")
    example = ROOT / "docs" / "snippets" / "locations" / "archives.py"
    shutil.copy(example, site / "glance_compat_archives.py")
    (site / "glance_compat_odd.py").write_text(textwrap.dedent(ODD))
    about = site / "odd_handlers-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-handlers\nVersion: 1\n")
    names = ("raises", "late", "breaks", "closes", "counts", "texts", "nothing", "empties")
    lines = [f"{name} = glance_compat_odd:{name}" for name in names]
    lines += ["archive = glance_compat_archives:read", "broken = glance_compat_odd:missing"]
    lines += ["absent = no_such_module:read", "number = glance_compat_odd:NUMBER"]
    lines += ["wants = glance_compat_odd:wants", "rbd = glance_compat_odd:counts"]
    (about / "entry_points.txt").write_text(f"[{GROUP}]\n" + "\n".join(lines) + "\n")
    again = site / "twice-1.dist-info"
    again.mkdir()
    (again / "METADATA").write_text("Metadata-Version: 2.1\nName: twice\nVersion: 1\n")
    (again / "entry_points.txt").write_text(f"[{GROUP}]\nlate = glance_compat_odd:raises\n")
    return site


#: Handlers that violate the protocol, and one that does not.
ODD = """
    from glance_compat.exceptions import InvalidOption

    NUMBER = 1
    CLOSED = []
    SEEN = []


    class Blocks:
        def __init__(self, *blocks):
            self.blocks = iter(blocks)

        def __iter__(self):
            return self

        def __next__(self):
            block = next(self.blocks)
            if isinstance(block, Exception):
                raise block
            return block

        def close(self):
            CLOSED.append(self)
            raise RuntimeError("password")


    def raises(location):
        raise RuntimeError("password")


    def late(location):
        return Blocks(RuntimeError("password"))


    def texts(location):
        return Blocks("text")


    def nothing(location):
        return None


    def empties(location):
        return Blocks(b"", b"", RuntimeError("password"))


    def breaks(location):
        half = bytes(range(256)) * 2048
        return Blocks(half, b"", bytearray(b"\\0"), OSError(5, "Input/output error", "password"))


    def wants(location):
        raise InvalidOption("what it wants")


    def closes(location):
        return Blocks(bytes(range(256)) * 4096)


    def counts(location):
        SEEN.append(location)
        data = memoryview(bytes(range(256)) * 4096)
        return (data[at : at + 1000] for at in range(0, len(data), 1000))
"""


@pytest.fixture
def odd(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Register the module of handlers that violate the protocol, and return it."""
    monkeypatch.syspath_prepend(str(plugins))
    # stevedore caches what it finds, and must neither know the others nor keep these.
    monkeypatch.setattr(stevedore.ExtensionManager, "ENTRY_POINT_CACHE", {})
    __import__("glance_compat_odd")
    module = sys.modules["glance_compat_odd"]
    module.CLOSED.clear()
    module.SEEN.clear()
    return module


def test_example_handler_reads_archive(
    place: Place, odd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGE_ARCHIVES", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "summer.zip", "w") as archive:
        archive.writestr("disk", DATA)
    place.image("archive://summer/disk")
    with place.asked() as asked:
        assert read(place, allowed_location_schemes=("archive",)) == DATA
    assert asked == ["look"]


@pytest.mark.parametrize("name", ["..", "summer/..", "summer/../disk", "winter/disk", "/"])
def test_example_handler_refuses_paths_outside_its_folder(
    place: Place, odd: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGE_ARCHIVES", str(tmp_path))
    place.image(f"archive://{name}")
    with place.asked() as asked:
        assert read(place, allowed_location_schemes=("archive",)) == DATA
    assert asked == ["look", "data"]


def test_location_handler_gets_location_and_entries(place: Place, odd: Any) -> None:
    place.image({"url": "COUNTS://a?b#c", "metadata": {"pool": "x"}})
    allowed = ("counts", place.folder.as_uri())
    assert read(place, allowed_location_schemes=allowed) == DATA
    [location] = odd.SEEN
    assert (location.url, location.image_id, location.size, location.entries) == (
        "COUNTS://a?b#c",
        "image",
        len(DATA),
        ("counts",),
    )
    assert location.metadata["pool"] == "x"


@pytest.mark.parametrize("scheme", ["raises", "texts", "nothing", "empties"])
def test_failing_handler_falls_back_to_api(
    place: Place, odd: Any, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    place.image(f"{scheme}://user:password@host/image")
    expected = ["look", "data"]
    with place.asked() as asked, caplog.at_level(logging.DEBUG):
        assert read(place, allowed_location_schemes=(scheme,)) == DATA
    assert asked == expected
    assert f"a {scheme} location of image image" in caplog.text
    assert "password" not in caplog.text
    assert len(odd.CLOSED) == (scheme in ("texts", "empties"))


def test_log_reports_type_of_invalid_block(
    place: Place, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.image("texts://image")
    assert read(place, allowed_location_schemes=("texts",)) == DATA
    assert "cannot be read: the location handler yielded str, not bytes" in caplog.text


def test_interrupted_handler_falls_back_to_api(
    place: Place, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.image("breaks://user:password@host/image")
    with place.asked() as asked, caplog.at_level(logging.DEBUG):
        found = place.service(allowed_location_schemes=("breaks",)).download(None, "image")
        assert b"".join(found) == DATA
    # A location outside of the server's own stores cannot be read from an offset.
    assert asked == ["look", "data", "data"]
    assert "failed after" in caplog.text
    assert "Input/output error" in caplog.text
    assert "password" not in caplog.text
    assert len(odd.CLOSED) == 1


def test_interrupted_direct_download_continues_over_api(place: Place, odd: Any) -> None:
    own = "file:///var/lib/glance/images/image"
    # The response with the data has the MD5, and the image of Glance 33 has the SHA-512.
    digest = hashlib.sha512(DATA).hexdigest()
    place.image(own, "breaks://image", os_hash_algo="sha512", os_hash_value=digest)
    with place.asked() as asked:
        assert read(place, allowed_location_schemes=("breaks",), extended=True) == DATA
    assert asked == ["look", "data"]
    assert place.glance.requests[-1].headers["Range"] == f"bytes={len(DATA) // 2 + 1}-"


def test_interrupted_handler_raises_after_last_attempt(place: Place, odd: Any) -> None:
    place.image("breaks://image")
    found = place.service(allowed_location_schemes=("breaks",), max_attempts=1)
    with pytest.raises(exceptions.GlanceConnectionFailed) as caught:
        list(found.download(None, "image"))
    assert caught.value.image_id == "image"
    assert "failed after" in str(caught.value)


def test_handler_is_closed_once(place: Place, odd: Any, caplog: pytest.LogCaptureFixture) -> None:
    place.image("closes://image")
    found = place.service(allowed_location_schemes=("closes",)).download(None, "image")
    assert b"".join(found) == DATA
    found.close()
    assert len(odd.CLOSED) == 1
    assert "password" not in caplog.text


def test_handler_overrides_built_in_scheme(place: Place, odd: Any) -> None:
    place.image("rbd://anything")
    with place.asked() as asked:
        assert read(place, allowed_location_schemes=("rbd",), stall_timeout=7) == DATA
    assert asked == ["look"]
    [location] = odd.SEEN
    assert location.entries == ("rbd",)
    assert location.options.stall_timeout == 7


def test_handler_may_refuse_options(place: Place, odd: Any) -> None:
    place.image("wants://image")
    with place.asked() as asked, pytest.raises(exceptions.InvalidOption, match="what it wants"):
        read(place, allowed_location_schemes=("wants",))
    assert asked == ["look"]


@pytest.mark.parametrize("scheme", ["nothing-at-all", "late", "broken", "absent", "number"])
def test_scheme_without_usable_handler_raises_invalid_option(
    place: Place, odd: Any, scheme: str
) -> None:
    # If two packages read one scheme, neither is used.
    place.image(place.file())
    service = place.service(allowed_location_schemes=(place.folder.as_uri(), scheme))
    with place.asked() as asked, pytest.raises(exceptions.InvalidOption) as caught:
        service.download(None, "image")
    assert scheme in str(caught.value)
    assert "data" not in asked


# -- real servers


def folder_of(target: Target) -> str:
    """Return the folder of a real Glance's files, from a location that it shows."""
    image_id = target.make(name="where", data=b"x")
    url: str = target.record(image_id)["direct_url"]
    return url.rpartition("/")[0]


@everywhere
def test_direct_download_works_on_every_server(target: Target, tmp_path: Path) -> None:
    real = target.kind.region is not None
    allowed = folder_of(target) if real else tmp_path.as_uri()
    image_id = target.make(name="direct", data=DATA)
    service = target.service(allowed_location_schemes=(allowed,))
    path = tmp_path / "target"
    with target.counting() as exchanges:
        service.download(None, image_id, dst_path=str(path))
    assert path.read_bytes() == DATA
    asked = [exchange.path.partition("/images/")[2] for exchange in exchanges]
    if target.is_v1:
        # v1 shows no locations, so the image is not fetched.
        assert asked == [image_id]
    elif real:
        assert asked == [image_id]
    else:
        # An embedded server has no files.
        assert asked == [image_id, f"{image_id}/file"]


def test_hosts_in_locations_are_never_contacted() -> None:
    # Both URLs name a host that listens.
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0)
        port = listening.getsockname()[1]
        with GlanceFixture(sockets=False, config=SHOWN) as glance:
            place = Place(glance, Path("/nowhere"))
            place.image(f"file://127.0.0.1:{port}/nowhere/image", f"http://127.0.0.1:{port}/image")
            assert read(place) == DATA
        with pytest.raises(BlockingIOError):
            listening.accept()
