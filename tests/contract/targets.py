# SPDX-License-Identifier: Apache-2.0
"""The servers that the contract is tested on, and a common interface to them.

A real server is found through Keystone's catalog; an embedded one by its URL. The embedded Pike
offers both APIs, so that raw requests can use v2 where v1 lacks a feature; ``prefer`` selects the
API of the library.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import requests
import tenacity
from keystoneauth1.session import Session

from glance_compat import ImageService, Options
from glance_compat.fixture import GlanceFixture
from tests.functional.cloud import Cloud

Api = Literal["v1", "v2"]
Release = Literal["pike", "33"]

#: Each user has a project of the same name; admin has the role admin, the others are members.
USERS = ("admin", "demo", "other", "stranger")


@dataclasses.dataclass(frozen=True)
class Kind:
    """One row of the table of targets.

    :param region: the region in the real cloud; None for an embedded server.
    :param sockets: whether an embedded server listens.
    """

    name: str
    api: Api
    release: Release
    region: str | None = None
    sockets: bool = False


KINDS = (
    Kind("pike-v1", "v1", "pike", region="pike-v1"),
    Kind("pike-v2", "v2", "pike", region="pike-v2"),
    Kind("glance-33", "v2", "33", region="glance-33"),
    Kind("mounted-v1", "v1", "pike"),
    Kind("mounted-v2", "v2", "pike"),
    Kind("mounted-33", "v2", "33"),
    Kind("http-v1", "v1", "pike", sockets=True),
    Kind("http-v2", "v2", "pike", sockets=True),
)


#: One embedded server for each API, which the quick tests run on.
QUICK = ("mounted-v1", "mounted-33")


def parameters(wanted: Callable[[Kind], bool] = lambda kind: True) -> list[Any]:
    """Return the targets as pytest parameters with marks."""
    return [pytest.param(kind, id=kind.name, marks=_marks(kind)) for kind in KINDS if wanted(kind)]


def _marks(kind: Kind) -> list[pytest.MarkDecorator]:
    if kind.region is not None:
        return [pytest.mark.functional]
    return [] if kind.name in QUICK else [pytest.mark.slow]


def only(wanted: Callable[[Kind], bool]) -> pytest.MarkDecorator:
    """Restrict a test to some targets."""
    return pytest.mark.parametrize("target", parameters(wanted), indirect=True)


def is_open(kind: Kind) -> bool:
    """Return whether a client with its own connections can reach the server."""
    return kind.region is not None or kind.sockets


def is_usual(kind: Kind) -> bool:
    """Return whether most tests run on a target: sockets to embedded servers add only time."""
    return not kind.sockets


#: All targets, including embedded servers over sockets.
everywhere = only(lambda kind: True)
on_v1 = only(lambda kind: is_usual(kind) and kind.api == "v1")
on_v2 = only(lambda kind: is_usual(kind) and kind.api == "v2")
on_pike = only(lambda kind: is_usual(kind) and kind.release == "pike")
on_33 = only(lambda kind: is_usual(kind) and kind.release == "33")
on_real = only(lambda kind: kind.region is not None)
#: For calls that the library refuses without a request, so that the server does not matter.
on_each_api = only(lambda kind: kind.name in QUICK)


@dataclasses.dataclass(frozen=True)
class Context:
    """The attributes of Nova's RequestContext that the library reads.

    :param auth_token: the only token that may be sent to Glance.
    :param service_catalog: the catalog in the format of Identity API v2.
    :param global_id: the id that is sent as X-OpenStack-Request-ID.
    """

    auth_token: str | None
    project_id: str | None = None
    roles: tuple[str, ...] | None = None
    service_catalog: tuple[Mapping[str, Any], ...] = ()
    global_id: str | None = None


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A request of one session, and its response."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = dataclasses.field(repr=False, default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Target:
    """One server, and the library in front of it.

    :param kind: the row of the table of targets.
    :param url: the unversioned endpoint.
    :param wide_url: an endpoint with all APIs of the release, over the same images.
    :param place: the arguments with which an ImageService finds the server.
    :param prefer: the API that the library prefers if the endpoint has both.
    :param connect: returns a keystoneauth session of a user.
    :param projects: the id of each user's project, by user name.
    """

    kind: Kind
    url: str
    wide_url: str
    place: Mapping[str, Any]
    prefer: Literal["1", "2"]
    connect: Callable[[str], Session]
    projects: Mapping[str, str]
    exchanges: list[Exchange] = dataclasses.field(default_factory=list, repr=False)
    made: list[str] = dataclasses.field(default_factory=list, repr=False)
    sessions: dict[str, Session] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def is_v1(self) -> bool:
        """Whether the library uses v1 on this target."""
        return self.kind.api == "v1"

    @property
    def has_v1(self) -> bool:
        """Whether raw requests can be sent to v1."""
        return self.kind.release == "pike"

    def session(self, user: str = "demo") -> Session:
        """Return the user's session; the same object each time."""
        if user not in self.sessions:
            self.sessions[user] = self.new_session(user)
        return self.sessions[user]

    def new_session(self, user: str = "demo") -> Session:
        """Return another session of the user, with its own token."""
        session = self.connect(user)
        session.session.hooks["response"].append(self._note)
        return session

    def service(self, user: str = "demo", **options: Any) -> ImageService:
        """Return an ImageService of a user."""
        chosen = Options(**{"prefer": self.prefer, **options})
        return ImageService(self.session(user), **self.place, options=chosen)

    def context(self, user: str = "demo", **other: Any) -> Context:
        """Return a user's request context as in Nova: a token, a project and roles."""
        token = self.session(user).get_token()
        roles = ("admin",) if user == "admin" else ("member",)
        return Context(token, **{"project_id": self.projects[user], "roles": roles, **other})

    def _note(self, response: requests.Response, *args: object, **kwargs: object) -> None:
        request = response.request
        path = urlsplit(str(request.url))._replace(scheme="", netloc="").geturl()
        if str(request.url).startswith((self.url, self.wide_url)):
            self.exchanges.append(
                Exchange(str(request.method), path, response.status_code, request.headers)
            )
        made = response.headers.get("Location", "").rstrip("/").rpartition("/")[2]
        if request.method == "POST" and response.status_code == 201:
            self.made.append(made)
        gone = path.rpartition("/images/")[2]
        if request.method == "DELETE" and response.ok and gone in self.made:
            self.made.remove(gone)

    @contextlib.contextmanager
    def counting(self) -> Iterator[list[Exchange]]:
        """Collect the requests in a context, except those to Keystone."""
        before = len(self.exchanges)
        found: list[Exchange] = []
        try:
            yield found
        finally:
            found.extend(self.exchanges[before:])

    # -- without the library

    def send(
        self,
        method: str,
        path: str,
        *,
        user: str = "demo",
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> requests.Response:
        """Send a raw request to the endpoint with all APIs.

        :param headers: the headers; values may contain any text and are sent as UTF-8.
        """
        octets = {
            name: value.encode("utf-8").decode("latin-1")
            for name, value in (headers or {}).items()
        }
        answer: requests.Response = self.session(user).request(
            self.wide_url + path,
            method,
            headers=octets,
            raise_exc=False,
            redirect=False,
            authenticated=True,
            **arguments,
        )
        return answer

    def record(self, image_id: str, user: str = "admin") -> dict[str, Any]:
        """Return an image as v2 shows it."""
        answer = self.send("GET", f"/v2/images/{image_id}", user=user)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def make(
        self,
        user: str = "demo",
        data: bytes | None = None,
        properties: Mapping[str, str] | None = None,
        **record: Any,
    ) -> str:
        """Create an image over raw v2, upload its data, and return its id."""
        full = {"disk_format": "raw", "container_format": "bare", **record, **(properties or {})}
        answer = self.send("POST", "/v2/images", user=user, json=full)
        assert answer.status_code == 201, answer.text
        image_id = str(answer.json()["id"])
        if data is not None:
            self.upload(image_id, data, user)
        return image_id

    def upload(self, image_id: str, data: bytes, user: str = "demo") -> None:
        """Upload the data of an image over raw v2."""
        answer = self.send(
            "PUT",
            f"/v2/images/{image_id}/file",
            user=user,
            data=data,
            headers={"Content-Type": "application/octet-stream"},
        )
        assert answer.status_code == 204, answer.text

    def patch(self, image_id: str, *operations: Mapping[str, Any], user: str = "admin") -> None:
        """Change an image over raw v2."""
        answer = self.send(
            "PATCH",
            f"/v2/images/{image_id}",
            user=user,
            data=json.dumps(operations),
            headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
        )
        assert answer.status_code == 200, answer.text

    def publish(self, image_id: str) -> None:
        """Make an image public."""
        self.patch(image_id, {"op": "replace", "path": "/visibility", "value": "public"})

    def deactivate(self, image_id: str) -> None:
        """Deactivate an image, so that only admins can read its data."""
        answer = self.send("POST", f"/v2/images/{image_id}/actions/deactivate", user="admin")
        assert answer.status_code == 204, answer.text

    def share(
        self, image_id: str, with_user: str, status: str | None = None, owner: str = "demo"
    ) -> None:
        """Share an image over raw v2.

        :param status: the status that the member sets, or None.
        """
        member = self.projects[with_user]
        path = f"/v2/images/{image_id}/members"
        answer = self.send("POST", path, user=owner, json={"member": member})
        assert answer.status_code == 200, answer.text
        if status is not None:
            answer = self.send("PUT", f"{path}/{member}", user=with_user, json={"status": status})
            assert answer.status_code == 200, answer.text

    def leftovers(self, name: str) -> list[str]:
        """Return the images with a name, including killed ones, as "status id"."""
        if self.has_v1:
            # Only v1 lists killed images, with the filter changes-since.
            path = "/v1/images/detail?is_public=none&changes-since=2000-01-01T00:00:00&limit=1000"
        else:
            path = "/v2/images?limit=1000"
        answer = self.send("GET", path, user="admin", params={"name": f"eq:{name}"})
        assert answer.status_code == 200, answer.text
        return [
            f"{image['status']} {image['id']}"
            for image in answer.json()["images"]
            if image["name"] == name and not image.get("deleted")
        ]

    def clean(self) -> None:
        """Delete all images that were created."""
        for image_id in list(dict.fromkeys(self.made)):
            self._delete(image_id)
        self.made.clear()

    # With concurrent writers SQLite reports "database is locked": status 500.
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(AssertionError),
        stop=tenacity.stop_after_attempt(5),
        wait=tenacity.wait_fixed(0.1),
        reraise=True,
    )
    def _delete(self, image_id: str) -> None:
        path = f"/v2/images/{image_id}"
        answer = self.send("DELETE", path, user="admin")
        if answer.status_code == 403:
            self.patch(image_id, {"op": "replace", "path": "/protected", "value": False})
            answer = self.send("DELETE", path, user="admin")
        assert answer.status_code in (204, 404), answer.text


def real(kind: Kind, cloud: Cloud) -> Target:
    """Return a real server, found through the catalog."""
    assert kind.region is not None
    wide = "pike" if kind.release == "pike" else kind.region
    return Target(
        kind=kind,
        url=cloud.url(kind.region),
        wide_url=cloud.url(wide),
        place={"region_name": kind.region},
        prefer="2",
        connect=cloud.session,
        projects={user: cloud.project_id(user) for user in USERS},
    )


@contextlib.contextmanager
def embedded(kind: Kind) -> Iterator[Target]:
    """Return an embedded server, configured like the real ones."""
    projects = {user: f"{user}-project" for user in USERS}
    roles = {user: "admin" if user == "admin" else "member" for user in USERS}
    # A unique URL, because the library caches what it discovers about a URL.
    with GlanceFixture(
        release=kind.release,
        prefix=kind.name,
        sockets=kind.sockets,
        config={"show_multiple_locations": True, "show_image_direct_url": True},
    ) as glance:
        yield Target(
            kind=kind,
            url=glance.url,
            wide_url=glance.url,
            place={"endpoint_override": glance.url},
            prefer="1" if kind.api == "v1" else "2",
            connect=lambda user: glance.session(f"{user}:{projects[user]}:{roles[user]}"),
            projects=projects,
        )
