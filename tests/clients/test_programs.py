# SPDX-License-Identifier: Apache-2.0
"""Client programs of Glance: command lines, curl, and other languages."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.serving import PATIENCE, PythonProgram, Served

# Each test starts programs.
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
    """Return a directory with the file ``disk``."""
    (tmp_path / "disk").write_bytes(DATA)
    return tmp_path


def test_openstack_client_completes_life_cycle(
    served: Served, openstack_program: PythonProgram, name: str, files: Path
) -> None:
    def openstack(*argv: str) -> str:
        return openstack_program.run(served, files, "image", *argv)

    made = json.loads(
        openstack("create", name, *FORMATS, "--file", "disk", "--property", "k=v", "-f", "json")
    )
    assert made["properties"]["k"] == "v"
    # Old releases print the metadata from before the upload.
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
    """Parse a table of two columns, as python-glanceclient prints it."""
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|")]
    return {row[1].strip(): row[2].strip() for row in rows}


@dataclasses.dataclass(frozen=True)
class GlanceProgram:
    """The program ``glance`` as a client of a server, over one version of the API."""

    program: PythonProgram
    served: Served
    folder: Path
    version: str

    def __call__(self, *argv: str) -> dict[str, str]:
        """Run a command; return the table in its output."""
        version = ("--os-image-api-version", self.version)
        return columns(self.program.run(self.served, self.folder, *version, *argv))


def test_glance_program_completes_v2_life_cycle(
    served: Served, glance_program: PythonProgram, name: str, files: Path
) -> None:
    glance = GlanceProgram(glance_program, served, files, "2")
    made = glance("image-create", "--name", name, *FORMATS, "--file", "disk")
    image_id = made["id"]
    assert (made["status"], made["size"]) == ("active", str(len(DATA)))
    changed = glance("image-update", image_id, "--property", "k=v")
    assert changed["k"] == "v"
    glance("image-download", image_id, "--file", "copy")
    assert (files / "copy").read_bytes() == DATA
    glance("image-delete", image_id)
    assert is_gone(served, image_id)


def test_glance_program_completes_v1_life_cycle(
    pike: Served, glance_program: PythonProgram, name: str, files: Path
) -> None:
    glance = GlanceProgram(glance_program, pike, files, "1")
    disk = (*FORMATS, "--file", "disk", "--property", "k=v")
    made = glance("image-create", "--name", name, *disk)
    assert (made["status"], made["Property 'k'"]) == ("active", "v")
    assert glance("image-show", name)["size"] == str(len(DATA))
    glance("image-download", name, "--file", "copy")
    assert (files / "copy").read_bytes() == DATA
    glance("image-delete", name)
    assert is_gone(pike, made["id"])


def test_curl_completes_life_cycle(pike: Served, tmp_path: Path) -> None:
    interpreter("curl")
    script = str(EXAMPLES / "life_cycle.sh")
    out = pike.run("/bin/sh", script, pike.url, cwd=tmp_path)
    assert out.splitlines() == ["x-image-meta-property-os_type: linux", '"os_type": "linux"']


def test_node_completes_life_cycle(served: Served, tmp_path: Path) -> None:
    script = str(EXAMPLES / "life_cycle.mjs")
    assert served.run(interpreter("node"), script, cwd=tmp_path) == "done\n"


def test_perl_completes_life_cycle(pike: Served, tmp_path: Path) -> None:
    script = str(EXAMPLES / "life_cycle.pl")
    assert pike.run(interpreter("perl"), script, pike.url, cwd=tmp_path) == "done\n"


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the example in Go with gophercloud, as Debian packages it or as GOPATH has it."""
    sources = Path(os.environ.get("GOPATH", "/usr/share/gocode"))
    if not (sources / "src" / "github.com" / "gophercloud").exists():
        pytest.skip("gophercloud is not installed")
    home = tmp_path_factory.mktemp("go")
    settings = {"GO111MODULE": "off", "GOPATH": str(sources), "GOCACHE": str(home / "cache")}
    subprocess.run(
        [interpreter("go"), "build", "-o", home / "life_cycle", EXAMPLES / "life_cycle.go"],
        env={**os.environ, **settings},
        check=True,
        timeout=PATIENCE,
    )
    return home / "life_cycle"


def test_go_completes_life_cycle(served: Served, go_program: Path, tmp_path: Path) -> None:
    domain = {"OS_DOMAIN_ID": served.environment["OS_USER_DOMAIN_ID"]}
    server = dataclasses.replace(served, environment={**served.environment, **domain})
    assert server.run(str(go_program), cwd=tmp_path) == "done\n"


def test_terraform_accepts_the_form_of_the_example(tmp_path: Path) -> None:
    terraform = interpreter("terraform")
    shutil.copy(EXAMPLES / "main.tf", tmp_path)
    done = subprocess.run(
        [terraform, "fmt", "-check", "-diff", "main.tf"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "")
