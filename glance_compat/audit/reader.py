# SPDX-License-Identifier: Apache-2.0
"""Read all images of a cloud over both APIs, and pair the two records of each image.

What must live here: the choice of the lists to read, code that reads them in parallel in constant
memory, and findings about lists that were not read. What must not: code that examines a record
(``detectors``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.audit.findings import Finding
from glance_compat.audit.kinds import KINDS_BY_NAME
from glance_compat.audit.records import Match, Record
from glance_compat.backends import pagination
from glance_compat.discovery.versions import Discovery, format_offered
from glance_compat.metadata import filters
from glance_compat.routing.dispatcher import Dispatcher

Pair = tuple["Record | None", "Record | None"]

#: Maximum number of records of one list that wait for the same image in the other list. Both lists
#: are sorted by id in the same database. They therefore have the same order, except for images
#: that are created or deleted in the meantime, and for ids that the database sorts unlike Python.
MAX_WAITING = 1000

#: A time before any deletion.
_EPOCH = "1970-01-01T00:00:00Z"


@dataclasses.dataclass(frozen=True, slots=True)
class ImageList:
    """One list of images that a server offers.

    :param title: the name of the list in messages.
    :param filters: the query parameters that select the list.
    :param is_new: a function that returns whether a record was not in an earlier list of the same
        API.
    """

    title: str
    filters: Mapping[str, object]
    is_new: Callable[[Record], bool] = lambda record: True


def _is_gone(record: Record) -> bool:
    return bool(record.get("deleted")) or record.get("status") == "killed"


class _CommunityImages:
    """Recognise community images that an earlier list contained.

    The caller's own community images are both in the list of all images and in the list of
    community images.
    """

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def is_new(self, record: Record) -> bool:
        if record.get("visibility") != "community":
            return True
        if record["id"] in self._ids:
            return False
        self._ids[record["id"]] = None
        if len(self._ids) > pagination.REMEMBERED_IDS:
            del self._ids[next(iter(self._ids))]
        return True


def v1_lists(*, deleted: bool) -> list[ImageList]:
    """Return the lists of v1.

    :param deleted: whether to include deleted and killed images, which v1 shows only to an admin.
    """
    lists = [ImageList("the list of v1", {})]
    if deleted:
        since: dict[str, object] = {"changes-since": _EPOCH}
        lists.append(ImageList("the list of deleted images of v1", since, _is_gone))
    return lists


def v2_lists(capabilities: frozenset[str]) -> list[ImageList]:
    """Return the lists of v2: the default list, and images that v2 lists only on request.

    :param capabilities: the server's capabilities; see
        :data:`glance_compat.discovery.versions.CAPABILITIES`.
    """
    is_new = _CommunityImages().is_new
    lists = [ImageList("the list of v2", {}, is_new)]
    if "community-visibility" in capabilities:
        community = {"visibility": "community"}
        lists.append(ImageList("the list of community images of v2", community, is_new))
    if "hidden" in capabilities:
        hidden = {"os_hidden": True}
        both = {"visibility": "community", **hidden}
        lists += [
            ImageList("the list of hidden images of v2", hidden, is_new),
            ImageList("the list of hidden community images of v2", both, is_new),
        ]
    return lists


class Reader:
    """Read the lists of the APIs that the endpoint offers.

    :ivar gaps: findings about lists that were not read; complete when :meth:`pairs` has ended.
    :ivar errors: the errors that prevented a list from being read to its end.
    :ivar read: number of records read, by API.
    :param lists: the lists to read, by API.
    :param dispatchers: a dispatcher for each API, pinned to it.
    :param page_size: images per page; None: as many as the server allows.
    """

    def __init__(
        self,
        lists: Mapping[str, Sequence[ImageList]],
        dispatchers: Mapping[str, Dispatcher],
        page_size: int | None = None,
    ) -> None:
        self.gaps: list[Finding] = []
        self.errors: list[exceptions.GlanceCompatError] = []
        self.read = dict.fromkeys(lists, 0)
        self._lists = lists
        self._dispatchers = dispatchers
        self._page_size = page_size

    @property
    def failed(self) -> bool:
        """Whether there were errors and no record was read."""
        return bool(self.errors) and not any(self.read.values())

    def pairs(self) -> Iterator[Pair]:
        """Yield each image once, as its v1 record and its v2 record; one of them may be None.

        If reading a list fails, the error is added to ``errors``, and a finding to ``gaps``.
        """
        if len(self._lists) == 2:
            return pair_records(self._records("v1"), self._records("v2"))
        if "v1" in self._lists:
            return ((record, None) for record in self._records("v1"))
        return ((None, record) for record in self._records("v2"))

    def is_one_sided(self, pair: Pair) -> bool:
        """Return whether only one API listed an image that both should list."""
        v1, v2 = pair
        if v1 is not None and v2 is not None:
            return False
        # v1 lists only the caller's own community images; v2 lists no deleted images.
        is_community = v2 is not None and v2.get("visibility") == "community"
        is_gone = v1 is not None and _is_gone(v1)
        return len(self._lists) == 2 and not self.errors and not is_community and not is_gone

    def _records(self, api: str) -> Iterator[Record]:
        for image_list in self._lists[api]:
            count = 0
            try:
                for record in self._walk(api, image_list):
                    count += 1
                    if image_list.is_new(record):
                        self.read[api] += 1
                        yield record
            except exceptions.GlanceCompatError as error:
                self._note(image_list, count, error)

    def _note(
        self, image_list: ImageList, count: int, error: exceptions.GlanceCompatError
    ) -> None:
        self.errors.append(error)
        details = f"after {count} images: {type(error).__name__}: {error}"
        self.gaps.append(
            Finding(KINDS_BY_NAME["list-incomplete"], Match(image_list.title, details))
        )

    def _walk(self, api: str, image_list: ImageList) -> Iterator[Record]:
        return iter_records(self._dispatchers[api], image_list.filters, self._page_size)


def iter_records(
    dispatcher: Dispatcher, selection: Mapping[str, object], page_size: int | None = None
) -> Iterator[Record]:
    """Yield the records of a list, sorted by id.

    :param dispatcher: a dispatcher that is pinned to one API.
    :param selection: the query parameters that select the list.
    :param page_size: images per page; None: as many as the server allows.
    """
    identity = dispatcher.read_identity(None)
    query = filters.parse_query(selection, "id", "asc")
    # Without client-side filters, so that every record that the server lists is read.
    asked = pagination.Listing(filters.parse_query({}, "id"), None, None, page_size)
    return pagination.walk(
        asked,
        lambda marker, size, left: dispatcher.repeat(
            identity, lambda port: port.records(query, marker, size)
        ),
    )


def find_record(dispatcher: Dispatcher, image_id: str, name: str | None) -> Record | None:
    """Return the record of one image in the list of v1, or None if it is not there.

    v1 cannot show the record of one image, nor filter a list by id (verified on Glance 15.0.2).

    :param dispatcher: a dispatcher that is pinned to v1.
    :param name: the name of the image. The whole list is read only if no image of this name is it.
    """
    searches: list[Mapping[str, object]] = [{"name": name}] if name else []
    for selection in (*searches, {}):
        for record in iter_records(dispatcher, selection):
            if record["id"] == image_id:
                return record
    return None


def pair_records(
    v1: Iterator[Record], v2: Iterator[Record], max_waiting: int = MAX_WAITING
) -> Iterator[Pair]:
    """Merge two lists of the same images, both sorted by id, into pairs.

    :param max_waiting: maximum number of records of one list that wait for the same image in the
        other list. A record that waits longer, or until the end of both lists, is paired with
        None.
    """
    lists = (v1, v2)
    waiting: tuple[dict[str, Record], dict[str, Record]] = ({}, {})
    last_ids = ["", ""]
    active = [0, 1]
    while active:
        side = min(active, key=lambda one: last_ids[one])
        record = next(lists[side], None)
        if record is None:
            active.remove(side)
            continue
        last_ids[side] = str(record["id"])
        partner = waiting[1 - side].pop(last_ids[side], None)
        if partner is not None:
            yield (record, partner) if side == 0 else (partner, record)
            continue
        waiting[side][last_ids[side]] = record
        if len(waiting[side]) > max_waiting or len(active) == 1:
            yield _single(side, waiting[side].pop(next(iter(waiting[side]))))
    for side, records in enumerate(waiting):
        for record in records.values():
            yield _single(side, record)


def _single(side: int, record: Record) -> Pair:
    return (record, None) if side == 0 else (None, record)


def find_readable_apis(discovery: Discovery, pinned: str) -> tuple[list[str], list[Finding]]:
    """Return the APIs to read, and a finding for each API that cannot be read.

    :param discovery: what the endpoint offers.
    :param pinned: the value of ``--api-version``.
    """
    # If there are several endpoints, any of them may serve any page.
    majors = set.intersection(*map(_majors, discovery.endpoints or (discovery,)))
    found: list[str] = []
    gaps = []
    for major, api in ((1, "v1"), (2, "v2")):
        if pinned == str(major) or (pinned == "auto" and major in majors):
            found.append(api)
            continue
        offer = f"not every endpoint offers it: {discovery.reason}"
        if not discovery.endpoints:
            offer = f"the endpoint offers {format_offered(discovery.offered)}"
        details = offer if pinned == "auto" else f"--api-version {pinned} excludes it"
        gaps.append(Finding(KINDS_BY_NAME[f"{api}-not-read"], Match(api, details)))
    if "v2" in found and discovery.version[1] is None:
        details = "the minor version of v2 is unknown"
        gaps.append(Finding(KINDS_BY_NAME["lists-not-read"], Match("v2", details)))
    return found, gaps


def offers(discovery: Discovery, major: int) -> bool:
    """Return whether any endpoint offers a major version of the Images API."""
    return any(major in _majors(one) for one in discovery.endpoints or (discovery,))


def _majors(discovery: Discovery) -> set[int]:
    return {one.number[0] for one in discovery.offered if one.number} | {discovery.version[0]}
