# SPDX-License-Identifier: Apache-2.0
"""``openstack image`` and ``glance-compat`` side by side: each reads what the other has done."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.serving import PythonProgram, Served

# Each test starts programs.
pytestmark = pytest.mark.slow

DATA = b"what a disk holds" * 10000
FORMATS = ("--disk-format", "raw", "--container-format", "bare")


@pytest.fixture(scope="module")
def compat_program() -> Iterator[PythonProgram]:
    """Provide the command line of this project."""
    modules = ("glance_compat.cli.clouds_yaml", "glance_compat.cli.images")
    with contextlib.closing(PythonProgram("glance-compat", *modules)) as program:
        yield program


class Both:
    """The two programs as clients of one server.

    :param api: options that choose the API of ``glance-compat``.
    """

    def __init__(
        self,
        served: Served,
        programs: tuple[PythonProgram, PythonProgram],
        folder: Path,
        api: tuple[str, ...] = (),
    ) -> None:
        self._served = served
        self._openstack, self._compat = programs
        self._folder = folder
        self._api = api

    def openstack(self, *argv: str) -> str:
        return self._openstack.run(self._served, self._folder, "image", *argv)

    def compat(self, *argv: str) -> str:
        return self._compat.run(self._served, self._folder, *argv, *self._api)

    def seen(self, name: str) -> dict[str, Any]:
        """Return the image as both show it, after a comparison of what they have in common."""
        theirs = json.loads(self.openstack("show", name, "-f", "json"))
        ours: dict[str, Any] = json.loads(self.compat("show", name, "-f", "json"))
        alike = ("id", "name", "status", "checksum", "disk_format", "container_format")
        for key in (*alike, "min_disk", "min_ram", "owner"):
            assert ours[key] == theirs[key], key
        assert ours["size"] == (theirs["size"] or 0)
        if ours["tags"] is not None:
            assert ours["visibility"] == theirs["visibility"]
            assert ours["protected"] == theirs["protected"]
            assert sorted(ours["tags"]) == sorted(theirs["tags"])
        # openstack shows newer attributes among the properties; without any, it shows no key.
        properties = theirs.get("properties", {})
        assert ours["properties"].items() <= properties.items()
        assert set(properties.keys() - ours["properties"].keys()) <= {
            *("direct_url", "locations", "os_hidden", "os_hash_algo", "os_hash_value", "stores")
        }
        return ours


@pytest.fixture
def both(
    glance_33: Served,
    openstack_program: PythonProgram,
    compat_program: PythonProgram,
    tmp_path: Path,
) -> Both:
    (tmp_path / "disk").write_bytes(DATA)
    return Both(glance_33, (openstack_program, compat_program), tmp_path)


def listed(both: Both, name: str) -> tuple[list[str], list[str]]:
    """Return the ids that each program lists for a name."""
    theirs = json.loads(both.openstack("list", "--name", name, "-f", "json"))
    ours = both.compat("list", "--name", name, "-f", "value", "-c", "id")
    return [one["ID"] for one in theirs], ours.split()


def test_image_of_openstack_is_read_and_changed(both: Both, name: str, tmp_path: Path) -> None:
    argv = ("--file", "disk", "--property", "k=v", "--tag", "t", "--min-disk", "2", "--protected")
    both.openstack("create", name, *FORMATS, *argv)
    image = both.seen(name)
    assert (image["size"], image["properties"]["k"], image["tags"]) == (len(DATA), "v", ["t"])
    both.compat("save", name, "--file", "copy")
    assert (tmp_path / "copy").read_bytes() == DATA
    both.compat("set", name, "--property", "k=w", "--tag", "u", "--min-ram", "64", "--unprotected")
    image = both.seen(name)
    assert (image["properties"]["k"], sorted(image["tags"])) == ("w", ["t", "u"])
    assert (image["min_ram"], image["protected"]) == (64, False)
    both.openstack("add", "project", name, "other")
    assert both.compat("member", "list", name, "-f", "value", "-c", "member_id").split() == [
        "other"
    ]
    assert listed(both, name) == ([image["id"]], [image["id"]])
    both.compat("delete", name)
    assert listed(both, name) == ([], [])


def test_image_of_glance_compat_is_read_and_changed(both: Both, name: str, tmp_path: Path) -> None:
    both.compat("create", name, "--file", "disk", "--property", "k=v", "--tag", "t", "--shared")
    image = both.seen(name)
    assert (image["status"], image["disk_format"], image["tags"]) == ("active", "raw", ["t"])
    both.openstack("save", "--file", "copy", name)
    assert (tmp_path / "copy").read_bytes() == DATA
    both.openstack("set", name, "--property", "k=w", "--min-disk", "3", "--tag", "u")
    image = both.seen(name)
    assert (image["properties"]["k"], image["min_disk"]) == ("w", 3)
    both.openstack("unset", name, "--property", "k", "--tag", "t")
    image = both.seen(name)
    assert ("k" in image["properties"], image["tags"]) == (False, ["u"])
    both.compat("member", "add", name, "other")
    [member] = json.loads(both.openstack("member", "list", name, "-f", "json"))
    assert member["Member ID"] == "other"
    both.openstack("delete", name)
    assert listed(both, name) == ([], [])


def test_image_over_v1_is_the_same_for_openstack(
    pike: Served,
    openstack_program: PythonProgram,
    compat_program: PythonProgram,
    name: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "disk").write_bytes(DATA)
    # openstack has no v1 any more.
    both = Both(pike, (openstack_program, compat_program), tmp_path, ("--api-version", "1"))
    both.compat("create", name, "--file", "disk", "--property", "k=v", "--min-disk", "2")
    assert both.seen(name)["properties"] == {"k": "v"}
    both.openstack("set", name, "--property", "k=w")
    both.compat("set", name, "--property", "l=x", "--min-ram", "64")
    image = both.seen(name)
    assert (image["properties"], image["min_ram"]) == ({"k": "w", "l": "x"}, 64)
    both.compat("save", name, "--file", "copy")
    assert (tmp_path / "copy").read_bytes() == DATA
    both.compat("delete", name)
    assert listed(both, name) == ([], [])
