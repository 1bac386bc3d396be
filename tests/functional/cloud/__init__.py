# SPDX-License-Identifier: Apache-2.0
"""A real Keystone and real Glance servers on loopback, for the functional tests.

``python -m tests.functional.cloud up`` builds and starts them, ``down`` stops them, ``status``
shows their URLs. Tests use the ``cloud`` fixture, which is a :class:`Cloud`.
"""

from __future__ import annotations

from tests.functional.cloud.access import Cloud, UnavailableError
from tests.functional.cloud.interpreters import PythonMissingError
from tests.functional.cloud.layout import Layout
from tests.functional.cloud.processes import CloudError

__all__ = ["Cloud", "CloudError", "Layout", "PythonMissingError", "UnavailableError"]
