# SPDX-License-Identifier: Apache-2.0
"""The page on filters and sort keys."""

from __future__ import annotations

from collections.abc import Iterator

from glance_compat.metadata import filters
from pages.markup import code, codes, described, escaped

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

   The filters. An unknown filter, or a value of a wrong type, is
   :class:`~glance_compat.exceptions.Invalid` before any request. So are a status that does not
   exist, several values in a list, and an operator such as ``in:queued,active`` where it is not
   documented here; ``name`` and properties may begin with such an operator, and are compared as
   they are. A filter that the server in use cannot answer is
   :class:`~glance_compat.exceptions.UnsupportedByVersion`. The filter ``property-NAME`` compares
   the property NAME with a string; it is sent as it is to v1, and as ``NAME`` to v2.

For each filter, the lines after an example of a value say what the servers are sent, v2 with the
newest minor version. "The library filters" means that the library compares the images of the list
itself, in addition to the server or alone.

"""

_SORTING = """
Sort keys
=========

.. py:data:: glance_compat.metadata.filters.SORT_KEYS

   The keys that lists can be sorted by. The direction is ``asc`` or ``desc``; the default is
   ``created_at`` and ``desc``. The library itself sorts by {local}, and by several keys, because
   v1 knows one only: None comes before all values, ties are sorted by id, and the whole list is
   held in memory.

"""


def page() -> str:
    """Return the page."""
    local = codes(sorted(filters.LOCAL_SORT_KEYS))
    parts = (
        _HEAD,
        *(described("filter", row.name, _description(row)) for row in filters.FILTERS),
        _SORTING.format(local=local),
        *(described("sort-key", key, "") for key in sorted(filters.SORT_KEYS)),
    )
    return "".join(parts)


def _description(row: filters.Filter) -> str:
    return f"{escaped(row.meaning)}\n\n{''.join(_examples(row))}"


def _examples(row: filters.Filter) -> Iterator[str]:
    for example in row.examples:
        value = row.read(example)
        # Newer than every minor version that a filter asks for.
        v1, v2 = row.v1(value, (1, 1)), row.v2(value, (2, 99))
        yield f"| {code(f'{row.name}={example!r}')}\n| v1: {_sent(v1)}\n| v2: {_sent(v2)}\n\n"


def _sent(sent: filters.ServerQuery | None) -> str:
    if sent is None:
        return code("UnsupportedByVersion")
    params = codes(f"{name}={text}" for name, text in sent.params)
    if sent.exact:
        return params or "nothing"
    return f"{params}; the library filters" if params else "the library filters"
