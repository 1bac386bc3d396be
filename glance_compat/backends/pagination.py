# SPDX-License-Identifier: Apache-2.0
"""Iterate over a list of images, page by page, over either API.

What must live here: the decisions when to request the next page and when the list is complete.
What must not: the request and the response of a page (see ``v1`` and ``v2``).

v1 has no link to the next page, and may silently return shorter pages than requested (Glance's
option ``api_limit_max``). v2 reports whether another page may follow (verified on Glance 15.0.2
and 33).
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import typing
from collections.abc import Callable, Iterable, Iterator

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, Page
from glance_compat.metadata import filters
from glance_compat.metadata.fields import Image
from glance_compat.metadata.image_records import ALL_PARTS, Parts
from glance_compat.redaction import quote_value

LOG = logging.getLogger(__name__)

#: Number of images requested per page if the caller sets no page size. Servers return fewer (1000
#: by default). It is bounded so that a response is never too large.
PAGE_IMAGES = 10_000

#: Number of ids to keep, to skip an image that is listed again because its position has changed
#: in the meantime. It is bounded so that memory use does not grow with the length of the list.
REMEMBERED_IDS = 100_000

Fetched = typing.TypeVar("Fetched")

FetchPage = Callable[["str | None", int, "int | None"], Page]
#: A function that makes a call which fetches one page, with retries.
RepeatPage = Callable[[Callable[[ImagesApi], Page]], Page]


class PageAhead(typing.Protocol):
    """A page that is being fetched in a second thread."""

    def result(self) -> Page:
        """Return the page, or raise the exception of the call that fetches it."""

    def cancel(self) -> None:
        """End the call."""


#: A function that begins to fetch a page, with the arguments of :data:`FetchPage`.
BeginPage = Callable[["str | None", int, "int | None"], PageAhead]
#: A function that begins a call which fetches one page.
BeginCall = Callable[[Callable[[ImagesApi], Page]], PageAhead]

#: Number of the first page after which the next one is fetched ahead, when the second image of the
#: page is asked for. Many programs read only the first page or a part of it.
FIRST_AHEAD = 2


class Listing(typing.NamedTuple):
    """Parameters of one paginated list.

    :param query: the filters and the sort order.
    :param marker: the id of the image after which the list starts, or None.
    :param limit: maximum number of images in total, or None for all.
    :param page_size: number of images per page, or None for as many as the server allows.
    :param parts: the parts that the images have.
    """

    query: filters.Query
    marker: str | None
    limit: int | None
    page_size: int | None
    parts: Parts = ALL_PARTS


#: Statuses with which servers reject a query that is too long or not ASCII.
_REFUSED_QUERY = frozenset({414, 500})


class Pages:
    """Fetches the pages of one list. If the server rejects the filter values, leaves them out.

    Filters that are left out here are still applied, because :func:`walk` filters again.

    :param query: the filters and the sort order.
    :param parts: the parts that the images have.
    """

    def __init__(self, query: filters.Query, parts: Parts = ALL_PARTS) -> None:
        self._query = query
        self._parts = parts

    def fetch(self, api: ImagesApi, marker: str | None, size: int, left: int | None) -> Page:
        try:
            return api.page(self._query, marker, size, left, self._parts)
        except exceptions.GlanceCompatError as error:
            if error.status not in _REFUSED_QUERY or not self._query.has_risky_values:
                raise
            self._query = self._query.without_risky_values()
            return api.page(self._query, marker, size, left, self._parts)

    def with_call(
        self, call: Callable[[Callable[[ImagesApi], Page]], Fetched]
    ) -> Callable[[str | None, int, int | None], Fetched]:
        """Return a function that fetches one page, with the arguments of :data:`FetchPage`.

        :param call: a function that makes, or begins, a call which fetches one page.
        """
        return lambda marker, size, left: call(lambda api: self.fetch(api, marker, size, left))


def walk(listing: Listing, fetch: FetchPage, begin: BeginPage | None = None) -> Iterator[Image]:
    """Return an iterator over the images of a list, each of them once.

    :param listing: the parameters of the list.
    :param fetch: a function that fetches one page. Its arguments are the marker, the page size,
        and the number of images that the caller still wants (None: all).
    :param begin: a function that begins to fetch one page, or None to fetch each page only when it
        is needed. A list that is sorted here is needed as a whole.
    :raises glance_compat.exceptions.BadResponse: the server returns the same pages repeatedly.
    :raises glance_compat.exceptions.Invalid: the marker is not in the list.
    """
    if listing.limit == 0 or listing.query.matches_nothing:
        return iter(())
    if not listing.query.is_sorted_locally:
        return _iter_matching(listing, _PageSource(listing, fetch, begin), listing.marker)
    return iter(_sorted(listing, _iter_whole(listing, fetch)))


def iter_images(
    listing: Listing,
    repeat: RepeatPage,
    hidden_property: str | None = None,
    begin: BeginCall | None = None,
) -> Iterator[Image]:
    """Return an iterator over the images of a list, as the facade returns them.

    :param listing: the parameters of the list.
    :param repeat: a function that makes a call which fetches one page, with retries.
    :param hidden_property: the option of this name. With it, a list of hidden images is fetched
        as two lists, which are sorted here; one that the server does not support counts as empty.
    :param begin: a function that begins a call which fetches one page, or None to fetch each page
        only when it is needed.
    """
    split = [listing.query]
    if hidden_property:
        split = filters.split_by_hidden(listing.query, hidden_property)
    if len(split) == 1:
        pages = Pages(split[0], listing.parts)
        return walk(
            listing._replace(query=split[0]),
            pages.with_call(repeat),
            begin and pages.with_call(begin),
        )
    lists = [
        (listing._replace(query=query), Pages(query, listing.parts).with_call(repeat))
        for query in split
    ]
    if listing.limit == 0 or listing.query.matches_nothing:
        return iter(())
    by_attribute, by_property = lists
    images: list[Image] = []
    with contextlib.suppress(exceptions.UnsupportedByVersion):
        images += _iter_whole(*by_attribute)
    images += _iter_whole(*by_property)
    return iter(_sorted(listing, images))


def _iter_whole(listing: Listing, fetch: FetchPage) -> Iterator[Image]:
    listing = listing._replace(limit=None)
    return _iter_matching(listing, _PageSource(listing, fetch), None)


def _sorted(listing: Listing, found: Iterable[Image]) -> list[Image]:
    images = filters.sort_images(found, listing.query.sort)
    if listing.marker is None:
        return images[: listing.limit]
    places = [place for place, image in enumerate(images) if image["id"] == listing.marker]
    if not places:
        raise exceptions.Invalid(
            f"marker {quote_value(listing.marker)} is not in the list; pass the id of an image"
            " that matches the filters"
        )
    return images[places[0] + 1 :][: listing.limit]


def _iter_matching(listing: Listing, source: _PageSource, marker: str | None) -> Iterator[Image]:
    """Yield the images that match the filters, in the server's order, each of them once.

    :param marker: the id of the image after which to start, or None.
    :raises glance_compat.exceptions.BadResponse: two pages end with the same image, a page has
        only images of earlier pages, or the server rejects every image as a marker.
    """
    # Ids, and whether the image was yielded.
    seen: dict[str, bool] = {}
    position = _Position(marker)
    longest = 0
    left = listing.limit
    with contextlib.closing(source):
        while True:
            page = source.fetch(position, seen, left)
            # Read now, because the caller gets the dict and may change it.
            last = page.images[-1]["id"] if page.images else ""
            is_new = any(image["id"] not in seen for image in page.images)
            wanted = list(_unseen(page, listing.query, seen))[:left]
            left = left if left is None else left - len(wanted)
            is_over = left == 0 or not page.images or _is_last(page, longest)
            if not is_over:
                longest = max(longest, len(page.images))
                position.advance(last, len(page.images), is_new=is_new)
            for number, image in enumerate(wanted):
                if number == 1 and not is_over:
                    source.begin(position, left)
                yield image
            if is_over:
                return
            position.check()


def _unseen(page: Page, query: filters.Query, seen: dict[str, bool]) -> Iterator[Image]:
    """Yield the images of a page that match the filters and were not yielded before.

    :param seen: the ids so far, and whether the image was yielded; those of the page are added.
    """
    is_filtered = query.is_filtered
    for image in page.images:
        image_id = image["id"]
        was_yielded = seen.get(image_id, False)
        is_wanted = not was_yielded and (not is_filtered or query.matches(image))
        seen[image_id] = was_yielded or is_wanted
        if len(seen) > REMEMBERED_IDS:
            del seen[next(iter(seen))]
        if is_wanted:
            yield image


class _PageSource:
    """Fetches the pages of one list, from the second on ahead of their use.

    :param listing: the parameters of the list.
    :param fetch: a function that fetches one page.
    :param begin: a function that begins to fetch one page, or None.
    """

    def __init__(self, listing: Listing, fetch: FetchPage, begin: BeginPage | None = None) -> None:
        self._size = listing.page_size or PAGE_IMAGES
        self._fetch = fetch
        self._begin = begin
        self._fetched = 0
        self._ahead: PageAhead | None = None

    def begin(self, position: _Position, left: int | None) -> None:
        """Begin to fetch the page after the position, unless it is too early or there is none.

        :param left: number of images that the caller still wants, or None for all.
        """
        if self._begin is not None and self._fetched >= FIRST_AHEAD and not position.problem:
            self._ahead = self._begin(position.marker, self._size, position.count(left))

    def fetch(self, position: _Position, seen: dict[str, bool], left: int | None) -> Page:
        """Fetch the page after the position; step back while the server rejects the marker.

        :param left: number of images that the caller still wants, or None for all.
        """
        while True:
            ahead, self._ahead = self._ahead, None
            try:
                if ahead is not None:
                    page = ahead.result()
                else:
                    page = self._fetch(position.marker, self._size, position.count(left))
            except exceptions.Invalid as error:
                if error.status is None or position.marker == position.first:
                    raise
                position.step_back(seen, error)
            else:
                self._fetched += 1
                return page

    def close(self) -> None:
        """End the request for a page that is not needed."""
        if self._ahead is not None:
            self._ahead.cancel()


class _Position:
    """The place that a walk has reached in a list.

    If the image at the end of a page is deleted or hidden before the next page is requested, the
    server rejects it as a marker (400, or 403 on v2; verified on Glance 15.0.2 and 33). Then the
    walk continues after an earlier image: 1, 3, 7, 15 images before, and so on, and finally from
    the beginning. Images that are listed again are not yielded again.

    :param first: the marker at which the list begins, or None.
    """

    def __init__(self, first: str | None) -> None:
        self.first = self.marker = first
        #: Number of images that may be listed again before the first new one.
        self.overlap = 0
        #: Why the list never ends, or None.
        self.problem: str | None = None
        self._steps = 0
        self._repeats = _Repeats(first)

    def count(self, left: int | None) -> int | None:
        """Return the number of images to request, some of which may be listed again.

        :param left: number of images that the caller still wants, or None for all.
        """
        return left if left is None else left + self.overlap

    def advance(self, marker: str, count: int, *, is_new: bool) -> None:
        """Move to the end of a page.

        :param marker: the id of the last image of the page.
        :param count: number of images in the page.
        :param is_new: whether the page has an image that no earlier page has.
        """
        self.marker = marker
        if self._repeats.at(marker):
            self.problem = (
                f"two pages end with the same image {marker}; a proxy may drop the query parameter"
                " marker"
            )
        elif not is_new and not self.overlap:
            self.problem = (
                f"the page that ends with image {marker} has only images of earlier pages; list"
                " again, and check the proxies if it fails again"
            )
        self.overlap = max(0, self.overlap - count)
        if is_new:
            self._steps = 0

    def check(self) -> None:
        """Raise an exception if the list never ends.

        :raises glance_compat.exceptions.BadResponse: the list never ends.
        """
        if self.problem is not None:
            raise exceptions.BadResponse(f"the list of images never ends: {self.problem}")

    def step_back(self, seen: dict[str, bool], error: exceptions.Invalid) -> None:
        """Move to an earlier image of the list, twice as far for each rejected marker.

        :param seen: the ids of the images so far, in order.
        :param error: the exception for the rejected marker.
        :raises glance_compat.exceptions.BadResponse: there is no earlier image to try.
        """
        self._steps += 1
        back = 2**self._steps - 1
        if back < len(seen):
            self.marker = next(itertools.islice(reversed(seen), back, None))
        elif back < 2 * len(seen) < 2 * REMEMBERED_IDS:
            self.marker = self.first
        else:
            raise exceptions.BadResponse(
                f"the list of images cannot be continued: {error} The server rejects all of"
                " the last images as markers; list again",
                status=error.status,
                request_id=error.request_id,
                endpoint=error.endpoint,
            ) from error
        LOG.debug("Continuing a list of images after image %s: %s", self.marker, error)
        self.overlap = min(back, len(seen))
        self._repeats = _Repeats(self.marker)


class _Repeats:
    """Detects a cycle of markers, and keeps only one marker for it (Brent's algorithm)."""

    def __init__(self, marker: str | None) -> None:
        self._kept = marker
        self._pages = 0
        self._until = 1

    def at(self, marker: str) -> bool:
        if marker == self._kept:
            return True
        self._pages += 1
        if self._pages == self._until:
            self._kept, self._pages, self._until = marker, 0, 2 * self._until
        return False


def _is_last(page: Page, longest: int) -> bool:
    if page.more is not None:
        return not page.more
    # v1 does not report whether another page follows. A page that is shorter than requested need
    # not be the last one, because the server has a maximum of its own; it is the last one if an
    # earlier page of the same list was longer.
    return len(page.images) < min(longest, page.requested)
