# SPDX-License-Identifier: Apache-2.0
"""Read the session, endpoint, token and API version of a python-glanceclient client.

What must live here: all access to the attributes of glanceclient's clients. What must not: an
import of glanceclient, which need not be installed.
"""

from __future__ import annotations

import typing

from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import exceptions
from glance_compat.arguments import ServiceArguments
from glance_compat.options import ApiVersion, Options

_VERSIONS: dict[str, ApiVersion] = {"glanceclient.v1.client": "1", "glanceclient.v2.client": "2"}


def read_arguments(client: typing.Any) -> ServiceArguments:
    """Return service arguments with the session, endpoint and token of a glanceclient client.

    The client's ``http_client`` is a keystoneauth Adapter if the client was created with a
    session, and an HTTPClient over requests if it was created with an endpoint and a token
    (python-glanceclient 4.13, glanceclient/common/http.py).

    :param client: a v1 or v2 client of python-glanceclient.
    :raises glance_compat.exceptions.InvalidOption: client is not such a client.
    """
    # Compare module names, so that glanceclient need not be imported.
    modules = [one.__module__ for one in type(client).__mro__]
    version = next((_VERSIONS[name] for name in modules if name in _VERSIONS), None)
    http_client = getattr(client, "http_client", None)
    if version is None or http_client is None:
        raise exceptions.InvalidOption(
            f"client must be a v1 or v2 client of python-glanceclient, not {type(client)!r}"
        )
    options = Options(api_version=version)
    if not isinstance(http_client.session, ksa_session.Session):
        return ServiceArguments(
            session=_create_session(http_client),
            endpoint_override=http_client.endpoint,
            options=options,
        )
    return ServiceArguments(
        session=http_client.session,
        auth=http_client.auth,
        endpoint_override=http_client.endpoint_override,
        region_name=http_client.region_name,
        interface=http_client.interface,
        service_type=http_client.service_type or "image",
        service_name=http_client.service_name,
        options=options,
    )


def _create_session(http_client: typing.Any) -> ksa_session.Session:
    """Create a keystoneauth session with the client's connections, TLS settings and headers."""
    own = http_client.session
    token = http_client.auth_token
    headers = dict(getattr(http_client, "identity_headers", None) or {})
    token = token or headers.get("X-Auth-Token")
    request_id = getattr(http_client, "global_request_id", None)
    if request_id:
        headers["X-OpenStack-Request-ID"] = request_id
    return ksa_session.Session(
        auth=token_endpoint.Token(http_client.endpoint, token) if token else None,
        session=own,
        # The client's default is None, which requests treats as "do not verify".
        verify=True if own.verify is None else own.verify,
        cert=_cert_of(own.cert),
        timeout=http_client.timeout,
        additional_headers=headers,
    )


def _cert_of(cert: typing.Any) -> str | tuple[str, str] | None:
    """Return a client certificate in requests' form: a path, a pair of certificate and key, or
    None. The client always stores a pair, and its key may be None."""
    certificate, key = cert if isinstance(cert, tuple) else (cert, None)
    return (certificate, key) if certificate and key else certificate or None
