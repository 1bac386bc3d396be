# SPDX-License-Identifier: Apache-2.0
"""Under eventlet, where uploads are offloaded to a native thread."""

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

chosen = "libvirt or vmware or created_with_its_data or breaks"
sys.exit(pytest.main(["-q", "-W", "default", "tests/nova/test_uploads.py", "-k", chosen]))
"""


def test_uploads_are_the_same() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OS_NOVA_DISABLE_EVENTLET_PATCHING": "false"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "12 passed" in run.stdout
