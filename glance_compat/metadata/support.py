# SPDX-License-Identifier: Apache-2.0
"""Determine from FIELDS which attributes a version of the Images API can store.

What must live here: the comparison of a caller's attributes with those of an API version, and with
the versions and capabilities that a server offers. What must not: names of attributes.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping

from glance_compat import exceptions
from glance_compat.metadata.fields import FIELDS_BY_NAME, FIRST_V2, Feature, Field, Place, Version

V1_API = "Images API v1"
V2_API = "Images API v2"


def first_version(name: str) -> Version:
    """Return the first minor version of v2 with an attribute, or 2.0 for any other name."""
    field = FIELDS_BY_NAME.get(name)
    return field.v2.since if field and field.v2 else FIRST_V2


class Offer(typing.NamedTuple):
    """The newest version and the capabilities of the v2 API of an endpoint.

    :param version: the newest minor version.
    :param capabilities: names of :data:`glance_compat.discovery.versions.CAPABILITIES`.
    """

    version: Version
    capabilities: frozenset[str]

    def has(self, feature: Feature) -> bool:
        """Return whether the endpoint has a feature."""
        if feature.capability:
            return feature.capability in self.capabilities
        return feature.since <= self.version


#: A function that returns the offer. It may send a request, once per endpoint and TTL, so it is
#: called only if a value requires more than v2.0.
GetOffer = Callable[[], Offer]


class _Missing(typing.NamedTuple):
    needed: str
    offered: str


def format_version(version: Version) -> str:
    """Return the name of an API version for a message, such as "Images API v2.7"."""
    return f"Images API v{version[0]}.{version[1]}"


def describe_capability(name: str, what: str, api: str = "") -> str:
    """Return a capability that a call needs, as a string for UnsupportedByVersion.

    :param name: a name of :data:`glance_compat.discovery.versions.CAPABILITIES`.
    :param what: the part of the call that needs it, such as an attribute.
    :param api: the API that has the capability, if it is not the one in use.
    """
    details = f" ({what})" if what != name else ""
    return f"the capability {name}{details}" + (f" of {api}" if api else "")


def select_for_v1(
    base: Mapping[str, typing.Any], endpoint: str | None = None
) -> dict[str, typing.Any]:
    """Return the attributes that v1 can store.

    An attribute that v1 does not have is left out if its value is empty (None, False, an empty
    list).

    :param base: values of attributes, by name.
    :param endpoint: the URL of the endpoint, for the exception.
    :raises glance_compat.exceptions.UnsupportedByVersion: v1 cannot store one of the values.
    """
    return _select(base, _find_missing_on_v1, endpoint)


def select_for_v2(
    base: Mapping[str, typing.Any],
    get_offer: GetOffer,
    *,
    uploading: bool,
    endpoint: str | None = None,
) -> dict[str, typing.Any]:
    """Return the attributes that a v2 server can store.

    An attribute that the server does not have is left out if its value is empty (None, False, an
    empty list), because an older server would store it as a property.

    :param base: values of attributes, by name.
    :param get_offer: a function that returns the version and capabilities of the server.
    :param uploading: whether the call also uploads data.
    :param endpoint: the URL of the endpoint, for the exception.
    :raises glance_compat.exceptions.UnsupportedByVersion: the server cannot store one of the
        values.
    """
    return _select(
        base,
        lambda field, value: _find_missing_on_v2(field, value, get_offer, uploading),
        endpoint,
    )


def _select(
    base: Mapping[str, typing.Any],
    find_missing: Callable[[Field, object], _Missing | None],
    endpoint: str | None,
) -> dict[str, typing.Any]:
    selected = {}
    for name, value in base.items():
        missing = find_missing(FIELDS_BY_NAME[name], value)
        if missing is None:
            selected[name] = value
        elif value:
            raise exceptions.UnsupportedByVersion(*missing, endpoint=endpoint)
    return selected


def _find_missing_on_v1(field: Field, value: object) -> _Missing | None:
    if field.v1 is None:
        return _Missing(_describe(field.capability, field.name, V2_API), V1_API)
    if isinstance(value, str) and value in field.value_features:
        capability = field.value_features[value].capability
        return _Missing(_describe(capability, f"{field.name} {value}", V2_API), V1_API)
    return None


def _find_missing_on_v2(
    field: Field, value: object, get_offer: GetOffer, uploading: bool
) -> _Missing | None:
    if field.v2 is None:
        return _Missing(_describe(field.capability, field.name, V1_API), V2_API)
    if field.v2.place is Place.DATA and not uploading:
        return _Missing(f"{V1_API} ({field.name} of an image without data)", V2_API)
    for feature in _features_of(field, value):
        offer = get_offer()
        if not offer.has(feature):
            needed = (
                describe_capability(feature.capability, field.name)
                if feature.capability
                else f"{format_version(feature.since)} ({field.name})"
            )
            return _Missing(needed, format_version(offer.version))
    return None


def _features_of(field: Field, value: object) -> list[Feature]:
    """Return the features beyond v2.0 that a server needs to store a value."""
    features = []
    if field.v2 and field.v2.since > FIRST_V2:
        features.append(Feature(field.v2.since, field.capability))
    if isinstance(value, str) and value in field.value_features:
        features.append(field.value_features[value])
    return features


def _describe(capability: str, what: str, api: str) -> str:
    return describe_capability(capability, what, api) if capability else f"{api} ({what})"
