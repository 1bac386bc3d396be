# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit`` on clouds with v1, v2 or both."""

from __future__ import annotations

import csv
import datetime
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from glance_compat.audit.examinations import Circumstances
from glance_compat.audit.findings import Examiner
from glance_compat.audit.kinds import KINDS, KINDS_BY_NAME
from glance_compat.audit.reader import Pair, Reader, pair_records
from glance_compat.cli.accepted import Accepted
from glance_compat.cli.app import GlanceCompat
from glance_compat.cli.audit_progress import Progress
from glance_compat.cli.audit_rows import LONG, SHORT, SUMMARY
from glance_compat.cli.audit_selection import Selection
from glance_compat.cli.audit_tally import Tally, collect_findings
from glance_compat.fixture import GlanceFixture
from glance_compat.transport import retry
from tests.cases import in_one_test
from tests.unit.cli.conftest import options
from tests.unit.cli.running import Outcome, Terminal, in_process, sdk_may_warn
from tests.unit.scripted_server import Reply, ScriptedServer, Seen, json_reply

pytestmark = sdk_may_warn

IMAGE_ID = "70a599e0-31e7-49b7-b260-868f441e862b"
ADMIN = "admin:admin-project:admin"

IMAGES: tuple[Mapping[str, Any], ...] = (
    {
        "id": "00000000-0000-4000-8000-000000000001",
        "name": "my%20image",
        "properties": {"status": "mine", "note": None, "plain": "x"},
    },
    {
        "id": "00000000-0000-4000-8000-000000000002",
        "name": "folded",
        "properties": {"Foo-Bar": "1", "foo_bar": "2", "lines": "a\r\nX-Image-Meta-Name: b"},
        "tags": ["a"],
    },
    {"id": "00000000-0000-4000-8000-000000000003", "name": "plain"},
    {"id": "00000000-0000-4000-8000-000000000004", "name": "mine", "visibility": "community"},
    {
        "id": "00000000-0000-4000-8000-000000000005",
        "name": "theirs",
        "visibility": "community",
        "owner": "somebody",
    },
)

#: The last two digits of the id, and the kind; "" for findings that concern no image.
OVER_V1 = [
    ("01", "shadowed-property"),
    ("01", "percent-encoded"),
    ("01", "null-property"),
    ("02", "line-break"),
    ("02", "folding-names"),
]
OVER_V2 = [
    ("01", "percent-encoded"),
    ("02", "line-break"),
    ("02", "folding-names"),
    ("02", "tags"),
    ("04", "community-image"),
    ("05", "community-image"),
]
FOUND = {
    ("v1",): [*OVER_V1, ("", "v2-not-read")],
    ("v2",): [*OVER_V2, ("", "v1-not-read")],
    ("v1", "v2"): sorted({*OVER_V1, *OVER_V2}),
}


def on(apis: tuple[str, ...], **more: Any) -> GlanceFixture:
    parameters: dict[str, Any] = {
        "apis": apis,
        "images": IMAGES,
        "page_cap": 2,
        "fault_injection": False,
    }
    return GlanceFixture(**{**parameters, **more})


def audited(glance: GlanceFixture, *argv: str, token: str = "token") -> Outcome:
    return in_process("audit", *options(glance, token), *argv)


def rows_of(outcome: Outcome) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(outcome.out)
    return rows


def kinds_of(outcome: Outcome) -> list[tuple[str, str]]:
    return [((one["id"] or "")[-2:], one["kind"]) for one in rows_of(outcome)]


@pytest.mark.parametrize("apis", FOUND)
def test_expected_kinds_are_found(apis: tuple[str, ...]) -> None:
    with on(apis) as glance:
        before = glance.images
        outcome = audited(glance, "-f", "json", "--target-api", "both")
        assert glance.images == before
        assert {one.method for one in glance.requests} == {"GET"}
    assert sorted(kinds_of(outcome)) == sorted(FOUND[apis])
    assert outcome.code == 3
    read = {"v1": "4 images over v1", "v2": "5 images over v2"}
    assert f"Read {' and '.join(read[api] for api in apis)}. " in outcome.err


@pytest.mark.parametrize(
    ("argv", "kinds"),
    [
        ((), ["percent-encoded"]),
        (("--target-api", "v2"), ["percent-encoded"]),
        (("--target-api", "both"), [kind for _, kind in OVER_V2]),
        (("--target-api", "v1"), [kind for _, kind in OVER_V2[1:]]),
        (("--kind", "tags"), ["tags"]),
    ],
)
def test_target_api_option_shows_hidden_v1_findings(
    argv: tuple[str, ...], kinds: list[str]
) -> None:
    with on(("v2",)) as glance:
        outcome = audited(glance, "-f", "json", *argv)
    assert sorted(kind for _, kind in kinds_of(outcome)) == sorted([*kinds, "v1-not-read"])
    note = (
        "Not shown: 5 findings about a move to v1, which the endpoint does not offer (shown with"
        " --target-api both)."
    )
    assert (note in outcome.err.splitlines()) is (argv == ())


def test_hidden_v1_findings_do_not_change_exit_code() -> None:
    with on(("v2",), images=[{"name": "plain", "tags": ["a"]}]) as glance:
        assert audited(glance, "-f", "json").code == 0
        assert audited(glance, "-f", "json", "--target-api", "both").code == 3


def test_all_pages_of_all_lists_are_read() -> None:
    images: list[Mapping[str, Any]] = [{"name": f"my%20{number}"} for number in range(25)]
    images += [{"name": f"my%20{number}", "os_hidden": True} for number in range(3)]
    with on(("v2",), release="33", images=images) as glance:
        outcome = audited(glance, "-f", "json", "--kind", "percent-encoded")
        hidden = audited(glance, "-f", "json", "--kind", "hidden-image")
    assert len(rows_of(outcome)) == 28 + 1
    assert len(rows_of(hidden)) == 3 + 1
    assert len({one["id"] for one in rows_of(outcome)}) == 29


@pytest.mark.parametrize("apis", FOUND)
def test_plain_images_have_no_findings(apis: tuple[str, ...]) -> None:
    with on(apis, images=[{"name": "plain"}]) as glance:
        outcome = audited(glance, "-f", "json")
    assert outcome.code == 0
    if len(apis) == 2:
        assert kinds_of(outcome) == []
        assert outcome.err.endswith(" Nothing was found.\n")
    else:
        # The rows have this information too, not only the summary.
        assert [kind for _, kind in kinds_of(outcome)] == [
            "v2-not-read" if apis == ("v1",) else "v1-not-read"
        ]
        assert " Nothing was found, but not everything was read.\n" in outcome.err


def test_empty_cloud_has_no_findings() -> None:
    with on(("v1", "v2"), images=[]) as glance:
        outcome = audited(glance)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "Read 0 images over v1 and 0 images over v2. Nothing was found.\n"


@pytest.mark.parametrize(
    ("argv", "rows"),
    [
        (("--target-api", "v2"), OVER_V1[:3]),
        (("--target-api", "v1", "--severity", "loss"), OVER_V1[3:]),
        (("--severity", "loss"), [OVER_V1[0], *OVER_V1[3:]]),
        (("--kind", "tags", "--kind", "null-property"), [OVER_V1[2], ("02", "tags")]),
        (("--owner", "somebody"), [("05", "community-image")]),
        (("--owner", "nobody"), []),
        (("--page-size", "1", "--kind", "tags"), [("02", "tags")]),
    ],
)
def test_selection_options_limit_findings(
    argv: tuple[str, ...], rows: list[tuple[str, str]]
) -> None:
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "-f", "json", *argv)
    assert kinds_of(outcome) == rows
    assert outcome.code == (3 if rows else 0)


def test_exit_zero_ignores_findings() -> None:
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "--exit-zero", "-f", "json")
    assert outcome.code == 0
    assert len(rows_of(outcome)) == len(FOUND["v1", "v2"])


@pytest.mark.parametrize(("pin", "apis"), [("1", ("v1",)), ("2", ("v2",))])
def test_pinned_version_is_the_only_one_read(pin: str, apis: tuple[str, ...]) -> None:
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "--api-version", pin, "-f", "json", "-c", "id", "-c", "kind")
        paths = {one.path.split("/")[1] for one in glance.requests if "images" in one.path}
    assert paths == set(apis)
    assert sorted(kinds_of(outcome)) == sorted(FOUND[apis])


@pytest.mark.parametrize("pin", ["1", "2"])
def test_pinned_version_not_offered_fails(pin: str) -> None:
    with on(("v1",) if pin == "2" else ("v2",)) as glance:
        outcome = audited(glance, "--api-version", pin)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("NoUsableVersion: ")


def test_deleted_option_finds_deleted_image() -> None:
    with on(("v1", "v2"), images=[*IMAGES, {"name": "gone", "id": IMAGE_ID}]) as glance:
        service_session = glance.session(ADMIN)
        service_session.delete(f"{glance.url}/v2/images/{IMAGE_ID}")
        argv = ("-f", "json", "--kind", "deleted-image")
        assert kinds_of(audited(glance, *argv, token=ADMIN)) == []
        outcome = audited(glance, *argv, "--deleted", token=ADMIN)
    assert kinds_of(outcome) == [("2b", "deleted-image")]
    # Only an administrator can see them.
    assert "one-api-only" not in outcome.out


# ---------------------------------------------------------------------------------------------
# Output formats.


@pytest.mark.parametrize(
    ("argv", "columns"),
    [
        ((), SHORT),
        (("--long",), LONG),
        (("-c", "kind", "-c", "to_do"), ("kind", "to_do")),
        (("--summary",), SUMMARY),
    ],
)
def test_column_options_select_columns(argv: tuple[str, ...], columns: tuple[str, ...]) -> None:
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "-f", "csv", *argv)
    assert tuple(next(csv.reader(io.StringIO(outcome.out)))) == columns


@pytest.mark.parametrize("output_format", ["json", "yaml", "csv"])
def test_each_format_has_the_same_row(output_format: str) -> None:
    readers: dict[str, Any] = {
        "json": json.loads,
        "yaml": yaml.safe_load,
        "csv": lambda text: list(csv.DictReader(io.StringIO(text))),
    }
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "-f", output_format, "--long", "--kind", "percent-encoded")
    [row] = readers[output_format](outcome.out)
    kind = KINDS_BY_NAME["percent-encoded"]
    assert row == {
        "id": IMAGES[0]["id"],
        "name": "my%20image",
        "severity": "change",
        "kind": "percent-encoded",
        "target_api": "v2",
        "subject": "name",
        "details": "'my%20image' was probably 'my image' (high confidence: it contains spaces)",
        "owner": "fixture-project",
        "value": "my%20image",
        "proposal": "my image",
        "confidence": "high",
        "meaning": kind.meaning,
        "to_do": kind.to_do,
    }


def test_summary_has_one_row_per_kind() -> None:
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "--summary", "-f", "json")
    rows = {one["kind"]: (one["images"], one["findings"]) for one in rows_of(outcome)}
    assert rows == {
        "folding-names": (1, 1),
        "line-break": (1, 1),
        "shadowed-property": (1, 1),
        "community-image": (2, 2),
        "percent-encoded": (1, 1),
        "tags": (1, 1),
        "null-property": (1, 1),
    }
    assert outcome.err.count("\n") == 2


def test_summary_explains_each_kind() -> None:
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "-f", "csv")
    assert "8 findings in 4 of 5 images: 3 loss, 4 change, 1 note." in outcome.err
    assert "change: community-image (2 findings in 2 images)" in outcome.err
    told = " ".join(outcome.err.split())
    for kind in {one for _, one in FOUND["v1", "v2"]}:
        assert KINDS_BY_NAME[kind].meaning in told
        assert f"To do: {KINDS_BY_NAME[kind].to_do}" in told


def test_quiet_writes_no_summary() -> None:
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "-q", "-f", "json")
    assert (outcome.code, outcome.err) == (3, "")


class Watched(io.StringIO):
    """A stream that records the number of requests when the second line is written."""

    def __init__(self, glance: GlanceFixture) -> None:
        super().__init__()
        self.glance = glance
        self.at_first: int | None = None

    def write(self, text: str) -> int:
        if self.at_first is None and self.getvalue():
            self.at_first = len(self.glance.requests)
        return super().write(text)


@pytest.mark.parametrize("apis", FOUND)
def test_csv_rows_are_streamed(apis: tuple[str, ...]) -> None:
    images = [{"name": f"my%20{number}"} for number in range(20)]
    with on(apis, images=images) as glance:
        stream = Watched(glance)
        argv = ["audit", *options(glance), "-f", "csv"]
        assert GlanceCompat(stdout=stream, stderr=io.StringIO()).run(argv) == 3
        assert stream.at_first is not None
        assert stream.at_first <= len(glance.requests) - 9


def peak_bytes(images: int) -> int:
    """Return the peak memory of an audit of this many images in two lists."""

    def records(names: int) -> Iterator[Mapping[str, Any]]:
        for number in range(images):
            yield {
                **PLAIN,
                "id": f"{number:08}",
                "name": f"my%20{number % names}",
                "properties": {},
            }

    class Endless(Reader):
        def pairs(self) -> Iterator[Pair]:
            return pair_records(records(7), records(7))

    reader = Endless({"v1": [], "v2": []}, {})
    progress = Progress(None, on_terminal=False)
    now = datetime.datetime.now(datetime.timezone.utc)
    examiner = Examiner(KINDS, Circumstances(now=now))
    tracemalloc.start()
    try:
        rows = collect_findings(reader, Tally(), examiner, Selection(KINDS), progress, Accepted())
        assert sum(1 for one in rows if one.kind.name == "percent-encoded") == images
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_number_of_images() -> None:
    peak_bytes(200)
    # 33 bytes per image would be too many.
    assert peak_bytes(1000) < peak_bytes(400) + 20_000


EVIL = "\x1b]0;owned\x07\x9b31m\x7f\u202egnp"


@in_one_test("output_format", ["table", "value", "csv", "json", "yaml"])
@in_one_test("apis", FOUND)
def test_output_is_printable(apis: tuple[str, ...], output_format: str) -> None:
    properties = {f"{EVIL}\n{EVIL}": f"{EVIL}\r\n{EVIL}: {EVIL}", "direct_url": EVIL}
    images = [{"name": f" {EVIL} ", "properties": properties, "tags": [EVIL], "owner": EVIL}]
    with on(apis, images=images) as glance:
        asked = ("--long", "--target-api", "both")
        outcome = audited(glance, "-f", output_format, *asked, token=ADMIN)
    assert outcome.code == 3
    assert "owned" in outcome.out
    assert (outcome.out + outcome.err).replace("\n", "").replace("\r", "").isprintable()


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1"])
def test_csv_cell_is_not_a_formula(formula: str) -> None:
    with on(("v1", "v2"), images=[{"name": formula, "tags": ["a"]}]) as glance:
        tags = ("--kind", "tags", "-c", "name")
        [row] = csv.DictReader(io.StringIO(audited(glance, "-f", "csv", *tags).out))
        [plain] = rows_of(audited(glance, "-f", "json", *tags))
    assert (row["name"], plain["name"]) == (f"'{formula}", formula)


# ---------------------------------------------------------------------------------------------
# Progress.


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("on_terminal", "written"),
    [
        (
            True,
            "\r3 images read (1/s), 1 findings\x1b[K"
            "\r5 images read (2/s), 2 findings\x1b[K\r\x1b[K",
        ),
        (False, "3 images read (1/s), 1 findings\n"),
    ],
)
def test_progress_is_reported_at_intervals(on_terminal: bool, written: str) -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, on_terminal=on_terminal, clock=clock)
    for images, total, now in ((1, 0, 0.0), (2, 1, 1.9), (3, 1, 2.1), (4, 1, 2.2), (5, 2, 2.4)):
        clock.now = now
        progress.update(images, total)
    progress.clear()
    assert stream.getvalue() == written


def test_short_audit_reports_no_progress() -> None:
    with on(("v1", "v2")) as glance:
        outcome = audited(glance, "--progress")
    assert "images read (" not in outcome.err


@pytest.mark.parametrize(
    ("argv", "out", "err", "wanted"),
    [
        ((), io.StringIO, Terminal, True),
        ((), Terminal, Terminal, True),
        (("-f", "csv"), io.StringIO, Terminal, True),
        # The rows are written between the progress messages.
        (("-f", "csv"), Terminal, Terminal, False),
        (("-q",), io.StringIO, Terminal, False),
        ((), io.StringIO, io.StringIO, False),
        (("--progress",), io.StringIO, io.StringIO, True),
    ],
)
def test_progress_is_shown_only_on_terminal(
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, ...],
    out: type[io.StringIO],
    err: type[io.StringIO],
    wanted: bool,
) -> None:
    monkeypatch.setattr("glance_compat.cli.audit_progress._QUIET_SECONDS", 0.0)
    stderr = err()
    with on(("v1", "v2")) as glance:
        whole = ["audit", *options(glance), *argv]
        assert GlanceCompat(stdout=out(), stderr=stderr).run(whole) == 3
    assert ("images read (" in stderr.getvalue()) is wanted


# ---------------------------------------------------------------------------------------------
# Failures.

DOCUMENT = {
    "versions": [{"id": "v2.5", "status": "CURRENT"}, {"id": "v1.1", "status": "DEPRECATED"}]
}
PLAIN = {"status": "queued", "owner": "p", "name": "plain", "visibility": "shared"}
IDS = [f"00000000-0000-4000-8000-00000000000{one}" for one in range(3)]


def page(*ids: str, more: bool = False, **changed: Any) -> Reply:
    images = [{**PLAIN, "properties": {}, "id": one, **changed} for one in ids]
    return json_reply({"images": images, **({"next": "/v2/images?more"} if more else {})})


def of_all(*replies: Reply) -> Callable[[Seen], Reply]:
    """Respond to the list of all images; the list of community images is empty."""
    left = list(replies)

    def answer(seen: Seen) -> Reply:
        return page() if "visibility=community" in seen.query else left.pop(0)

    return answer


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.on("GET", "/", json_reply(DOCUMENT, 300))
        server.on("GET", "/v1/images/detail", page(*IDS[:1]), page())
        server.on("GET", "/v2/images", of_all(page(*IDS[:1])))
        yield server


def of_scripted(server: ScriptedServer, *argv: str) -> Outcome:
    token = ("--os-auth-type", "admin_token", "--os-token", "any")
    with retry.without_pauses():
        return in_process("audit", "--endpoint", server.url, *token, "-f", "json", *argv)


def test_scripted_server_has_no_findings(scripted: ScriptedServer) -> None:
    outcome = of_scripted(scripted)
    assert (outcome.code, rows_of(outcome)) == (0, [])


FORBIDDEN = json_reply({}, 403)


@pytest.mark.parametrize(
    ("path", "answers"),
    [
        ("/v2/images", (of_all(page(*IDS[:1], more=True), FORBIDDEN),)),
        ("/v2/images", (of_all(FORBIDDEN),)),
        ("/v2/images", (of_all(page(*IDS[:1], more=True), page(*IDS[:1], more=True)),)),
        ("/v1/images/detail", (FORBIDDEN,)),
        ("/v1/images/detail", (json_reply({"images": [{"name": "no id"}]}),)),
        ("/v1/images/detail", (Reply(200, b"no JSON"),)),
    ],
)
def test_failed_list_is_a_finding_and_exit_1(
    scripted: ScriptedServer, path: str, answers: tuple[Callable[[Seen], Reply] | Reply, ...]
) -> None:
    scripted.on("GET", path, *answers)
    outcome = of_scripted(scripted)
    assert outcome.code == 1
    [row] = rows_of(outcome)
    assert (row["kind"], row["subject"]) == ("list-incomplete", f"the list of {path[1:3]}")
    assert "Nothing was found, but not everything was read." in outcome.err
    assert outcome.err.splitlines()[-1].startswith(row["details"].split(": ")[1])


def test_findings_before_list_failure_are_shown(scripted: ScriptedServer) -> None:
    broken = of_all(page(*IDS[:1], more=True, name="my%20image"), FORBIDDEN)
    scripted.on("GET", "/v2/images", broken)
    outcome = of_scripted(scripted, "--exit-zero")
    assert [one["kind"] for one in rows_of(outcome)] == ["percent-encoded", "list-incomplete"]
    assert outcome.code == 1


def test_failed_community_list_is_named(scripted: ScriptedServer) -> None:
    scripted.on("GET", "/v2/images", page(*IDS[:1]), FORBIDDEN)
    outcome = of_scripted(scripted)
    [row] = rows_of(outcome)
    assert row["subject"] == "the list of community images of v2"
    assert outcome.code == 1


def test_failure_of_all_lists_is_an_error(scripted: ScriptedServer) -> None:
    for path in ("/v1/images/detail", "/v2/images"):
        scripted.on("GET", path, FORBIDDEN)
    outcome = of_scripted(scripted)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("Forbidden: ")


def test_malformed_image_does_not_hide_others(scripted: ScriptedServer) -> None:
    odd = page(*IDS[:2], name="my%20image", size="huge", tags=7, status=["x"])
    scripted.on("GET", "/v1/images/detail", page(*IDS[:2], properties={"p": 7}), page())
    scripted.on("GET", "/v2/images", of_all(odd))
    outcome = of_scripted(scripted)
    assert outcome.code == 1
    assert [(one["id"], one["kind"]) for one in rows_of(outcome)] == [
        (image_id, kind)
        for image_id in IDS[:2]
        for kind in ("percent-encoded", "unreadable-image")
    ]


def test_image_in_one_list_is_a_finding(scripted: ScriptedServer) -> None:
    scripted.on("GET", "/v1/images/detail", page(IDS[0], IDS[1]), page())
    scripted.on("GET", "/v2/images", of_all(page(IDS[1], IDS[2])))
    outcome = of_scripted(scripted)
    assert {(one["id"], one["kind"], one["details"]) for one in rows_of(outcome)} == {
        (IDS[0], "one-api-only", "only v1 listed it"),
        (IDS[2], "one-api-only", "only v2 listed it"),
    }
    # An image was created or deleted meanwhile, which is not a failure.
    assert outcome.code == 0


def test_missing_version_document_leaves_gaps(scripted: ScriptedServer) -> None:
    scripted.on("GET", "/", json_reply({}, 404))
    token = ("--os-auth-type", "admin_token", "--os-token", "any")
    outcome = in_process("audit", "--endpoint", f"{scripted.url}/v2", *token, "-f", "json")
    assert {one["kind"] for one in rows_of(outcome)} == {"v1-not-read", "lists-not-read"}
    assert outcome.code == 0


def test_refused_connection_is_connection_failed() -> None:
    outcome = in_process("audit", "--endpoint", "http://127.0.0.1:1")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("GlanceConnectionFailed: ")


def test_audit_without_cloud_is_wrong_usage() -> None:
    outcome = in_process("audit")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error.startswith("UsageError: ")


@pytest.mark.parametrize(
    "argv",
    [
        ("--target-api", "v3"),
        ("--severity", "unread"),
        ("--kind", "nonsense"),
        ("--kind", "list-incomplete"),
        ("--page-size", "0"),
        ("--fix-percent-encoding",),
        ("an-image",),
    ],
)
def test_invalid_arguments_are_wrong_usage(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process("audit", *argv).code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("glance-compat audit: error: ")


def test_dry_run_without_fix_is_wrong_usage() -> None:
    outcome = in_process("audit", "--dry-run")
    assert outcome.code == 2
    assert outcome.error.startswith("UsageError: --dry-run needs ")
