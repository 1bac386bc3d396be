# SPDX-License-Identifier: Apache-2.0
"""Plans and their execution between two embedded clouds."""

from __future__ import annotations

import datetime
import itertools
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from glance_compat import exceptions
from glance_compat.copying import Report, Step, copy_image, plan, sync
from glance_compat.fixture.faults import Status
from glance_compat.transport import retry
from tests.contract.shape import DATA, FORMATS
from tests.contract.test_copying import KERNEL, MINE, PAIRS, cloud, odd_images

MACHINE = "cccccccc-0000-4000-8000-00000000000c"
OLD = "dddddddd-0000-4000-8000-00000000000d"


def described(**values: Any) -> dict[str, Any]:
    return {"owner": MINE, "data": DATA, **FORMATS, **values}


def actions(steps: list[Step] | tuple[Step, ...]) -> dict[str, str]:
    return {one.source_id: one.action for one in steps}


def series() -> list[dict[str, Any]]:
    """Return images that name each other, in an order in which no copy can follow another."""
    return [
        described(id=OLD, properties={"superseded_by": MACHINE}),
        described(id=MACHINE, properties={"kernel_id": KERNEL, "base_image_ref": OLD}),
        described(id=KERNEL),
    ]


@PAIRS
def test_second_run_finds_everything_present(
    source_api: str, target_api: str, release: str
) -> None:
    with (
        cloud(source_api, images=odd_images(), sockets=True, fault_injection=False) as (source, _),
        cloud(target_api, release) as (target, to),
    ):
        steps = plan(source, target)
        assert {one.method for one in to.requests} <= {"GET"}
        planned = set(actions(steps).values())
        assert planned == {"copy", "refused"}
        report = sync(steps)
        assert report.failed == {}
        assert actions(report.steps) == actions(steps)
        sent = len(to.requests)
        again = plan(source, target)
        assert {one.action for one in again} == {"present", "refused"}
        assert sync(again).failed == {}
        assert {one.method for one in to.requests[sent:]} <= {"GET"}
        copies = [one for one in to.images.values() if one.status == "active"]
        assert len(copies) == sum(one.action == "copy" for one in steps)


@pytest.mark.parametrize("taken", [(), (KERNEL,), (KERNEL, MACHINE, OLD)])
@pytest.mark.parametrize("workers", [1, 4])
def test_references_follow_whatever_ids_are_free(taken: tuple[str, ...], workers: int) -> None:
    foreign = [described(id=one, owner="theirs", visibility="private") for one in taken]
    with cloud("v1", images=series()) as (source, _), cloud("v2", images=foreign) as (target, _):
        steps = plan(source, target)
        order = [one.source_id for one in steps]
        assert order.index(KERNEL) < order.index(MACHINE)
        report = sync(steps, workers=workers)
        ids = {one.source_id: one.target_id for one in report.steps}
        assert all((ids[one] == one) is (one not in taken) for one in ids)
        machine = target.show(None, str(ids[MACHINE]))
        assert machine["properties"]["kernel_id"] == ids[KERNEL]
        old = target.show(None, str(ids[OLD]))
        names = (old["properties"]["superseded_by"], machine["properties"]["base_image_ref"])
        # In a circle, the first copy can only name the id that the other was planned to get.
        assert ids[MACHINE] in names[:1] or ids[OLD] in names[1:]
        assert not taken or set(actions(plan(source, target)).values()) <= {"present", "skipped"}


def test_failed_kernel_leaves_its_machine_for_the_next_run() -> None:
    with cloud("v2", images=series()) as (source, _), cloud("v2") as (target, to):
        steps = plan(source, target)
        to.faults.add(Status(403), method="PUT", path=f"*{KERNEL}/file", times=1)
        report = sync(steps)
        assert list(report.failed) == [KERNEL]
        done = {one.source_id: one for one in report.steps}
        assert done[MACHINE].action == "skipped"
        assert done[MACHINE].reason == (
            f"image {KERNEL}, which its properties name, could not be copied"
        )
        assert sync(plan(source, target)).failed == {}
        assert set(actions(plan(source, target)).values()) == {"present"}


def test_failed_v1_upload_is_retried_with_new_id() -> None:
    with cloud("v2", images=[described(id=KERNEL)]) as (source, _), cloud("v1") as (target, to):
        to.faults.add(Status(503), method="PUT", path="/v1/images/*", times=2)
        with retry.without_pauses():
            report = sync(plan(source, target))
        assert report.failed == {}
        [step] = report.steps
        assert (step.action, step.target_id == KERNEL) == ("copy", False)
        assert [one.id for one in to.images.values() if not one.deleted] == [step.target_id]
        assert to.images[str(step.target_id)].data == DATA
        assert actions(plan(source, target)) == {KERNEL: "present"}


def test_upload_over_v1_that_always_fails_is_reported() -> None:
    with cloud("v2", images=[described(id=KERNEL)]) as (source, _), cloud("v1") as (target, to):
        to.faults.add(Status(503), method="PUT", path="/v1/images/*", times=99)
        with retry.without_pauses():
            report = sync(plan(source, target))
            with pytest.raises(exceptions.BadResponse):
                copy_image(source, KERNEL, target, id=MACHINE)
        assert isinstance(report.failed[KERNEL], exceptions.BadResponse)
        assert [one.id for one in to.images.values() if not one.deleted] == []
        to.faults.clear()
        assert sync(plan(source, target)).failed == {}
        assert [one.data for one in to.images.values() if not one.deleted] == [DATA]


def test_failed_origin_of_a_snapshot_does_not_stop_its_copy() -> None:
    images = [
        described(id=KERNEL),
        described(id=MACHINE, properties={"base_image_ref": KERNEL, "os": "x"}),
    ]
    with cloud("v2", images=images) as (source, _), cloud("v2") as (target, to):
        to.faults.add(Status(403), method="PUT", path=f"*{KERNEL}/file", times=1)
        report = sync(plan(source, target))
        assert list(report.failed) == [KERNEL]
        assert target.show(None, MACHINE)["properties"]["base_image_ref"] == KERNEL


def test_reference_outside_the_selection_follows_an_earlier_copy() -> None:
    with cloud("v2", images=series()) as (source, _), cloud("v2") as (target, to):
        to.images.clear()
        kernel = copy_image(source, KERNEL, target, id="eeeeeeee-0000-4000-8000-00000000000e")
        [step] = plan(source, target, filters={"id": MACHINE})
        assert (
            step.reason == f"base_image_ref names image '{OLD}', which has no copy in the target"
        )
        [done] = sync([step]).steps
        properties = target.show(None, str(done.target_id))["properties"]
        assert properties["kernel_id"] == kernel["id"]
        assert properties["base_image_ref"] == OLD


def test_differences_are_planned_as_update_only_on_request() -> None:
    images = [described(id=KERNEL, name="new")]
    with cloud("v2", images=images) as (source, _), cloud("v1") as (target, _):
        sync(plan(source, target))
        target.update(None, KERNEL, {"name": "mine"}, purge_props=False)
        [step] = plan(source, target)
        assert step == Step(
            "skipped", KERNEL, KERNEL, "the copy differs in name; update would change it"
        )
        sync([step])
        assert target.show(None, KERNEL)["name"] == "mine"
        steps = plan(source, target, update=True)
        assert actions(steps) == {KERNEL: "update"}
        assert sync(steps).failed == {}
        assert target.show(None, KERNEL)["name"] == "new"


def test_old_record_without_data_is_removed_and_a_young_one_stays() -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    link = {"glance_compat_source": KERNEL}
    records: dict[str, dict[str, Any]] = {
        OLD: {"properties": link, "updated_at": now - datetime.timedelta(minutes=11)},
        MACHINE: {"properties": link, "updated_at": now - datetime.timedelta(minutes=9)},
        "eeeeeeee-0000-4000-8000-00000000000e": {"updated_at": now - datetime.timedelta(days=9)},
    }
    found = [described(id=key, data=None, **values) for key, values in records.items()]
    images = [described(id=KERNEL)]
    with cloud("v2", images=images) as (source, _), cloud("v2", images=found) as (target, to):
        steps = plan(source, target)
        assert steps == [
            Step("copy", KERNEL, KERNEL, f"removes what an interrupted run has left: {OLD}")
        ]
        assert sync(steps).failed == {}
        assert {key: one.status for key, one in to.images.items()} == {
            OLD: "deleted",
            MACHINE: "queued",
            "eeeeeeee-0000-4000-8000-00000000000e": "queued",
            KERNEL: "active",
        }


def test_hidden_copies_are_found() -> None:
    images = [described(id=KERNEL)]
    with cloud("v2", "33", images=images) as (source, _), cloud("v2", "33") as (target, _):
        sync(plan(source, target))
        target.hide(None, KERNEL)
        [step] = plan(source, target)
        assert step.reason == "the copy differs in os_hidden; update would change it"


def test_the_same_plan_twice_makes_no_doubles() -> None:
    taken = [described(id=KERNEL, owner="theirs", visibility="private")]
    for images in ([], taken):
        with cloud("v2", images=series()) as (source, _), cloud("v2", images=images) as both:
            target, to = both
            steps = plan(source, target)
            assert sync(steps) == sync(steps)
            mine = [one for one in to.images.values() if one.owner == MINE]
            assert [one.status for one in mine] == ["active"] * 3


def test_changes_of_the_source_are_reported() -> None:
    past = {"updated_at": "2020-01-01T00:00:00Z"}
    images = [described(id=one, **past) for one in (KERNEL, MACHINE, OLD)]
    with cloud("v2", images=images) as (source, _), cloud("v2") as (target, _):
        steps = plan(source, target)
        source.delete(None, KERNEL)
        source.update(None, OLD, {"name": "new"})
        report = sync(steps)
        done = {one.source_id: one for one in report.steps}
        assert done[KERNEL].action == "skipped"
        assert done[KERNEL].reason.startswith("the image has changed since the plan was made")
        assert done[MACHINE].reason == ""
        assert done[OLD].reason == "the image has changed since the plan was made; plan again"
        assert report.failed == {}


def test_interrupt_removes_what_has_begun() -> None:
    images = [described(id=one) for one in (KERNEL, MACHINE, OLD)]
    with cloud("v2", images=images) as (source, _), cloud("v2") as (target, to):

        def interrupt(step: Step, done: int, total: int | None) -> None:
            raise KeyboardInterrupt

        steps = plan(source, target)
        with pytest.raises(KeyboardInterrupt):
            sync(steps, progress=interrupt, workers=2)
        assert {one.status for one in to.images.values()} <= {"deleted"}
        assert sync(plan(source, target)).failed == {}


def test_workers_copy_side_by_side() -> None:
    images = [described(id=one) for one in (KERNEL, MACHINE, OLD)]
    barrier = threading.Barrier(3, timeout=30)
    seen: dict[str, tuple[int, int | None]] = {}

    def progress(step: Step, done: int, total: int | None) -> None:
        if step.source_id not in seen:
            barrier.wait()
        seen[step.source_id] = (done, total)

    with cloud("v2", images=images) as (source, _), cloud("v2") as (target, _):
        assert sync(plan(source, target), workers=3, progress=progress).failed == {}
    assert seen == dict.fromkeys((KERNEL, MACHINE, OLD), (len(DATA), len(DATA)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"plan": [Step("copy", KERNEL, None, "")]}, "steps that plan"),
        ({"plan": ["copy"]}, "steps that plan"),
        ({"plan": [], "workers": 0}, "workers must be"),
        ({"plan": [], "workers": True}, "workers must be"),
        ({"plan": [], "progress": 1}, "progress must be callable"),
    ],
)
def test_invalid_arguments_of_sync_are_refused(arguments: Mapping[str, Any], message: str) -> None:
    with pytest.raises(exceptions.Invalid, match=message):
        sync(**arguments)


def test_empty_plan_is_an_empty_report() -> None:
    assert sync([]) == Report((), {})


def test_image_of_another_program_is_present_only_if_equal() -> None:
    for source_api, target_api in itertools.product(("v1", "v2"), repeat=2):
        images = [described(id=KERNEL, name="same", properties={"a": "1"})]
        equal = described(id=OLD, name="same", properties={"a": "1"})
        other = described(id=OLD, name="same", properties={"a": "2"})
        with cloud(source_api, images=images) as (source, _):
            with cloud(target_api, images=[equal]) as (target, _):
                assert plan(source, target) == [Step("present", KERNEL, OLD, "")]
            with cloud(target_api, images=[other]) as (target, _):
                assert plan(source, target) == [Step("copy", KERNEL, KERNEL, "")]


@pytest.mark.parametrize("count", [60])
def test_requests_for_many_images_do_not_grow_with_the_plan(count: int) -> None:
    images = [
        described(id=f"bbbbbbbb-0000-4000-8000-{number:012}", name=str(number))
        for number in range(count)
    ]
    with cloud("v2", images=images) as (source, of), cloud("v2") as (target, to):
        steps = plan(source, target)
        assert (len(of.requests), len(to.requests)) <= (3, 3)
        before = len(of.requests), len(to.requests)
        assert sync(steps).failed == {}
        # The data and a GET of the source; the record, the data and two GETs of the copy.
        assert len(of.requests) - before[0] == 2 * count
        assert len(to.requests) - before[1] == 4 * count
        again = plan(source, target)
        assert {one.action for one in again} == {"present"}
