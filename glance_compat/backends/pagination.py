# SPDX-License-Identifier: Apache-2.0
"""Walk a list to its end, page by page, over either API.

What must live here: when the next page is requested and when the list ends. What must not: what a
page is on the wire (``v1``, ``v2``).

v1 has no link to the next page and may silently return shorter pages than requested (option
``api_limit_max``); v2 says whether another page may follow (verified on Glance 15.0.2 and 33).
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, Page
from glance_compat.metadata import filters
from glance_compat.metadata.fields import Image
from glance_compat.redaction import quote_value

#: Images per page when the caller sets no page size. Servers return fewer (1000 unless
#: configured); a larger number would make a single response large.
PAGE_IMAGES = 10_000

#: Ids kept to recognise an image that moves while the list is walked. Bounded, so that a list of
#: any length takes the same memory.
REMEMBERED_IDS = 100_000

FetchPage = Callable[["str | None", int, "int | None"], Page]


class Listing(typing.NamedTuple):
    """How to walk a list.

    :param query: filters and order.
    :param marker: the id of the image after which to begin, or None.
    :param limit: images in all, or None.
    :param page_size: images in a page, or None for as many as the server allows.
    """

    query: filters.Query
    marker: str | None
    limit: int | None
    page_size: int | None


#: Statuses of a query that a server refuses because it is too long, or not ASCII.
_REFUSED_QUERY = frozenset({414, 500})


class Pages:
    """Fetch the pages of one list; once a server refuses its strings, without them.

    :param query: what to fetch; :func:`walk` filters by it again.
    """

    def __init__(self, query: filters.Query) -> None:
        self._query = query

    def fetch(self, api: ImagesApi, marker: str | None, size: int, left: int | None) -> Page:
        try:
            return api.page(self._query, marker, size, left)
        except exceptions.GlanceCompatError as error:
            if error.status not in _REFUSED_QUERY or not self._query.has_risky_values:
                raise
            self._query = self._query.without_risky_values()
            return api.page(self._query, marker, size, left)


def walk(listing: Listing, fetch: FetchPage) -> Iterator[Image]:
    """Yield all images of a list, each of them once.

    :param fetch: fetches one page, with a marker, a size and how many images are still wanted.
    :raises glance_compat.exceptions.BadResponse: the server's pages repeat.
    :raises glance_compat.exceptions.Invalid: the marker is not in the list.
    """
    if listing.limit == 0 or listing.query.matches_nothing:
        return iter(())
    if not listing.query.is_sorted_locally:
        return _iter_matching(listing, fetch, listing.marker)
    return iter(_sorted(listing, fetch)[: listing.limit])


def _sorted(listing: Listing, fetch: FetchPage) -> list[Image]:
    whole = listing._replace(limit=None)
    images = filters.sort_images(_iter_matching(whole, fetch, None), listing.query.sort)
    if listing.marker is None:
        return images
    places = [place for place, image in enumerate(images) if image["id"] == listing.marker]
    if not places:
        raise exceptions.Invalid(
            f"marker {quote_value(listing.marker)} is not in the list; pass the id of an image"
            " that matches the filters"
        )
    return images[places[0] + 1 :]


def _iter_matching(listing: Listing, fetch: FetchPage, marker: str | None) -> Iterator[Image]:
    """Yield the images that match, in the server's order.

    :raises glance_compat.exceptions.BadResponse: two pages end with the same image.
    """
    seen: dict[str, None] = {}
    repeats = _Repeats(marker)
    longest = 0
    left = listing.limit
    while True:
        page = fetch(marker, listing.page_size or PAGE_IMAGES, left)
        for image in page.images:
            if image["id"] not in seen and listing.query.matches(image):
                _remember(seen, image["id"])
                yield image
                left = left if left is None else left - 1
                if left == 0:
                    return
        if not page.images or _is_last(page, longest):
            return
        longest = max(longest, len(page.images))
        marker = page.images[-1]["id"]
        if repeats.at(marker):
            raise exceptions.BadResponse(
                f"the list of images never ends: a second page ends with image {marker}; a proxy"
                " may drop the query parameter marker"
            )


class _Repeats:
    """Detect a cycle of markers, keeping only one of them (Brent's algorithm)."""

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


def _remember(seen: dict[str, None], image_id: str) -> None:
    seen[image_id] = None
    if len(seen) > REMEMBERED_IDS:
        del seen[next(iter(seen))]


def _is_last(page: Page, longest: int) -> bool:
    if page.more is not None:
        return not page.more
    # Where the server does not say, a short page proves nothing: it may be the server's maximum.
    # It is the last one if an earlier page of the same list was longer.
    return len(page.images) < min(longest, page.requested)
