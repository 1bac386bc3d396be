# SPDX-License-Identifier: Apache-2.0
"""docs/audit.rst shows the actual output of the audit."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import PATIENCE, in_process, sdk_may_warn

pytestmark = sdk_may_warn

PAGE = Path(__file__).parents[3] / "docs" / "audit.rst"
TEXT = PAGE.read_text()

#: The data of two images of the example.
DISK: Mapping[str, Any] = {"data": b"a disk", "disk_format": "raw", "container_format": "bare"}

#: The cloud of the example.
CLOUD: tuple[Mapping[str, Any], ...] = (
    {
        "id": "0b5f37a1-6d52-4a5c-9d06-2f8e0c1d7a01",
        "name": "Ubuntu%2016.04",
        "properties": {"os_type": "linux", "note": "caf%C3%A9"},
    },
    {
        "id": "1c6a48b2-7e63-4b6d-8e17-3a9f1d2e8b02",
        "name": "debian",
        "properties": {"owner": "platform team"},
    },
    {"id": "2d7b59c3-8f74-4c7e-9f28-4bad2e3f9c03", "name": "windows", "tags": ["licensed"]},
    {"id": "3e8c6ad4-9a85-4d8f-8a39-5cbe3f4aad04", "name": "cirros", **DISK},
    {"id": "4f9d7be5-ab96-4e90-9b4a-6dcf405bbe05", "name": "cirros", **DISK},
)


def block_after(command: str) -> str:
    """Return the output that the page shows for a command."""
    _, _, rest = TEXT.partition(f"    $ {command}\n")
    assert rest, f"the page does not show: {command}"
    return textwrap.dedent(re.split(r"\n(?=\S)|\n    \$ ", rest)[0]).strip()


def said_to(argv: str) -> tuple[int, str]:
    """Return output and summary of a command on the example cloud."""
    with GlanceFixture(images=CLOUD) as glance:
        command, *rest = shlex.split(argv)
        outcome = in_process(command, *options(glance), *rest)
    lines = [line.rstrip() for line in (outcome.out + outcome.err).splitlines()]
    return outcome.code, "\n".join(lines).strip()


EXAMPLES = [
    ("audit --target-api v2", 3),
    ("audit --summary -c severity -c kind -c images -c findings", 3),
    ("audit --sanity", 3),
    ("audit --fix percent-encoded 0b5f37a1-6d52-4a5c-9d06-2f8e0c1d7a01 -c subject -c outcome", 0),
    ("audit --fix shadowed-property debian --all-projects -c subject -c outcome", 0),
]


@pytest.mark.parametrize(("argv", "code"), EXAMPLES)
def test_page_shows_real_output(argv: str, code: int) -> None:
    said = said_to(argv)
    assert said == (code, block_after(f"glance-compat {argv}")), f"now it says:\n{said[1]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("images", "said"),
    [(CLOUD, "look at findings.json"), (CLOUD[2:], "nothing is lost")],
)
def test_documented_script_works(
    environment: dict[str, str],
    tmp_path: Path,
    images: tuple[Mapping[str, Any], ...],
    said: str,
) -> None:
    script = textwrap.dedent(TEXT.split("shell script::\n")[1].split("\n\n\n")[0])
    script = re.split(r"\n(?=\S)(?!case|[013*]\)|esac|glance)", script)[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with GlanceFixture(images=images) as glance:
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=tmp_path,
            env={
                **environment,
                "PATH": path,
                "OS_AUTH_TYPE": "admin_token",
                "OS_TOKEN": "any",
                "OS_ENDPOINT": glance.url,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    assert done.stdout.splitlines()[-1:] == [said], done.stderr
