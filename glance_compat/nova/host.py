# SPDX-License-Identifier: Apache-2.0
"""What this library needs of Nova: its configuration, sessions, tokens and exceptions.

Nova is imported by the functions, when they are called. What must not live here: anything about
images.
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
from glance_compat.nova.translation import Errors, Failure, row_for
from glance_compat.service import ImageService
from glance_compat.urls import unversioned


def configuration() -> typing.Any:
    """Nova's ``CONF``."""
    import nova.conf

    return nova.conf.CONF


def nova_exceptions() -> typing.Any:
    """Nova's module of exceptions."""
    from nova import exception

    return exception


def image_service() -> ImageService:
    """The library as Nova's ``[glance]`` describes the cloud, and ``[glance_compat]`` the rest.

    Nova's session is made once in a process, by ``nova.service_auth``.

    :raises glance_compat.exceptions.InvalidOption: a value that cannot be.
    """
    from nova import service_auth

    settings = configuration().glance
    options = conf.read_options(configuration(), max_attempts=settings.num_retries + 1)
    return ImageService(
        service_auth.get_service_auth_session("glance"),
        endpoint_override=_servers(settings) or settings.endpoint_override,
        region_name=settings.region_name,
        interface=settings.valid_interfaces,
        service_type=settings.service_type or "image",
        service_name=settings.service_name,
        options=dataclasses.replace(options, extended=True),
    )


def _servers(settings: typing.Any) -> list[str]:
    """``[glance]api_servers`` in an order of its own for each call; the option stays as it is."""
    servers = list(settings.api_servers or ())
    return random.sample(servers, len(servers))


def endpoints(context: typing.Any) -> list[str]:
    """Where images are, without versions: what URLs are made of.

    :raises keystoneauth1.exceptions.catalog.EndpointNotFound: the catalog does not say.
    """
    from nova import service_auth

    settings = configuration().glance
    given = _servers(settings)
    if not given:
        found = settings.endpoint_override or service_auth.get_service_auth_session(
            "glance"
        ).get_endpoint(
            service_auth.get_service_user_token_auth_plugin(context),
            service_type=settings.service_type or "image",
            service_name=settings.service_name,
            interface=settings.valid_interfaces,
            region_name=settings.region_name,
        )
        given = [found] if found else []
    if not given:
        raise ksa_exceptions.EndpointNotFound("the catalog has no image endpoint")
    return [unversioned(one) for one in given]


def asking(context: typing.Any) -> object:
    """A request context as the library reads one: the user's token, and beside it the service's
    where ``[service_user]`` has it sent."""
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
def errors_of_nova(errors: Errors, image_id: object = "") -> Iterator[None]:
    """Raise what Nova expects.

    :param errors: the table that says what becomes of an error.
    :param image_id: the image that the call is about.
    """
    try:
        yield
    except exceptions.GlanceCompatError as error:
        row = row_for(error, errors)
        failure = Failure(error, str(image_id or error.image_id or ""))
        raise getattr(nova_exceptions(), row.name)(**row.arguments(failure)) from error
