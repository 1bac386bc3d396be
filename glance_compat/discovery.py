# SPDX-License-Identifier: Apache-2.0
"""Which Images APIs an endpoint offers, and which of them to speak.

The facts of an endpoint are learnt once in a process and believed for a while; the choice is made
from the facts and the options, without I/O. Nothing outside this module asks for a version.

Order of asking: the version document at the unversioned root (one request, no token); the version
that the endpoint's own path names; the APIs themselves. Links in a document are never followed:
they are made from the request's Host header and lose a proxy's path prefix (seen on Glance 15.0.2
and 33), and whoever can forge them would be sent the caller's token.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import re
import threading
import time
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.api import ImagesApi
from glance_compat.message import Answer, Request
from glance_compat.options import Options
from glance_compat.retry import TRANSIENT_STATUS, Deadline, is_transient
from glance_compat.v1 import V1
from glance_compat.v2 import V2
from glance_compat.wire import Wire

Version = tuple[int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class OfferedVersion:
    """One entry of a version document.

    :param id: as the server spells it: "v2.17".
    :param status: CURRENT, SUPPORTED, DEPRECATED, EXPERIMENTAL, or what else a server says.
    """

    id: str
    status: str

    @property
    def number(self) -> Version | None:
        """Major and minor, or None for an id of another form."""
        found = re.fullmatch(r"v([0-9]{1,4})(?:\.([0-9]{1,4}))?", self.id)
        return (int(found[1]), int(found[2] or 0)) if found else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was chosen for an endpoint, and why.

    :param api: "v1" or "v2".
    :param version: major, and the newest minor version offered or None when that is unknown.
    :param endpoint: unversioned URL, without credentials.
    :param offered: the endpoint's version document, in its order; empty when nobody read it.
    :param reason: one sentence.
    :param capabilities: names of what the API can do, see :data:`CAPABILITIES`.
    :param requests: how many requests this answer cost when it was found out.
    :param endpoints: one Discovery for each endpoint, when there are several.
    """

    api: typing.Literal["v1", "v2"]
    version: tuple[int, int | None]
    endpoint: str
    offered: tuple[OfferedVersion, ...]
    reason: str
    capabilities: frozenset[str]
    requests: int
    endpoints: tuple[Discovery, ...] = ()


#: What an API can do, and the version of it that is the first to have it. Sources: Glance's
#: "versions and status" reference and api/versions.py of 15.0.2 and 33.
CAPABILITIES: Mapping[str, Version] = {
    "copy_from": (1, 0),
    "list-deleted": (1, 0),
    "member-can-share": (1, 0),
    "tags": (2, 0),
    "member-status": (2, 0),
    "deactivate": (2, 3),
    "community-visibility": (2, 5),
    "import": (2, 6),
    "hidden": (2, 7),
    "multihash": (2, 7),
    "locations-api": (2, 17),
}

#: Capabilities whose versions are offered only where they are configured, in gaps between others
#: (seen on Glance 33: without enabled_backends 2.8 and 2.10 to 2.13 are absent).
_CONFIGURED: Mapping[str, frozenset[Version]] = {
    "stores": frozenset({(2, 8), (2, 10), (2, 11), (2, 12), (2, 13)}),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an endpoint.

    :param offered: the version document, or what stands for one.
    :param how: how it was found out: a sentence that ends with what was found.
    :param requests: how many it took.
    :param minor_known: the ids tell the minor versions.
    :param complete: what is not among them is not offered.
    :param provisional: it may be otherwise soon, so this is believed as long as a failure.
    """

    offered: tuple[OfferedVersion, ...]
    how: str
    requests: int
    minor_known: bool = True
    complete: bool = True
    provisional: bool = False

    def usable(self, options: Options) -> Mapping[int, Version]:
        """The newest version of each major that can be spoken and is allowed."""
        newest: dict[int, Version] = {}
        for one in self.offered:
            number = one.number
            allowed = one.status != "EXPERIMENTAL" or options.allow_experimental
            if number is not None and number[0] in (1, 2) and allowed:
                newest[number[0]] = max(number, newest.get(number[0], number))
        return newest


# ---------------------------------------------------------------------------------------------
# The choice: pure.


def _version_in(url: str) -> OfferedVersion | None:
    found = re.search(r"[^:/]/+(v[12](\.[0-9]+)?)/*$", url)
    return OfferedVersion(found[1], "UNKNOWN") if found else None


def offered_in(document: object) -> tuple[OfferedVersion, ...] | None:
    """Read a version document; None if it is not one.

    Entries of another form are passed over: they are not versions that anyone could choose.
    """
    entries = document.get("versions") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    found = [
        OfferedVersion(entry["id"], _status_of(entry.get("status")))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]
    known = tuple(one for one in found if one.number is not None)
    return known if known or not entries else None


def _status_of(value: object) -> str:
    is_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z_-]{1,30}", value)
    return str(value).upper() if is_word else "UNKNOWN"


def in_words(offered: tuple[OfferedVersion, ...]) -> str:
    """A version document for a message."""
    return ", ".join(f"{one.id} ({one.status})" for one in offered) or "nothing"


def _wanted(options: Options) -> str:
    return "v1 or v2" if options.allow_experimental else "v1 or v2, not experimental"


def choose(facts: Facts, options: Options, endpoint: str) -> Discovery:
    """Choose an API.

    :raises glance_compat.exceptions.NoUsableVersion: nothing offered is allowed.
    """
    usable = facts.usable(options)
    if not usable:
        raise exceptions.NoUsableVersion(
            f"the endpoint {endpoint} offers no Images API that can be used; wanted:"
            f" {_wanted(options)}; offered: {in_words(facts.offered)}",
            endpoint=endpoint,
        )
    preferred = int(options.prefer)
    major = preferred if preferred in usable else next(iter(usable))
    newest = usable[major] if facts.minor_known else None
    reason = f"{facts.how} {_choice_in_words(facts, usable, major)}"
    return _discovery(major, newest, facts, endpoint, reason)


def _choice_in_words(facts: Facts, usable: Mapping[int, Version], chosen: int) -> str:
    if len(usable) > 1:
        return f"v1 and v2, of which v{chosen} is preferred"
    other = 3 - chosen
    if any(one.number and one.number[0] == other for one in facts.offered):
        return f"v{chosen}, and v{other} only as EXPERIMENTAL"
    return f"v{chosen} and no v{other}" if facts.complete else f"v{chosen}"


def pinned(options: Options, endpoint: str) -> Discovery | None:
    """The choice that needs no facts, or None."""
    if options.api_version == "auto":
        return None
    major = int(options.api_version)
    reason = f"v{major} is pinned by the option api_version"
    return _discovery(major, None, Facts((), "", requests=0), endpoint, reason)


def _discovery(
    major: int, newest: Version | None, facts: Facts, endpoint: str, reason: str
) -> Discovery:
    return Discovery(
        api="v1" if major == 1 else "v2",
        version=(major, newest[1] if newest else None),
        endpoint=endpoint,
        offered=facts.offered,
        reason=reason,
        capabilities=_capabilities(newest or (major, 0), facts.offered),
        requests=facts.requests,
    )


def _capabilities(newest: Version, offered: tuple[OfferedVersion, ...]) -> frozenset[str]:
    # What is newer than the newest that is allowed is experimental.
    numbers = {one.number for one in offered if one.number and one.number <= newest}
    plain = {
        name for name, since in CAPABILITIES.items() if since[0] == newest[0] and since <= newest
    }
    configured = {name for name, any_of in _CONFIGURED.items() if any_of & numbers}
    return frozenset(plain | (configured if newest[0] == 2 else set()))


# ---------------------------------------------------------------------------------------------
# The facts: asked once, believed for a while.


class Place(typing.NamedTuple):
    """What facts are of.

    :param endpoint: the unversioned endpoint.
    :param version: that its configured path names; without a document, it is one of the facts.
    """

    endpoint: str
    version: str | None


class _Known(typing.NamedTuple):
    outcome: Facts | exceptions.GlanceCompatError
    learnt_at: float


#: The document of an endpoint is the same whatever version its path names.
_DOCUMENT = "document"


@dataclasses.dataclass(slots=True)
class _Entry:
    """What is known of one endpoint.

    :param known: by the version that the path names, or :data:`_DOCUMENT`.
    """

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    known: dict[str | None, _Known] = dataclasses.field(default_factory=dict)


class Memory:
    """What is known of endpoints, shared by all threads of a process.

    One thread asks about an endpoint at a time; the others wait for its answer, no longer than
    they would wait for their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def facts(
        self,
        place: Place,
        options: Options,
        ask: Callable[[], Facts],
        failed_at: float | None = None,
        deadline: Deadline | None = None,
    ) -> Facts:
        """What is known, asking if nothing is or if it is too old.

        :param failed_at: when the caller's own last attempt failed, by :attr:`clock`: a failure
            that is not newer is asked about again.
        :param deadline: the caller's own; nobody waits longer.
        :raises glance_compat.exceptions.GlanceCompatError: what asking raised, now or within
            ``discovery_failure_ttl``.
        """
        with self._lock:
            entry = self._entries.setdefault(place.endpoint, _Entry())

        def believed() -> Facts | exceptions.GlanceCompatError | None:
            known = (entry.known.get(key) for key in (_DOCUMENT, place.version))
            usable = (one for one in known if one and self._is_believed(one, options, failed_at))
            return next((one.outcome for one in usable), None)

        known = believed()
        if known is None:
            with _held(entry.lock, options, place.endpoint, deadline):
                known = believed() or self._learn(entry, place, ask)
        if isinstance(known, exceptions.GlanceCompatError):
            # One failure may be raised in many threads, each with a traceback of its own.
            raise copy.copy(known) from known.__cause__
        return known

    def doubt(self, place: Place, offered: tuple[OfferedVersion, ...]) -> None:
        """Ask again next time, unless somebody has asked since this was said to be offered."""
        with self._lock:
            entry = self._entries.setdefault(place.endpoint, _Entry())
        for key in (_DOCUMENT, place.version):
            known = entry.known.get(key)
            if known and isinstance(known.outcome, Facts) and known.outcome.offered == offered:
                entry.known.pop(key, None)

    def forget(self, endpoint: str) -> None:
        """Know nothing of an endpoint, whatever version its path names."""
        with self._lock:
            self._entries.pop(endpoint, None)

    def renew_locks(self) -> None:
        """In a new process: threads that held a lock are not in it, what they learnt is."""
        self._lock = threading.Lock()
        for entry in self._entries.values():
            entry.lock = threading.Lock()

    def _is_believed(self, known: _Known, options: Options, failed_at: float | None) -> bool:
        if isinstance(known.outcome, Facts) and not known.outcome.provisional:
            ttl = options.discovery_ttl
        elif failed_at is not None and known.learnt_at <= failed_at:
            return False
        else:
            ttl = options.discovery_failure_ttl
        return self.clock() - known.learnt_at < ttl

    def _learn(
        self, entry: _Entry, place: Place, ask: Callable[[], Facts]
    ) -> Facts | exceptions.GlanceCompatError:
        outcome: Facts | exceptions.GlanceCompatError
        try:
            outcome = ask()
        except _OwnTroubleError as trouble:
            raise trouble.error from trouble.error.__cause__
        except (exceptions.NotAuthenticated, exceptions.DeadlineExceeded):
            # Of this caller's token and time; another's may do.
            raise
        except exceptions.GlanceCompatError as error:
            outcome = error.with_traceback(None)
        is_document = isinstance(outcome, Facts) and outcome.minor_known
        entry.known[_DOCUMENT if is_document else place.version] = _Known(outcome, self.clock())
        return outcome


class _OwnTroubleError(Exception):
    """One caller's trouble with the token, which says nothing of the endpoint."""

    def __init__(self, error: exceptions.GlanceCompatError) -> None:
        super().__init__()
        self.error = error


@contextlib.contextmanager
def _held(
    lock: threading.Lock, options: Options, endpoint: str, deadline: Deadline | None
) -> Iterator[None]:
    # What one look-up may take at the most, asking the APIs themselves included.
    patience = 3 * (options.connect_timeout + options.read_timeout)
    if deadline is not None:
        patience = min(patience, deadline.remaining())
    if not lock.acquire(timeout=min(patience, threading.TIMEOUT_MAX)):
        raise exceptions.DeadlineExceeded(
            f"another thread is still asking {endpoint} for its versions after {patience:g} s",
            endpoint=endpoint,
        )
    try:
        yield
    finally:
        lock.release()


MEMORY = Memory()
os.register_at_fork(after_in_child=MEMORY.renew_locks)


def learn(wire: Wire, url: str) -> Facts:
    """Find out what an endpoint offers.

    :param wire: to the unversioned endpoint.
    :param url: the endpoint as it is configured, maybe with a version at its end.
    :raises glance_compat.exceptions.NoUsableVersion: nothing that answers is an Images API.
    :raises glance_compat.exceptions.GlanceConnectionFailed: nothing answers.
    :raises _OwnTroubleError: the caller has no token.
    """
    tried: list[str] = []
    named = _version_in(url)
    unreachable = False
    try:
        offered = _document(wire, tried)
    except exceptions.GlanceCompatError as error:
        # Some sites let only the versioned paths through. An endpoint that names none is down.
        if named is None or not is_transient(error):
            raise
        offered, unreachable = None, True
    if offered is not None:
        is_ours = any(one.number and one.number[0] in (1, 2) for one in offered)
        how = "the endpoint's version document offers"
        return Facts(offered, how, requests=len(tried), provisional=not is_ours)
    if named is None:
        return _ask_the_apis(wire, tried)
    return Facts(
        (named,),
        "the endpoint, whose version document cannot be read, has a path that names",
        requests=len(tried),
        minor_known=False,
        complete=False,
        provisional=unreachable,
    )


def _document(wire: Wire, tried: list[str]) -> tuple[OfferedVersion, ...] | None:
    answer = _asked(wire, Request(method="GET", path="/"), tried, token=False)
    if answer is None or answer.status not in (200, 300):
        return None
    try:
        return offered_in(answer.json())
    except exceptions.BadResponse:
        return None


def _asked(wire: Wire, request: Request, tried: list[str], *, token: bool) -> Answer | None:
    """An answer, or None where there is one that nobody can use.

    :raises glance_compat.exceptions.BadResponse: it may be another one soon.
    """
    tried.append(f"GET {wire.endpoint}{request.path}")
    try:
        answer = wire.exchange(request, token=token)
    except exceptions.BadResponse as error:
        # A redirect to somewhere else, an endless page: somebody else's.
        if is_transient(error):
            raise
        return None
    if answer.status in TRANSIENT_STATUS:
        raise wire.error_of(request, answer)
    return answer


_PROBES = (
    ("v2", Request(method="GET", path="/v2/schemas/image"), "properties"),
    ("v1", Request(method="GET", path="/v1/images", params=(("limit", "1"),)), "images"),
)


def _ask_the_apis(wire: Wire, tried: list[str]) -> Facts:
    found: list[OfferedVersion] = []
    answers: list[str] = []
    try:
        wire.authenticate()
    except exceptions.GlanceCompatError as error:
        raise _OwnTroubleError(error) from error
    for version, probe, key in _PROBES:
        answer = _asked(wire, probe, tried, token=True)
        answers.append(f"{tried[-1]}: {answer.status if answer else 'not usable'}")
        if answer is None:
            continue
        if answer.status == 401:
            raise exceptions.NotAuthenticated(
                f"{tried[-1]} was answered with 401; without a token that is accepted it cannot be"
                " found out which Images API is offered there",
                status=401,
                endpoint=wire.endpoint,
            )
        with contextlib.suppress(exceptions.BadResponse):
            if answer.status == 200 and key in answer.json_object():
                found.append(OfferedVersion(version, "UNKNOWN"))
    if found:
        how = "the endpoint, which has no version document, speaks"
        return Facts(tuple(found), how, requests=len(tried), minor_known=False)
    raise exceptions.NoUsableVersion(
        f"there is no Images API at {wire.endpoint}; wanted: {_wanted(wire.options)}; tried:"
        f" no version document at {wire.endpoint}/, {', '.join(answers)}",
        endpoint=wire.endpoint,
    )


# ---------------------------------------------------------------------------------------------
# The two together.


def discover(
    wire: Wire, url: str, failed_at: float | None = None, memory: Memory = MEMORY
) -> Discovery:
    """Choose the API of an endpoint; costs no request when the facts are known.

    :param wire: to the unversioned endpoint.
    :param url: the endpoint as it is configured.
    :param failed_at: see :meth:`Memory.facts`.
    :raises glance_compat.exceptions.GlanceCompatError: see :func:`learn` and :func:`choose`.
    """
    return pinned(wire.options, wire.endpoint) or choose(
        _facts(wire, url, memory, failed_at), wire.options, wire.endpoint
    )


def _facts(wire: Wire, url: str, memory: Memory, failed_at: float | None = None) -> Facts:
    return memory.facts(
        _place(wire, url), wire.options, lambda: learn(wire, url), failed_at, wire.deadline
    )


def _place(wire: Wire, url: str) -> Place:
    named = _version_in(url)
    return Place(wire.endpoint, named.id if named else None)


def api_of(discovery: Discovery, wire: Wire, memory: Memory = MEMORY) -> ImagesApi:
    """Speak the API that was chosen."""
    if discovery.api == "v1":
        return V1(wire)
    return V2(wire, lambda: _capabilities_of(discovery, wire, memory))


def _capabilities_of(
    discovery: Discovery, wire: Wire, memory: Memory
) -> tuple[Version, frozenset[str]]:
    """Newest version and capabilities; a document that nobody asked for yet is asked for once.

    A server that does not say is taken for one of 2.0.
    """
    if discovery.version[1] is not None:
        return (2, discovery.version[1]), discovery.capabilities
    with contextlib.suppress(exceptions.GlanceCompatError):
        facts = _document_facts(discovery, wire, memory)
        newest = facts.usable(wire.options).get(2) if facts and facts.minor_known else None
        if facts and newest:
            return newest, _capabilities(newest, facts.offered)
    return (2, 0), discovery.capabilities


def _document_facts(discovery: Discovery, wire: Wire, memory: Memory) -> Facts | None:
    """The facts of a pinned version; whoever chose from facts has seen them already."""
    if discovery.requests:
        return None
    # With a version to fall back on, nothing but the document is asked for.
    return _facts(wire, f"{wire.endpoint}/{discovery.api}", memory)


def look_again(wire: Wire, url: str, before: Discovery, memory: Memory = MEMORY) -> Discovery:
    """Choose anew, after the endpoint answered that it does not offer what was chosen.

    :raises glance_compat.exceptions.NoUsableVersion: the choice is the same.
    """
    memory.doubt(_place(wire, url), before.offered)
    now = discover(wire, url, memory=memory)
    if now.api != before.api:
        return now
    with contextlib.suppress(exceptions.GlanceCompatError):
        facts = _document_facts(now, wire, memory)
        if facts and facts.complete:
            now = dataclasses.replace(now, offered=facts.offered)
    raise gone(now)


def gone(chosen: Discovery) -> exceptions.NoUsableVersion:
    """The error of an endpoint that does not speak what was chosen."""
    offered = in_words(chosen.offered) if chosen.offered else "not known"
    return exceptions.NoUsableVersion(
        f"the endpoint {chosen.endpoint} answers that it does not offer the Images API"
        f" {chosen.api}, although {chosen.reason}; offered: {offered}",
        status=300,
        endpoint=chosen.endpoint,
    )


def of_several(found: Sequence[Discovery]) -> Discovery:
    """The first, with all of them in ``endpoints`` when there are several."""
    first = found[0]
    if len(found) == 1:
        return first
    requests = sum(one.requests for one in found)
    return dataclasses.replace(first, endpoints=tuple(found), requests=requests)
