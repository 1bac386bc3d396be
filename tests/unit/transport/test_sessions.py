# SPDX-License-Identifier: Apache-2.0
"""sessions: derived sessions with the caller's settings, and connections after a fork."""

from __future__ import annotations

import subprocess
import sys

import pytest
from keystoneauth1 import session as ksa_session

from glance_compat.fixture import GlanceFixture
from glance_compat.transport import sessions

#: Counts the requests of the child over the connections of the parent.
FORKED = """
import os, sys
from keystoneauth1 import session
from keystoneauth1.token_endpoint import Token
from glance_compat import ImageService

url, image_id = sys.argv[1:]
own = session.Session(auth=Token(url, "token"))
service = ImageService(own, endpoint_override=url)
assert service.show(None, image_id)["name"] == "forked"
[key] = own.session.get_adapter(url).poolmanager.pools.keys()
pool = own.session.get_adapter(url).poolmanager.pools[key]
before = pool.num_requests
child = os.fork()
names = {service.show(None, image_id)["name"] for _ in range(20)}
sent = pool.num_requests - before
expected = 20 if child else 0
right = names == {"forked"} and sent == expected
if not child:
    os._exit(0 if right else 1)
_, status = os.waitpid(child, 0)
sys.exit(0 if right and status == 0 else f"names {names}, sent {sent}, child {status}")
"""


@pytest.mark.slow
def test_forked_process_opens_its_own_connections() -> None:
    with GlanceFixture(images=[{"id": "one", "name": "forked"}]) as glance:
        run = subprocess.run(
            [sys.executable, "-c", FORKED, glance.url, "one"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == 0, run.stderr


def test_session_of_the_same_process_shares_the_callers_attributes() -> None:
    own = ksa_session.Session()
    fork_safe = sessions.ForkSafeSession(own)
    assert vars(fork_safe.get()) is vars(own)
    assert fork_safe.get() is fork_safe.get()


def test_auth_session_has_a_timeout() -> None:
    own = ksa_session.Session()
    assert sessions.auth_session(own, 3).timeout == 3
    assert sessions.auth_session(own, 3).session.adapters is own.session.adapters
    assert own.timeout is None
    patient = ksa_session.Session(timeout=99)
    assert sessions.auth_session(patient, 3).timeout == 99
    assert sessions.auth_session(patient, 3).session.adapters is patient.session.adapters
