# SPDX-License-Identifier: Apache-2.0
"""The content of Keystone: projects, users, roles, and a region for every Glance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import requests
from keystoneauth1 import adapter, session
from keystoneauth1.identity import v3

from tests.functional.cloud.topology import ADMIN, INTERFACES, USERS, User

DOMAIN = "default"
SERVICE_NAMES = {"identity": "keystone", "image": "glance"}


def session_of(user: User, auth_url: str) -> session.Session:
    """Return a session that logs in as the user, with a token for the user's project."""
    sender = requests.Session()
    # All servers are on loopback, so proxies of the environment are ignored.
    sender.trust_env = False
    login = v3.Password(
        auth_url,
        username=user.name,
        password=user.password,
        user_domain_id=DOMAIN,
        project_name=user.project,
        project_domain_id=DOMAIN,
    )
    return session.Session(auth=login, session=sender)


def fill(auth_url: str, regions: Mapping[str, str]) -> dict[str, str]:
    """Create the users, and set the endpoints, in Keystone; existing resources are reused.

    :param regions: the URL of each region's Glance, by region name.
    :returns: the project ids, by name.
    """
    keystone = _Keystone(auth_url)
    role_names = _distinct(role for user in USERS for role in user.roles)
    roles = {name: keystone.ensure("role", {"name": name}) for name in role_names}
    projects = {
        name: keystone.ensure_project(name) for name in _distinct(user.project for user in USERS)
    }
    for user in USERS:
        user_id = keystone.ensure_user(user)
        for role in user.roles:
            keystone.grant(projects[user.project], user_id, roles[role])
    keystone.set_endpoints("identity", dict.fromkeys(regions, f"{auth_url}/v3"))
    keystone.set_endpoints("image", regions)
    return projects


def add_users(auth_url: str, users: Iterable[User]) -> None:
    """Make Keystone hold more users, with their projects and roles."""
    keystone = _Keystone(auth_url)
    for user in users:
        project_id, user_id = keystone.ensure_project(user.project), keystone.ensure_user(user)
        for role in user.roles:
            keystone.grant(project_id, user_id, keystone.ensure("role", {"name": role}))


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


class _Keystone:
    """A client for the calls of the Identity API that :func:`fill` needs."""

    def __init__(self, auth_url: str) -> None:
        self._api = adapter.Adapter(
            session_of(ADMIN, auth_url), endpoint_override=f"{auth_url}/v3"
        )

    def ensure(
        self, kind: str, key: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> str:
        """Return the id of the resource with this key; create it if it does not exist."""
        found = self.find(kind, key)
        if found:
            return str(found[0]["id"])
        new = {kind: {**key, **(body or {})}}
        return str(self._api.post(f"/{kind}s", json=new).json()[kind]["id"])

    def find(self, kind: str, key: Mapping[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._api.get(f"/{kind}s", params=dict(key)).json()[
            f"{kind}s"
        ]
        return found

    def ensure_project(self, name: str) -> str:
        return self.ensure("project", {"name": name, "domain_id": DOMAIN})

    def ensure_user(self, user: User) -> str:
        return self.ensure(
            "user", {"name": user.name, "domain_id": DOMAIN}, {"password": user.password}
        )

    def grant(self, project_id: str, user_id: str, role_id: str) -> None:
        self._api.put(f"/projects/{project_id}/users/{user_id}/roles/{role_id}")

    def set_endpoints(self, service_type: str, regions: Mapping[str, str]) -> None:
        """Set the service's endpoints to those of the regions, on every interface."""
        service_id = self.ensure(
            "service", {"type": service_type}, {"name": SERVICE_NAMES[service_type]}
        )
        wanted = {
            (region, interface): url for region, url in regions.items() for interface in INTERFACES
        }
        for endpoint in self.find("endpoint", {"service_id": service_id}):
            place = (endpoint["region_id"], endpoint["interface"])
            if wanted.get(place) == endpoint["url"]:
                del wanted[place]
            else:
                self._api.delete(f"/endpoints/{endpoint['id']}")
        for (region, interface), url in wanted.items():
            self._add_endpoint(service_id, region, interface, url)

    def _add_endpoint(self, service_id: str, region: str, interface: str, url: str) -> None:
        if region not in [known["id"] for known in self.find("region", {})]:
            self._api.post("/regions", json={"region": {"id": region}})
        body = {"service_id": service_id, "region_id": region, "interface": interface, "url": url}
        self._api.post("/endpoints", json={"endpoint": body})
