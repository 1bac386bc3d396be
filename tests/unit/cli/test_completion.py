# SPDX-License-Identifier: Apache-2.0
"""The completion scripts, in the shells that are installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cases import in_one_test
from tests.unit.cli.running import PATIENCE, Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

#: For each shell, a program that sources a script and prints what completes its arguments, of
#: which the last one is incomplete.
PROGRAMS: Mapping[str, str] = {
    "bash": """
        . "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _glance_compat 2> /dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    # Completion functions run in the line editor only; these stand for its builtins.
    "zsh": """
        compdef() { : }
        compset() { [[ ${words[CURRENT]} == *=* ]] }
        compadd() { shift; print -l -- "$@" }
        _files() { print -l -- *(N) }
        _describe() { local one; shift
            for one in "$@"; do [[ $one == -- ]] || print -l -- ${(P)one%%:*}; done }
        script=$1; shift
        words=("$@"); CURRENT=$#
        . $script
        _glance_compat
    """,
    "fish": """
        source $argv[1]
        complete -C (string join ' ' -- $argv[2..])
    """,
}


#: Names that a shell evaluates are not completed.
CLOUDS = """
clouds: {lab: {}, lab-2: {}, other: {}, two words: {}, "$(touch evaluated)": {}, "`a`": {}}
"""


@pytest.fixture(scope="module", params=sorted(PROGRAMS))
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Provide the beginning of a command line that prints completions."""
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path_factory.mktemp(name)
    outcome = in_process("complete", "--shell", name)
    assert (outcome.code, outcome.err) == (0, "")
    script, program, installed = folder / "script", folder / "program", folder / "glance-compat"
    installed.write_text(f'#!/bin/sh\nexec {sys.executable} -m glance_compat "$@"\n')
    installed.chmod(0o755)
    script.write_text(outcome.out)
    program.write_text(PROGRAMS[name])
    return [name, *(("-f",) if name == "zsh" else ()), str(program), str(script)]


def completed(shell: list[str], line: str, folder: Path) -> set[str]:
    """Return the words that complete the last word of a line."""
    *words, last = line.split(" ")
    done = subprocess.run(
        [*shell, *words, last],
        cwd=folder,
        env={
            "PATH": f"{Path(shell[-1]).parent}:/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "HOME": str(folder),
            "TERM": "dumb",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stderr == ""
    found = {
        one.split("\t")[0].partition("=")[2] or one.split("\t")[0]
        for one in done.stdout.splitlines()
    }
    return {one for one in found if one.startswith(last.rpartition("=")[2])}


@pytest.mark.slow
@in_one_test(
    ("line", "words"),
    [
        ("glance-compat li", {"list"}),
        ("glance-compat su", {"supersede"}),
        ("glance-compat --os-cloud lab --insecure reac", {"reactivate"}),
        ("glance-compat member ", {"add", "list", "remove", "set"}),
        ("glance-compat member a", {"add"}),
        ("glance-compat list --crea", {"--created-before", "--created-after"}),
        ("glance-compat list --os-clo", {"--os-cloud"}),
        ("glance-compat member set x y --rej", {"--reject"}),
        ("glance-compat member add x y --rej", set()),
        ("glance-compat list --status pend", {"pending_delete"}),
        ("glance-compat discover -f j", {"json"}),
        ("glance-compat audit --severity ", {"note", "change", "loss"}),
        ("glance-compat list --api-version ", {"1", "2", "auto"}),
        ("glance-compat create new --file di", {"disk.img"}),
        ("glance-compat --os-cloud la", {"lab", "lab-2"}),
        ("glance-compat sync --to-os-cloud ", {"lab", "lab-2", "other"}),
    ],
)
def test_words_are_completed(shell: list[str], tmp_path: Path, line: str, words: set[str]) -> None:
    (tmp_path / "disk.img").touch()
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    assert completed(shell, line, tmp_path) == words


def test_clouds_are_listed_without_names_that_a_shell_evaluates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clouds.yaml"
    # Otherwise openstacksdk searches the folder that was the current one when it was imported.
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    file.write_text("clouds: {}")
    assert in_process("complete", "--clouds") == Outcome(0, "", "")
    file.write_text(CLOUDS)
    assert in_process("complete", "--clouds") == Outcome(0, "lab\nlab-2\nother\n", "")
    file.write_text("clouds: [")
    # Only old releases of openstacksdk raise an error, which the scripts do not show.
    assert in_process("complete", "--clouds").out == ""


def test_unknown_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process("complete", "--shell", "csh").code == 2
    assert "invalid choice: 'csh'" in capsys.readouterr().err
