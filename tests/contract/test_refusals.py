# SPDX-License-Identifier: Apache-2.0
"""Refused calls on images of others: the same errors over every API, with all attributes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest

from glance_compat import ImageService, exceptions
from tests.contract.shape import DATA
from tests.contract.targets import Target, on_each_api, on_v1

Call = Callable[[ImageService, str], object]

CALLS: dict[str, Call] = {
    "show": lambda service, image_id: service.show(None, image_id),
    "update": lambda service, image_id: service.update(
        None, image_id, {"min_ram": 1}, purge_props=False
    ),
    "purge": lambda service, image_id: service.update(
        None, image_id, {"properties": {"new": "x"}}, purge_props=True
    ),
    "update with data": lambda service, image_id: service.update(None, image_id, {}, data=b"x"),
    "delete": lambda service, image_id: service.delete(None, image_id),
    "download": lambda service, image_id: service.download(None, image_id),
    "members": lambda service, image_id: service.members(None, image_id),
    "add_member": lambda service, image_id: service.add_member(None, image_id, "f" * 32),
    "remove_member": lambda service, image_id: service.remove_member(None, image_id, "f" * 32),
}
WRITES = ("update", "purge", "delete", "add_member")


@pytest.fixture(scope="module")
def make_once(target: Target) -> Callable[[Callable[[Target], str]], str]:
    """Return a function that creates an image of a type once; refused calls do not change it."""
    return functools.lru_cache(maxsize=None)(lambda make: make(target))


def missing(target: Target) -> str:
    return "00000000-0000-4000-8000-000000000000"


def never_an_id(target: Target) -> str:
    return "no-such-image"


def long_id(target: Target) -> str:
    return "x" * 300


def other_letters(target: Target) -> str:
    return "größe"


def deleted(target: Target) -> str:
    image_id = target.make(name="deleted", data=DATA)
    assert target.send("DELETE", f"/v2/images/{image_id}").status_code == 204
    return image_id


def private(target: Target) -> str:
    return target.make("stranger", name="private", data=DATA, visibility="private")


def not_shared_with_me(target: Target) -> str:
    return target.make("stranger", name="shared", data=DATA)


def public(target: Target) -> str:
    image_id = target.make("stranger", name="public", data=DATA)
    target.publish(image_id)
    return image_id


def queued_public(target: Target) -> str:
    image_id = target.make("stranger", name="public")
    target.publish(image_id)
    return image_id


def community(target: Target) -> str:
    return target.make("stranger", name="community", data=DATA, visibility="community")


def shared(target: Target) -> str:
    image_id = target.make("stranger", name="shared", data=DATA)
    target.share(image_id, "demo", "accepted", owner="stranger")
    return image_id


def queued_shared(target: Target) -> str:
    image_id = target.make("stranger", name="shared")
    target.share(image_id, "demo", "accepted", owner="stranger")
    return image_id


def protected(target: Target) -> str:
    return target.make(name="protected", protected=True)


@dataclasses.dataclass(frozen=True)
class Refusal:
    make: Callable[[Target], str]
    calls: tuple[str, ...]
    error: type[exceptions.GlanceCompatError]
    user: str = "demo"


EVERY = tuple(CALLS)
NOT_FOUND, NOT_MINE = exceptions.ImageNotFound, exceptions.ImageNotAuthorized
REFUSALS = (
    Refusal(missing, EVERY, NOT_FOUND),
    Refusal(missing, EVERY, NOT_FOUND, user="admin"),
    Refusal(never_an_id, EVERY, NOT_FOUND),
    Refusal(long_id, EVERY, NOT_FOUND),
    Refusal(other_letters, EVERY, NOT_FOUND),
    Refusal(deleted, EVERY, NOT_FOUND),
    # show() is a known deviation, because v1 shows deleted images to an admin.
    Refusal(deleted, tuple(call for call in EVERY if call != "show"), NOT_FOUND, user="admin"),
    Refusal(private, EVERY, NOT_FOUND),
    Refusal(not_shared_with_me, EVERY, NOT_FOUND),
    # Servers differ in whether a member sees the other members.
    Refusal(queued_public, ("remove_member",), NOT_MINE),
    Refusal(community, ("remove_member",), NOT_MINE),
    Refusal(queued_public, (*WRITES, "update with data"), NOT_MINE),
    Refusal(queued_shared, (*WRITES, "update with data"), NOT_MINE),
    Refusal(public, WRITES, NOT_MINE),
    Refusal(community, WRITES, NOT_MINE),
    Refusal(shared, WRITES, NOT_MINE),
    # The status is checked before anything else.
    Refusal(public, ("update with data",), exceptions.ImageNotActive),
    Refusal(shared, ("update with data",), exceptions.ImageNotActive),
    Refusal(protected, ("delete",), NOT_MINE),
    Refusal(protected, ("delete",), NOT_MINE, user="admin"),
)


@pytest.mark.parametrize(
    ("refusal", "call"),
    [(refusal, call) for refusal in REFUSALS for call in refusal.calls],
    ids=lambda value: (
        f"{value.user}-{value.make.__name__}" if isinstance(value, Refusal) else value
    ),
)
def test_refused_call_raises_the_same_error(
    target: Target,
    make_once: Callable[[Callable[[Target], str]], str],
    refusal: Refusal,
    call: str,
) -> None:
    image_id = make_once(refusal.make)
    service = target.service(refusal.user)
    with pytest.raises(exceptions.GlanceCompatError) as caught:
        CALLS[call](service, image_id)
    error = caught.value
    assert type(error) is refusal.error, error
    assert error.image_id == image_id
    assert error.__cause__ is None or isinstance(error.__cause__, exceptions.GlanceCompatError)


@pytest.mark.parametrize("call", sorted(set(CALLS) - {"members"}))
def test_not_found_error_has_all_details(target: Target, call: str) -> None:
    with pytest.raises(exceptions.ImageNotFound) as caught:
        CALLS[call](target.service(), missing(target))
    error = caught.value
    assert (error.status, error.endpoint, error.image_id) == (404, target.url, missing(target))
    assert str(error.request_id).startswith("req-")
    for part in (target.url, missing(target), "404"):
        assert part in str(error)
    token = target.session().get_token()
    assert str(token) not in str(error)
    assert "<" not in str(error)


@pytest.mark.parametrize(
    ("call", "status"), [("update", 403), ("delete", 403), ("add_member", 403)]
)
def test_forbidden_error_has_all_details(target: Target, call: str, status: int) -> None:
    image_id = public(target)
    with pytest.raises(exceptions.ImageNotAuthorized) as caught:
        CALLS[call](target.service(), image_id)
    error = caught.value
    assert (error.status, error.endpoint, error.image_id) == (status, target.url, image_id)


def test_refused_call_changes_nothing(target: Target) -> None:
    for make in (public, queued_shared):
        image_id = make(target)
        before = target.record(image_id)
        for call in WRITES:
            with pytest.raises(exceptions.Forbidden):
                CALLS[call](target.service(), image_id)
        assert target.record(image_id) == before


@pytest.mark.parametrize("show_deleted", [True, False])
def test_deleted_image_is_not_found_by_owner(target: Target, show_deleted: bool) -> None:
    image_id = deleted(target)
    with pytest.raises(exceptions.ImageNotFound):
        target.service().show(None, image_id, show_deleted=show_deleted)


def test_admin_needs_show_deleted_for_deleted_image(target: Target) -> None:
    image_id = deleted(target)
    with pytest.raises(exceptions.ImageNotFound):
        target.service("admin").show(None, image_id, show_deleted=False)


@on_v1
def test_deleted_image_is_shown_to_admin_on_v1(target: Target) -> None:
    shown = target.service("admin").show(None, deleted(target))
    assert (shown["deleted"], shown["status"]) == (True, "deleted")
    assert shown["deleted_at"] is not None
    assert shown["created_at"] is not None
    assert shown["deleted_at"] >= shown["created_at"]


# ---------------------------------------------------------------------------------------------
# Ids and hrefs.

UNSAFE: tuple[Any, ...] = (
    "",
    ".",
    "..",
    "../images",
    "../images/00000000-0000-4000-8000-000000000000",
    "a/b",
    "a/",
    "/a",
    "a?b",
    "a#b",
    "a\nb",
    "a\r\nX-Header: evil",
    "a\0b",
    "a\x7fb",
    "a b\t",
    None,
    7,
    b"bytes",
)


@on_each_api
@pytest.mark.parametrize("image_id", UNSAFE, ids=repr)
def test_unsafe_image_id_is_refused_without_a_request(target: Target, image_id: Any) -> None:
    for call in CALLS.values():
        with target.counting() as exchanges, pytest.raises(exceptions.InvalidImageRef) as caught:
            call(target.service(), image_id)
        assert exchanges == []
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["/v1/images/", "/v2/images/", "/images/"])
def test_href_of_image_service_is_accepted(target: Target, path: str) -> None:
    image_id = target.make(name="by href")
    service = target.service()
    assert service.show(None, f"{target.url}{path}{image_id}") == service.show(None, image_id)


@on_each_api
@pytest.mark.parametrize(
    "href",
    [
        "http://evil.invalid/v2/images/{id}",
        "https://{place}/v2/images/{id}",
        "{url}/v2/images/",
        "{url}/v2/images/{id}/file",
        "{url}/v2/images/..",
        "{url}/v2/tasks/{id}",
        "{url}/v2/images/{id}?x=y",
        "{url}/v2/images/{id}#x",
        "{url}.evil.invalid/v2/images/{id}",
        "http://user@evil.invalid/{url}/v2/images/{id}",
        "file:///v2/images/{id}",
        "//{place}/v2/images/{id}",
        "http://",
    ],
)
def test_foreign_href_is_refused_without_a_request(target: Target, href: str) -> None:
    place = target.url.removeprefix("http://")
    full = href.format(url=target.url, place=place, id=missing(target))
    with target.counting() as exchanges, pytest.raises(exceptions.InvalidImageRef):
        target.service().show(None, full)
    assert exchanges == []


def test_href_of_trusted_endpoint_is_accepted(target: Target) -> None:
    image_id = target.make(name="trusted")
    service = target.service(trusted_endpoints=("http://old.invalid:9292/image",))
    shown = service.show(None, f"http://old.invalid:9292/image/v1/images/{image_id}")
    assert shown["id"] == image_id
