# SPDX-License-Identifier: Apache-2.0
"""The table of list filters, the sort keys, and their query parameters in v1 and v2.

A row of the table has the query parameters for each API, and a function with which the library
itself can filter. If an API does not filter exactly as documented here, the library filters the
response again. If neither the API nor the library can apply a filter, it is rejected.

What must live here: the names and meanings of filters and sort keys, and their query parameters.
What must not: I/O, and pagination (see ``backends.pagination``).
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.metadata.changes import check_property, has_property
from glance_compat.metadata.converters import (
    STATUSES,
    ConversionError,
    to_bool,
    to_datetime,
    to_natural,
    to_status,
    to_str,
    to_visibility,
)
from glance_compat.metadata.fields import (
    ATTRIBUTE_CHARACTERS,
    FIRST_V2,
    Image,
    Version,
)
from glance_compat.metadata.property_names import STRUCTURED, V2_BASE_KEYS
from glance_compat.metadata.support import (
    V1_API,
    describe_capability,
    first_version,
    format_version,
)
from glance_compat.redaction import quote_value

Params = list[tuple[str, str]]


class ServerQuery(typing.NamedTuple):
    """The query parameters of a filter or of a list.

    :param params: pairs of name and value.
    :param exact: whether the server's result needs no further filtering by the library.
    """

    params: Params
    exact: bool


# For a filter that the API does not have: only the library filters.
_LOCAL = ServerQuery([], exact=False)
_NOTHING = ServerQuery([], exact=True)

QueryTranslator = Callable[[typing.Any, Version], "ServerQuery | None"]


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a list.

    :param name: the name that callers pass.
    :param read: checks and converts the value that a caller passes.
    :param v1: a function that returns the query parameters for v1, or None if v1 does not support
        the value.
    :param v2: the same for v2.
    :param matches: a function that returns whether an image matches, or None if only the server
        can filter.
    :param meaning: the attribute that is compared, with the unit, for the documentation.
    :param examples: values whose query parameters the documentation shows.
    :param capability: the name of the filter's feature in ``Discovery.capabilities``, or "".
    """

    name: str
    read: Callable[[object], typing.Any]
    v1: QueryTranslator
    v2: QueryTranslator
    matches: Callable[[Image, typing.Any], bool] | None
    _: dataclasses.KW_ONLY
    meaning: str
    examples: tuple[object, ...]
    capability: str = ""


def _plain(
    name: str, write: Callable[[typing.Any], str] = str, exact: bool = True
) -> QueryTranslator:
    return lambda value, version: ServerQuery([(name, write(value))], exact)


def _local(value: object, version: Version) -> ServerQuery:
    return _LOCAL


def _equals(name: str) -> Callable[[Image, typing.Any], bool]:
    return lambda image, value: bool(image[name] == value)


def _quoted(text: str) -> str:
    # Without "eq:", Glance parses a value with a colon as an operator, and responds with 500 on v1
    # and 400 on v2 (Glance 15.0.2).
    return f"eq:{text}"


#: The operators with which a value may begin over v2 (Glance 33, common/utils.py).
_OPERATORS = ("in:", "eq:", "neq:", "gt:", "gte:", "lt:", "lte:")


def _to_one_value(value: object) -> str:
    """Return a string without an operator, which no value of the attribute begins with.

    It would match no image.
    """
    text = to_str(value)
    if text.startswith(_OPERATORS):
        raise ConversionError("one value without an operator; list once for each value")
    return text


def _text_filter(
    name: str,
    meaning: str,
    example: str,
    *,
    read: Callable[[object], str] = _to_one_value,
    v1: bool = True,
) -> Filter:
    sender = _plain(name, _quoted)
    return Filter(
        name,
        read,
        sender if v1 else _local,
        sender,
        _equals(name),
        meaning=meaning,
        examples=(example,),
    )


def _number_filter(name: str, meaning: str) -> Filter:
    return Filter(
        name, to_natural, _plain(name), _plain(name), _equals(name), meaning=meaning, examples=(1,)
    )


def _countable(value: int) -> str:
    # To a number that is too large for the database, Glance responds with 500 (verified on Glance
    # 15.0.2 and 33). No image is larger than this.
    return str(min(value, 2**63 - 1))


def _v2_size(value: int, version: Version) -> ServerQuery:
    # The size 0 in an image dict is null on v2 if the image has no data, and no number matches
    # null.
    return ServerQuery([("size", str(value))], exact=True) if value else _LOCAL


def _lower(value: bool) -> str:
    return "true" if value else "false"


def _v1_public(value: bool, version: Version) -> ServerQuery:
    # With True, v1 also lists the caller's own images; v1 ignores False unless the caller is an
    # admin (verified on Glance 15.0.2).
    return ServerQuery([("is_public", str(value))], exact=False)


def _v2_public(value: bool, version: Version) -> ServerQuery:
    return ServerQuery([("visibility", "public")], exact=True) if value else _LOCAL


def _v1_visibility(value: str, version: Version) -> ServerQuery | None:
    return _v1_public(True, version) if value == "public" else None


def _member_status(value: object) -> str:
    text = to_str(value)
    if text not in {"accepted", "pending", "rejected", "all"}:
        raise ConversionError("accepted, pending, rejected or all")
    return text


def _v1_member_status(value: str, version: Version) -> ServerQuery | None:
    # v1 always lists images whose share is pending or rejected as well.
    return _NOTHING if value == "all" else None


def _unless(value: object, version: Version) -> ServerQuery | None:
    return None if value else _NOTHING


def _v2_hidden(value: bool, version: Version) -> ServerQuery | None:
    # An older server would filter by a property named os_hidden.
    if version < first_version("os_hidden"):
        return _unless(value, version)
    return ServerQuery([("os_hidden", _lower(value))], exact=True)


def _tags(value: object) -> list[str]:
    if isinstance(value, str):
        return [to_str(value)]
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ConversionError("a tag or a list of tags")
    return [to_str(one) for one in value]


def _iso(when: datetime.datetime) -> str:
    # strftime is not used, because it formats the year 1 as "1".
    return when.replace(tzinfo=None).isoformat() + "Z"


_COMPARISONS: Mapping[str, Callable[[typing.Any, typing.Any], bool]] = {
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
    "eq": lambda left, right: left == right,
    "neq": lambda left, right: left != right,
}


def _comparison(value: object) -> tuple[str, datetime.datetime]:
    operator, found, when = to_str(value).partition(":")
    if not found or operator not in _COMPARISONS:
        raise ConversionError("gt:, gte:, lt:, lte:, eq: or neq: and an ISO 8601 time")
    return operator, to_datetime(when)


def _since(value: object) -> datetime.datetime:
    return to_datetime(value.isoformat() if isinstance(value, datetime.datetime) else value)


#: The last second that Python can represent.
_LAST = datetime.datetime.max.replace(microsecond=0, tzinfo=datetime.timezone.utc)


def _v2_time(name: str) -> QueryTranslator:
    def send(value: tuple[str, datetime.datetime], version: Version) -> ServerQuery:
        # The server compares microseconds, which v2 does not return (verified on Glance 15.0.2 and
        # 33). So the request covers one second more, and the library filters by whole seconds.
        operator, when = value
        if operator in {"gt", "gte", "eq"}:
            return ServerQuery([(name, f"gte:{_iso(when)}")], exact=False)
        if operator in {"lt", "lte"} and when < _LAST:
            later = when + datetime.timedelta(seconds=1)
            return ServerQuery([(name, f"lte:{_iso(later)}")], exact=False)
        return _LOCAL

    return send


def _time_filter(name: str, example: str) -> Filter:
    def matches(image: Image, value: tuple[str, datetime.datetime]) -> bool:
        operator, when = value
        return image[name] is not None and _COMPARISONS[operator](image[name], when)

    return Filter(
        name,
        _comparison,
        _local,
        _v2_time(name),
        matches,
        meaning="an operator (gt, gte, lt, lte, eq, neq), a colon, and an ISO 8601 time",
        examples=(example,),
    )


#: Sources: Glance 15.0.2 api/v1/filters.py and controller.py (SUPPORTED_FILTERS), api/v2/images.py
#: and common/utils.py (split_filter_op), Glance 33; all verified on both servers.
FILTERS: tuple[Filter, ...] = (
    _text_filter("name", "the name, exactly", "a:b", read=to_str),
    _text_filter("status", f"the status: {', '.join(STATUSES)}", "active", read=to_status),
    _text_filter("disk_format", "the disk format", "raw"),
    _text_filter("container_format", "the container format", "bare"),
    _text_filter("id", "the id", "70a599e0", v1=False),
    Filter(
        "owner",
        _to_one_value,
        _local,
        _plain("owner"),
        _equals("owner"),
        meaning="the id of the project that owns the image",
        examples=("8a2f0c",),
    ),
    Filter(
        "checksum",
        _to_one_value,
        _local,
        _plain("checksum"),
        _equals("checksum"),
        meaning="the MD5 of the data, in hexadecimal",
        examples=("c2e5",),
    ),
    Filter(
        "size",
        to_natural,
        _local,
        _v2_size,
        _equals("size"),
        meaning="the size of the data in bytes; 0 if it is unknown",
        examples=(0, 1),
    ),
    Filter(
        "size_min",
        to_natural,
        _plain("size_min", _countable),
        _plain("size_min", _countable),
        lambda image, value: bool(image["size"] >= value),
        meaning="the smallest size, in bytes",
        examples=(1,),
    ),
    Filter(
        "size_max",
        to_natural,
        _plain("size_max", _countable),
        _plain("size_max", _countable),
        lambda image, value: bool(image["size"] <= value),
        meaning="the largest size, in bytes",
        examples=(1,),
    ),
    _number_filter("min_disk", "min_disk, in GiB"),
    _number_filter("min_ram", "min_ram, in MiB"),
    Filter(
        "protected",
        to_bool,
        _plain("protected"),
        _plain("protected", _lower),
        _equals("protected"),
        meaning="whether the image cannot be deleted",
        examples=(True,),
    ),
    Filter(
        "is_public",
        to_bool,
        _v1_public,
        _v2_public,
        _equals("is_public"),
        meaning="True: public images only; False: all others that the caller may see",
        examples=(True, False),
    ),
    Filter(
        "visibility",
        to_visibility,
        _v1_visibility,
        _plain("visibility"),
        _equals("visibility"),
        meaning="public, private, shared or community; v1 can filter by public only",
        examples=("public", "shared"),
    ),
    Filter(
        "changes-since",
        _since,
        _plain("changes-since", _iso),
        _plain("updated_at", lambda when: f"gt:{_iso(when)}"),
        matches=None,
        meaning="changed after a time: an ISO 8601 string, or a datetime",
        examples=("2020-01-01T00:00:00Z",),
    ),
    _time_filter("created_at", "gt:2020-01-01T00:00:00Z"),
    _time_filter("updated_at", "eq:2020-01-01T00:00:00Z"),
    Filter(
        "tag",
        _tags,
        _unless,
        lambda value, version: ServerQuery([("tag", one) for one in value], exact=True),
        lambda image, value: set(value) <= set(image["tags"] or ()),
        meaning="a tag, or a list of tags that an image must all have",
        examples=(["t1", "t2"],),
        capability="tags",
    ),
    Filter(
        "member_status",
        _member_status,
        _v1_member_status,
        _plain("member_status"),
        matches=None,
        meaning="of images that are shared with the caller: accepted, pending, rejected or all;"
        " all is the default",
        examples=("all", "pending"),
        capability="member-status",
    ),
    Filter(
        "os_hidden",
        to_bool,
        _unless,
        _v2_hidden,
        matches=None,
        meaning="True: hidden images only; False, the default: all others",
        examples=(True, False),
        capability="hidden",
    ),
    # v1 lists deleted images with changes-since (verified on Glance 15.0.2).
    Filter(
        "deleted",
        to_bool,
        _unless,
        _unless,
        _equals("deleted"),
        meaning="False: images that are not deleted; neither API can list deleted images alone",
        examples=(True, False),
    ),
)

_BY_FILTER = {row.name: row for row in FILTERS}
PROPERTY_PREFIX = "property-"

#: The value of Options.hidden_property on a hidden image.
HIDDEN = "true"

#: Query parameters that v2 does not treat as properties, even if an image has such a property.
_V2_PARAMETERS = (
    V2_BASE_KEYS
    | set(_BY_FILTER)
    | {
        "limit",
        "marker",
        "sort",
        "sort_key",
        "sort_dir",
        "properties",
        "size_min",
        "size_max",
    }
)

#: The keys that a list can be sorted by: all keys of v1, which v2 has as well.
SORT_KEYS = frozenset(
    {"name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at"}
)
_DEFAULT_SORT = (("created_at", "desc"),)

#: Keys by which the library sorts a list itself. (It also does so for several keys, because v1
#: accepts only one.) If the server sorts by size, pages omit or repeat images whose size is null,
#: which every queued image of v2 has (verified on Glance 15.0.2 and 33 with SQLite: the marker's
#: null is compared as a string).
LOCAL_SORT_KEYS = frozenset({"size"})


def _is_risky(value: object) -> bool:
    """Return whether a server may reject a query with this value.

    A long string may exceed the maximum length of a request line (4094 bytes with gunicorn), and
    with SQLite Glance 15.0.2 responds with 500 to a string that is not ASCII.
    """
    text = "".join(value) if isinstance(value, list) else value
    return isinstance(text, str) and (len(text) > ATTRIBUTE_CHARACTERS or not text.isascii())


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """The filters and the sort order of a list, after checks and conversion.

    :param filters: converted values, by the name of the filter.
    :param properties: values of properties, as strings or JSON, by name.
    :param sort: pairs of key and direction ("asc" or "desc"), most significant first.
    :param omits_risky_values: whether to leave out of the request the strings that a server may
        reject. Then only the library filters by them.
    :param hidden_property: the name of the property that marks hidden images, which the list
        leaves out, or "".
    """

    filters: Mapping[str, typing.Any]
    properties: Mapping[str, str]
    sort: Sequence[tuple[str, str]] = _DEFAULT_SORT
    omits_risky_values: bool = False
    hidden_property: str = ""

    @property
    def matches_nothing(self) -> bool:
        """Return whether no image can match, because a filter is longer than any attribute."""
        texts = [value for value in self.filters.values() if isinstance(value, str)]
        return any(len(text) > ATTRIBUTE_CHARACTERS for text in texts)

    @property
    def has_risky_values(self) -> bool:
        """Return whether the request would contain a string that a server may reject."""
        texts = [*self.filters.values(), *itertools.chain(*self.properties.items())]
        return not self.omits_risky_values and any(map(_is_risky, texts))

    def without_risky_values(self) -> Query:
        """Return a copy that leaves such strings out of the request."""
        return dataclasses.replace(self, omits_risky_values=True)

    @property
    def is_sorted_locally(self) -> bool:
        """Return whether the library sorts the list itself; see :data:`LOCAL_SORT_KEYS`."""
        return len(self.sort) > 1 or self.sort[0][0] in LOCAL_SORT_KEYS

    @property
    def server_sort(self) -> Sequence[tuple[str, str]]:
        """Return the sort order that is requested from the server.

        If the library sorts the list itself, it is an order whose pages are complete.
        """
        return _DEFAULT_SORT if self.is_sorted_locally else self.sort

    @property
    def needs_version(self) -> bool:
        """Return whether the query parameters depend on the minor version of the server."""
        return any(first_version(name) > FIRST_V2 for name in self.filters)

    @property
    def is_filtered(self) -> bool:
        """Return whether there is a filter; without one, every image matches."""
        return bool(self.filters or self.properties or self.hidden_property)

    def matches(self, image: Image) -> bool:
        """Return whether an image, with all parts, matches all filters that are applied here."""
        if self.hidden_property and is_marked_hidden(image, self.hidden_property):
            return False
        return all(
            row.matches(image, value)
            for name, value in self.filters.items()
            if (row := _BY_FILTER[name]).matches is not None
        ) and all(
            has_property(image["properties"], name, text) for name, text in self.properties.items()
        )


def is_marked_hidden(image: Image, name: str) -> bool:
    """Return whether a property marks an image as hidden.

    :param name: the name of the property.
    """
    return bool(image["properties"].get(name) == HIDDEN)


def split_by_hidden(query: Query, name: str) -> list[Query]:
    """Return the queries that together list what a query asks for, if a property hides images.

    A query of hidden images becomes two, because an image may be hidden by ``os_hidden`` or by the
    property. No image is in both lists. A server may not support the first one.

    :param name: the name of the property.
    """
    if not query.filters.get("os_hidden"):
        return [dataclasses.replace(query, hidden_property=name)]
    others = {key: value for key, value in query.filters.items() if key != "os_hidden"}
    if query.properties.get(name, HIDDEN) != HIDDEN:
        return [query]
    properties = {**query.properties, name: HIDDEN}
    return [query, dataclasses.replace(query, filters=others, properties=properties)]


def parse_query(
    filters: Mapping[str, object] | None, sort_key: object = None, sort_dir: object = None
) -> Query:
    """Check and convert the filters and the sort order that a caller passes.

    :param filters: the values to match, by name: one of FILTERS, or ``property-<name>`` for a
        property. A filter whose value is None is ignored.
    :param sort_key: one of SORT_KEYS or a list of them; None for ``created_at``.
    :param sort_dir: "asc" or "desc", or a list with one direction for each key; None for "desc".
    :raises glance_compat.exceptions.Invalid: a filter or a key is unknown, or a value is invalid.
    """
    if filters is not None and not isinstance(filters, Mapping):
        raise exceptions.Invalid(f"filters must be a dict, not {quote_value(filters)}")
    known: dict[str, typing.Any] = {}
    properties: dict[str, str] = {}
    for name, value in (filters or {}).items():
        if value is None:
            continue
        if isinstance(name, str) and name.startswith(PROPERTY_PREFIX):
            key = name[len(PROPERTY_PREFIX) :]
            properties[key] = _read_property(key, value)
        else:
            known[name] = _read(name, value)
    return Query(known, properties, _sort_of(sort_key, sort_dir))


def _read_property(key: str, value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset, dict)) and key not in STRUCTURED:
        # The string of such a value would match no image.
        raise exceptions.Invalid(
            f"filter {PROPERTY_PREFIX}{key} must be one value, not {quote_value(value)}; list once"
            " for each value"
        )
    return check_property(key, value)


def _read(name: str, value: object) -> object:
    row = _BY_FILTER.get(name)
    if row is None:
        raise exceptions.Invalid(
            f"unknown filter {quote_value(name)}; to filter by a property, use"
            f" {PROPERTY_PREFIX}NAME"
        )
    try:
        return row.read(value)
    except ConversionError as error:
        raise exceptions.Invalid(
            f"filter {name} must be {error}, not {quote_value(value)}"
        ) from None


def _listed(value: object, default: str) -> list[object]:
    several = [value] if not isinstance(value, (list, tuple)) else list(value)
    return several if several not in ([], [None], [""]) else [default]


def _sort_of(sort_key: object, sort_dir: object) -> tuple[tuple[str, str], ...]:
    keys = _listed(sort_key, "created_at")
    directions = _listed(sort_dir, "desc")
    if len(directions) == 1:
        directions = directions * len(keys)
    if len(directions) != len(keys):
        raise exceptions.Invalid(
            f"got {len(directions)} sort_dir for {len(keys)} sort_key: pass one, or one for each"
        )
    for key in keys:
        if not isinstance(key, str) or key not in SORT_KEYS:
            raise exceptions.Invalid(
                f"sort_key must be one of {', '.join(sorted(SORT_KEYS))}, not {quote_value(key)}"
            )
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise exceptions.Invalid(f"sort_dir must be asc or desc, not {quote_value(direction)}")
    return tuple(zip(map(str, keys), map(str, directions), strict=True))


def sort_images(images: Iterable[Image], sort: Sequence[tuple[str, str]]) -> list[Image]:
    """Return the images in a sort order.

    None sorts before every other value, as in the servers' databases. Images with equal values are
    sorted by id.

    :param sort: pairs of key and direction, most significant first.
    """
    ordered = sorted(images, key=lambda image: str(image["id"]), reverse=sort[-1][1] == "desc")
    for key, direction in reversed(sort):
        ordered.sort(key=_sort_value(key), reverse=direction == "desc")
    return ordered


def _sort_value(key: str) -> Callable[[Image], tuple[bool, typing.Any]]:
    def value(image: Image) -> tuple[bool, typing.Any]:
        found = image[key]
        return (False, 0) if found is None else (True, found)

    return value


def to_v1_query(query: Query) -> ServerQuery:
    """Return the query parameters of a list over v1.

    If there is no filter is_public, ``is_public=none`` is sent, which lists all images that the
    caller may see.

    :raises glance_compat.exceptions.UnsupportedByVersion: v1 does not have one of the filters.
    """
    sent = _sent(query, lambda row: row.v1, (1, 1), V1_API)
    params = list(sent.params)
    if not any(name == "is_public" for name, _ in params):
        params.append(("is_public", "none"))
    served = _served(query)
    params += [(f"{PROPERTY_PREFIX}{name}", text) for name, text in served.items()]
    key, direction = query.server_sort[0]
    params += [("sort_key", key), ("sort_dir", direction)]
    return ServerQuery(params, sent.exact and _is_complete(query, served))


def to_v2_query(query: Query, version: Version) -> ServerQuery:
    """Return the query parameters of a list over v2.

    :param version: the newest minor version that the server offers.
    :raises glance_compat.exceptions.UnsupportedByVersion: this version does not have one of the
        filters.
    """
    sent = _sent(query, lambda row: row.v2, version, format_version(version))
    params = list(sent.params)
    if "member_status" not in query.filters:
        # v1 always lists images whose share is pending or rejected, v2 only with this parameter.
        params.append(("member_status", "all"))
    served = {name: text for name, text in _served(query).items() if name not in _V2_PARAMETERS}
    params += served.items()
    params.append(("sort", ",".join(f"{key}:{direction}" for key, direction in query.server_sort)))
    return ServerQuery(params, sent.exact and _is_complete(query, served))


def _is_complete(query: Query, served: Mapping[str, str]) -> bool:
    """Return whether the server filters by all properties of a query."""
    return len(served) == len(query.properties) and not query.hidden_property


def _served(query: Query) -> dict[str, str]:
    """Return the properties that the server can filter by.

    Empty values are left out, because v1 stores them as NULL, which no filter matches. JSON
    documents are left out, because their formatting may differ.
    """
    return {
        name: text
        for name, text in query.properties.items()
        if text
        and name not in STRUCTURED
        and not (query.omits_risky_values and _is_risky([name, text]))
    }


def page_limit(sent: ServerQuery, size: int, left: int | None) -> int:
    """Return the number of images to request.

    Unless the library filters the response, it is at most the number that the caller still wants.

    :param size: the page size.
    :param left: number of images that the caller still wants, or None for all.
    """
    return min(size, left) if left is not None and sent.exact else size


def _sent(
    query: Query, side: Callable[[Filter], QueryTranslator], version: Version, offered: str
) -> ServerQuery:
    params: Params = []
    exact = True
    for name, value in query.filters.items():
        row = _BY_FILTER[name]
        sent = side(row)(value, version)
        if sent is None:
            needed = f"the filter {name}={quote_value(value)}"
            if row.capability:
                needed = describe_capability(row.capability, needed)
            raise exceptions.UnsupportedByVersion(needed, offered)
        if query.omits_risky_values and _is_risky(value):
            sent = _LOCAL
        params += sent.params
        exact = exact and sent.exact
    return ServerQuery(params, exact)
