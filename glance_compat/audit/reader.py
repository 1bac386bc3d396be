# SPDX-License-Identifier: Apache-2.0
"""All images of a cloud as both APIs list them, each image with both of its records.

What must live here: which lists are read, walking them side by side in constant memory, and
saying what was not read. What must not: what is looked for in a record (``audit``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.audit.detectors import Hit, Record
from glance_compat.audit.findings import BY_NAME, Finding
from glance_compat.backends import pagination
from glance_compat.discovery.versions import Discovery, format_offered
from glance_compat.metadata import filters
from glance_compat.routing.dispatcher import Dispatcher

Pair = tuple["Record | None", "Record | None"]

#: Images of one list that wait to be met in the other one. Both lists come from one database, in
#: the order of its ids, so that they run side by side but for images that are made or deleted
#: meanwhile, and for ids that the database sorts in another way than Python.
WAITING = 1000

#: Far enough in the past for everything that was ever deleted.
_ALWAYS = "1970-01-01T00:00:00Z"


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One list.

    :param words: for messages.
    :param wanted: which of its records are new to the other lists of the API.
    """

    words: str
    filters: Mapping[str, object]
    wanted: Callable[[Record], bool] = lambda record: True


def _is_gone(record: Record) -> bool:
    return bool(record.get("deleted")) or record.get("status") == "killed"


class _Communities:
    """Community images of the caller's own are in the list of all, and in that of communities."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def note(self, record: Record) -> bool:
        if record.get("visibility") != "community":
            return True
        if record["id"] in self._ids:
            return False
        self._ids[record["id"]] = None
        if len(self._ids) > pagination.REMEMBERED_IDS:
            del self._ids[next(iter(self._ids))]
        return True


def sources_v1(*, deleted: bool) -> list[Source]:
    """The lists of v1.

    :param deleted: deleted and killed images as well, which v1 shows to an administrator.
    """
    found = [Source("the list of v1", {})]
    if deleted:
        since: dict[str, object] = {"changes-since": _ALWAYS}
        found.append(Source("the list of deleted images of v1", since, _is_gone))
    return found


def sources_v2(capabilities: frozenset[str]) -> list[Source]:
    """The lists of v2: what is left out of the list of all has to be asked for.

    :param capabilities: see :data:`glance_compat.discovery.versions.CAPABILITIES`.
    """
    new = _Communities().note
    found = [Source("the list of v2", {}, new)]
    if "community-visibility" in capabilities:
        found.append(
            Source("the list of community images of v2", {"visibility": "community"}, new)
        )
    if "hidden" in capabilities:
        hidden = {"os_hidden": True}
        found += [
            Source("the list of hidden images of v2", hidden, new),
            Source(
                "the list of hidden community images of v2",
                {"visibility": "community", **hidden},
                new,
            ),
        ]
    return found


class Reader:
    """Reads the lists of the APIs that are offered.

    :ivar gaps: what was not seen, as findings; complete when :meth:`pairs` has ended.
    :ivar errors: what made a list end early.
    :ivar read: records by API.
    :param sources: the lists of each API that is to be read.
    :param dispatchers: by API, bound to it.
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[Source]],
        dispatchers: Mapping[str, Dispatcher],
        page_size: int | None = None,
    ) -> None:
        self.gaps: list[Finding] = []
        self.errors: list[exceptions.GlanceCompatError] = []
        self.read = dict.fromkeys(sources, 0)
        self._sources = sources
        self._dispatchers = dispatchers
        self._page_size = page_size

    @property
    def failed(self) -> bool:
        """Whether nothing could be read at all."""
        return bool(self.errors) and not any(self.read.values())

    def pairs(self) -> Iterator[Pair]:
        """Each image once, with its v1 record and its v2 record, or None for one.

        An error ends the list that it is of, and is kept.
        """
        if len(self._sources) == 2:
            return paired(self._records("v1"), self._records("v2"))
        if "v1" in self._sources:
            return ((record, None) for record in self._records("v1"))
        return ((None, record) for record in self._records("v2"))

    def is_one_sided(self, pair: Pair) -> bool:
        """Whether an image should have been in both lists and was in one."""
        one, other = pair
        if one is not None and other is not None:
            return False
        # v1 lists nobody's community images but the caller's own; v2 lists no deleted ones.
        known = other is not None and other.get("visibility") == "community"
        gone = one is not None and _is_gone(one)
        return len(self._sources) == 2 and not self.errors and not known and not gone

    def _records(self, api: str) -> Iterator[Record]:
        for source in self._sources[api]:
            count = 0
            try:
                for record in self._walk(api, source):
                    count += 1
                    if source.wanted(record):
                        self.read[api] += 1
                        yield record
            except exceptions.GlanceCompatError as error:
                self._note(source, count, error)

    def _note(self, source: Source, count: int, error: exceptions.GlanceCompatError) -> None:
        self.errors.append(error)
        words = f"after {count} images: {type(error).__name__}: {error}"
        self.gaps.append(Finding(BY_NAME["list-incomplete"], Hit(source.words, words)))

    def _walk(self, api: str, source: Source) -> Iterator[Record]:
        dispatcher = self._dispatchers[api]
        identity = dispatcher.identity(None)
        query = filters.parse_query(source.filters, "id", "asc")
        # What the server lists is taken as it is.
        asked = pagination.Listing(filters.parse_query({}, "id"), None, None, self._page_size)
        return pagination.walk(
            asked,
            lambda marker, size, left: dispatcher.repeat(
                identity, lambda port: port.records(query, marker, size)
            ),
        )


def paired(v1: Iterator[Record], v2: Iterator[Record], waiting: int = WAITING) -> Iterator[Pair]:
    """Bring two lists of the same images together, both sorted by id.

    :param waiting: images of one list that wait for the other at most; one that waited longer,
        or until the end, is not in it.
    """
    lists = (v1, v2)
    alone: tuple[dict[str, Record], dict[str, Record]] = ({}, {})
    last = ["", ""]
    going = [0, 1]
    while going:
        side = min(going, key=lambda one: last[one])
        record = next(lists[side], None)
        if record is None:
            going.remove(side)
            continue
        last[side] = str(record["id"])
        partner = alone[1 - side].pop(last[side], None)
        if partner is not None:
            yield (record, partner) if side == 0 else (partner, record)
            continue
        alone[side][last[side]] = record
        if len(alone[side]) > waiting or len(going) == 1:
            yield _single(side, alone[side].pop(next(iter(alone[side]))))
    for side, left in enumerate(alone):
        for record in left.values():
            yield _single(side, record)


def _single(side: int, record: Record) -> Pair:
    return (record, None) if side == 0 else (None, record)


def offered(discovery: Discovery, pinned: str) -> tuple[list[str], list[Finding]]:
    """The APIs to read, and a finding for what cannot be read.

    :param discovery: what the endpoint offers.
    :param pinned: the option ``--api-version``.
    """
    # Of several endpoints that are equals, any may be asked for any page.
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
        words = offer if pinned == "auto" else f"--api-version {pinned} was given"
        gaps.append(Finding(BY_NAME[f"{api}-unseen"], Hit(api, words)))
    if "v2" in found and discovery.version[1] is None:
        words = "which v2 it is could not be found out"
        gaps.append(Finding(BY_NAME["lists-unasked"], Hit("v2", words)))
    return found, gaps


def _majors(discovery: Discovery) -> set[int]:
    return {one.number[0] for one in discovery.offered if one.number} | {discovery.version[0]}
