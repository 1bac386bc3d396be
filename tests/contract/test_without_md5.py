# SPDX-License-Identifier: Apache-2.0
"""A host whose OpenSSL has no MD5 (FIPS mode): data is verified by another hash, or by its size.

The program ``without_md5`` runs in a separate process, in which OpenSSL has no MD5 and
Python's own MD5 is blocked, so that ``hashlib`` raises the same errors as on such a host.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.contract.targets import Target, only
from tests.contract.without_md5 import DATA

pytestmark = pytest.mark.skipif(
    ssl.OPENSSL_VERSION_INFO < (3,), reason="OpenSSL has no providers before 3.0"
)

#: Python's own MD5, which hashlib uses if OpenSSL has none, is missing from distributions with
#: a FIPS mode.
START = """
import runpy, sys
sys.modules["_md5"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

FOLDER = Path(__file__).parent


def run(*arguments: str) -> dict[str, Any]:
    """Run the program; return the outcomes that it prints."""
    settings = {
        "OPENSSL_CONF": str(FOLDER / "without_md5.cnf"),
        "PYTHONPATH": os.pathsep.join([str(FOLDER.parents[1]), *sys.path]),
    }
    checksum = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            START,
            FOLDER / "without_md5.py",
            *arguments,
            *([checksum] if arguments else ()),
        ],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("md5") is False
    return found


def assert_verified(found: dict[str, Any], *, has_hash: bool) -> None:
    """Check the outcomes on a server.

    :param has_hash: whether the server has another hash than MD5.
    """
    unverified = [
        f"{name}: {said}"
        for name in ("create", "update", "auto", "path")
        for said in found[name][1]
        if "this host has no MD5 (FIPS mode)" in said
    ]
    assert len(unverified) == (0 if has_hash else 4)
    for name in ("create", "create unverified", "create declared", "update"):
        assert found[name][0] == "active", name
    for name in ("auto", "off", "path"):
        assert found[name][0] is True, name
    for name in ("create unverified", "create declared", "off"):
        assert found[name][1] == [], name
    for name in ("create wrong", "create wrong unverified"):
        assert found[name][0].startswith("IntegrityError: "), name
    if has_hash:
        assert found["strong"] == [True, []]
        return
    assert found["strong"][0].startswith("InvalidOption: ")
    assert "Set verify_downloads to auto" in found["strong"][0]


@pytest.mark.parametrize(("release", "api"), [("pike", "1"), ("pike", "2"), ("33", "2")], ids=str)
def test_host_without_md5_uploads_and_downloads(release: Any, api: str) -> None:
    with GlanceFixture(release=release) as glance:
        found = run(glance.url, "token", api)
        assert {image.status for image in glance.images.values()} == {"deleted"}
    found.pop("comparisons")
    assert_verified(found, has_hash=release == "33")


@only(lambda kind: kind.region is not None)
def test_host_without_md5_works_with_real_server(target: Target) -> None:
    token = target.session().get_token()
    assert token is not None
    found = run(target.url, token, target.prefer)
    found.pop("comparisons")
    assert_verified(found, has_hash=target.kind.release == "33")


def test_uploads_are_compared_without_md5() -> None:
    assert run() == {
        "comparisons": {
            "algorithm": True,
            "nothing": None,
            "md5": None,
            "other algorithm": None,
            "right": True,
            "wrong": False,
            "declared": True,
            "declared and wrong": False,
            "other than declared": False,
            "declared and nothing": None,
        }
    }
