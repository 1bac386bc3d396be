# SPDX-License-Identifier: Apache-2.0
"""The filters and sort keys of a list, on both APIs: one declared table.

A row declares what each API is sent, and how the library itself decides whether an image matches.
What an API does not filter exactly as the contract defines it, the library filters again. What an
API cannot filter and the library cannot decide either is refused.

What must live here: names, spellings and meanings of filters and sort keys. What must not: I/O,
paging (``backends.pagination``).
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
    ConversionError,
    to_bool,
    to_datetime,
    to_natural,
    to_str,
    to_visibility,
)
from glance_compat.metadata.fields import (
    ATTRIBUTE_CHARACTERS,
    FIELDS_BY_NAME,
    FIRST_V2,
    STRUCTURED,
    V2_BASE_KEYS,
    Image,
    Version,
)
from glance_compat.metadata.support import V1_API, format_version
from glance_compat.redaction import quote_value

Params = list[tuple[str, str]]


class ServerQuery(typing.NamedTuple):
    """What an API is sent for a filter.

    :param params: query parameters.
    :param exact: whether the library need not filter the response again.
    """

    params: Params
    exact: bool


# For a filter that an API does not have: the library filters alone.
_LOCAL = ServerQuery([], exact=False)
_NOTHING = ServerQuery([], exact=True)

QueryTranslator = Callable[[typing.Any, Version], "ServerQuery | None"]


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """One filter.

    :param name: the contract's name.
    :param read: checks and converts what a caller passes.
    :param v1: returns what v1 is sent; None from it: v1 cannot filter by this value.
    :param v2: the same for v2.
    :param matches: returns whether an image matches; None: only the server can decide.
    :param meaning: what it compares, with the unit: for the documentation.
    :param examples: values that show what each API is sent: for the documentation.
    """

    name: str
    read: Callable[[object], typing.Any]
    v1: QueryTranslator
    v2: QueryTranslator
    matches: Callable[[Image, typing.Any], bool] | None
    _: dataclasses.KW_ONLY
    meaning: str
    examples: tuple[object, ...]


def _plain(
    name: str, write: Callable[[typing.Any], str] = str, exact: bool = True
) -> QueryTranslator:
    return lambda value, version: ServerQuery([(name, write(value))], exact)


def _local(value: object, version: Version) -> ServerQuery:
    return _LOCAL


def _equals(name: str) -> Callable[[Image, typing.Any], bool]:
    return lambda image, value: bool(image[name] == value)


def _quoted(text: str) -> str:
    # A bare value with a colon is treated as an operator: 500 on v1, 400 on v2 (Glance 15.0.2).
    return f"eq:{text}"


def _text_filter(name: str, meaning: str, example: str, *, v1: bool = True) -> Filter:
    sender = _plain(name, _quoted)
    return Filter(
        name,
        to_str,
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
    # A number too large for the database is 500 (verified on Glance 15.0.2 and 33); no image is
    # larger.
    return str(min(value, 2**63 - 1))


def _v2_size(value: int, version: Version) -> ServerQuery:
    # The contract's 0 is null on v2 as long as there is no data, and no number matches null.
    return ServerQuery([("size", str(value))], exact=True) if value else _LOCAL


def _lower(value: bool) -> str:
    return "true" if value else "false"


def _v1_public(value: bool, version: Version) -> ServerQuery:
    # True means "as an ordinary user" to v1, which includes the caller's own images; False is
    # ignored unless the caller is an admin (verified on Glance 15.0.2).
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
    # v1 always lists a project's pending and rejected shares as well.
    return _NOTHING if value == "all" else None


def _unless(value: object, version: Version) -> ServerQuery | None:
    return None if value else _NOTHING


def _first_version(name: str) -> Version:
    """Return the first minor version of v2 that has an attribute; 2.0 for every other name."""
    field = FIELDS_BY_NAME.get(name)
    return field.v2.since if field and field.v2 else FIRST_V2


def _v2_hidden(value: bool, version: Version) -> ServerQuery | None:
    # An older server would treat os_hidden as a property of that name.
    if version < _first_version("os_hidden"):
        return _unless(value, version)
    return ServerQuery([("os_hidden", _lower(value))], exact=True)


def _tags(value: object) -> list[str]:
    if isinstance(value, str):
        return [to_str(value)]
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ConversionError("a tag or a list of tags")
    return [to_str(one) for one in value]


def _iso(when: datetime.datetime) -> str:
    # Not strftime, which writes the year 1 as "1".
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
        # The server compares microseconds, which v2 does not show (verified on Glance 15.0.2 and
        # 33). So one second too many is requested, and the library decides by whole seconds.
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
    _text_filter("name", "the name, exactly", "a:b"),
    _text_filter("status", "the status", "active"),
    _text_filter("disk_format", "the disk format", "raw"),
    _text_filter("container_format", "the container format", "bare"),
    _text_filter("id", "the id", "70a599e0", v1=False),
    Filter(
        "owner",
        to_str,
        _local,
        _plain("owner"),
        _equals("owner"),
        meaning="the id of the project that owns the image",
        examples=("8a2f0c",),
    ),
    Filter(
        "checksum",
        to_str,
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
        meaning="the size of the data in bytes; 0 where it is unknown",
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
    ),
    Filter(
        "os_hidden",
        to_bool,
        _unless,
        _v2_hidden,
        matches=None,
        meaning="True: hidden images only; False, the default: all others",
        examples=(True, False),
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

#: Query parameters of v2 that are not properties, even where an image has a property so named.
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

#: The keys that a list may be sorted by: those of v1, all of which v2 has too.
SORT_KEYS = frozenset(
    {"name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at"}
)
_DEFAULT_SORT = (("created_at", "desc"),)

#: Keys by which the library sorts, as it does by several keys, since v1 accepts only one.
#: Paging by size loses or repeats images whose size is null, as in every queued image of v2
#: (verified on Glance 15.0.2 and 33 with SQLite: the marker's null is compared as a string).
LOCAL_SORT_KEYS = frozenset({"size"})


def _is_risky(value: object) -> bool:
    """Return whether a server may refuse a string in a query.

    A front end may find it too long (gunicorn accepts 4094 characters in all), and over SQLite
    Glance 15.0.2 answers 500 to a string that is not ASCII.
    """
    text = "".join(value) if isinstance(value, list) else value
    return isinstance(text, str) and (len(text) > ATTRIBUTE_CHARACTERS or not text.isascii())


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """The checked arguments of a list.

    :param filters: contract names to converted values.
    :param properties: names to strings, or to the JSON of a structure.
    :param sort: keys and directions ("asc", "desc"), most significant first.
    :param omits_risky_values: do not send strings that a server may refuse; the library alone
        filters by them.
    """

    filters: Mapping[str, typing.Any]
    properties: Mapping[str, str]
    sort: Sequence[tuple[str, str]] = _DEFAULT_SORT
    omits_risky_values: bool = False

    @property
    def matches_nothing(self) -> bool:
        """Return whether a filter is longer than any attribute can be."""
        texts = [value for value in self.filters.values() if isinstance(value, str)]
        return any(len(text) > ATTRIBUTE_CHARACTERS for text in texts)

    @property
    def has_risky_values(self) -> bool:
        """Return whether it sends a string that a server may refuse."""
        texts = [*self.filters.values(), *itertools.chain(*self.properties.items())]
        return not self.omits_risky_values and any(map(_is_risky, texts))

    def without_risky_values(self) -> Query:
        """Return a copy that does not send such strings."""
        return dataclasses.replace(self, omits_risky_values=True)

    @property
    def is_sorted_locally(self) -> bool:
        """Whether the library sorts, on both APIs alike: see :data:`SORTED_BY_THE_LIBRARY`."""
        return len(self.sort) > 1 or self.sort[0][0] in LOCAL_SORT_KEYS

    @property
    def server_sort(self) -> Sequence[tuple[str, str]]:
        """Return what the server sorts by: for a list that the library sorts, an order that is
        safe to page by."""
        return _DEFAULT_SORT if self.is_sorted_locally else self.sort

    @property
    def needs_version(self) -> bool:
        """Return whether what is sent depends on the minor version of the server."""
        return any(_first_version(name) > FIRST_V2 for name in self.filters)

    def matches(self, image: Image) -> bool:
        """Return whether an image matches, as far as the library can decide."""
        return all(
            row.matches(image, value)
            for name, value in self.filters.items()
            if (row := _BY_FILTER[name]).matches is not None
        ) and all(
            has_property(image["properties"], name, text) for name, text in self.properties.items()
        )


def parse_query(
    filters: Mapping[str, object] | None, sort_key: object = None, sort_dir: object = None
) -> Query:
    """Check the filters and the order that a caller passes.

    :param filters: contract names, and ``property-<name>`` for properties, to values. A filter
        whose value is None is ignored.
    :param sort_key: one of SORT_KEYS or a list of them; None: ``created_at``.
    :param sort_dir: "asc" or "desc", or one for each key; None: "desc".
    :raises glance_compat.exceptions.Invalid: an unknown filter or key, or an invalid value.
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
            properties[key] = check_property(key, value)
        else:
            known[name] = _read(name, value)
    return Query(known, properties, _sort_of(sort_key, sort_dir))


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
    """Sort images.

    None comes before every other value, as in the servers' databases. Ties are ordered by id.
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
    """Return what v1 is sent for a list.

    Without that filter, is_public is sent as none: all images that the caller may see.

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
    return ServerQuery(params, sent.exact and len(served) == len(query.properties))


def to_v2_query(query: Query, version: Version) -> ServerQuery:
    """Return what v2 is sent for a list.

    :param version: the newest minor version that the server offers.
    :raises glance_compat.exceptions.UnsupportedByVersion: that version does not have one of the
        filters.
    """
    sent = _sent(query, lambda row: row.v2, version, format_version(version))
    params = list(sent.params)
    if "member_status" not in query.filters:
        # v1 always lists pending and rejected shares, v2 only with this parameter.
        params.append(("member_status", "all"))
    served = {name: text for name, text in _served(query).items() if name not in _V2_PARAMETERS}
    params += served.items()
    params.append(("sort", ",".join(f"{key}:{direction}" for key, direction in query.server_sort)))
    return ServerQuery(params, sent.exact and len(served) == len(query.properties))


def _served(query: Query) -> dict[str, str]:
    """Return the properties that a server can filter by.

    An empty value is NULL on v1, which no filter matches; and the JSON of a structure can be
    formatted in many ways.
    """
    return {
        name: text
        for name, text in query.properties.items()
        if text
        and name not in STRUCTURED
        and not (query.omits_risky_values and _is_risky([name, text]))
    }


def page_limit(sent: ServerQuery, size: int, left: int | None) -> int:
    """Return how many images to request: only those still wanted, where the server filters
    exactly."""
    return min(size, left) if left is not None and sent.exact else size


def _sent(
    query: Query, side: Callable[[Filter], QueryTranslator], version: Version, offered: str
) -> ServerQuery:
    params: Params = []
    exact = True
    for name, value in query.filters.items():
        sent = side(_BY_FILTER[name])(value, version)
        if sent is None:
            raise exceptions.UnsupportedByVersion(
                f"the filter {name}={quote_value(value)}", offered
            )
        if query.omits_risky_values and _is_risky(value):
            sent = _LOCAL
        params += sent.params
        exact = exact and sent.exact
    return ServerQuery(params, exact)
