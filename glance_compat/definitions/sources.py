# SPDX-License-Identifier: Apache-2.0
"""Get property definitions from a cloud or from files, and cache them.

What must live here: the requests for namespaces, and the cache. What must not: the form of a
namespace (see ``documents``), and checks (see ``checks``).
"""

from __future__ import annotations

import collections
import contextlib
import copy
import dataclasses
import functools
import logging
import time
import typing
import urllib.parse
from collections.abc import Callable, Hashable

from glance_compat import exceptions
from glance_compat.definitions import files
from glance_compat.definitions.documents import (
    NAMESPACE_BYTES,
    RESOURCE_TYPE,
    MalformedError,
    parse_namespace,
)
from glance_compat.definitions.properties import Definition, Definitions
from glance_compat.options import Options
from glance_compat.redaction import quote_value
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.routing.references import check_path_segment
from glance_compat.transport.client import Identity
from glance_compat.transport.messages import Response
from glance_compat.transport.retry import Deadline

LOG = logging.getLogger(__name__)

#: How long definitions are cached, in seconds.
TTL = 3600.0
#: How long expired definitions are still used while a thread fetches them again, in seconds.
_REPLACING = 60.0
#: Maximum number of sources, and of callers of a cloud, whose definitions are cached.
MOST_CACHED = 1024
#: Maximum number of definitions that the cached sources share.
_SHARED = 4096
#: Maximum number of namespaces that are requested from a cloud. Glance 33 ships 20 for images.
MOST_NAMESPACES = 256
#: Maximum number of attempts to list them while namespaces are deleted.
_LISTINGS = 3
#: Maximum number of definitions from one source.
_MOST_DEFINITIONS = 10_000
#: Maximum size of all namespaces of a cloud, in bytes.
_MOST_BYTES = 16 * NAMESPACE_BYTES


class _Entry(typing.NamedTuple):
    outcome: Definitions | exceptions.GlanceCompatError
    expires: float


class DefinitionsCache:
    """Caches definitions, or the error of getting them, for all services of a process.

    While one thread replaces an expired entry, others use it. Threads that find no entry at the
    same time each fetch the definitions. There are no locks, so a fork cannot leave one behind:
    each step is one operation of a dict.

    :param clock: returns the current time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._entries: collections.OrderedDict[Hashable, _Entry] = collections.OrderedDict()

    def get(
        self, key: Hashable, failure_ttl: float, fetch: Callable[[], Definitions]
    ) -> Definitions:
        """Return cached definitions, or fetch them.

        :param failure_ttl: how long an error is cached, in seconds.
        :param fetch: a function that fetches the definitions.
        :raises glance_compat.exceptions.GlanceCompatError: fetching them failed, now or before.
        """
        entry = self._entries.get(key)
        if entry is None or entry.expires <= self.clock():
            if entry is not None and isinstance(entry.outcome, Definitions):
                self._store(key, entry.outcome, _REPLACING)
            return self._fetch(key, failure_ttl, fetch)
        if isinstance(entry.outcome, exceptions.GlanceCompatError):
            raise copy.copy(entry.outcome)
        return entry.outcome

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()

    def _fetch(
        self, key: Hashable, failure_ttl: float, fetch: Callable[[], Definitions]
    ) -> Definitions:
        try:
            definitions = fetch()
        except (exceptions.NotAuthenticated, exceptions.DeadlineExceeded):
            # Not cached, because the next call may have a better token or more time.
            self._entries.pop(key, None)
            raise
        except exceptions.GlanceCompatError as error:
            lasts = isinstance(error, exceptions.UnsupportedByVersion)
            # A copy, because a raised exception keeps its caller's request in memory.
            self._store(key, copy.copy(error), TTL if lasts else failure_ttl)
            raise
        self._store(key, definitions, TTL)
        return definitions

    def _store(
        self, key: Hashable, outcome: Definitions | exceptions.GlanceCompatError, ttl: float
    ) -> None:
        self._entries.pop(key, None)
        self._entries[key] = _Entry(outcome, self.clock() + ttl)
        if len(self._entries) > MOST_CACHED:
            # With a default, because another thread may remove it.
            self._entries.pop(next(iter(tuple(self._entries))), None)


DEFINITIONS_CACHE = DefinitionsCache()


@dataclasses.dataclass(slots=True)
class _Listed:
    """The namespaces of a cloud.

    :param names: their names.
    :param endpoint: the endpoint that listed them.
    """

    names: list[str] = dataclasses.field(default_factory=list)
    endpoint: str = ""


class DefinitionSource:
    """The source of the property definitions of one image service.

    :param dispatcher: sends the calls of the service.
    :param options: the options of the library.
    """

    def __init__(self, dispatcher: Dispatcher, options: Options) -> None:
        self._dispatcher = dispatcher
        self._options = options

    def get(self, identity: Identity) -> Definitions:
        """Return the definitions that are in force for a caller.

        :raises glance_compat.exceptions.UnsupportedByVersion: the cloud has no definitions.
        :raises glance_compat.exceptions.InvalidOption: the option ``definitions_file`` names no
            file with definitions of image properties.
        """
        path = self._options.definitions_file
        if path is not None:
            return DEFINITIONS_CACHE.get(("file", path), 0.0, lambda: read_definitions(path))
        return DEFINITIONS_CACHE.get(
            self._dispatcher.cache_key(identity),
            self._options.discovery_failure_ttl,
            lambda: self._fetch(identity),
        )

    def _fetch(self, identity: Identity) -> Definitions:
        deadline = Deadline(self._options.deadline)
        dispatcher, listed = self._list(identity)
        collected = _Collected(listed.endpoint)
        for name in listed.names:
            if not deadline.remaining():
                raise exceptions.DeadlineExceeded(
                    deadline.exceeded(f"getting the property definitions of {listed.endpoint}")
                )
            collected.add(name, functools.partial(self._get, dispatcher, identity, name))
        return collected.definitions()

    def _list(self, identity: Identity) -> tuple[Dispatcher, _Listed]:
        """Return the names of the namespaces for images, and the dispatcher that can get them."""
        try:
            return self._dispatcher, self._list_names(self._dispatcher, identity)
        except exceptions.UnsupportedByVersion as unsupported:
            # v1 has no definitions, but the same endpoint may offer v2.
            v2 = self._dispatcher.pinned("2")
            try:
                return v2, self._list_names(v2, identity)
            except (exceptions.UnsupportedByVersion, exceptions.NoUsableVersion):
                raise unsupported from None

    def _list_names(self, dispatcher: Dispatcher, identity: Identity) -> _Listed:
        """List the namespaces for images, again if one of them was deleted in the meantime.

        Then Glance responds to the list with 404 (verified on Glance 15.0.2), and to a marker that
        is deleted.
        """
        for _ in range(_LISTINGS - 1):
            with contextlib.suppress(exceptions.NotFound):
                return self._list_once(dispatcher, identity)
        return self._list_once(dispatcher, identity)

    def _list_once(self, dispatcher: Dispatcher, identity: Identity) -> _Listed:
        """List the namespaces for images, the oldest first.

        On clouds where tenants may add namespaces, those of the operator are usually the oldest.
        """
        listed = _Listed()
        marker: tuple[tuple[str, str], ...] = ()
        while len(listed.names) < MOST_NAMESPACES:
            params = (
                ("resource_types", RESOURCE_TYPE),
                ("sort_key", "created_at"),
                ("sort_dir", "asc"),
                ("limit", str(MOST_NAMESPACES)),
                *marker,
            )
            response = self._request(dispatcher, identity, "namespaces", params)
            listed.endpoint = str(response.details.get("endpoint"))
            body = response.json_object()
            page = [one.get("namespace") for one in response.objects_in(body, "namespaces")]
            names = [name for name in page if isinstance(name, str)]
            listed.names += names
            if not body.get("next") or not names:
                return listed
            marker = (("marker", names[-1]),)
        _warn(listed.endpoint, "", f"only the oldest {MOST_NAMESPACES} namespaces are used")
        del listed.names[MOST_NAMESPACES:]
        return listed

    def _get(self, dispatcher: Dispatcher, identity: Identity, name: str) -> _Document:
        """Request a namespace.

        :raises MalformedError: its name is not a segment of a URL's path, or the response is not
            JSON. Such a response may be due to what a tenant stored.
        :raises glance_compat.exceptions.NotFound: the namespace was deleted in the meantime.
        """
        try:
            segment = urllib.parse.quote(check_path_segment(name, "a namespace"), safe="")
        except exceptions.InvalidImageRef:
            raise MalformedError("its name is not a segment of a URL's path") from None
        try:
            response = self._request(dispatcher, identity, f"namespaces/{segment}")
            if len(response.body) > NAMESPACE_BYTES:
                raise MalformedError(f"it has more than {NAMESPACE_BYTES} bytes")
            return _Document(response.json(), len(response.body))
        except exceptions.BadResponse as error:
            raise MalformedError(str(error)) from error

    def _request(
        self,
        dispatcher: Dispatcher,
        identity: Identity,
        path: str,
        params: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        return dispatcher.repeat(identity, lambda api: api.get_metadefs(path, params))


def read_definitions(path: str) -> Definitions:
    """Read definitions from a file or a folder.

    :raises glance_compat.exceptions.InvalidOption: there are no definitions of image properties.
    """
    collected = _Collected(quote_value(path))
    for name, document in files.iter_documents(path):
        collected.add(name, functools.partial(_of_file, document))
    definitions = collected.definitions()
    if not definitions:
        raise exceptions.InvalidOption(
            f"option definitions_file: {quote_value(path)} has no definitions of image properties;"
            f" it must be a JSON file of a namespace for {RESOURCE_TYPE}, or a folder of them"
        )
    return definitions


def _of_file(document: object) -> _Document:
    if isinstance(document, MalformedError):
        raise document
    return _Document(document, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class _Document:
    """The JSON of a namespace.

    :param value: the decoded JSON.
    :param size: its size, in bytes.
    """

    value: object
    size: int


class _Collected:
    """Collects the definitions of several namespaces, without the malformed ones.

    :param source: the name of the source, for the log.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[Definition] = []
        self._names: set[str] = set()
        self._size = 0

    def add(self, name: str, load: Callable[[], _Document]) -> None:
        """Add a namespace; log a warning if it is skipped, or not all of it is checked.

        :param name: the name of the namespace, or of its file.
        :param load: a function that returns its JSON.
        """
        try:
            remarks = self._add(load())
        except exceptions.NotFound:
            LOG.debug("Namespace %s was deleted", quote_value(name))
        except MalformedError as error:
            _warn(self._source, name, f"it is skipped, because {error}")
        else:
            if remarks:
                _warn(self._source, name, "; ".join(remarks))

    def _add(self, document: _Document) -> tuple[str, ...]:
        self._size += document.size
        if self._size > _MOST_BYTES:
            raise MalformedError(f"all namespaces together have more than {_MOST_BYTES} bytes")
        namespace = parse_namespace(document.value)
        if namespace.name in self._names:
            raise MalformedError("another one has the same name")
        if len(self._found) + len(namespace.definitions) > _MOST_DEFINITIONS:
            raise MalformedError(f"there are more than {_MOST_DEFINITIONS} definitions")
        self._names.add(namespace.name)
        self._found += map(_share, namespace.definitions)
        return namespace.remarks

    def definitions(self) -> Definitions:
        """Return all definitions."""
        return Definitions(self._found, self._source)


@functools.lru_cache(maxsize=_SHARED)
def _share(definition: Definition) -> Definition:
    """Return an equal definition that is in memory already, or this one.

    Most definitions are the same for all projects.
    """
    return definition


@functools.lru_cache(maxsize=1024)
def _warn(source: str, namespace: str, remark: str) -> None:
    """Log a warning, once for each namespace: lru_cache skips further calls."""
    LOG.warning(
        "Property definitions of %s, namespace %s: %s", source, quote_value(namespace), remark
    )
