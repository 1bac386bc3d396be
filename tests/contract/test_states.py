# SPDX-License-Identifier: Apache-2.0
"""The permitted operations on an image in each status, by user."""

from __future__ import annotations

import concurrent.futures
import contextlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tenacity

from glance_compat import ImageService, exceptions
from glance_compat.fixture import GlanceFixture
from tests.contract.outcomes import saw, status_of
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Target, on_33, on_pike

NOT_FOUND = exceptions.ImageNotFound
NOT_MINE = exceptions.ImageNotAuthorized
NO_DATA = exceptions.ImageNotActive

#: The owner, a member, an unrelated user, and an admin.
USERS = ("demo", "other", "stranger", "admin")
SEES = frozenset({"demo", "other", "admin"})
MAY = frozenset({"demo", "admin"})


def check_life(target: Target, image_id: str, name: str, status: str, *, listed: bool) -> None:
    """Check what each user may see and do with an image that serves no data."""
    for user in USERS:
        service = target.service(user)
        seen = saw(status_of, service, image_id)
        assert seen == (status if user in SEES else NOT_FOUND), user
        found = service.detail(None, filters={"name": name})
        # An admin's lists omit only community images of other projects.
        assert [one["id"] for one in found] == ([image_id] if listed and user in SEES else [])
        taken = saw(service.update, None, image_id, {}, data=b"other")
        assert taken is (NO_DATA if user in SEES else NOT_FOUND), user


def min_ram_after(service: ImageService, image_id: str, meta: dict[str, object]) -> object:
    return service.update(None, image_id, meta, purge_props=False)["min_ram"]


def check_changes(target: Target, image_id: str) -> None:
    """Check who may change and who may delete an image; the image is deleted."""
    for number, user in enumerate(USERS):
        service = target.service(user)
        meta = {"min_ram": number + 1, "properties": {"by": user}}
        changed = saw(min_ram_after, service, image_id, meta)
        refusal = NOT_MINE if user in SEES else NOT_FOUND
        assert changed == (number + 1 if user in MAY else refusal), user
    for user in ("other", "stranger", "demo"):
        service = target.service(user)
        deleted = saw(service.delete, None, image_id)
        assert deleted == (True if user in MAY else NOT_MINE if user in SEES else NOT_FOUND), user
    assert saw(target.service().show, None, image_id) is NOT_FOUND


@on_pike
def test_killed_image_is_visible_and_deletable(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other", "accepted")
    headers = {
        "x-image-meta-size": "1",
        "x-glance-registry-purge-props": "false",
        "Content-Type": "application/octet-stream",
    }
    answer = target.send("PUT", f"/v1/images/{image_id}", headers=headers, data=b"longer")
    assert answer.status_code == 400
    check_life(target, image_id, name, "killed", listed=False)
    for user in SEES:
        assert saw(target.service(user).download, None, image_id) is NO_DATA
    assert target.service().detail(None, filters={"status": "killed", "name": name}) == []
    check_changes(target, image_id)


def test_deactivated_image_is_listed_and_not_downloadable(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    target.share(image_id, "other", "accepted")
    target.deactivate(image_id)
    check_life(target, image_id, name, "deactivated", listed=True)
    for user in SEES:
        assert saw(target.service(user).download, None, image_id) is NOT_MINE
    shown = target.service().show(None, image_id)
    assert (shown["size"], shown["checksum"] is None) == (len(DATA), False)
    check_changes(target, image_id)


def while_saving(call: Callable[[], object]) -> Iterator[bytes]:
    """Yield data, and call a function in the middle of it."""
    yield DATA
    call()
    yield DATA


def until_saving(target: Target, image_id: str) -> None:
    """Wait until the server has started to receive the data."""
    tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda status: status != "saving"),
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.02),
    )(lambda: target.record(image_id)["status"])


def test_saving_image_is_visible_during_upload(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other", "accepted")
    seen: dict[str, Any] = {}

    def look() -> None:
        until_saving(target, image_id)
        check_life(target, image_id, name, "saving", listed=True)
        seen["data"] = {
            user: saw(target.service(user).download, None, image_id) for user in sorted(SEES)
        }

    filled = target.service().update(None, image_id, {}, data=while_saving(look))
    assert seen == {"data": dict.fromkeys(sorted(SEES), NO_DATA)}
    assert (filled["status"], filled["size"]) == ("active", 2 * len(DATA))


@pytest.mark.parametrize("user", ["demo", "admin"])
def test_image_deleted_during_upload(target: Target, name: str, user: str) -> None:
    image_id = str(uuid.uuid4())

    def delete() -> None:
        until_saving(target, image_id)
        assert target.service().delete(None, image_id) is True

    target.service().create(None, {"name": name, **FORMATS, "id": image_id})
    with pytest.raises(exceptions.ImageNotFound) as caught:
        target.service(user).update(None, image_id, {}, data=while_saving(delete))
    assert caught.value.image_id == image_id
    assert target.leftovers(name) == []


def test_new_image_deleted_during_upload(target: Target, name: str) -> None:
    def delete() -> None:
        (found,) = _waiting()(target.service().detail, None, filters={"name": name})
        until_saving(target, found["id"])
        target.service().delete(None, found["id"])

    with pytest.raises(exceptions.ImageNotFound):
        target.service().create(None, {"name": name, **FORMATS}, data=while_saving(delete))
    assert target.leftovers(name) == []


def _waiting() -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda found: not found),
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.02),
    )


@on_33
def test_image_with_refused_data_can_only_be_deleted(target: Target, name: str) -> None:
    # The store keeps the refused data and accepts no other: the image can only be deleted.
    image_id = target.make(name=name, disk_format="qcow2")
    with pytest.raises(exceptions.ImageUnacceptable):
        target.service().update(None, image_id, {}, data=DATA)
    assert target.service().show(None, image_id)["status"] == "queued"
    with pytest.raises(exceptions.BadResponse):
        target.service(max_attempts=1).update(None, image_id, {}, data=b"QFI\xfb" + DATA)
    assert target.service().delete(None, image_id) is True


def test_second_delete_succeeds_if_missing_is_ok(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    for user in ("demo", "admin"):
        service = target.service(user)
        assert service.delete(None, image_id, missing_ok=True) is True
        with pytest.raises(exceptions.ImageNotFound):
            service.delete(None, image_id)
        assert service.delete(None, str(uuid.uuid4()), missing_ok=True) is True


def test_missing_is_ok_hides_no_other_error(target: Target, name: str) -> None:
    protected = target.make(name=name, protected=True)
    foreign = target.make("stranger", name=name)
    target.publish(foreign)
    for image_id in (protected, foreign):
        with pytest.raises(exceptions.ImageNotAuthorized):
            target.service().delete(None, image_id, missing_ok=True)
        assert target.record(image_id)["status"] == "queued"


def test_id_of_deleted_image_is_a_conflict(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    assert target.service().delete(None, image_id) is True
    for user in ("demo", "other", "admin"):
        with pytest.raises(exceptions.Conflict):
            target.service(user).create(None, {"name": name, "id": image_id})
    assert target.leftovers(name) == []


def test_id_is_case_sensitive(target: Target, name: str) -> None:
    image_id = "abcdef00" + target_id()[8:]
    target.service().create(None, {"name": name, "id": image_id})
    for call in ("show", "delete", "download", "members"):
        with pytest.raises(exceptions.ImageNotFound):
            getattr(target.service(), call)(None, image_id.upper())
    assert target.service().show(None, image_id)["id"] == image_id


def target_id() -> str:
    return str(uuid.uuid4())


def test_second_deletion_is_not_found(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)

    def delete(number: int) -> object:
        # If several clients write at the same time, SQLite rejects some writes: status 500.
        service = target.service()
        with contextlib.suppress(exceptions.BadResponse):
            return saw(service.delete, None, image_id)
        return None

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = set(pool.map(delete, range(2)))
    # A later writer may find the image deleted.
    assert found <= {True, NOT_FOUND, exceptions.BadResponse}
    assert True in found
    assert saw(target.service().show, None, image_id) is NOT_FOUND


@pytest.mark.parametrize("status", ["uploading", "importing", "something new"])
def test_status_of_newer_release_is_passed_through(status: str) -> None:
    image = {"name": "later", "status": status}
    with GlanceFixture(release="33", images=[image], sockets=False) as glance:
        service = ImageService(glance.session())
        (found,) = service.detail(None)
        assert found["status"] == status
        assert service.show(None, found["id"]) == found
        if status == "something new":
            with pytest.raises(exceptions.Invalid, match="must be one of queued, saving"):
                service.detail(None, filters={"status": status})
        else:
            assert service.detail(None, filters={"status": status}) == [found]
        with pytest.raises(exceptions.ImageNotActive):
            service.download(None, found["id"])
        with pytest.raises(exceptions.ImageNotActive):
            service.update(None, found["id"], {}, data=DATA)
        assert service.delete(None, found["id"]) is True
