# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin, in pytest runs of their own as users have them."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: What a suite of somebody else has.
STRICT = ("--strict-markers", "--strict-config", "-W", "error", "-p", "no:cacheprovider", "-q")

#: Packages that only a test that asks for a Glance may pay for.
DEAR = ("glance_compat", "keystoneauth1", "fixtures", "werkzeug", "cheroot")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs inside are not influenced by how the run outside was started."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTEST_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess(*STRICT, *arguments)


def test_it_is_an_entry_point() -> None:
    [entry] = importlib.metadata.entry_points(group="pytest11", name="glance_compat")
    assert entry.value == "pytest_glance_compat"


def test_importing_it_imports_nothing_that_is_dear() -> None:
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


def test_a_suite_that_does_not_use_it_is_not_disturbed(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        f"""
        import sys, pytest

        def test_it(request):
            assert request.config.pluginmanager.has_plugin("glance_compat")
            assert [name for name in {DEAR} if name in sys.modules] == []

        @pytest.mark.parametrize("name", ["glance", "image_service", "glance_v1", "images"])
        def test_names_stay_free(request, name):
            with pytest.raises(pytest.FixtureLookupError):
                request.getfixturevalue(name)
        """,
    )
    result.assert_outcomes(passed=5)
    result.stderr.no_fnmatch_line("*Warning*")
    result.stdout.no_fnmatch_line("*Warning*")


def test_each_fixture_is_a_glance_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
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
    )
    result.assert_outcomes(passed=7)


def test_the_service_is_over_each(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        SEEN = []

        def test_it(glance_compat_service, glance_compat_each):
            meta = {"name": "one", "disk_format": "raw", "container_format": "bare"}
            made = glance_compat_service.create(None, meta, b"data")
            assert glance_compat_each.images[made["id"]].data == b"data"
            SEEN.append(glance_compat_service.discover().api)

        def test_what_was_spoken():
            assert SEEN == ["v1", "v2", "v2"]
        """,
    )
    result.assert_outcomes(passed=4)


def test_a_mark_chooses_what_it_is_like(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest
        from glance_compat.fixture import NOVA_IMAGES

        pytestmark = pytest.mark.glance_compat(sockets=False, images=NOVA_IMAGES)

        @pytest.mark.glance_compat(release="33", prefix="/outer")
        class TestIt:
            def test_module_and_class(self, glance_compat_v2):
                assert glance_compat_v2.url.endswith(".invalid:9292/outer")
                assert len(glance_compat_v2.images) == 11

            @pytest.mark.glance_compat(prefix="/inner", images=())
            def test_the_nearest_counts(self, glance_compat_v2):
                assert glance_compat_v2.url.endswith(".invalid:9292/inner")
                assert glance_compat_v2.images == {}

        def test_service(glance_compat_service):
            assert len(glance_compat_service.detail(None)) == 11
        """,
    )
    result.assert_outcomes(passed=5)


def test_a_mark_that_is_wrong_is_an_error_of_the_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.glance_compat("33")
        def test_one(glance_compat_v2): pass

        @pytest.mark.glance_compat(release="zed")
        def test_two(glance_compat_v2): pass

        @pytest.mark.glance_compat(size=3)
        def test_three(glance_compat_v2): pass
        """,
    )
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*takes keywords*", "*'zed'*", "*unexpected keyword*"])


def test_what_is_not_installed_is_named(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys; sys.modules['cheroot'] = None")
    result = run(pytester, "def test_it(glance_compat_v1): pass\ndef test_other(): pass")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*pip install 'glance-compat?fixtures?'*"])


def test_fixtures_are_listed_with_what_they_are(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", "-q")
    names = ("v1", "v2", "both", "each", "service")
    for name in names:
        result.stdout.fnmatch_lines([f"*glance_compat_{name}*", "*mbedded Glance*"])


def test_coverage_sees_the_package_from_its_first_line(pytester: pytest.Pytester) -> None:
    """Were the package imported by the plugin, its first lines would not be measured."""
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
