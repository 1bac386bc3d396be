# SPDX-License-Identifier: Apache-2.0
"""What a python-glanceclient client knows: its session, endpoint, token and version."""

from __future__ import annotations

import typing

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import exceptions
from glance_compat.options import ApiVersion


class Taken(typing.NamedTuple):
    """The arguments of a service that stands where the client stood."""

    session: ksa_session.Session
    auth: ksa_plugin.BaseAuthPlugin | None
    endpoint_override: str | None
    region_name: str | None
    interface: str | None
    service_type: str
    service_name: str | None
    api_version: ApiVersion


_VERSIONS: dict[str, ApiVersion] = {"glanceclient.v1.client": "1", "glanceclient.v2.client": "2"}


def settings_of(client: typing.Any) -> Taken:
    """Read a client of python-glanceclient.

    Its ``http_client`` is a keystoneauth Adapter where it was given a session, and an HTTPClient
    over requests where it was given an endpoint and a token (python-glanceclient 4.13,
    glanceclient/common/http.py).

    :raises glance_compat.exceptions.InvalidOption: it is not one.
    """
    # By name: glanceclient is not imported for those who do not use it.
    modules = [one.__module__ for one in type(client).__mro__]
    version = next((_VERSIONS[name] for name in modules if name in _VERSIONS), None)
    http_client = getattr(client, "http_client", None)
    if version is None or http_client is None:
        raise exceptions.InvalidOption(
            f"client must be a v1 or v2 client of python-glanceclient, not {type(client)!r}"
        )
    if isinstance(http_client.session, ksa_session.Session):
        return Taken(
            session=http_client.session,
            auth=http_client.auth,
            endpoint_override=http_client.endpoint_override,
            region_name=http_client.region_name,
            interface=http_client.interface,
            service_type=http_client.service_type or "image",
            service_name=http_client.service_name,
            api_version=version,
        )
    return Taken(
        session=_session_of(http_client),
        auth=None,
        endpoint_override=http_client.endpoint,
        region_name=None,
        interface=None,
        service_type="image",
        service_name=None,
        api_version=version,
    )


def _session_of(http_client: typing.Any) -> ksa_session.Session:
    """A keystoneauth session of the same connections, TLS settings, token and identity headers."""
    own = http_client.session
    token = http_client.auth_token
    sent = dict(getattr(http_client, "identity_headers", None) or {})
    token = token or sent.get("X-Auth-Token")
    request_id = getattr(http_client, "global_request_id", None)
    if request_id:
        sent["X-OpenStack-Request-ID"] = request_id
    return ksa_session.Session(
        auth=token_endpoint.Token(http_client.endpoint, token) if token else None,
        session=own,
        # None is what the client has for its default, and "do not verify" to requests.
        verify=True if own.verify is None else own.verify,
        cert=_cert_of(own.cert),
        timeout=http_client.timeout,
        additional_headers=sent,
    )


def _cert_of(cert: typing.Any) -> str | tuple[str, str] | None:
    """A certificate and its key, which the client has as a pair even where there is none."""
    certificate, key = cert if isinstance(cert, tuple) else (cert, None)
    return (certificate, key) if certificate and key else certificate or None
