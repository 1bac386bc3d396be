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
from glance_compat.retry import TRANSIENT_STATUS, is_transient
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
    :param how: how it was found out, as the end of a sentence.
    :param requests: how many it took.
    :param minor_known: the ids tell the minor versions.
    :param provisional: the endpoint did not answer, so this is believed as long as a failure.
    """

    offered: tuple[OfferedVersion, ...]
    how: str
    requests: int
    minor_known: bool = True
    provisional: bool = False


# ---------------------------------------------------------------------------------------------
# The choice: pure.


def _version_in(url: str) -> OfferedVersion | None:
    found = re.search(r"/(v[12](\.[0-9]+)?)/*$", url)
    return OfferedVersion(found[1], "UNKNOWN") if found else None


def offered_in(document: object) -> tuple[OfferedVersion, ...] | None:
    """Read a version document; None if it is not one.

    Entries of another form are passed over: they are not versions that anyone could choose.
    """
    entries = document.get("versions") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    found = [
        OfferedVersion(entry["id"], str(entry.get("status", "UNKNOWN")).upper())
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]
    known = tuple(one for one in found if one.number is not None)
    return known if known or not entries else None


def in_words(offered: tuple[OfferedVersion, ...]) -> str:
    """A version document for a message."""
    return ", ".join(f"{one.id} ({one.status})" for one in offered) or "nothing"


def choose(facts: Facts, options: Options, endpoint: str) -> Discovery:
    """Choose an API.

    :raises glance_compat.exceptions.NoUsableVersion: nothing offered is allowed.
    """
    usable: dict[int, list[Version]] = {}
    for one in facts.offered:
        number = one.number
        allowed = one.status != "EXPERIMENTAL" or options.allow_experimental
        if number is not None and number[0] in (1, 2) and allowed:
            usable.setdefault(number[0], []).append(number)
    if not usable:
        raise exceptions.NoUsableVersion(
            f"the endpoint {endpoint} offers no Images API that can be used: wanted v1 or v2"
            f"{'' if options.allow_experimental else ', not experimental'}; offered"
            f" {in_words(facts.offered)} {facts.how}",
            endpoint=endpoint,
        )
    preferred = int(options.prefer)
    major = preferred if preferred in usable else next(iter(usable))
    preference = " and is preferred" if len(usable) > 1 else ", the only one that can be used"
    return _discovery(
        major,
        max(usable[major]) if facts.minor_known else None,
        facts,
        endpoint,
        f"v{major} is offered{preference} {facts.how}",
    )


def pinned(options: Options, endpoint: str) -> Discovery | None:
    """The choice that needs no facts, or None."""
    if options.api_version == "auto":
        return None
    major = int(options.api_version)
    facts = Facts((), "", requests=0)
    return _discovery(
        major, None, facts, endpoint, f"v{major} is pinned by the option api_version"
    )


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
    numbers = {one.number for one in offered}
    plain = {
        name for name, since in CAPABILITIES.items() if since[0] == newest[0] and since <= newest
    }
    configured = {name for name, any_of in _CONFIGURED.items() if any_of & numbers}
    return frozenset(plain | (configured if newest[0] == 2 else set()))


# ---------------------------------------------------------------------------------------------
# The facts: asked once, believed for a while.


@dataclasses.dataclass(slots=True)
class _Entry:
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    outcome: Facts | exceptions.GlanceCompatError | None = None
    learnt_at: float = 0.0


class Memory:
    """What is known of endpoints, shared by all threads of a process.

    One thread asks about an endpoint at a time; the others wait for its answer, no longer than
    they would wait for their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.begin_anew()

    def begin_anew(self) -> None:
        """Know nothing; in a forked process the lock may be another thread's for ever."""
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def facts(
        self,
        endpoint: str,
        options: Options,
        ask: Callable[[], Facts],
        failed_at: float | None = None,
    ) -> Facts:
        """What is known, asking if nothing is or if it is too old.

        :param failed_at: when the caller's own last attempt failed, by :attr:`clock`: a failure
            that is not newer is asked about again.

        :raises glance_compat.exceptions.GlanceCompatError: what asking raised, now or within
            ``discovery_failure_ttl``.
        """
        with self._lock:
            entry = self._entries.setdefault(endpoint, _Entry())
        known = self._believed(entry, options, failed_at)
        if known is None:
            with _held(entry.lock, options, endpoint):
                known = self._believed(entry, options, failed_at) or self._learn(entry, ask)
        if isinstance(known, exceptions.GlanceCompatError):
            # One failure may be raised in many threads, each with a traceback of its own.
            raise copy.copy(known)
        return known

    def forget(self, endpoint: str) -> None:
        """Ask again next time: the endpoint was seen to have changed."""
        with self._lock:
            self._entries.pop(endpoint, None)

    def _believed(
        self, entry: _Entry, options: Options, failed_at: float | None
    ) -> Facts | exceptions.GlanceCompatError | None:
        outcome = entry.outcome
        if isinstance(outcome, Facts) and not outcome.provisional:
            ttl = options.discovery_ttl
        elif failed_at is not None and entry.learnt_at <= failed_at:
            return None
        else:
            ttl = options.discovery_failure_ttl
        return outcome if self.clock() - entry.learnt_at < ttl else None

    def _learn(
        self, entry: _Entry, ask: Callable[[], Facts]
    ) -> Facts | exceptions.GlanceCompatError:
        outcome: Facts | exceptions.GlanceCompatError
        try:
            outcome = ask()
        except exceptions.GlanceCompatError as error:
            outcome = error
        entry.outcome, entry.learnt_at = outcome, self.clock()
        return outcome


@contextlib.contextmanager
def _held(lock: threading.Lock, options: Options, endpoint: str) -> Iterator[None]:
    # What one look-up may take at the most, asking the APIs themselves included.
    patience = 3 * (options.connect_timeout + options.read_timeout)
    if not lock.acquire(timeout=patience):
        raise exceptions.DeadlineExceeded(
            f"another thread is still asking {endpoint} for its versions after {patience:g} s",
            endpoint=endpoint,
        )
    try:
        yield
    finally:
        lock.release()


MEMORY = Memory()
os.register_at_fork(after_in_child=MEMORY.begin_anew)


def learn(wire: Wire, url: str) -> Facts:
    """Find out what an endpoint offers.

    :param wire: to the unversioned endpoint.
    :param url: the endpoint as it is configured, maybe with a version at its end.
    :raises glance_compat.exceptions.NoUsableVersion: nothing that answers is an Images API.
    :raises glance_compat.exceptions.GlanceConnectionFailed: nothing answers.
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
        return Facts(offered, "by the endpoint's version document", requests=len(tried))
    if named is None:
        return _ask_the_apis(wire, tried)
    return Facts(
        (named,),
        "by the endpoint's own path, for its version document cannot be read",
        requests=len(tried),
        minor_known=False,
        provisional=unreachable,
    )


def _document(wire: Wire, tried: list[str]) -> tuple[OfferedVersion, ...] | None:
    answer = _asked(wire, Request(method="GET", path="/"), tried, token=False)
    if answer.status in TRANSIENT_STATUS:
        raise exceptions.BadResponse(
            f"{tried[-1]} was answered with {answer.status}",
            status=answer.status,
            request_id=answer.request_id,
            endpoint=wire.endpoint,
        )
    if answer.status not in (200, 300):
        return None
    try:
        return offered_in(answer.json())
    except exceptions.BadResponse:
        return None


def _asked(wire: Wire, request: Request, tried: list[str], *, token: bool) -> Answer:
    tried.append(f"GET {wire.endpoint}{request.path}")
    return wire.exchange(request, token=token)


_PROBES = (
    ("v2", Request(method="GET", path="/v2/schemas/image"), "properties"),
    ("v1", Request(method="GET", path="/v1/images", params=(("limit", "1"),)), "images"),
)


def _ask_the_apis(wire: Wire, tried: list[str]) -> Facts:
    found: list[OfferedVersion] = []
    statuses: list[str] = []
    for version, probe, key in _PROBES:
        answer = _asked(wire, probe, tried, token=True)
        statuses.append(f"{tried[-1]}: {answer.status}")
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
        how = "by its own answer, for there is no version document"
        return Facts(tuple(found), how, requests=len(tried), minor_known=False)
    raise exceptions.NoUsableVersion(
        f"there is no Images API at {wire.endpoint}: no version document at {wire.endpoint}/,"
        f" {', '.join(statuses)}",
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
        memory.facts(wire.endpoint, wire.options, lambda: learn(wire, url), failed_at),
        wire.options,
        wire.endpoint,
    )


def api_of(discovery: Discovery, wire: Wire, memory: Memory = MEMORY) -> ImagesApi:
    """Speak the API that was chosen."""
    if discovery.api == "v1":
        return V1(wire)
    return V2(wire, lambda: _capabilities_of(discovery, wire, memory))


def _capabilities_of(
    discovery: Discovery, wire: Wire, memory: Memory
) -> tuple[Version, frozenset[str]]:
    """Newest version and capabilities; a document that nobody read yet is asked for once.

    A server that does not say is taken for one of 2.0.
    """
    if discovery.version[1] is not None:
        return (2, discovery.version[1]), discovery.capabilities
    with contextlib.suppress(exceptions.GlanceCompatError):
        facts = memory.facts(wire.endpoint, wire.options, lambda: learn(wire, wire.endpoint))
        numbers = [one.number for one in facts.offered if one.number and one.number[0] == 2]
        if numbers and facts.minor_known:
            return max(numbers), _capabilities(max(numbers), facts.offered)
    return (2, 0), discovery.capabilities


def look_again(wire: Wire, url: str, before: Discovery, memory: Memory = MEMORY) -> Discovery:
    """Choose anew, after the endpoint answered that it does not offer what was chosen.

    :raises glance_compat.exceptions.NoUsableVersion: the choice is the same.
    """
    memory.forget(wire.endpoint)
    now = discover(wire, url, memory=memory)
    if now.api == before.api:
        offered = memory.facts(wire.endpoint, wire.options, lambda: learn(wire, url)).offered
        raise gone(dataclasses.replace(now, offered=offered))
    return now


def gone(chosen: Discovery) -> exceptions.NoUsableVersion:
    """The error of an endpoint that does not speak what was chosen."""
    return exceptions.NoUsableVersion(
        f"the endpoint {chosen.endpoint} does not offer the Images API {chosen.api}, although"
        f" {chosen.reason}; offered: {in_words(chosen.offered)}",
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
