# SPDX-License-Identifier: Apache-2.0
"""Lists are read once and completely, without unnecessary requests."""

from __future__ import annotations

import itertools
import typing
import weakref
from collections.abc import Iterator, Sequence

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat.backends import pagination
from glance_compat.backends.pagination import Listing, Pages, walk
from glance_compat.backends.protocol import ImagesApi, Page
from glance_compat.exceptions import BadResponse, Invalid
from glance_compat.metadata.fields import Image
from glance_compat.metadata.filters import Query, parse_query
from glance_compat.metadata.image_records import Parts, from_v2


def images(count: int, **given: object) -> list[Image]:
    return [from_v2({"id": f"{number:05}", **given}) for number in range(count)]


class Server:
    """A paginated list of images.

    :param cap: maximum number of images per page (option api_limit_max).
    :param says: whether it reports that another page may follow, as v2 does.
    :param exact: whether it filters exactly, so that the client requests no more than it needs.
    """

    def __init__(
        self, stored: Sequence[Image], cap: int = 1000, *, says: bool = False, exact: bool = True
    ) -> None:
        self.stored = list(stored)
        self.cap = cap
        self.says = says
        self.exact = exact
        self.requested: list[tuple[str | None, int]] = []

    def fetch(self, marker: str | None, size: int, left: int | None) -> Page:
        requested = size if left is None or not self.exact else min(size, left)
        self.requested.append((marker, requested))
        ids = [one["id"] for one in self.stored]
        start = 0 if marker is None else ids.index(marker) + 1
        granted = min(requested, self.cap)
        page = self.stored[start : start + granted]
        # As in Glance, another page may follow a full page (verified on 15.0.2 and 33).
        return Page(page, more=len(page) == granted if self.says else None, requested=requested)

    def walked(
        self,
        query: Query | None = None,
        marker: str | None = None,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> list[str]:
        requested = Listing(query or parse_query(None), marker, limit, page_size)
        return [one["id"] for one in walk(requested, self.fetch)]


def ids(*numbers: int) -> list[str]:
    return [f"{number:05}" for number in numbers]


def test_change_of_a_yielded_image_does_not_affect_the_list() -> None:
    server = Server(images(7), cap=3, says=True)
    found = []
    for image in walk(Listing(parse_query(None), None, None, None), server.fetch):
        found.append(image.pop("id"))
        # The server's own images.
        server.stored[len(found) - 1] = {"id": found[-1]}
    assert found == ids(*range(7))


# ---------------------------------------------------------------------------------------------
# Strings that a server rejects.


class Picky:
    """An API whose requests fail as long as they contain risky strings.

    :param status: the status of the error; None: every request succeeds.
    """

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.omits_risky_values: list[bool] = []

    def page(
        self, query: Query, marker: str | None, size: int, left: int | None, parts: Parts
    ) -> Page:
        self.omits_risky_values.append(query.omits_risky_values)
        if self.status is not None and not query.omits_risky_values:
            raise BadResponse("not that", status=self.status)
        return Page([], more=False, requested=size)

    def requested(self, query: Query, times: int = 1) -> list[bool]:
        pages = Pages(query)
        for _ in range(times):
            pages.fetch(typing.cast(ImagesApi, self), None, 10, None)
        return self.omits_risky_values


AWKWARD = ({"name": "größe"}, {"property-größe": "x"}, {"property-p": "x" * 256}, {"tag": ["ü"]})


@pytest.mark.parametrize("given", AWKWARD, ids=str)
@pytest.mark.parametrize("status", [414, 500])
def test_rejected_filter_value_is_not_sent_again(given: dict[str, object], status: int) -> None:
    assert Picky(status).requested(parse_query(given), times=3) == [False, True, True, True]


@pytest.mark.parametrize("given", AWKWARD, ids=str)
def test_accepted_filter_value_is_sent(given: dict[str, object]) -> None:
    assert Picky(None).requested(parse_query(given), times=2) == [False, False]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"name": "size", "property-p": "x" * 250, "size_min": 5}, 500),
        ({"created_at": "gt:2020-01-01T00:00:00Z"}, 414),
        (None, 500),
        ({"name": "größe"}, 400),
        ({"name": "größe"}, 503),
    ],
)
def test_unrelated_error_is_not_retried(given: dict[str, object] | None, status: int) -> None:
    picky = Picky(status)
    with pytest.raises(BadResponse) as caught:
        picky.requested(parse_query(given))
    assert (caught.value.status, picky.omits_risky_values) == (status, [False])


def test_impossible_name_filter_sends_no_request() -> None:
    server = Server(images(3))
    assert server.walked(parse_query({"name": "x" * 256})) == []
    assert server.walked(parse_query({"name": "x" * 255})) == []
    assert len(server.requested) == 2


# ---------------------------------------------------------------------------------------------
# Requests.


@pytest.mark.parametrize(
    ("count", "cap", "requests"),
    # v1 does not report the last page. A short page is the last one only after a longer page.
    [(0, 2, 1), (1, 2, 2), (2, 2, 2), (3, 2, 2), (4, 2, 3), (5, 2, 3), (5, 1000, 2), (6, 3, 3)],
)
def test_v1_pages_are_read_until_empty(count: int, cap: int, requests: int) -> None:
    server = Server(images(count), cap)
    assert server.walked() == ids(*range(count))
    assert len(server.requested) == requests


@pytest.mark.parametrize(
    ("count", "cap", "requests"),
    [(0, 2, 1), (1, 2, 1), (2, 2, 2), (3, 2, 2), (4, 2, 3), (5, 2, 3), (5, 1000, 1)],
)
def test_v2_pages_are_read_until_last(count: int, cap: int, requests: int) -> None:
    server = Server(images(count), cap, says=True)
    assert server.walked() == ids(*range(count))
    assert len(server.requested) == requests


def test_default_page_size_is_requested() -> None:
    server = Server(images(3), says=True)
    server.walked()
    assert server.requested == [(None, pagination.PAGE_IMAGES)]


def test_page_size_is_sent_as_limit() -> None:
    server = Server(images(5), says=True)
    assert server.walked(page_size=2) == ids(*range(5))
    assert server.requested == [(None, 2), ("00001", 2), ("00003", 2)]


@pytest.mark.parametrize("says", [False, True])
def test_page_limits_add_up_to_list_limit(says: bool) -> None:
    server = Server(images(9), cap=2, says=says)
    assert server.walked(limit=5) == ids(*range(5))
    assert server.requested == [(None, 5), ("00001", 3), ("00003", 1)]


@pytest.mark.parametrize("says", [False, True])
def test_reached_limit_requests_no_further_page(says: bool) -> None:
    server = Server(images(5), says=says)
    assert server.walked(limit=5) == ids(*range(5))
    assert len(server.requested) == 1


def test_limit_0_sends_no_request() -> None:
    server = Server(images(5))
    assert server.walked(limit=0) == []
    assert server.walked(parse_query(None, ["name", "size"]), limit=0) == []
    assert server.requested == []


@pytest.mark.parametrize("limit", [2**63, 10**30])
def test_limit_accepts_any_positive_number(limit: int) -> None:
    assert Server(images(5)).walked(limit=limit) == ids(*range(5))
    query = parse_query(None, ["name", "id"], "asc")
    assert Server(images(5)).walked(query, limit=limit) == ids(*range(5))


def test_pages_are_requested_lazily() -> None:
    server = Server(images(9), cap=3, says=True)
    found = walk(Listing(parse_query(None), None, None, None), server.fetch)
    assert server.requested == []
    assert [one["id"] for one in itertools.islice(found, 3)] == ids(0, 1, 2)
    assert len(server.requested) == 1
    assert [one["id"] for one in found] == ids(*range(3, 9))


def test_list_begins_after_marker() -> None:
    server = Server(images(5), says=True)
    assert server.walked(marker="00001") == ids(2, 3, 4)
    assert server.requested[0][0] == "00001"


# ---------------------------------------------------------------------------------------------
# Filters of the library.


@pytest.mark.parametrize("says", [False, True])
@pytest.mark.parametrize("page_size", [None, 1, 2, 3])
def test_limit_counts_matching_images(says: bool, page_size: int | None) -> None:
    stored = [from_v2({"id": f"{n:05}", "owner": "a" if n % 3 == 0 else "b"}) for n in range(12)]
    server = Server(stored, cap=5, says=says, exact=False)
    query = parse_query({"owner": "a"})
    assert server.walked(query, limit=2, page_size=page_size) == ids(0, 3)
    assert server.walked(query, limit=9, page_size=page_size) == ids(0, 3, 6, 9)
    assert server.walked(query, page_size=page_size) == ids(0, 3, 6, 9)
    assert server.walked(query, marker="00004", limit=1, page_size=page_size) == ids(6)


def test_page_without_matches_is_not_the_end() -> None:
    stored = [*images(6, owner="b"), from_v2({"id": "last", "owner": "a"})]
    assert Server(stored, cap=2).walked(parse_query({"owner": "a"})) == ["last"]


# ---------------------------------------------------------------------------------------------
# Order.


def shuffled() -> list[Image]:
    rows = [("1", "b", 2), ("2", None, 1), ("3", "a", 1), ("4", "b", 1), ("5", "a", 2)]
    return [from_v2({"id": i, "name": name, "size": size}) for i, name, size in rows]


@pytest.mark.parametrize("says", [False, True])
@pytest.mark.parametrize("cap", [1, 2, 1000])
def test_library_sorts_by_several_keys(says: bool, cap: int) -> None:
    server = Server(shuffled(), cap, says=says)
    query = parse_query(None, ["name", "size"], ["desc", "asc"])
    assert server.walked(query) == ["4", "1", "3", "5", "2"]
    assert server.walked(query, limit=2) == ["4", "1"]
    assert server.walked(query, marker="1") == ["3", "5", "2"]
    assert server.walked(query, marker="1", limit=1) == ["3"]
    assert server.walked(query, marker="2") == []
    assert all(marker != "2" for marker, _ in server.requested[:1])


def test_marker_of_library_sorted_list_is_not_sent() -> None:
    server = Server(shuffled(), says=True)
    server.walked(parse_query(None, ["name", "size"]), marker="3")
    assert server.requested == [(None, pagination.PAGE_IMAGES)]


def test_unknown_marker_of_library_sorted_list_is_invalid() -> None:
    server = Server(shuffled())
    query = parse_query({"name": "a"}, ["name", "size"])
    assert server.walked(query, marker="5") == ["3"]
    with pytest.raises(Invalid, match="'1' is not in the list"):
        server.walked(query, marker="1")


def test_server_sorts_by_one_key() -> None:
    server = Server(shuffled())
    assert server.walked(parse_query(None, "name", "asc")) == ["1", "2", "3", "4", "5"]


# ---------------------------------------------------------------------------------------------
# Misbehaving servers.


def scripted(pages: Sequence[tuple[str, bool | None]]) -> typing.Iterator[Page]:
    """Return a function that fetches pages of one-letter ids; the last page repeats."""
    made = [Page([from_v2({"id": i}) for i in letters], more, 2) for letters, more in pages]
    yield from made
    while True:
        yield made[-1]


def walk_pages(*pages: tuple[str, bool | None], limit: int | None = None) -> Iterator[str]:
    source = scripted(pages)
    requested = Listing(parse_query(None), None, limit, None)
    return (one["id"] for one in walk(requested, lambda marker, size, left: next(source)))


@pytest.mark.parametrize("more", [None, True])
def test_repeated_page_is_an_error(more: bool | None) -> None:
    found = walk_pages(("ab", more))
    assert [next(found), next(found)] == ["a", "b"]
    with pytest.raises(BadResponse, match="never ends: two pages end with the same image b"):
        next(found)


def test_page_ending_at_marker_is_an_error() -> None:
    requested = Listing(parse_query(None), "b", None, None)
    page = Page([from_v2({"id": "b"})], True, 2)
    with pytest.raises(BadResponse, match="never ends"):
        list(walk(requested, lambda marker, size, left: page))


@pytest.mark.parametrize("more", [None, True])
def test_page_without_a_new_image_is_an_error(more: bool | None) -> None:
    """Each page ends with another image than the earlier pages."""
    found = walk_pages(("abc", more), ("bca", more), ("def", more))
    assert [next(found), next(found), next(found)] == ["a", "b", "c"]
    with pytest.raises(BadResponse, match="never ends: the page that ends with image a has only"):
        next(found)


def test_last_page_may_have_no_new_image() -> None:
    assert list(walk_pages(("abc", True), ("ca", False))) == ["a", "b", "c"]


def test_page_of_other_images_does_not_end_walk() -> None:
    pages = [("abc", "queued"), ("def", "queued"), ("g", "active")]
    served = (
        Page([from_v2({"id": one, "status": status}) for one in names], names != "g", 3)
        for names, status in pages
    )
    requested = Listing(parse_query({"status": "active"}), None, None, None)
    found = walk(requested, lambda marker, size, left: next(served))
    assert [one["id"] for one in found] == ["g"]


@pytest.mark.parametrize("more", [None, True])
def test_empty_page_ends_walk(more: bool | None) -> None:
    assert list(walk_pages(("ab", True), ("", more))) == ["a", "b"]


def test_has_more_of_server_overrides_page_size() -> None:
    assert list(walk_pages(("abc", True), ("d", True), ("ef", False))) == list("abcdef")
    assert list(walk_pages(("a", False))) == ["a"]


def test_pages_of_any_size_are_read_completely() -> None:
    assert list(walk_pages(("a", None), ("bc", None), ("d", None), ("", None))) == list("abcd")


def test_image_on_two_pages_is_returned_once() -> None:
    pages = [("abc", True), ("cbd", True), ("dde", False)]
    assert list(walk_pages(*pages)) == list("abcde")
    assert list(walk_pages(*pages, limit=4)) == list("abcd")


def test_excess_images_of_a_page_are_dropped() -> None:
    assert list(walk_pages(("abcdef", True), limit=3)) == list("abc")


@hypothesis.given(
    count=strategies.integers(0, 12),
    cap=strategies.integers(1, 6),
    says=strategies.booleans(),
    exact=strategies.booleans(),
    limit=strategies.none() | strategies.integers(0, 14),
    page_size=strategies.none() | strategies.integers(1, 7),
    sort=strategies.booleans(),
)
def test_every_list_is_complete(
    count: int,
    cap: int,
    says: bool,
    exact: bool,
    limit: int | None,
    page_size: int | None,
    sort: bool,
) -> None:
    server = Server(images(count), cap, says=says, exact=exact)
    query = parse_query(None, ["name", "id"] if sort else "id", "asc")
    wanted = ids(*range(count))[:limit]
    assert server.walked(query, limit=limit, page_size=page_size) == wanted
    size = min(cap, page_size or cap)
    walked = count if sort else len(wanted)
    assert len(server.requested) <= walked // size + 2


@hypothesis.given(before=strategies.integers(0, 40), again=strategies.integers(1, 20))
def test_cyclic_pages_end_with_an_error(before: int, again: int) -> None:
    requested = 0

    def fetch(marker: str | None, size: int, left: int | None) -> Page:
        nonlocal requested
        number = requested if requested < before else before + (requested - before) % again
        requested += 1
        return Page([from_v2({"id": f"{number:05}"})], True, size)

    found = walk(Listing(parse_query(None), None, None, 1), fetch)
    given: list[str] = []
    with pytest.raises(BadResponse, match="never ends"):
        given.extend(one["id"] for one in found)
    assert requested <= 3 * (before + again) + 3


# ---------------------------------------------------------------------------------------------
# Images that are deleted while the list is walked.


class Shrinking(Server):
    """A list whose images are deleted between two pages; a deleted marker is rejected.

    :param deleted: by the number of pages that were served: the ids that are deleted then.
    """

    def __init__(self, count: int, deleted: dict[int, list[str]], **other: typing.Any) -> None:
        super().__init__(images(count), **other)
        self.deleted = deleted
        self.served = 0

    def fetch(self, marker: str | None, size: int, left: int | None) -> Page:
        gone = self.deleted.get(self.served, [])
        self.stored = [one for one in self.stored if one["id"] not in gone]
        if marker is not None and marker not in [one["id"] for one in self.stored]:
            self.requested.append((marker, size))
            raise Invalid(f"marker {marker} is not there", status=400)
        self.served += 1
        return super().fetch(marker, size, left)


@pytest.mark.parametrize("says", [False, True])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("page_size", [1, 2, 3, 7])
@pytest.mark.parametrize("gone", [1, 2, 3, 7])
def test_walk_continues_after_deleted_marker(
    says: bool, exact: bool, page_size: int, gone: int
) -> None:
    last = [*ids(*range(max(0, page_size - gone), page_size))]
    server = Shrinking(15, {1: last}, says=says, exact=exact)
    assert server.walked(page_size=page_size) == ids(*range(15))
    server = Shrinking(15, {1: last}, says=says, exact=exact)
    assert server.walked(page_size=page_size, limit=9) == ids(*range(9))


def test_page_of_deleted_images_costs_few_requests() -> None:
    server = Shrinking(2500, {1: ids(*range(1000)), 2: ids(*range(1000, 2000))}, says=True)
    assert server.walked() == ids(*range(2500))
    rejected = [int(marker) for marker, _ in server.requested if marker is not None]
    assert rejected[:10] == [999, 998, 996, 992, 984, 968, 936, 872, 744, 488]
    assert len(server.requested) == 24


def test_rejected_marker_of_caller_is_invalid() -> None:
    server = Shrinking(5, {0: ids(1)}, says=True)
    with pytest.raises(Invalid, match="marker 00001 is not there"):
        server.walked(marker="00001")
    assert server.requested == [("00001", pagination.PAGE_IMAGES)]
    gone = Shrinking(9, {1: ids(1, 2, 3)}, says=True)
    with pytest.raises(Invalid, match="marker 00001 is not there"):
        gone.walked(marker="00001", page_size=2)


@pytest.mark.parametrize("pages", [1, 2, 5])
def test_server_that_rejects_every_marker_is_an_error(pages: int) -> None:
    requested = 0

    def fetch(marker: str | None, size: int, left: int | None) -> Page:
        nonlocal requested
        requested += 1
        if requested > pages and marker is not None:
            raise Invalid("not that marker", status=400)
        start = 0 if marker is None else int(marker) + 1
        return Page(images(start + 2)[start:], True, size)

    found = walk(Listing(parse_query(None), None, None, None), fetch)
    given: list[str] = []
    with pytest.raises(BadResponse, match=r"cannot be continued.*not that marker") as caught:
        given.extend(one["id"] for one in found)
    assert given == ids(*range(2 * pages))
    assert caught.value.status == 400
    assert requested < 15


def test_invalid_error_of_library_is_raised_unchanged() -> None:
    pages = iter([Page(images(2), True, 2)])

    def fetch(marker: str | None, size: int, left: int | None) -> Page:
        for page in pages:
            return page
        raise Invalid("a mistake of the caller")

    with pytest.raises(Invalid, match="a mistake of the caller"):
        list(walk(Listing(parse_query(None), None, None, None), fetch))


def test_walk_does_not_restart_when_ids_are_dropped() -> None:
    page = 10_000
    pages = pagination.REMEMBERED_IDS // page + 1

    def fetch(marker: str | None, size: int, left: int | None) -> Page:
        number = 0 if marker is None else int(marker) // page + 1
        if number == pages or (marker is not None and (int(marker) + 1) % page):
            raise Invalid("not that marker", status=400)
        found: list[Image] = [{"id": str(n)} for n in range(number * page, (number + 1) * page)]
        return Page(found, True, size)

    given = itertools.count()
    found = walk(Listing(parse_query(None), None, None, page), fetch)
    with pytest.raises(BadResponse, match="cannot be continued"):
        list(zip(found, given, strict=False))
    assert next(given) == pages * page


# ---------------------------------------------------------------------------------------------
# Lists of any length.


class Id(str):
    """A string that can be weakly referenced."""

    __slots__ = ("__weakref__",)


@pytest.mark.slow
def test_walk_does_not_retain_pages() -> None:
    made: list[weakref.ref[Id]] = []

    def fetch(marker: str | None, size: int, left: int | None) -> Page:
        one = Id(len(made))
        made.append(weakref.ref(one))
        return Page([{"id": one}], True, size)

    found = walk(Listing(parse_query(None), None, None, 1), fetch)
    pages = pagination.REMEMBERED_IDS + 10
    assert sum(1 for _ in itertools.islice(found, pages)) == pages
    assert all(made[number]() is None for number in range(9))
    assert next(found)["id"] == str(pages)


@pytest.mark.slow
def test_number_of_recorded_ids_is_bounded() -> None:
    page = 10_000
    pages = pagination.REMEMBERED_IDS // page + 1

    def fetch(marker: str | None, size: int, left: int | None) -> Page:
        number = 0 if marker is None else int(marker) // page + 1
        found: list[Image] = [{"id": str(n)} for n in range(number * page, (number + 1) * page)]
        # An early image and a late one are repeated at the end.
        again: list[Image] = (
            [{"id": "0"}, {"id": str(pages * page - 1)}] if number == pages else []
        )
        return Page([*again, *found][: page if again else None], number < pages, size)

    requested = Listing(parse_query(None), None, None, page)
    counted = sum(1 for _ in walk(requested, fetch))
    # The early id was dropped, the late one was not.
    assert counted == pages * page + page - 1
