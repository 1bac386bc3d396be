# SPDX-License-Identifier: Apache-2.0
"""Where images are asked for: endpoints given or found in a catalog, and references to images.

What must live here: checking and comparing URLs and ids, the catalog look-up, and which endpoints
are ill. What must not: versions (``discovery``) and who is asking (``caller``).
"""

from __future__ import annotations

import os
import re
import threading
import time
import typing
import urllib.parse
from collections.abc import Callable, Iterable, Sequence

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1.access import service_catalog

from glance_compat import exceptions, quoting
from glance_compat.failures import plugin_errors
from glance_compat.urls import origin, shown

#: How long an endpoint that did not answer is left to the last, in seconds.
REST_SECONDS = 30.0


def unversioned(url: str) -> str:
    """An endpoint without the version at its end and without a slash there."""
    # Not the slashes of the scheme: a host may be called "v2".
    return re.sub(r"(?<=[^:/])/+v[0-9]+(\.[0-9]+)?/*$", "", url.rstrip("/")).rstrip("/")


def checked(endpoint_override: str | Sequence[str] | None) -> tuple[str, ...]:
    """The URLs that a caller gives, one or several.

    :raises glance_compat.exceptions.InvalidOption: one is not an http or https URL.
    """
    if endpoint_override is None:
        return ()
    several = isinstance(endpoint_override, Sequence) and not isinstance(endpoint_override, str)
    urls = tuple(endpoint_override) if several else (endpoint_override,)
    for url in urls:
        if not isinstance(url, str) or not is_http(url):
            said = shown(url) if isinstance(url, str) else url
            raise exceptions.InvalidOption(
                f"endpoint_override must be an http or https URL or a list of them, not"
                f" {quoting.shown(said)}"
            )
    return typing.cast("tuple[str, ...]", urls)


def is_http(url: str) -> bool:
    """Whether a text is an http or https URL with a host, and without query and fragment."""
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment) and url.isprintable() and " " not in url
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare


class Catalog(typing.NamedTuple):
    """What to look for in a catalog, as in keystoneauth1.adapter.Adapter."""

    service_type: str = "image"
    service_name: str | None = None
    interface: str | Sequence[str] | None = None
    region_name: str | None = None

    def in_words(self) -> str:
        """The search, for messages."""
        named = {
            "name": self.service_name,
            "interface": self.interface,
            "region": self.region_name,
        }
        rest = "".join(f", {key} {quoting.shown(value)}" for key, value in named.items() if value)
        return f"type {quoting.shown(self.service_type)}{rest}"


def checked_catalog(catalog: Catalog) -> Catalog:
    """What a caller looks for in a catalog.

    :raises glance_compat.exceptions.InvalidOption: something of it is not text; an interface may
        be a list of it, and all but the type of the service may be None.
    """
    for name, value in catalog._asdict().items():
        several = name == "interface" and isinstance(value, (list, tuple))
        absent = value is None and name != "service_type"
        if not absent and not all(isinstance(one, str) for one in (value if several else [value])):
            raise exceptions.InvalidOption(f"{name} must be text, not {quoting.shown(value)}")
    return catalog


def of_plugin(
    session: ksa_session.Session, auth: ksa_plugin.BaseAuthPlugin | None, catalog: Catalog
) -> str | None:
    """The endpoint that an auth plugin's catalog names, or None; nobody is asked for versions.

    :raises glance_compat.exceptions.GlanceCompatError: there is no catalog to be had.
    """
    with plugin_errors("looking for the image endpoint in the catalog"):
        return session.get_endpoint(auth, skip_discovery=True, **catalog._asdict()) or None


def _parsed(entries: object) -> service_catalog.ServiceCatalog:
    """A service catalog as a context has it: of v3 form, or of v2 form as Nova keeps it."""
    is_v3 = isinstance(entries, list) and any(
        "interface" in endpoint for one in entries for endpoint in one.get("endpoints", ())
    )
    kind = service_catalog.ServiceCatalogV3 if is_v3 else service_catalog.ServiceCatalogV2
    return kind(typing.cast("list[typing.Any]", entries))


def of_context(entries: object, catalog: Catalog) -> str | None:
    """The endpoint that a context's own service catalog names, or None.

    :param entries: the catalog's list, or None.
    :raises glance_compat.exceptions.Invalid: it is not a catalog.
    """
    # As an auth plugin does it: any other interface has to be asked for.
    named = catalog._replace(interface=catalog.interface or "public")
    urls = _catalog_urls(entries, named) if entries else ()
    return next(iter(urls), None)


def _catalog_urls(entries: object, catalog: Catalog) -> Sequence[str]:
    try:
        found = _parsed(entries).get_urls(**catalog._asdict())
    except (AttributeError, KeyError, TypeError) as error:
        raise exceptions.Invalid("the context's service_catalog is not a catalog") from error
    return tuple(url for url in found if url)


def every_interface(
    session: ksa_session.Session,
    auth: ksa_plugin.BaseAuthPlugin | None,
    entries: object,
    catalog: Catalog,
) -> tuple[str, ...]:
    """All endpoints of the image service in the region, whatever the interface."""
    anywhere = catalog._replace(interface=None)
    if entries:
        return tuple(_catalog_urls(entries, anywhere))
    plugin = typing.cast(typing.Any, auth or session.auth)
    if not hasattr(plugin, "get_access"):
        return ()
    with plugin_errors("looking for the image endpoints in the catalog"):
        access = plugin.get_access(session)
        found = access.service_catalog.get_urls(**anywhere._asdict()) if access else ()
    return tuple(found)


# ---------------------------------------------------------------------------------------------
# References.

_UNSAFE = re.compile(r"[/?#\\\x00-\x1f\x7f]")

#: Octets of an id in a path, quoted. Front ends take a request line of some 4000 unless configured
#: (gunicorn 4094, uWSGI 4096 with all headers), and an id of Glance's has 36.
_SEGMENT_OCTETS = 1024

#: Characters of a member id (Glance 15.0.2 and 33, db/sqlalchemy/models.py).
_MEMBER_CHARACTERS = 255

# User information is none of an endpoint's own, whoever it is meant to deceive.
_HREF = re.compile(
    r"(?P<base>(?i:https?)://[^/@\\]+(?:/.+?)??)(?:/v[0-9]+(?:\.[0-9]+)?)?/images/(?P<id>[^/]+)"
)


def segment(value: object, what: str) -> str:
    """An id that is one safe path segment.

    :raises glance_compat.exceptions.InvalidImageRef: it is not.
    """
    if not isinstance(value, str) or value in ("", ".", "..") or _UNSAFE.search(value):
        raise exceptions.InvalidImageRef(f"{quoting.shown(value)} is not {what}")
    try:
        quoted = urllib.parse.quote(value, safe="")
    except UnicodeEncodeError:
        raise exceptions.InvalidImageRef(f"{quoting.shown(value)} is not {what}") from None
    if len(quoted) > _SEGMENT_OCTETS:
        raise exceptions.InvalidImageRef(
            f"{quoting.shown(value)} is not {what}: it is longer than {_SEGMENT_OCTETS} bytes"
        )
    # Exactly a str: an Enum is sent as what it holds, and shown as what it is called.
    return str.__str__(value)


def member_id_of(value: object) -> str:
    """The id of a project that an image is shared with.

    :raises glance_compat.exceptions.InvalidImageRef: it is not one.
    """
    member_id = segment(value, "a member id")
    # An id that is not ASCII: v1 answers 500, Glance 33 adds it and cannot remove it (seen on
    # Glance 15.0.2 and 33). Keystone gives no project one (keystone 30, parameter_types).
    if len(member_id) > _MEMBER_CHARACTERS or not member_id.isascii():
        raise exceptions.InvalidImageRef(
            f"{quoting.shown(member_id)} is not a member id, which has at most"
            f" {_MEMBER_CHARACTERS} characters, all of them ASCII"
        )
    return member_id


def marker_of(value: object) -> str | None:
    """The id of the image after which a list begins; None and '' are none.

    :raises glance_compat.exceptions.Invalid: no image has such an id.
    """
    if value is None or value == "":
        return None
    marker = segment(value, "a marker")
    # 400 on v1 and on Glance 33, but 500 on v2 of Glance 15.0.2.
    if not marker.isascii():
        raise exceptions.Invalid(f"marker {quoting.shown(marker)} is no image's id")
    return marker


def image_id_of(reference: object, ours: Callable[[], Iterable[str]]) -> str:
    """The id of an image that is named by its id or by an href of the image service itself.

    :param ours: tells the image service's endpoints; called for an href only.
    :raises glance_compat.exceptions.InvalidImageRef: neither.
    """
    if not isinstance(reference, str) or "/" not in reference:
        return segment(reference, "an image id")
    found = _HREF.fullmatch(reference)
    if found is None or not is_http(reference):
        raise exceptions.InvalidImageRef(
            f"{quoting.shown(shown(reference))} is not an image id or an image href"
        )
    base = unversioned(found["base"])
    if not any(_same_place(base, unversioned(one)) for one in ours()):
        raise exceptions.InvalidImageRef(
            f"{quoting.shown(reference)} is not an image of this image service: it is of none"
            " of its endpoints"
        )
    return segment(urllib.parse.unquote(found["id"]), "an image id")


def _same_place(left: str, right: str) -> bool:
    paths = [urllib.parse.urlsplit(one).path.rstrip("/") for one in (left, right)]
    return origin(left) == origin(right) and paths[0] == paths[1]


# ---------------------------------------------------------------------------------------------
# Illness.


class Resting:
    """Endpoints that did not answer lately, known to all threads of a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.begin_anew()

    def begin_anew(self) -> None:
        """Know of no illness; in a forked process the lock may be another thread's for ever."""
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def rest(self, endpoint: str) -> None:
        """Leave an endpoint to the last for a while."""
        with self._lock:
            self._until[endpoint] = self._clock() + REST_SECONDS

    def answered(self, endpoint: str) -> None:
        """It is well again."""
        with self._lock:
            self._until.pop(endpoint, None)

    def in_turn(self, endpoints: Sequence[str]) -> list[str]:
        """The endpoints in the order in which to try them."""
        now = self._clock()
        with self._lock:
            return sorted(endpoints, key=lambda one: max(0.0, self._until.get(one, 0.0) - now))


RESTING = Resting()
os.register_at_fork(after_in_child=RESTING.begin_anew)
