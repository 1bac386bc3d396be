# SPDX-License-Identifier: Apache-2.0
"""The page on filters and sort keys."""

from __future__ import annotations

from collections.abc import Iterator

from glance_compat.metadata import filters
from pages.markup import code, codes, escaped, table

_HEAD = """\
.. _filters:

=====================
Filters and sort keys
=====================

``detail()`` and ``iter_detail()`` take the same filters and sort keys over v1 and v2, and return
the same images. What a server cannot filter or sort by, the library does itself.

Filters
=======

.. py:data:: glance_compat.metadata.filters.FILTERS

   The filters, one row for each. An unknown filter, or a value of a wrong type, is
   :class:`~glance_compat.exceptions.Invalid` before any request. So are a status that does not
   exist, several values in a list, and an operator such as ``in:queued,active`` where it is not
   documented here; ``name`` and properties may begin with such an operator, and are compared as
   they are. A filter that the server in use cannot answer is
   :class:`~glance_compat.exceptions.UnsupportedByVersion`. The filter ``property-NAME`` compares
   the property NAME with a string.

"""

_SENT = """
What each API is sent
=====================

"The library filters" means that the library compares the images of the list itself, in addition
to the server or alone. The column of v2 holds for the newest minor version. ``property-NAME`` is
sent as it is to v1, and as ``NAME`` to v2.

"""

_SORTING = """
Sort keys
=========

.. py:data:: glance_compat.metadata.filters.SORT_KEYS

   {keys}.

   The direction is ``asc`` or ``desc``; the default is ``created_at`` and ``desc``. The library
   itself sorts by {local}, and by several keys, because v1 knows one only: None comes before all
   values, ties are sorted by id, and the whole list is held in memory.
"""


def page() -> str:
    """Return the page."""
    meanings = ((code(row.name), escaped(row.meaning)) for row in filters.FILTERS)
    parts = (
        _HEAD,
        table(("filter", "compares"), meanings),
        _SENT,
        table(("filter", "v1 is sent", "v2 is sent"), _sent_rows()),
        _SORTING.format(
            keys=codes(sorted(filters.SORT_KEYS)), local=codes(sorted(filters.LOCAL_SORT_KEYS))
        ),
    )
    return "".join(parts)


def _sent_rows() -> Iterator[tuple[str, str, str]]:
    for row in filters.FILTERS:
        for example in row.examples:
            value = row.read(example)
            # Newer than every minor version that a filter asks for.
            v1, v2 = row.v1(value, (1, 1)), row.v2(value, (2, 99))
            yield code(f"{row.name}={example!r}"), _sent(v1), _sent(v2)


def _sent(sent: filters.ServerQuery | None) -> str:
    if sent is None:
        return code("UnsupportedByVersion")
    params = codes(f"{name}={text}" for name, text in sent.params)
    if sent.exact:
        return params or "nothing"
    return f"{params}; the library filters" if params else "the library filters"
