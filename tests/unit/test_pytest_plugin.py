# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin, in separate pytest runs like those of users."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

#: The options of a strict suite.
STRICT = ("--strict-markers", "--strict-config", "-W", "error", "-p", "no:cacheprovider", "-q")

#: Packages that may be imported only for a test that uses a Glance.
EXPENSIVE = ("glance_compat", "keystoneauth1", "fixtures", "werkzeug", "cheroot")

#: Environment variables that would pass options of this run to the started runs.
PYTEST_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_PLUGINS")

#: The modules of a suite that uses the plugin; one pytest process runs all of them.
SUITE = {
    "test_servers": """
        import pytest, requests

        def majors(glance):
            versions = requests.get(glance.url, timeout=30).json()["versions"]
            return {version["id"][:2] for version in versions}

        def test_v1(glance_compat_v1):
            assert majors(glance_compat_v1) == {"v1"}

        def test_v2(glance_compat_v2):
            assert majors(glance_compat_v2) == {"v2"}

        def test_both(glance_compat_both):
            assert majors(glance_compat_both) == {"v1", "v2"}

        def test_all(glance_compat_v1, glance_compat_v2, glance_compat_both):
            assert len({glance_compat_v1.url, glance_compat_v2.url, glance_compat_both.url}) == 3

        def test_each(glance_compat_each, request):
            assert "+".join(sorted(majors(glance_compat_each))) in request.node.name
        """,
    "test_service": """
        SEEN = []

        def test_it(glance_compat_service, glance_compat_each):
            meta = {"name": "one", "disk_format": "raw", "container_format": "bare"}
            made = glance_compat_service.create(None, meta, b"data")
            assert glance_compat_each.images[made["id"]].data == b"data"
            SEEN.append(glance_compat_service.discover().api)

        def test_request_version():
            assert SEEN == ["v1", "v2", "v2"]
        """,
    "test_marks": """
        import pytest
        from glance_compat.fixture import NOVA_IMAGES

        pytestmark = pytest.mark.glance_compat(sockets=False, images=NOVA_IMAGES)

        @pytest.mark.glance_compat(release="33", prefix="/outer")
        class TestIt:
            def test_module_and_class(self, glance_compat_v2):
                assert glance_compat_v2.url.endswith(".invalid:9292/outer")
                assert len(glance_compat_v2.images) == 11

            @pytest.mark.glance_compat(prefix="/inner", images=())
            def test_nearest_mark_applies(self, glance_compat_v2):
                assert glance_compat_v2.url.endswith(".invalid:9292/inner")
                assert glance_compat_v2.images == {}

        def test_service(glance_compat_service):
            assert len(glance_compat_service.detail(None)) == 11
        """,
    "test_wrong_marks": """
        import pytest

        @pytest.mark.glance_compat("33")
        def test_positional(glance_compat_v2): pass

        @pytest.mark.glance_compat(release="zed")
        def test_release(glance_compat_v2): pass

        @pytest.mark.glance_compat(size=3)
        def test_keyword(glance_compat_v2): pass
        """,
}

Results = dict[str, dict[str, str]]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Isolate the started runs from the environment of this run."""
    for name in PYTEST_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return the results of SUITE by module and test: "" if it passed, else pytest's report."""
    folder = tmp_path_factory.mktemp("suite")
    for name, source in SUITE.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
    subprocess.run(
        [sys.executable, "-m", "pytest", *STRICT, "--junit-xml", "results.xml"],
        cwd=folder,
        env={name: text for name, text in os.environ.items() if name not in PYTEST_VARIABLES},
        capture_output=True,
        check=False,
    )
    found: Results = {}
    for case in ElementTree.parse(folder / "results.xml").iter("testcase"):  # noqa: S314
        module = (case.get("classname") or "").partition(".")[0]
        problems = "".join(f"{one.tag}: {one.text}" for one in case)
        found.setdefault(module, {})[case.get("name") or ""] = problems
    return found


def test_plugin_is_an_entry_point() -> None:
    [entry] = importlib.metadata.entry_points(group="pytest11", name="glance_compat")
    assert entry.value == "pytest_glance_compat"


@pytest.mark.slow
def test_plugin_import_loads_no_other_modules() -> None:
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import pytest_glance_compat\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['pytest_glance_compat']\n"


@pytest.mark.slow
def test_unrelated_suite_is_not_affected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys, pytest

        def test_it(request):
            assert request.config.pluginmanager.has_plugin("glance_compat")
            assert [name for name in {EXPENSIVE} if name in sys.modules] == []

        @pytest.mark.parametrize("name", ["glance", "image_service", "glance_v1", "images"])
        def test_plugin_defines_no_generic_fixture_names(request, name):
            with pytest.raises(pytest.FixtureLookupError):
                request.getfixturevalue(name)
        """
    )
    result = pytester.runpytest_subprocess(*STRICT)
    result.assert_outcomes(passed=5)
    result.stderr.no_fnmatch_line("*Warning*")
    result.stdout.no_fnmatch_line("*Warning*")


@pytest.mark.slow
def test_each_fixture_has_its_own_glance(results: Results) -> None:
    assert results["test_servers"] == {
        "test_v1": "",
        "test_v2": "",
        "test_both": "",
        "test_all": "",
        "test_each[v1]": "",
        "test_each[v2]": "",
        "test_each[v1+v2]": "",
    }


@pytest.mark.slow
def test_service_fixture_uses_each_glance(results: Results) -> None:
    assert results["test_service"] == {
        "test_it[v1]": "",
        "test_it[v2]": "",
        "test_it[v1+v2]": "",
        "test_request_version": "",
    }


@pytest.mark.slow
def test_nearest_mark_configures_the_glance(results: Results) -> None:
    assert results["test_marks"] == {
        "test_module_and_class": "",
        "test_nearest_mark_applies": "",
        "test_service[v1]": "",
        "test_service[v2]": "",
        "test_service[v1+v2]": "",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("test_positional", "takes keyword arguments only"),
        ("test_release", "'zed'"),
        ("test_keyword", "unexpected keyword"),
    ],
)
def test_invalid_mark_fails_the_test(results: Results, test: str, message: str) -> None:
    assert len(results["test_wrong_marks"]) == 3
    problem = results["test_wrong_marks"][test]
    assert problem.startswith("error: ")
    assert message in problem


@pytest.mark.slow
def test_missing_package_is_named(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys; sys.modules['cheroot'] = None")
    pytester.makepyfile("def test_it(glance_compat_v1): pass\ndef test_other(): pass")
    result = pytester.runpytest_subprocess(*STRICT)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*pip install 'glance-compat?fixtures?'*"])


def test_fixtures_are_listed_with_descriptions(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--fixtures", "-q", "-p", "no:cacheprovider")
    for name, description in {
        "v1": "*Images API v1 only.",
        "v2": "*Images API v2 only.",
        "both": "*both Images APIs over the same images.",
        "each": "*with v1, v2 and both in turn: the test runs three times.",
        "service": "*ImageService for each of the three, as an ordinary member.",
    }.items():
        result.stdout.fnmatch_lines([f"*glance_compat_{name}*", description])


@pytest.mark.slow
def test_coverage_measures_the_package_from_its_first_line(pytester: pytest.Pytester) -> None:
    """If the plugin imported the package, its first lines would not be measured."""
    pytester.makepyfile(
        "def test_it(glance_compat_v1): import glance_compat\n",
        tracing="""
        import sys

        SEEN = set()

        def trace(frame, event, argument):
            SEEN.add(frame.f_globals.get("__name__"))

        def pytest_load_initial_conftests(early_config):
            sys.settrace(trace)

        def pytest_unconfigure(config):
            sys.settrace(None)
            assert {"glance_compat", "glance_compat.fixture"} <= SEEN
            print("seen")
        """,
    )
    environment = {**os.environ, "PYTHONPATH": str(pytester.path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tracing", *STRICT],
        cwd=Path(pytester.path),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "seen" in done.stdout
