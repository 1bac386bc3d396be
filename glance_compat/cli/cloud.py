# SPDX-License-Identifier: Apache-2.0
"""Choose the cloud and the user: options, OS_* variables, clouds.yaml.

The options are keystoneauth1's, so they have their usual names.

What must live here: the options of all commands that need a cloud, and the image service that
they describe. What must not: commands.
"""

from __future__ import annotations

import argparse
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
from glance_compat.cli.usage import UsageError, argument_type, require_extra
from glance_compat.discovery.versions import Discovery
from glance_compat.options import Options
from glance_compat.redaction import quote_value, redact_url
from glance_compat.routing import catalog
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.service import ImageService
from glance_compat.transport.error_mapping import plugin_errors
from glance_compat.urls import origin

if typing.TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

    from glance_compat.cli.clouds_yaml import ApiVersionWish

LOG = logging.getLogger(__name__)

#: Options of the connection, which have a variable of the same name.
_CONNECTION = (
    ("os-cloud", "NAME", "a cloud of clouds.yaml"),
    ("os-region-name", "REGION", "the region in the catalog"),
    ("os-interface", "INTERFACE", "the interface in the catalog: public, internal or admin"),
    ("os-cacert", "FILE", "the CA certificates that the server's certificate is verified with"),
    ("os-cert", "FILE", "a client certificate"),
    ("os-key", "FILE", "the private key of the client certificate"),
)

#: Variables that select a file or a cloud, or belong to other programs.
_SELECTORS = frozenset({"cloud", "cloud_name", "client_config_file", "client_secure_file"})
_FOREIGN = ("OS_TEST", "OS_STD", "OS_LOG")


def _parse_endpoint(text: str) -> str:
    try:
        return catalog.check_endpoints(text)[0]
    except exceptions.InvalidOption:
        shown = quote_value(redact_url(text))
        raise ValueError(f"must be an http or https URL, not {shown}") from None


def _parse_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"must be a number of seconds above 0, not {text!r}")
    return seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a cloud, a user and an Images API."""
    _add_auth_options(parser)
    group = parser.add_argument_group(
        "cloud options",
        "Options override OS_* variables, and these override clouds.yaml, each value for itself.",
    )
    for name, metavar, text in _CONNECTION:
        variable = name.upper().replace("-", "_")
        group.add_argument(f"--{name}", metavar=metavar, help=f"{text} ({variable})")
    group.add_argument(
        "--endpoint",
        "--os-endpoint",
        metavar="URL",
        dest="endpoints",
        type=argument_type(_parse_endpoint),
        action="append",
        help="the image endpoint, instead of the one in the catalog; may be repeated for equal"
        " endpoints. Without any credentials, no token is sent",
    )
    group.add_argument(
        "--insecure",
        dest="os_insecure",
        action="store_true",
        default=None,
        help="do not verify the server's certificate",
    )
    group.add_argument(
        "--timeout",
        dest="os_api_timeout",
        metavar="SECONDS",
        type=argument_type(_parse_seconds),
        help="time to connect, and time without a response; default: 10 and 60",
    )
    _add_library_options(parser)


def _add_auth_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "authentication options",
        "Each option has a variable of the same name, for example OS_AUTH_TYPE for --os-auth-type."
        " Without an auth type, it follows from the credentials.",
    )
    group.add_argument(
        "--os-auth-type",
        "--os-auth-plugin",
        metavar="NAME",
        help="a keystoneauth plugin; admin_token (or token_endpoint) sends a token as it is, none"
        " sends no token",
    )
    older: dict[str, list[str]] = {}
    for old, name in cloud_config.ALIASES.items():
        older.setdefault(name, []).append(old)
    for name, text in cloud_config.AUTH_OPTIONS.items():
        flags = (f"--os-{one.replace('_', '-')}" for one in (name, *older.get(name, ())))
        group.add_argument(*flags, dest=f"os_{name}", metavar="VALUE", help=text)


def _add_library_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("images API options")
    group.add_argument(
        "--api-version",
        choices=("auto", "1", "2"),
        default="auto",
        help="auto: discover what the endpoint offers; 1 or 2: use that Images API",
    )
    group.add_argument(
        "--prefer",
        choices=("1", "2"),
        help="the Images API to use when an endpoint offers both; default: image_api_version of"
        " clouds.yaml, else 2",
    )
    group.add_argument(
        "--allow-experimental",
        action="store_true",
        help="allow a version whose status is EXPERIMENTAL",
    )


class Cloud:
    """The cloud that the options choose. Creating one sends no request.

    :param options: as parsed with :func:`add_options`.
    :raises glance_compat.cli.usage.UsageError: no cloud is chosen, or a required value is
        missing.
    :raises glance_compat.exceptions.InvalidOption: clouds.yaml or OS_* have an invalid value.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        region, self._wish = _resolve(options)
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

    def find_project_id(self, name_or_id: str) -> str:
        """Return the id of a project; see :func:`glance_compat.cli.projects.find_project_id`.

        :raises glance_compat.exceptions.GlanceCompatError: the Identity service cannot be asked.
        """
        with plugin_errors(f"looking for the project {quote_value(name_or_id)}"):
            return projects.find_project_id(self._session, name_or_id)

    def log_surprises(self, service: ImageService) -> None:
        """Log what a user may not expect of the endpoint, before it is used.

        This sends no additional request: the results of the discovery and of the log-in are kept.
        """
        self._log_foreign_endpoints()
        if self._wish is not None:
            self._log_other_version(service.discover())

    def _log_foreign_endpoints(self) -> None:
        plugin = self._session.auth
        if not self._endpoints or not isinstance(plugin, BaseIdentityPlugin):
            return
        if not LOG.isEnabledFor(logging.INFO):
            # Only then is a log-in justified that the command may not need.
            return
        try:
            access = plugin.get_access(self._session)
        except ksa_exceptions.ClientException:
            # The command will report it.
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

    def _log_other_version(self, found: Discovery) -> None:
        if found.api != f"v{self._wish}":
            LOG.warning(
                "clouds.yaml asks for image_api_version %s, but %s is used: %s",
                self._wish,
                found.api,
                found.reason,
            )

    def checked_service(self, **choices: typing.Any) -> ImageService:
        """Return an image service, after logging what a user may not expect of the endpoint.

        :param choices: fields of :class:`glance_compat.Options`.
        """
        service = self.service(**choices)
        self.log_surprises(service)
        return service

    def dispatcher(self, **choices: typing.Any) -> Dispatcher:
        """Return a dispatcher, for raw records that the image service does not return.

        :param choices: fields of :class:`glance_compat.Options`.
        """
        options = dataclasses.replace(self._options, **choices)
        return Dispatcher(self._session, None, self._endpoints, self._catalog, options)


def make_service(options: argparse.Namespace, *, extended: bool = False) -> ImageService:
    """Return the image service of the cloud that the options choose; see :class:`Cloud`.

    :param extended: as in :class:`glance_compat.Options`.
    """
    return Cloud(options).checked_service(extended=extended)


# ---------------------------------------------------------------------------------------------
# Options, variables and clouds.yaml.

_WAYS = (
    "choose a cloud with OS_* variables, with --os-cloud NAME, or, without an Identity service,"
    " with --endpoint URL"
)


def _resolve(options: argparse.Namespace) -> tuple[CloudRegion, ApiVersionWish]:
    """Return the cloud and region, and the Images API that clouds.yaml asks for."""
    with require_extra("cli"):
        # Slow: it imports the whole SDK.
        from glance_compat.cli import clouds_yaml
    asked, variables = _read_options(options), _read_variables()
    name = asked.pop("cloud", None) or os.environ.get("OS_CLOUD")
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
    """Return the names of the options that an auth plugin takes.

    :raises glance_compat.cli.usage.UsageError: no such plugin is installed.
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
        # It takes those of all its methods.
        names |= cloud_config.AUTH_OPTIONS.keys()
    return frozenset(names)


#: Without these, the plugins fail in the middle of the log-in.
_PASSWORD_NEEDS = (("username", "user_id"), ("password",))


def _check_complete(description: Description) -> None:
    if not description.auth_type.endswith("password") or "oidc" in description.auth_type:
        return
    for names in _PASSWORD_NEEDS:
        if not any(name in description.auth for name in names):
            flags = " or ".join(f"--os-{name.replace('_', '-')}" for name in names)
            raise UsageError(
                f"the auth type {description.auth_type} needs {flags}, or the variable or the key"
                " in clouds.yaml of the same name"
            )
