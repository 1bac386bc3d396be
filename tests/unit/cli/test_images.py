# SPDX-License-Identifier: Apache-2.0
"""``glance-compat list`` and ``show``, over v1 and over v2."""

from __future__ import annotations

import csv
import datetime
import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from glance_compat.cli.app import GlanceCompat
from glance_compat.fixture import GlanceFixture
from glance_compat.service import ImageService
from tests.unit.cli.conftest import options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

EVIL = "\x1b]0;owned\x07\x9b31m\x7f\u202egnp"
EVIL_WRITTEN = "\\x1b]0;owned\\x07\\x9b31m\\x7f\\u202egnp"


#: The images, the newest first: f, e, d, c, b, a, with 5 to 0 bytes.
SIX_IMAGES: list[dict[str, Any]] = [
    {
        "name": name,
        "disk_format": "raw",
        "container_format": "bare",
        "properties": {"kind": "even" if size % 2 == 0 else "odd", "first": name},
        "data": b"x" * size,
        "created_at": datetime.datetime(2020, 1, 1, 0, 0, size, tzinfo=datetime.timezone.utc),
        "owner": "fixture-project",
    }
    for size, name in enumerate("abcdef")
]


@pytest.fixture(scope="module", params=["v1", "v2"])
def six_images(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide a Glance with one API and two images per page; tests do not change its images."""
    with GlanceFixture(
        fault_injection=False, apis=(request.param,), page_cap=2, images=SIX_IMAGES
    ) as running:
        yield running


@pytest.fixture
def filled(six_images: GlanceFixture) -> GlanceFixture:
    """Return the Glance with six images, after clearing the recorded requests."""
    six_images.requests.clear()
    return six_images


def listed(glance: GlanceFixture, *argv: str) -> list[str]:
    """Return the names in the output of ``list``."""
    outcome = in_process("list", *options(glance), "-f", "json", "-c", "name", *argv)
    assert (outcome.code, outcome.err) == (0, "")
    return [row["name"] for row in json.loads(outcome.out)]


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        ((), "fedcba"),
        (("--sort", "name"), "abcdef"),
        (("--sort", "size:asc"), "abcdef"),
        (("--sort", "name:desc,size:asc"), "fedcba"),
        (("--name", "c"), "c"),
        (("--status", "active"), "fedcba"),
        (("--status", "queued"), ""),
        (("--property", "kind=odd"), "fdb"),
        (("--property", "kind=odd", "--property", "first=d"), "d"),
        (("--size-min", "2", "--size-max", "4"), "edc"),
        (("--size-min", "0.003kB", "--size-max", "1 KiB"), "fed"),
        (("--created-before", "2020-01-01T00:00:02Z"), "ba"),
        (("--created-before", "2020-01-01T01:00:02+01:00"), "ba"),
        (("--created-before", "2019-12-31"), ""),
        (("--created-after", "2020-01-01T00:00:02Z"), "fed"),
        (("--older-than", "30d"), "fedcba"),
        (("--older-than", "9000w"), ""),
        (("--all-projects",), "fedcba"),
        (("--disk-format", "raw", "--container-format", "bare"), "fedcba"),
        (("--owner", "fixture-project"), "fedcba"),
        (("--owner", "somebody"), ""),
        (("--project", "fixture-project"), "fedcba"),
        (("--not-public",), "fedcba"),
        (("--public",), ""),
        (("--limit", "3"), "fed"),
        (("--limit", "0"), ""),
        (("--page-size", "1", "--limit", "2"), "fe"),
    ],
)
def test_filter_and_sort_options_apply(
    filled: GlanceFixture, argv: tuple[str, ...], names: str
) -> None:
    assert listed(filled, *argv) == list(names)


def test_list_starts_after_marker(filled: GlanceFixture) -> None:
    [marker] = (image.id for image in filled.images.values() if image.name == "d")
    assert listed(filled, "--marker", marker) == ["c", "b", "a"]


def test_visibility_and_tag_filters_need_v2() -> None:
    images: list[Mapping[str, Any]] = [
        {"name": "p", "visibility": "private", "tags": ["one", "two"]},
        {"name": "s", "visibility": "shared", "tags": ["one"]},
        {"name": "c", "visibility": "community"},
    ]
    with GlanceFixture(fault_injection=False, images=images) as glance:
        assert listed(glance, "--private") == ["p"]
        assert listed(glance, "--shared") == ["s"]
        assert listed(glance, "--community") == ["c"]
        assert listed(glance, "--tag", "one", "--tag", "two") == ["p"]
        outcome = in_process("list", "--private", "--api-version", "1", *options(glance))
    assert outcome.code == 1
    assert outcome.error.startswith("UnsupportedByVersion: ")


def test_hidden_and_member_status_filters_apply() -> None:
    images: list[Mapping[str, Any]] = [
        {"name": "h", "os_hidden": True},
        {"name": "mine"},
        {"name": "theirs", "owner": "somebody"},
    ]
    with GlanceFixture(fault_injection=False, apis=("v2",), release="33", images=images) as glance:
        assert listed(glance, "--hidden") == ["h"]
        assert listed(glance, "--member-status", "accepted") == ["mine"]


COLUMNS = {
    (): ["id", "name", "status"],
    ("--long",): [
        *("id", "name", "status", "size", "disk_format", "container_format", "checksum"),
        *("is_public", "visibility", "protected", "owner", "tags"),
    ],
    ("-c", "size", "-c", "properties"): ["size", "properties"],
}


@pytest.mark.parametrize("argv", COLUMNS)
def test_column_options_select_columns(filled: GlanceFixture, argv: tuple[str, ...]) -> None:
    outcome = in_process("list", *options(filled), *argv, "-f", "csv")
    assert next(csv.reader(io.StringIO(outcome.out))) == COLUMNS[argv]


@pytest.mark.parametrize(
    ("argv", "column", "question"),
    [
        (("list",), "nonsense", ""),
        (("list", "-c", "id"), "nam", " Did you mean name?"),
        (("list",), "locations", ""),
        (("show", "x"), "Disk Fromat", " Did you mean disk_format?"),
        (("show", "x", "y", "-c", "id"), "nonsense", ""),
    ],
)
def test_unknown_column_is_wrong_usage(
    filled: GlanceFixture, argv: tuple[str, ...], column: str, question: str
) -> None:
    outcome = in_process(*argv, *options(filled), "-c", column)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error.startswith(
        f"UsageError: there is no column '{column}'.{question} Columns: id, name, "
    )
    assert not filled.requests


class Watched(io.StringIO):
    """A stream that records the number of requests when the first row is written."""

    def __init__(self, glance: GlanceFixture) -> None:
        super().__init__()
        self.glance = glance
        self.at_first: int | None = None

    def write(self, text: str) -> int:
        if self.at_first is None:
            self.at_first = len(self.glance.requests)
        return super().write(text)


def test_value_rows_are_streamed(filled: GlanceFixture) -> None:
    stream = Watched(filled)
    argv = ["list", *options(filled), "-f", "value", "-c", "name"]
    assert GlanceCompat(stdout=stream, stderr=io.StringIO()).run(argv) == 0
    assert stream.getvalue().split() == list("fedcba")
    # Two images per page: at least three pages, after the version document.
    assert stream.at_first is not None
    assert stream.at_first <= len(filled.requests) - 2


def test_show_json_has_contract_keys(filled: GlanceFixture) -> None:
    image_id = next(iter(filled.images))
    outcome = in_process("show", image_id, *options(filled), "-f", "json")
    shown = json.loads(outcome.out)
    over_v2 = any(request.path.startswith("/v2/images/") for request in filled.requests)
    created = shown.pop("created_at")
    assert created.endswith("Z")
    assert shown.pop("updated_at") >= created
    assert shown == {
        "id": image_id,
        "name": "a",
        "status": "active",
        "size": 0,
        "checksum": "d41d8cd98f00b204e9800998ecf8427e",
        "container_format": "bare",
        "disk_format": "raw",
        "min_disk": 0,
        "min_ram": 0,
        "owner": "fixture-project",
        "is_public": False,
        "deleted_at": None,
        "deleted": False,
        "properties": {"kind": "even", "first": "a"},
        "visibility": "shared" if over_v2 else None,
        "protected": False,
        "tags": [] if over_v2 else None,
        "os_hidden": None,
        "stores": None,
    }


def test_show_extended_and_locations_add_keys(filled: GlanceFixture) -> None:
    image_id = next(iter(filled.images))
    plain = json.loads(in_process("show", image_id, *options(filled), "-f", "json").out)
    more = json.loads(
        in_process(
            "show", image_id, "--extended", "--locations", *options(filled), "-f", "json"
        ).out
    )
    assert more.keys() - plain.keys() == {
        *("locations", "direct_url", "virtual_size"),
        *("os_hash_algo", "os_hash_value", "shadowed_properties"),
    }


def test_show_missing_image_is_image_not_found(filled: GlanceFixture) -> None:
    outcome = in_process("show", "70a599e0-31e7-49b7-b260-868f441e862b", *options(filled))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("ImageNotFound: no image has the id or the name ")
    debugged = in_process("show", "x", "--debug", *options(filled))
    assert debugged.code == 1
    assert "Traceback" in debugged.err


def test_show_of_href_of_another_service_is_invalid_image_ref(filled: GlanceFixture) -> None:
    outcome = in_process("show", "http://192.0.2.1/v2/images/x", *options(filled))
    assert outcome.code == 1
    assert outcome.error.startswith("InvalidImageRef: ")


@pytest.mark.parametrize(
    "argv",
    [
        ("--limit", "-1"),
        ("--limit", "x"),
        ("--page-size", "0"),
        ("--size-min", "-1"),
        ("--size-max", "2G"),
        ("--status", "activ"),
        ("--older-than", "30"),
        ("--older-than", "9" * 20 + "d"),
        ("--created-before", "yesterday"),
        ("--created-before", "2020-01-01", "--older-than", "1d"),
        ("--owner", "x", "--all-projects"),
        ("--property", "kind"),
        ("--property", "=odd"),
        ("--sort", "nonsense"),
        ("--sort", "name:up"),
        ("--sort", ""),
        ("--member-status", "nonsense"),
        ("--public", "--private"),
        ("--public", "--not-public"),
        ("-f", "nonsense"),
    ],
)
def test_invalid_arguments_are_wrong_usage(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process("list", *argv).code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("glance-compat list: error: ")


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1"])
def test_csv_cell_is_not_a_formula(formula: str) -> None:
    with GlanceFixture(fault_injection=False, images=[{"name": formula}]) as glance:
        argv = ("list", *options(glance), "-c", "name", "-f")
        [row] = csv.DictReader(io.StringIO(in_process(*argv, "csv").out))
        [plain] = json.loads(in_process(*argv, "json").out)
    assert (row["name"], plain["name"]) == (f"'{formula}", formula)


# ---------------------------------------------------------------------------------------------
# Hostile metadata, which any user may store.


@pytest.fixture
def hostile(glance: GlanceFixture) -> GlanceFixture:
    """Provide an image with control characters that both APIs can store."""
    service = ImageService(glance.session(), endpoint_override=glance.url)
    meta = {"id": "70a599e0-31e7-49b7-b260-868f441e862b", "name": EVIL}
    service.create(None, {**meta, "properties": {"note": EVIL, "run": '$(id)`id`\\"'}})
    return glance


def of_hostile(glance: GlanceFixture, command: str, output_format: str) -> Outcome:
    which = ["70a599e0-31e7-49b7-b260-868f441e862b"] if command == "show" else []
    columns = ("-c", "name", "-c", "properties")
    return in_process(command, *which, *columns, "-f", output_format, *options(glance))


@pytest.mark.parametrize(
    ("command", "output_format"),
    [
        *(("list", one) for one in ("table", "value", "csv", "json", "yaml")),
        *(("show", one) for one in ("table", "value", "shell", "json", "yaml")),
    ],
)
def test_output_is_printable(hostile: GlanceFixture, command: str, output_format: str) -> None:
    outcome = of_hostile(hostile, command, output_format)
    assert (outcome.code, outcome.err) == (0, "")
    assert "owned" in outcome.out
    assert outcome.out.replace("\n", "").replace("\r", "").isprintable()


def test_table_shows_escaped_metadata(hostile: GlanceFixture) -> None:
    outcome = of_hostile(hostile, "show", "table")
    assert f"| {EVIL_WRITTEN} " in outcome.out
    assert f"note='{EVIL_WRITTEN}'" in outcome.out


@pytest.mark.parametrize("output_format", ["json", "yaml"])
def test_json_and_yaml_are_not_escaped(hostile: GlanceFixture, output_format: str) -> None:
    outcome = of_hostile(hostile, "show", output_format)
    read = json.loads if output_format == "json" else yaml.safe_load
    shown = read(outcome.out)
    assert shown["name"] == EVIL
    assert shown["properties"] == {"note": EVIL, "run": '$(id)`id`\\"'}


def test_shell_output_runs_nothing_of_metadata(hostile: GlanceFixture) -> None:
    outcome = of_hostile(hostile, "show", "shell")
    script = f'{outcome.out}\nprintf "%s\\n%s" "$name" "$properties"'
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    name, properties = done.stdout.split("\n")
    assert name == EVIL_WRITTEN
    assert json.loads(properties)["run"] == '$(id)`id`\\"'
