# SPDX-License-Identifier: Apache-2.0
"""The environment variables of a user of the real cloud."""

from __future__ import annotations

from pathlib import Path

from tests.functional.cloud import Cloud
from tests.unit.cli.running import clean_environment


def openrc(cloud: Cloud, user_name: str, home: Path) -> dict[str, str]:
    """Return the variables in the openrc file of a user."""
    user = cloud.user(user_name)
    return {
        **clean_environment(home),
        "OS_AUTH_URL": cloud.auth_url,
        "OS_USERNAME": user.name,
        "OS_PASSWORD": user.password,
        "OS_PROJECT_NAME": user.project,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "PYTHONIOENCODING": "utf-8",
    }
