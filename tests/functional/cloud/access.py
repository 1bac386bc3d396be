# SPDX-License-Identifier: Apache-2.0
"""Access of tests to a running cloud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from keystoneauth1 import session

from tests.functional.cloud.identity import session_of
from tests.functional.cloud.lifecycle import Outcome
from tests.functional.cloud.topology import HOST, SERVERS, USERS, VARIANTS, Server, User


class UnavailableError(Exception):
    """A server of the table cannot run here; the message says what to install."""


def _raise(reason: str) -> NoReturn:
    raise UnavailableError(reason)


@dataclass(frozen=True)
class Cloud:
    """A running cloud.

    :param outcome: the outcome of starting the cloud.
    :param unavailable: called with one sentence if a test requests a server that cannot run on
        this machine; it skips or fails the test.
    """

    outcome: Outcome
    unavailable: Callable[[str], NoReturn] = _raise

    @cached_property
    def auth_url(self) -> str:
        """The unversioned URL of Keystone."""
        return self._url_of("keystone")

    @property
    def user_names(self) -> tuple[str, ...]:
        """The names of all users, including the service user of Glance."""
        return tuple(user.name for user in USERS)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions with a running Glance."""
        return tuple(server.region for server in self.outcome.servers if server.region)

    def user(self, name: str) -> User:
        """Return name, password, project and roles of a user."""
        return next(user for user in USERS if user.name == name)

    def session(self, user_name: str) -> session.Session:
        """Return a new session of the user, with a token for the user's own project."""
        return session_of(self.user(user_name), self.auth_url)

    def project_id(self, project_name: str) -> str:
        """Return the id of a project: admin, demo, other, stranger or service."""
        return self.outcome.state.projects[project_name]

    def url(self, region: str) -> str:
        """Return the unversioned URL of the region's Glance, as in the catalog."""
        server = _server_in(region)
        if server not in self.outcome.servers:
            self.unavailable(
                self.outcome.missing.get(server.release, f"{server.name} was not started.")
            )
        return self._url_of(server.name)

    def _url_of(self, server_name: str) -> str:
        return f"http://{HOST}:{self.outcome.state.servers[server_name].port}"


def _server_in(region: str) -> Server:
    return next(server for server in (*SERVERS, *VARIANTS) if server.region == region)
