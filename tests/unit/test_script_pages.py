# SPDX-License-Identifier: Apache-2.0
"""docs/script-*.rst: each example runs over both APIs, and so does each command beside it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from glance_compat import ImageService, exceptions
from glance_compat.fixture import ORDINARY_PROJECT, ORDINARY_USER, GlanceFixture, Image
from glance_compat.streams.streams import BLOCK_BYTES
from glance_compat.transport import retry
from tests.contract import signing
from tests.unit.cli.running import clean_environment, in_process, sdk_may_warn
from tests.unit.manual import DOCS, blocks, commands, sections

# openstacksdk itself uses functions that it deprecates.
pytestmark = [sdk_may_warn, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PAGES = ("script-data.rst", "script-images.rst", "script-clouds.rst")
JOBS = {title: text for page in PAGES for title, text in sections(page).items()}
CONNECT = (DOCS / "snippets" / "scripts" / "connect.py").read_text()
DATA = bytes(range(256)) * 1000
FORMATS = {"disk_format": "raw", "container_format": "bare"}
#: Data of more than one block.
MORE = bytes(range(256)) * (3 * BLOCK_BYTES // 256)
AUTH = {
    "password": "any",
    "project_name": ORDINARY_PROJECT,
    "user_domain_id": "default",
    "project_domain_id": "default",
}
URL = "https://images.example/disk.img"
SOURCES: dict[str, bytes | int] = {URL: DATA}
#: Seconds after which a program hangs.
PATIENCE = 120


def glance_of(api: str, **settings: Any) -> GlanceFixture:
    """Return a Glance with one API."""
    if api == "v1":
        return GlanceFixture(("v1",), "mitaka", fault_injection=False, sources=SOURCES, **settings)
    stores = {"enabled_backends": ["fast", "slow"]}
    return GlanceFixture(
        release="33", config=stores, fault_injection=False, sources=SOURCES, **settings
    )


@pytest.fixture(params=["v1", "v2"])
def glance(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide a Glance with each API in turn."""
    with glance_of(request.param) as running:
        yield running


@pytest.fixture
def old_glance() -> Iterator[GlanceFixture]:
    """Provide a Glance with v1."""
    with glance_of("v1") as running:
        yield running


@pytest.fixture
def new_glance() -> Iterator[GlanceFixture]:
    """Provide a Glance with v2."""
    with glance_of("v2") as running:
        yield running


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in a folder with a disk, without the settings of another cloud."""
    clean = clean_environment(tmp_path)
    for name in os.environ.keys() - clean.keys():
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, clean[name])
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "clouds.yaml")
    monkeypatch.setenv("OS_CLOUD", "mycloud")
    monkeypatch.chdir(tmp_path)
    Path("disk.img").write_bytes(DATA)
    return tmp_path


class Script:
    """A script that has connected as the pages show it, and runs their examples.

    :param username: ``admin`` is an administrator.
    """

    def __init__(self, *clouds: GlanceFixture, username: str = ORDINARY_USER) -> None:
        self.glance = clouds[0]
        described = {
            name: {"auth": {**AUTH, "auth_url": one.auth_url, "username": username}}
            for name, one in zip(("mycloud", "othercloud"), clouds, strict=False)
        }
        Path("clouds.yaml").write_text(yaml.safe_dump({"clouds": described}))
        self.names: dict[str, Any] = {}
        exec(CONNECT, self.names)  # noqa: S102 - it is the project's own text

    def run(self, title: str, **names: Any) -> dict[str, Any]:
        """Run the example of a job; return the variables of the script."""
        self.names.update(names)
        for block in blocks(JOBS[title], "python"):
            exec(block, self.names)  # noqa: S102 - it is the project's own text
        return self.names

    def command(self, title: str, number: int, **images: str) -> str:
        """Run a command of a job, and return its output.

        :param images: ids of images by the names that the page gives them.
        """
        argv = shlex.split(commands(JOBS[title])[number])
        assert argv[0] == "glance-compat"
        outcome = in_process(*(images.get(one, one) for one in argv[1:]))
        assert outcome.code == 0, outcome.err
        return outcome.out

    def make(self, **description: Any) -> str:
        """Add an image to the cloud, and return its id."""
        before = set(self.glance.images)
        self.glance.add_image({"name": "server", "data": DATA, **FORMATS, **description})
        [image_id] = set(self.glance.images) - before
        return image_id

    def stored(self, image_id: str) -> Image:
        """Return an image as the server has it."""
        return self.glance.images[image_id]

    @property
    def is_v1(self) -> bool:
        return bool(self.names["images"].discover().api == "v1")


def shell(command: str, folder: Path) -> str:
    """Run a command line with pipes."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/bash", "-eo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_upload_shows_progress(glance: GlanceFixture, capsys: pytest.CaptureFixture[str]) -> None:
    script = Script(glance)
    image = script.run("Upload an image and show the progress")["image"]
    assert (image["status"], script.stored(image["id"]).data) == ("active", DATA)
    assert capsys.readouterr().out.endswith(f"\r{len(DATA)} of {len(DATA)} bytes")
    glance.reset()
    script.command("Upload an image and show the progress", 0)
    [stored] = glance.images.values()
    assert (stored.name, stored.status, stored.data) == ("server", "active", DATA)


def test_download_is_resumed(glance: GlanceFixture) -> None:
    title = "Download an image and resume an interrupted download"
    script = Script(glance)
    image_id = script.make(data=MORE)
    interrupt(script, image_id)
    glance.requests.clear()
    script.run(title, image_id=image_id)
    assert Path("disk.img").read_bytes() == MORE
    sent = [one.headers.get("range") for one in glance.requests if one.headers.get("range")]
    assert len(sent) == (0 if script.is_v1 else 1)
    Path("disk.img").unlink()
    script.command(title, 0)
    assert Path("disk.img").read_bytes() == MORE
    assert sorted(os.listdir()) == ["clouds.yaml", "disk.img"]


def interrupt(script: Script, image_id: str) -> None:
    """Begin to download an image, and keep the part."""

    def stop(received: int, total: int | None) -> None:
        if received > BLOCK_BYTES:
            raise InterruptedError

    Path("disk.img").write_bytes(b"before")
    with pytest.raises(InterruptedError):
        script.names["images"].download(image_id, dst_path="disk.img", resume=True, progress=stop)
    assert Path("disk.img").read_bytes() == b"before"


def test_images_are_downloaded_side_by_side(
    glance: GlanceFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(glance)
    ids = [script.make(data=bytes([number]) * 1000) for number in range(6)]
    script.make(data=None)
    Path(f"{ids[0]}.img").write_bytes(b"what was there")
    script.run("Download four images side by side")
    for number, image_id in enumerate(ids):
        assert Path(f"{image_id}.img").read_bytes() == bytes([number]) * 1000
    assert len(list(Path().glob("*.img"))) == len(ids) + 1
    assert capsys.readouterr().out == ""


def test_failed_download_is_named_beside_others(
    glance: GlanceFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(glance)
    kept = script.make()
    lost = script.make(checksum="0" * 32)
    with retry.without_pauses():
        script.run("Download four images side by side")
    assert Path(f"{kept}.img").read_bytes() == DATA
    assert not Path(f"{lost}.img").exists()
    assert capsys.readouterr().out.startswith(f"{lost}: ")


@pytest.mark.slow
def test_command_downloads_side_by_side(new_glance: GlanceFixture, folder: Path) -> None:
    script = Script(new_glance)
    ids = [script.make(data=bytes([number]) * 1000) for number in range(3)]
    [command] = commands(JOBS["Download four images side by side"])
    shell(command, folder)
    for number, image_id in enumerate(ids):
        assert Path(f"{image_id}.img").read_bytes() == bytes([number]) * 1000


def test_signature_is_verified(glance: GlanceFixture) -> None:
    title = "Verify the signature of an image"
    script = Script(glance)
    with signing.configured():
        root = signing.root()
        signed = script.make(properties=signing.properties(DATA))
        forged = script.make(properties=signing.properties(b"other data"))
        Path("disk.img").unlink()
        with pytest.raises(exceptions.InvalidSignature):
            script.run(title, image_id=forged, certificate_id=root)
        with pytest.raises(exceptions.SignatureUnusable):
            script.run(title, image_id=script.make(), certificate_id=root)
        assert not Path("disk.img").exists()
        script.run(title, image_id=signed, certificate_id=root)
    assert Path("disk.img").read_bytes() == DATA


def test_newest_image_is_found(glance: GlanceFixture) -> None:
    title = "Find the newest image of a distribution"
    script = Script(glance)
    assert script.run(title)["newest"] is None
    ubuntu = {"properties": {"os_distro": "ubuntu"}, "visibility": "public"}
    times = [datetime(2026, 3, day, tzinfo=timezone.utc) for day in (2, 3, 1)]
    ids = [script.make(created_at=one, **ubuntu) for one in times]
    script.make(properties={"os_distro": "ubuntu"})
    script.make(visibility="public", properties={"os_distro": "debian"})
    assert script.run(title)["newest"]["id"] == ids[1]
    assert ids[1] in script.command(title, 0)
    assert ids[0] not in script.command(title, 0)


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_walk_fetches_page_by_page(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    title = "Walk 100,000 images without holding them"
    with glance_of(api, page_cap=2) as glance:
        script = Script(glance)
        ids = [script.make() for _ in range(5)]
        glance.requests.clear()
        walk = script.names["images"].iter_detail()
        next(walk)
        one_page = len(glance.requests)
        script.run(title)
        # The first page alone, and then three of them.
        assert len(glance.requests) - one_page > one_page
        assert capsys.readouterr().out == f"{5 * len(DATA)} bytes\n"
        rows = script.command(title, 0).splitlines()[1:]
        assert {row.split(",")[0].strip('"') for row in rows} == set(ids)


def test_tags_are_added_and_removed(new_glance: GlanceFixture) -> None:
    script = Script(new_glance)
    image_id, other = script.make(tags=["testing"]), script.make(name="other")
    names = script.run("Tag an image", image_id=image_id)
    assert [one["id"] for one in names["tagged"]] == [image_id]
    assert script.stored(image_id).tags == ["production"]
    names["images"].remove_tag(image_id, "production")
    script.command("Tag an image", 0)
    assert script.stored(image_id).tags == ["production"]
    listed = script.command("Tag an image", 1)
    assert image_id in listed
    assert other not in listed
    script.command("Tag an image", 2)
    assert script.stored(image_id).tags == []


@pytest.mark.parametrize("title", ["Tag an image", "Deactivate an image", "Hide an old image"])
def test_v1_refuses_what_it_does_not_have(old_glance: GlanceFixture, title: str) -> None:
    script = Script(old_glance)
    old, new = script.make(), script.make()
    before = script.stored(old)
    with pytest.raises(exceptions.UnsupportedByVersion):
        script.run(title, image_id=old, old_id=old, new_id=new)
    assert script.stored(old) == before


def test_v1_refuses_stores(old_glance: GlanceFixture) -> None:
    with pytest.raises(exceptions.UnsupportedByVersion):
        Script(old_glance).run("Choose the stores of an image")
    assert old_glance.images == {}


def test_properties_are_set_and_unset(glance: GlanceFixture) -> None:
    title = "Set and unset properties"
    script = Script(glance)
    image_id = script.make(properties={"os_version": "1", "kept": "yes"})
    script.run(title, image_id=image_id)
    after = {"os_distro": "ubuntu", "kept": "yes"}
    assert script.stored(image_id).properties == after
    script.names["images"].update(image_id, {"properties": {"kept": "yes", "os_version": "1"}})
    script.command(title, 0)
    assert script.stored(image_id).properties == {**after, "os_version": "1"}
    script.command(title, 1)
    assert script.stored(image_id).properties == after


def test_image_is_shared(glance: GlanceFixture, capsys: pytest.CaptureFixture[str]) -> None:
    title = "Share an image with a project"
    script = Script(glance)
    image_id = script.make()
    script.run(title, image_id=image_id, project_id="wonderland")
    status = None if script.is_v1 else "pending"
    assert capsys.readouterr().out == f"wonderland {status}\n"
    script.names["images"].remove_member(image_id, "wonderland")
    script.command(title, 0)
    assert "wonderland" in script.command(title, 1)
    assert list(script.stored(image_id).members) == ["wonderland"]
    of_another = script.make(owner="another", visibility="public")
    with pytest.raises(exceptions.ImageNotAuthorized):
        script.run(title, image_id=of_another, project_id="wonderland")


def test_project_accepts_shared_image(glance: GlanceFixture) -> None:
    script = Script(glance)
    image_id = script.make()
    script.names["images"].add_member(image_id, "wonderland")
    session = glance.session("alice:wonderland:member")
    member = ImageService(session, endpoint_override=glance.url).bound()
    if script.is_v1:
        with pytest.raises(exceptions.UnsupportedByVersion):
            member.update_member(image_id, "wonderland", "accepted")
    else:
        assert member.detail({"member_status": "accepted"}) == []
        member.update_member(image_id, "wonderland", "accepted")
        [accepted] = member.detail({"member_status": "accepted"})
        assert accepted["id"] == image_id
    assert [one["id"] for one in member.detail()] == [image_id]


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_only_shared_images_have_members(new_glance: GlanceFixture, visibility: str) -> None:
    script = Script(new_glance)
    with pytest.raises(exceptions.ImageNotAuthorized):
        script.run(
            "Share an image with a project",
            image_id=script.make(visibility=visibility),
            project_id="wonderland",
        )


def test_old_image_is_hidden(new_glance: GlanceFixture) -> None:
    title = "Hide an old image"
    script = Script(new_glance)
    old, new = script.make(name="old"), script.make(name="new")
    assert script.run(title, old_id=old, new_id=new)["newest"]["id"] == new
    assert [one["id"] for one in script.names["images"].detail()] == [new]
    for number in (0, 1):
        script.names["images"].unhide(old)
        script.command(title, number)
        assert script.stored(old).os_hidden


def test_image_is_deactivated(new_glance: GlanceFixture) -> None:
    title = "Deactivate an image"
    script = Script(new_glance)
    image_id = script.make()
    script.run(title, image_id=image_id)
    assert script.stored(image_id).status == "active"
    script.command(title, 0)
    assert script.stored(image_id).status == "deactivated"
    with pytest.raises(exceptions.ImageNotAuthorized):
        script.names["images"].download(image_id, dst_path="disk.img")
    script.command(title, 1)
    assert script.stored(image_id).status == "active"


def make_of_ages(script: Script) -> tuple[str, set[str]]:
    """Add an image that is old enough to be deleted, and others; return their ids."""
    now = datetime.now(timezone.utc)
    then, purpose = now - timedelta(days=91), {"purpose": "ci"}
    others = {
        script.make(created_at=now - timedelta(days=89), properties=purpose),
        script.make(created_at=then),
        script.make(created_at=then, properties=purpose, owner="another", visibility="public"),
    }
    return script.make(created_at=then, properties=purpose), others


def kept(glance: GlanceFixture) -> set[str]:
    return {image_id for image_id, image in glance.images.items() if not image.deleted}


def test_old_images_are_deleted(glance: GlanceFixture, capsys: pytest.CaptureFixture[str]) -> None:
    title = "Delete images by age"
    script = Script(glance)
    old, others = make_of_ages(script)
    protected = script.make(
        created_at=datetime(2020, 1, 1, tzinfo=timezone.utc),
        properties={"purpose": "ci"},
        protected=True,
    )
    listed = script.command(title, 0)
    assert {one for one in {old, protected} | others if one in listed} == {old, protected}
    capsys.readouterr()
    script.run(title)
    assert kept(glance) == {*others, protected}
    assert capsys.readouterr().out.startswith(f"{protected}: ")


@pytest.mark.slow
def test_command_deletes_old_images(new_glance: GlanceFixture, folder: Path) -> None:
    old, others = make_of_ages(Script(new_glance))
    command = commands(JOBS["Delete images by age"])[1]
    shell(command, folder)
    assert kept(new_glance) == others
    # Without an image, nothing is deleted and nothing fails.
    shell(command, folder)
    assert old not in kept(new_glance)


def test_image_is_imported(glance: GlanceFixture) -> None:
    title = "Import an image from a URL"
    script = Script(glance)
    image = script.run(title)["image"]
    assert (image["status"], script.stored(image["id"]).data) == ("active", DATA)
    glance.reset()
    script.command(title, 0)
    [stored] = glance.images.values()
    assert (stored.name, stored.status, stored.data) == ("server", "active", DATA)
    glance.reset()
    glance.sources[URL] = 404
    with pytest.raises((exceptions.ImportFailed, exceptions.ImageBadRequest)):
        script.run(title)
    assert kept(glance) == set()


def test_stores_are_chosen(new_glance: GlanceFixture, capsys: pytest.CaptureFixture[str]) -> None:
    title = "Choose the stores of an image"
    script = Script(new_glance, username="admin")
    image_id = script.run(title)["image"]["id"]
    assert capsys.readouterr().out.splitlines()[0].startswith("fast ")
    assert stores_of(script, image_id) == {"fast", "slow"}
    new_glance.reset()
    assert "slow" in script.command(title, 0)
    script.command(title, 1)
    [image_id] = new_glance.images
    assert stores_of(script, image_id) == {"fast"}
    script.command(title, 2)
    assert stores_of(script, image_id) == {"fast", "slow"}


def stores_of(script: Script, image_id: str) -> set[str]:
    return set(script.names["images"].show(image_id)["stores"])


def test_image_is_copied_to_another_cloud(
    old_glance: GlanceFixture, new_glance: GlanceFixture
) -> None:
    title = "Copy an image to another cloud"
    script = Script(old_glance, new_glance)
    image_id = script.make(properties={"os_distro": "ubuntu"})
    for _ in range(2):
        assert script.run(title, image_id=image_id)["copy"]["id"] == image_id
        assert new_glance.images[image_id].data == DATA
    assert new_glance.images[image_id].properties["os_distro"] == "ubuntu"
    new_glance.reset()
    script.command(title, 0)
    assert new_glance.images[image_id].data == DATA


def test_copy_to_v1_refuses_tags(old_glance: GlanceFixture, new_glance: GlanceFixture) -> None:
    script = Script(new_glance, old_glance)
    with pytest.raises(exceptions.Invalid):
        script.run("Copy an image to another cloud", image_id=script.make(tags=["one"]))
    assert old_glance.images == {}


def test_cloud_is_moved(
    old_glance: GlanceFixture, new_glance: GlanceFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "Move a cloud"
    script = Script(old_glance, new_glance)
    ids = {script.make(), script.make(name="other")}
    script.run("Copy an image to another cloud", image_id=min(ids))
    script.run(title)
    assert sorted(capsys.readouterr().out.split()) == sorted([*ids, "copy", "present"])
    assert kept(new_glance) == ids
    new_glance.reset()
    script.command(title, 0)
    assert "copy" in script.command(title, 1)
    assert kept(new_glance) == set()
    script.command(title, 2)
    assert kept(new_glance) == ids


def test_every_job_is_run() -> None:
    program = Path(__file__).read_text(encoding="utf-8")
    jobs = set(JOBS) - {next(iter(sections(page))) for page in PAGES}
    assert {title for title in jobs if f'"{title}"' not in program} == set()
    assert len(jobs) > 15
