# SPDX-License-Identifier: Apache-2.0
"""Walking a list to its end, page by page, whichever API answers.

v1 has no link to the next page and may cut pages shorter than asked without saying so (option
``api_limit_max``); v2 says whether another page may follow (seen on Glance 15.0.2 and 33).
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, Page
from glance_compat.metadata import filters
from glance_compat.metadata.fields import Image
from glance_compat.redaction import quote_value

#: Images asked for when the caller does not say. Servers grant fewer (1000 unless configured);
#: more than this would make a single answer large.
PAGE_IMAGES = 10_000

#: Ids by which an image is known again when it moves while the list is walked; a bound, so that a
#: list of any length takes the same memory.
REMEMBERED_IDS = 100_000

FetchPage = Callable[["str | None", int, "int | None"], Page]


class Listing(typing.NamedTuple):
    """How a list is walked.

    :param limit: images in all, or None.
    :param page_size: images in a page, or None for as many as the server grants.
    """

    query: filters.Query
    marker: str | None
    limit: int | None
    page_size: int | None


#: What is answered to a query that a server cannot take: it is too long, or not ASCII.
_NOT_TAKEN = frozenset({414, 500})


class Pages:
    """Asks for pages of one list; from when on a server does not take its texts, without them.

    :param query: what is asked for; who walks the list filters by it again.
    """

    def __init__(self, query: filters.Query) -> None:
        self._query = query

    def ask(self, api: ImagesApi, marker: str | None, size: int, left: int | None) -> Page:
        try:
            return api.page(self._query, marker, size, left)
        except exceptions.GlanceCompatError as error:
            if error.status not in _NOT_TAKEN or not self._query.has_risky_values:
                raise
            self._query = self._query.without_risky_values()
            return api.page(self._query, marker, size, left)


def walk(listing: Listing, fetch: FetchPage) -> Iterator[Image]:
    """All images of a list, each of them once.

    :param fetch: asks for one page, with a marker, a size and how many are still wanted.
    :raises glance_compat.exceptions.BadResponse: the server's pages do not come to an end.
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
        raise exceptions.Invalid(f"marker {quote_value(listing.marker)} is not in the list")
    return images[places[0] + 1 :]


def _iter_matching(listing: Listing, fetch: FetchPage, marker: str | None) -> Iterator[Image]:
    """Images that fit, in the server's order.

    :raises glance_compat.exceptions.BadResponse: a page ends where one ended before.
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
            raise exceptions.BadResponse(f"the list of images repeats itself at {marker}")


class _Repeats:
    """Notices markers that go round, remembering one of them (Brent's algorithm)."""

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
    # Without a word from the server, a short page proves nothing: it may be all that is granted.
    # Once a longer page was granted to the same list, it does.
    return len(page.images) < min(longest, page.asked)
