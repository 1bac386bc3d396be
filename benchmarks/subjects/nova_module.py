# SPDX-License-Identifier: Apache-2.0
"""Nova's own image module (34.0.0), which is what the drop-in of this library replaces.

It always runs python-glanceclient's v2. Nova needs an environment of its own: ``--nova-python``.
"""

from __future__ import annotations

from typing import Any

import nova.conf
from nova import context, service_auth
from nova.image import glance

from benchmarks.subjects.keystoneauth import session_of
from benchmarks.targets import Target


class NovaModule:
    """``nova.image.glance.API``."""

    def __init__(self, target: Target, api: str) -> None:
        conf = nova.conf.CONF
        conf([], project="nova", default_config_files=[])
        conf.set_override("api_servers", [target.url], group="glance")
        service_auth._SESSIONS["glance"] = session_of(target)
        self._context = context.RequestContext(
            user_id="benchmark", project_id="project", auth_token=target.token, roles=["member"]
        )
        self._api = glance.API()
        self._target = target

    def show(self) -> Any:
        """Return the image."""
        return self._api.get(self._context, self._target.image_id)

    def list(self) -> list[Any]:
        """Return all images."""
        return list(self._api.get_all(self._context))

    def download(self) -> int:
        """Receive the data, verified by glanceclient."""
        blocks = self._api.download(self._context, self._target.image_id)
        return sum(map(len, blocks))
