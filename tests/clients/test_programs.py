# SPDX-License-Identifier: Apache-2.0
"""Programs that are clients of Glance: command lines, curl, and other languages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.clients.serving import Served, program

# Each starts programs.
pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "docs" / "snippets" / "fixtures"
DATA = b"what a disk holds" * 10000
FORMATS = ("--disk-format", "raw", "--container-format", "bare")


def interpreter(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def is_gone(served: Served, image_id: str) -> bool:
    answer = served.session().get(f"{served.url}/v2/images/{image_id}", raise_exc=False)
    return bool(answer.status_code == 404)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with a disk."""
    (tmp_path / "disk").write_bytes(DATA)
    return tmp_path


def test_openstack(served: Served, name: str, files: Path) -> None:
    def openstack(*argv: str) -> str:
        return served.run(program("openstack"), "image", *argv, cwd=files)

    made = json.loads(
        openstack("create", name, *FORMATS, "--file", "disk", "--property", "k=v", "-f", "json")
    )
    assert made["properties"]["k"] == "v"
    # Old releases print what they knew before the upload.
    shown = served.session().get(f"{served.url}/v2/images/{made['id']}").json()
    assert (shown["status"], shown["size"]) == ("active", len(DATA))
    openstack("add", "project", name, "other")
    [listed] = json.loads(openstack("list", "--name", name, "-f", "json"))
    assert listed["ID"] == made["id"]
    openstack("save", "--file", "copy", name)
    assert (files / "copy").read_bytes() == DATA
    openstack("delete", name)
    assert is_gone(served, made["id"])


def columns(table: str) -> dict[str, str]:
    """Read a table of two columns as python-glanceclient draws it."""
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|")]
    return {row[1].strip(): row[2].strip() for row in rows}


def glance(served: Served, files: Path, version: str, *argv: str) -> dict[str, str]:
    command: Sequence[str] = (program("glance"), "--os-image-api-version", version, *argv)
    return columns(served.run(*command, cwd=files))


def test_glance_v2(served: Served, name: str, files: Path) -> None:
    made = glance(served, files, "2", "image-create", "--name", name, *FORMATS, "--file", "disk")
    image_id = made["id"]
    assert (made["status"], made["size"]) == ("active", str(len(DATA)))
    changed = glance(served, files, "2", "image-update", image_id, "--property", "k=v")
    assert changed["k"] == "v"
    glance(served, files, "2", "image-download", image_id, "--file", "copy")
    assert (files / "copy").read_bytes() == DATA
    glance(served, files, "2", "image-delete", image_id)
    assert is_gone(served, image_id)


def test_glance_v1(pike: Served, name: str, files: Path) -> None:
    made = glance(
        *(pike, files, "1", "image-create", "--name", name, *FORMATS, "--file", "disk"),
        *("--property", "k=v"),
    )
    assert (made["status"], made["Property 'k'"]) == ("active", "v")
    assert glance(pike, files, "1", "image-show", name)["size"] == str(len(DATA))
    glance(pike, files, "1", "image-download", name, "--file", "copy")
    assert (files / "copy").read_bytes() == DATA
    glance(pike, files, "1", "image-delete", name)
    assert is_gone(pike, made["id"])


def test_curl(pike: Served, tmp_path: Path) -> None:
    interpreter("curl")
    script = str(EXAMPLES / "life_cycle.sh")
    out = pike.run("/bin/sh", script, pike.url, cwd=tmp_path)
    assert out.splitlines() == ["x-image-meta-property-os_type: linux", '"os_type": "linux"']


def test_node(served: Served, tmp_path: Path) -> None:
    script = str(EXAMPLES / "life_cycle.mjs")
    assert served.run(interpreter("node"), script, cwd=tmp_path) == "done\n"


def test_perl(pike: Served, tmp_path: Path) -> None:
    script = str(EXAMPLES / "life_cycle.pl")
    assert pike.run(interpreter("perl"), script, pike.url, cwd=tmp_path) == "done\n"
