# SPDX-License-Identifier: Apache-2.0
"""Choose the cloud and the user: options, OS_* variables, clouds.yaml.

What must live here: the image service that the options select. What must not: the declaration of
the options (``cloud_options``), and commands.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import logging
import os
import typing

from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import loading
from keystoneauth1.identity.base import BaseIdentityPlugin

from glance_compat import exceptions
from glance_compat.cli import cloud_config, projects
from glance_compat.cli.cloud_config import Description, Levels
from glance_compat.cli.interrupts import HANDLER
from glance_compat.cli.usage import UsageError, require_extra
from glance_compat.discovery.versions import Discovery
from glance_compat.options import Options
from glance_compat.redaction import quote_value, redact_url
from glance_compat.routing import catalog
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.service import ImageService
from glance_compat.urls import origin

if typing.TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

    from glance_compat.cli.clouds_yaml import ApiVersionWish

LOG = logging.getLogger(__name__)

#: Variables that select a file or a cloud, and prefixes of variables of other programs.
_SELECTORS = frozenset({"cloud", "cloud_name", "client_config_file", "client_secure_file"})
_FOREIGN = ("OS_TEST", "OS_STD", "OS_LOG")


class Cloud:
    """The cloud that the options select; creating an instance sends no request.

    :param options: the parsed options of :mod:`glance_compat.cli.cloud_options`.
    :param with_variables: whether the OS_* variables count.
    :raises glance_compat.cli.usage.UsageError: no cloud is selected, or a required value is
        missing.
    :raises glance_compat.exceptions.InvalidOption: a value of clouds.yaml or of an OS_* variable
        is invalid.
    """

    def __init__(self, options: argparse.Namespace, *, with_variables: bool = True) -> None:
        region, self._wish = _resolve(options, with_variables=with_variables)
        self._session = region.get_session()
        self._endpoints = options.endpoints or region.get_endpoint("image")
        self._catalog = catalog.Catalog(
            region_name=options.os_region_name or region.get_region_name("image") or None,
            interface=region.get_interface("image"),
            service_name=region.get_service_name("image"),
        )
        if options.prefer or options.api_version != "auto":
            self._wish = None
        self._options = Options(
            api_version=options.api_version,
            prefer=options.prefer or self._wish or "2",
            allow_experimental=options.allow_experimental,
        )

    def service(self, **choices: typing.Any) -> ImageService:
        """Return an image service.

        :param choices: fields of :class:`glance_compat.Options`.
        """
        return ImageService(
            self._session,
            endpoint_override=self._endpoints,
            options=dataclasses.replace(self._options, **choices),
            **self._catalog._asdict(),
        )

    def find_project_id(self, name_or_id: str, domain: str | None = None) -> str:
        """Return the id of a project; see :func:`glance_compat.cli.projects.find_project_id`."""
        return projects.find_project_id(self._session, name_or_id, domain)

    def own_project_id(self) -> str | None:
        """Return the id of the user's project, or None if it is unknown."""
        return projects.own_project_id(self._session)

    def project_names(self) -> dict[str, str]:
        """Return the names of projects; see :func:`glance_compat.cli.projects.find_names`."""
        return projects.find_names(self._session)

    def log_surprises(self, service: ImageService) -> None:
        """Log what a user may not expect: a foreign endpoint, or an API that was not requested.

        This sends no additional requests, because the results of discovery and log-in are cached.
        """
        self._log_foreign_endpoints()
        self._log_choice(service)
        if self._wish is not None:
            self._log_other_version(service.discover())

    def _log_foreign_endpoints(self) -> None:
        plugin = self._session.auth
        if not self._endpoints or not isinstance(plugin, BaseIdentityPlugin):
            return
        if not LOG.isEnabledFor(logging.INFO):
            # The message needs a log-in, which the command itself may not need.
            return
        try:
            access = plugin.get_access(self._session)
        except ksa_exceptions.ClientException:
            # The command's own request will report the error.
            return
        offered = access.service_catalog.get_urls(service_type="image")
        known = {origin(url) for url in offered if url}
        for url in [self._endpoints] if isinstance(self._endpoints, str) else self._endpoints:
            if origin(url) not in known:
                LOG.info(
                    "The endpoint %s is not in the catalog of %s, whose token is sent to it",
                    redact_url(url),
                    redact_url(plugin.auth_url or ""),
                )

    def _log_choice(self, service: ImageService) -> None:
        if not LOG.isEnabledFor(logging.INFO):
            return
        # If discovery fails, the command's own request will report the error.
        with contextlib.suppress(exceptions.GlanceCompatError):
            found = service.discover()
            LOG.info(
                "Using Images API %s of %s: %s",
                found.api,
                redact_url(found.endpoint),
                found.reason,
            )

    def _log_other_version(self, found: Discovery) -> None:
        if found.api != f"v{self._wish}":
            LOG.warning(
                "clouds.yaml asks for image_api_version %s, but %s is used: %s",
                self._wish,
                found.api,
                found.reason,
            )

    def checked_service(self, **choices: typing.Any) -> ImageService:
        """Return an image service, after :meth:`log_surprises`.

        :param choices: fields of :class:`glance_compat.Options`.
        """
        service = self.service(**choices)
        self.log_surprises(service)
        return service

    def dispatcher(self, **choices: typing.Any) -> Dispatcher:
        """Return a dispatcher, which also returns raw records.

        :param choices: fields of :class:`glance_compat.Options`.
        """
        options = dataclasses.replace(self._options, **choices)
        return Dispatcher(self._session, None, self._endpoints, self._catalog, options)


def make_service(options: argparse.Namespace, *, extended: bool = False) -> ImageService:
    """Return the image service of the cloud that the options select; see :class:`Cloud`.

    :param extended: as in :class:`glance_compat.Options`.
    """
    return Cloud(options).checked_service(extended=extended)


# ---------------------------------------------------------------------------------------------
# Options, variables and clouds.yaml.

_WAYS = (
    "select a cloud with OS_* variables or --os-cloud NAME, or pass --endpoint URL if there is no"
    " Keystone"
)


def _resolve(
    options: argparse.Namespace, *, with_variables: bool
) -> tuple[CloudRegion, ApiVersionWish]:
    """Return the cloud's region, and the Images API that clouds.yaml requests, if any."""
    with require_extra("cli"), HANDLER.importing():
        # Imported here because it imports the whole SDK, which is slow.
        from glance_compat.cli import clouds_yaml
    asked, variables = _read_options(options), _read_variables() if with_variables else {}
    variable = os.environ.get("OS_CLOUD") if with_variables else None
    # An empty variable is not set, as for openstack.
    name = asked.pop("cloud", None) or variable or None
    try:
        file = clouds_yaml.read(
            name,
            asked.get("region_name") or variables.get("region_name"),
            lone=not cloud_config.names_identity((asked, variables)),
        )
        levels = Levels(asked, variables, file.values)
        auth_type = cloud_config.choose_auth_type(levels)
        description = cloud_config.describe(levels, auth_type, _options_of(auth_type))
        region = file.region(description)
    except ksa_exceptions.OptionError as error:
        raise UsageError(f"{error}; {_WAYS}") from error
    _check_complete(description)
    return region, file.image_api_version


def _read_options(options: argparse.Namespace) -> dict[str, typing.Any]:
    values = {
        name.removeprefix("os_"): value
        for name, value in vars(options).items()
        if name.startswith("os_")
    }
    if options.endpoints:
        values["endpoint"] = options.endpoints[0]
    return cloud_config.normalize(values)


def _read_variables() -> dict[str, typing.Any]:
    values = {
        name.removeprefix("OS_").lower(): value
        for name, value in os.environ.items()
        if name.startswith("OS_") and not name.startswith(_FOREIGN)
    }
    found = cloud_config.normalize(values)
    return {name: value for name, value in found.items() if name not in _SELECTORS}


def _options_of(auth_type: str) -> frozenset[str]:
    """Return the names of the options that an auth plugin accepts.

    :raises glance_compat.cli.usage.UsageError: the plugin is not installed.
    """
    try:
        loader: loading.BaseLoader[typing.Any] = loading.get_plugin_loader(auth_type)
    except ksa_exceptions.NoMatchingPlugin as error:
        known = ", ".join(sorted(loading.get_available_plugin_names()))
        raise UsageError(
            f"there is no auth type {quote_value(auth_type)}; auth types: {known}"
        ) from error
    names = {option.dest for option in loader.get_options()}
    if auth_type == "v3multifactor":
        # It accepts the options of all its methods.
        names |= cloud_config.AUTH_OPTIONS.keys()
    return frozenset(names)


#: Options that password plugins need. The plugins themselves do not check them before the log-in.
_PASSWORD_NEEDS = (("username", "user_id"), ("password",))


def _check_complete(description: Description) -> None:
    if not description.auth_type.endswith("password") or "oidc" in description.auth_type:
        return
    for names in _PASSWORD_NEEDS:
        if not any(name in description.auth for name in names):
            flags = " or ".join(f"--os-{name.replace('_', '-')}" for name in names)
            raise UsageError(
                f"the auth type {description.auth_type} needs {flags}, or the environment variable"
                " or key in clouds.yaml of the same name"
            )
