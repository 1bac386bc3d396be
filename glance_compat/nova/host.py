# SPDX-License-Identifier: Apache-2.0
"""Access Nova's configuration, sessions, tokens and exceptions.

The functions import Nova when they are called.

What must live here: all access to Nova's configuration, sessions, tokens and exceptions. What must
not: code about images.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import types
import typing
from collections.abc import Iterator

from keystoneauth1 import exceptions as ksa_exceptions

from glance_compat import conf, exceptions
from glance_compat.nova.translation import Errors, Failure, find_nova_error
from glance_compat.service import ImageService
from glance_compat.urls import unversioned


def nova_conf() -> typing.Any:
    """Return Nova's ``CONF``."""
    import nova.conf

    return nova.conf.CONF


def nova_exceptions() -> typing.Any:
    """Return the module ``nova.exception``."""
    from nova import exception

    return exception


def make_image_service() -> ImageService:
    """Return an image service, configured by ``[glance]`` and ``[glance_compat]`` of nova.conf.

    Its session is that of ``nova.service_auth``, which creates it once per process.

    :raises glance_compat.exceptions.InvalidOption: an option has an invalid value.
    """
    from nova import service_auth

    settings = nova_conf().glance
    options = conf.read_options(nova_conf(), max_attempts=settings.num_retries + 1)
    return ImageService(
        service_auth.get_service_auth_session("glance"),
        endpoint_override=_servers(settings) or settings.endpoint_override,
        region_name=settings.region_name,
        interface=settings.valid_interfaces,
        service_type=settings.service_type or "image",
        service_name=settings.service_name,
        options=dataclasses.replace(options, extended=True),
    )


def read_download_mode() -> int | None:
    """Return the option ``download_mode`` of ``[glance_compat]``.

    :raises glance_compat.exceptions.InvalidOption: an option has an invalid value.
    """
    return conf.read_options(nova_conf()).download_mode


def _servers(settings: typing.Any) -> list[str]:
    """Return a shuffled copy of ``[glance]api_servers``."""
    servers = list(settings.api_servers or ())
    return random.sample(servers, len(servers))


def find_endpoints(context: typing.Any) -> list[str]:
    """Return the URLs of the image endpoints, without the API version.

    :raises keystoneauth1.exceptions.catalog.EndpointNotFound: the catalog has no image endpoint.
    """
    from nova import service_auth

    settings = nova_conf().glance
    urls = _servers(settings)
    if not urls:
        found = settings.endpoint_override or service_auth.get_service_auth_session(
            "glance"
        ).get_endpoint(
            service_auth.get_service_user_token_auth_plugin(context),
            service_type=settings.service_type or "image",
            service_name=settings.service_name,
            interface=settings.valid_interfaces,
            region_name=settings.region_name,
        )
        urls = [found] if found else []
    if not urls:
        raise ksa_exceptions.EndpointNotFound("the catalog has no image endpoint")
    return [unversioned(one) for one in urls]


def adapt_context(context: typing.Any) -> object:
    """Convert Nova's request context to one with the attributes that the library reads.

    Its auth plugin sends the user's token, and also the service's token if ``[service_user]``
    is configured to send it.
    """
    from nova import service_auth

    return types.SimpleNamespace(
        get_auth_plugin=lambda: service_auth.get_service_user_token_auth_plugin(context),
        service_catalog=getattr(context, "service_catalog", None),
        global_id=getattr(context, "global_id", None),
        project_id=getattr(context, "project_id", None),
        roles=getattr(context, "roles", None),
        is_admin=getattr(context, "is_admin", None),
    )


@contextlib.contextmanager
def translate_errors(errors: Errors, image_id: object = "") -> Iterator[None]:
    """Convert errors of the library to those of ``nova.exception``.

    :param errors: the table that maps the library's errors to Nova's for this call.
    :param image_id: the id of the image in the call, if any.
    """
    try:
        yield
    except exceptions.GlanceCompatError as error:
        row = find_nova_error(error, errors)
        failure = Failure(error, str(image_id or error.image_id or ""))
        raise getattr(nova_exceptions(), row.name)(**row.arguments(failure)) from error
