# SPDX-License-Identifier: Apache-2.0
"""Versions of the Images API: version documents, capabilities, and the choice of a version.

What must live here: pure functions that parse a version document, and that choose a version from
the discovered facts and the options. What must not: requests (see
:mod:`glance_compat.discovery.discover`).
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.metadata.fields import FIELDS, Version
from glance_compat.options import Options
from glance_compat.urls import version_in


@dataclasses.dataclass(frozen=True, slots=True)
class OfferedVersion:
    """One entry of a version document.

    :param id: the id as the server sends it, such as "v2.17".
    :param status: CURRENT, SUPPORTED, DEPRECATED, EXPERIMENTAL, or another word from the server.
    """

    id: str
    status: str

    @property
    def number(self) -> Version | None:
        """Return the major and minor version number, or None if the id is invalid."""
        found = re.fullmatch(r"v([0-9]{1,4})(?:\.([0-9]{1,4}))?", self.id)
        return (int(found[1]), int(found[2] or 0)) if found else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The version of the Images API that was chosen for an endpoint, and the reason.

    :param api: "v1" or "v2".
    :param version: the major version number, and the newest minor version number that the endpoint
        offers, or None if it is unknown.
    :param endpoint: the unversioned URL of the endpoint, without credentials.
    :param offered: the entries of the endpoint's version document, in its order. Empty if the
        document was not read.
    :param reason: one sentence that explains the choice.
    :param capabilities: names of the capabilities of the API; see
        :data:`~glance_compat.discovery.versions.CAPABILITIES`.
    :param requests: number of requests that the discovery sent.
    :param endpoints: one Discovery for each endpoint, if there are several.
    """

    api: typing.Literal["v1", "v2"]
    version: tuple[int, int | None]
    endpoint: str
    offered: tuple[OfferedVersion, ...]
    reason: str
    capabilities: frozenset[str]
    requests: int
    endpoints: tuple[Discovery, ...] = ()


class Capability(typing.NamedTuple):
    """A feature that only some versions of the API have.

    :param since: the first version with the feature. No capability is common to v1 and v2.
    :param meaning: a description for the documentation.
    :param methods: the names of the methods of ImageService that need the feature. FIELDS has the
        attributes, and FILTERS the filters, that need it.
    :param configured: versions that a server offers only if the feature is configured; the
        endpoint has the feature if it offers one of them. If empty, every version from ``since``
        on has the feature.
    :param instead: what the other major version has instead, for the documentation, or "".
    :param requires: the name of another capability that the endpoint must have, or "".
    :param option: the name of the field of Options with which the methods work on servers without
        the feature, or "".
    :param is_import_method: whether the feature is an import method, which the operator enables:
        a request at the first import finds out, and it is not in ``Discovery.capabilities``.
    """

    since: Version
    meaning: str
    methods: tuple[str, ...] = ()
    configured: frozenset[Version] = frozenset()
    instead: str = ""
    requires: str = ""
    option: str = ""
    is_import_method: bool = False


_FIRST_V1: Version = (1, 0)


def _first_versions() -> dict[str, Version]:
    """Return the first version with each of the capabilities that FIELDS declares, by name."""
    found: dict[str, Version] = {}
    for field in FIELDS:
        if field.capability:
            found[field.capability] = field.v2.since if field.v2 else _FIRST_V1
        for feature in field.value_features.values():
            found[feature.capability] = feature.since
    return found


def _declare_capabilities(declared: Mapping[str, Version]) -> dict[str, Capability]:
    since = dict(declared)
    capabilities = {
        "copy_from": Capability(
            since.pop("copy_from"), "the server copies the data from a URL (``copy_from``)"
        ),
        "list-deleted": Capability(
            _FIRST_V1, "admins see deleted images", instead="a deleted image is ImageNotFound"
        ),
        "member-can-share": Capability(
            _FIRST_V1, "``can_share`` of a member is stored", instead="``can_share`` is False"
        ),
        "tags": Capability(since.pop("tags"), "images have tags", ("add_tag", "remove_tag")),
        "member-status": Capability(
            (2, 0),
            "a member accepts or rejects a share",
            ("update_member",),
            instead="a member sees a shared image immediately; ``status`` is None",
        ),
        "deactivate": Capability(
            (2, 3),
            "the data of an image is deactivated: only admins may read it",
            ("deactivate", "reactivate"),
        ),
        "community-visibility": Capability(
            since.pop("community-visibility"),
            "the visibility ``community``",
            instead="public images, and images that are shared with members",
        ),
        # Glance 2014.2 (Juno) has them as well, but the same versions as 2014.1, which has not.
        "property-definitions": Capability(
            (2, 3),
            "the cloud defines the properties of images (metadata definitions)",
            ("property_definitions",),
            instead="the option ``definitions_file``, or v2 of the same endpoint",
        ),
        "import": Capability((2, 6), "the server imports the data (interoperable image import)"),
        "web-download": Capability(
            (2, 6),
            "the server reads the data of a new image from a URL",
            ("import_image(uri)",),
            instead="``copy_from``, with the same methods",
            is_import_method=True,
        ),
        "glance-direct": Capability(
            (2, 6),
            "the server imports data that is uploaded to its staging area",
            ("import_image(data, stores)",),
            instead="an upload, if no stores are named",
            requires="stores",
            is_import_method=True,
        ),
        "hidden": Capability(
            since.pop("hidden"),
            "``os_hidden``: lists leave an image out",
            ("hide", "unhide", "supersede"),
            instead="the option ``hidden_property``",
            option="hidden_property",
        ),
        "multihash": Capability(
            since.pop("multihash"),
            "``os_hash_algo`` and ``os_hash_value``",
            instead="``checksum``, an MD5",
        ),
        # Without enabled_backends, Glance does not offer 2.8 and 2.10 to 2.13, but newer versions
        # (verified on Glance 33).
        "stores": Capability(
            since.pop("stores"),
            "multiple stores, if the cloud configures them",
            ("stores",),
            configured=frozenset({declared["stores"], (2, 10), (2, 11), (2, 12), (2, 13)}),
        ),
        # Glance 20 (Ussuri), the first with a version after 2.9, introduced both.
        "copy-image": Capability(
            (2, 10),
            "the server copies the data of an image to more of its stores",
            ("copy_to_stores",),
            requires="stores",
            is_import_method=True,
        ),
        "store-delete": Capability(
            (2, 10),
            "the data of an image is deleted from one of several stores",
            ("delete_from_store",),
            requires="stores",
        ),
        # "Since Images v2.12" in Glance's API reference.
        "tasks": Capability(
            (2, 12), "the tasks of an image", ("tasks",), instead="errors without reasons"
        ),
        "store-detail": Capability(
            (2, 15),
            "the type of a store, for those who may see it",
            instead="``type`` is None",
            requires="stores",
        ),
        "locations-api": Capability(
            (2, 17),
            "services list and add locations with separate requests",
            ("locations",),
            instead="``location`` in create() and update(); older v2 servers need the option"
            " ``show_multiple_locations``",
        ),
    }
    rest = {name: Capability(first, f"``{name}``") for name, first in since.items()}
    return {**capabilities, **rest}


#: The capabilities, by name. For a capability that is an attribute, FIELDS has the first version.
#: Sources: Glance's "versions and status" reference, and api/versions.py of 15.0.2 and 33.
CAPABILITIES: Mapping[str, Capability] = _declare_capabilities(_first_versions())


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """The result of the discovery of an endpoint, from which a version is chosen.

    :param offered: the entries of the version document, or the versions that were found otherwise.
    :param how: the start of a sentence about the source of the versions, such as "the endpoint's
        version document offers".
    :param requests: number of requests that the discovery sent.
    :param minor_known: whether the ids include the minor versions.
    :param complete: whether ``offered`` has all versions that the endpoint offers.
    :param provisional: whether the endpoint may soon offer other versions. If so, the facts expire
        after ``discovery_failure_ttl`` instead of ``discovery_ttl``.
    """

    offered: tuple[OfferedVersion, ...]
    how: str
    requests: int
    minor_known: bool = True
    complete: bool = True
    provisional: bool = False

    def usable(self, options: Options) -> Mapping[int, Version]:
        """Return the newest version that the library supports and the options allow, by major."""
        newest: dict[int, Version] = {}
        for one in self.offered:
            number = one.number
            allowed = one.status != "EXPERIMENTAL" or options.allow_experimental
            if number is not None and number[0] in (1, 2) and allowed:
                newest[number[0]] = max(number, newest.get(number[0], number))
        return newest


def parse_url_version(url: str) -> OfferedVersion | None:
    """Return the version at the end of the path of an endpoint's URL, or None."""
    named = version_in(url)
    is_ours = named is not None and re.fullmatch(r"v[12](\.[0-9]+)?", named)
    return OfferedVersion(named, "UNKNOWN") if named and is_ours else None


def parse_version_document(document: object) -> tuple[OfferedVersion, ...] | None:
    """Return the entries of a version document, or None if it is not a version document.

    Entries with an invalid id are skipped.

    :param document: the decoded JSON body of the response.
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


def format_offered(offered: tuple[OfferedVersion, ...]) -> str:
    """Return the offered versions as a string for a message, such as "v2.17 (CURRENT)"."""
    return ", ".join(f"{one.id} ({one.status})" for one in offered) or "nothing"


def format_wanted(options: Options) -> str:
    """Return the versions that the options allow, as a string for a message."""
    return "v1 or v2" if options.allow_experimental else "v1 or v2, not experimental"


def choose(facts: Facts, options: Options, endpoint: str) -> Discovery:
    """Choose a version of the Images API from the discovered facts.

    :param endpoint: the unversioned URL of the endpoint.
    :raises glance_compat.exceptions.NoUsableVersion: no offered version is supported and allowed.
    """
    usable = facts.usable(options)
    if not usable:
        raise exceptions.NoUsableVersion(
            f"the endpoint {endpoint} offers no Images API that can be used; wanted:"
            f" {format_wanted(options)}; offered: {format_offered(facts.offered)};"
            " check the URL of the endpoint, or change the options api_version and"
            " allow_experimental",
            endpoint=endpoint,
        )
    preferred = int(options.prefer)
    major = preferred if preferred in usable else next(iter(usable))
    newest = usable[major] if facts.minor_known else None
    reason = f"{facts.how} {_describe_choice(facts, usable, major)}"
    return _discovery(major, newest, facts, endpoint, reason)


def _describe_choice(facts: Facts, usable: Mapping[int, Version], chosen: int) -> str:
    if len(usable) > 1:
        return f"v1 and v2, of which v{chosen} is preferred"
    other = 3 - chosen
    if any(one.number and one.number[0] == other for one in facts.offered):
        return f"v{chosen}, and v{other} only as EXPERIMENTAL"
    return f"v{chosen} and no v{other}" if facts.complete else f"v{chosen}"


def choose_pinned(options: Options, endpoint: str) -> Discovery:
    """Return the version in the option ``api_version`` as the choice; no facts are needed."""
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
        capabilities=get_capabilities(newest or (major, 0), facts.offered),
        requests=facts.requests,
    )


def get_capabilities(newest: Version, offered: tuple[OfferedVersion, ...]) -> frozenset[str]:
    """Return the names of the capabilities of an API.

    :param newest: the newest version of the API that the options allow. Newer versions in
        ``offered`` are experimental and are ignored.
    :param offered: the entries of the version document.
    """
    numbers = {one.number for one in offered if one.number and one.number <= newest}
    found = {
        name
        for name, row in CAPABILITIES.items()
        if row.since[0] == newest[0]
        and not row.is_import_method
        and (row.configured & numbers if row.configured else row.since <= newest)
    }
    return frozenset(name for name in found if CAPABILITIES[name].requires in ("", *found))
