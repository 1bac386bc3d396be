# SPDX-License-Identifier: Apache-2.0
"""The library under eventlet, where uploads run in a native thread."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import sys
import glance_compat.nova

glance_compat.nova.install()
assert "urllib3" not in sys.modules
from nova import monkey_patch

monkey_patch.patch()
from nova import utils
from nova.image import glance

assert not utils.concurrency_mode_threading()
assert glance.__name__ == "glance_compat.nova.glance"
import pytest

chosen = "libvirt or vmware or create_stores_data or broken_stream"
sys.exit(pytest.main(["-q", "-W", "default", "tests/nova/test_uploads.py", "-k", chosen]))
"""

#: Tests of the response reader, because green sockets implement their own timeouts.
RECEIVING = """
import eventlet

eventlet.monkey_patch()
import sys
import pytest

sys.exit(pytest.main(["-q", "-W", "default", "tests/unit/transport/test_response_reader.py"]))
"""


def test_uploads_succeed_under_eventlet() -> None:
    run = patched(PROGRAM)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "12 passed" in run.stdout


def test_responses_are_received_under_eventlet() -> None:
    run = patched(RECEIVING)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "failed" not in run.stdout
    assert " passed" in run.stdout


def patched(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OS_NOVA_DISABLE_EVENTLET_PATCHING": "false"},
    )
