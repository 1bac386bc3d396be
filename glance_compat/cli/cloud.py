# SPDX-License-Identifier: Apache-2.0
"""Choose the cloud and the user: options, OS_* variables, clouds.yaml.

``openstack.config`` of openstacksdk reads clouds.yaml, secure.yaml and OS_*, as ``openstack``
does. keystoneauth1's own loader does not read clouds.yaml, and os-client-config is retired in
favour of openstacksdk. Its import is slow, so it is imported when a command needs a cloud. The
options are keystoneauth1's, so they have their usual names.

What must live here: the options of all commands that need a cloud, and the image service that
they describe. What must not: commands.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import typing
from collections.abc import Sequence
from importlib import metadata

from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import loading

from glance_compat import exceptions
from glance_compat.cli.usage import UsageError, argument_type, require_extra
from glance_compat.options import Options
from glance_compat.redaction import quote_value, redact_text, redact_url
from glance_compat.routing import catalog
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.service import ImageService

if typing.TYPE_CHECKING:
    from openstack.config import OpenStackConfig
    from openstack.config.cloud_region import CloudRegion

#: The auth plugin that is used if no other is chosen.
_DEFAULT_PLUGIN = "password"

_WITHOUT_KEYSTONE = frozenset({"none", "admin_token", "token_endpoint"})


#: Options that have an environment variable of the same name.
_WITH_VARIABLE = (
    ("os-cloud", "NAME", "a cloud of clouds.yaml"),
    ("os-region-name", "REGION", "the region in the catalog"),
    ("os-interface", "INTERFACE", "the interface in the catalog: public, internal or admin"),
    ("os-cacert", "FILE", "the CA certificates that the server's certificate is verified with"),
    ("os-cert", "FILE", "a client certificate"),
    ("os-key", "FILE", "the private key of the client certificate"),
)


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


def add_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Add the options that choose a cloud, a user and an Images API.

    :param argv: searched for the auth plugin, because each plugin has its own options.
    """
    _add_auth_options(parser, argv)
    group = parser.add_argument_group(
        "cloud options",
        "Options override OS_* variables, and these override clouds.yaml. The options of an auth"
        " plugin other than password require --os-auth-type or OS_AUTH_TYPE.",
    )
    for name, metavar, text in _WITH_VARIABLE:
        variable = name.upper().replace("-", "_")
        group.add_argument(
            f"--{name}",
            metavar=metavar,
            default=os.environ.get(variable),
            help=f"{text} ({variable})",
        )
    # Replaces the option of the same name that the plugins none and admin_token have.
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


def _add_auth_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    try:
        known: object = loading.register_auth_argparse_arguments(parser, list(argv))
    except ksa_exceptions.NoMatchingPlugin as error:
        parser.error(str(error))
    if known is None:
        group = parser.add_argument_group(
            "authentication options", f"Options of the auth plugin {_DEFAULT_PLUGIN}."
        )
        for option in loading.get_plugin_options(_DEFAULT_PLUGIN):
            group.add_argument(
                *option.argparse_args,
                dest=f"os_{option.dest}",
                default=option.argparse_default,
                metavar=option.metavar,
                help=option.help,
            )


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
        default="2",
        help="the Images API to use when an endpoint offers both; default: 2",
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
        region = _region(options)
        self._session = region.get_session()
        self._endpoints = options.endpoints or region.get_endpoint("image")
        self._catalog = catalog.Catalog(
            region_name=options.os_region_name or region.get_region_name("image") or None,
            interface=region.get_interface("image"),
            service_name=region.get_service_name("image"),
        )
        self._options = Options(
            api_version=options.api_version,
            prefer=options.prefer,
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
    return Cloud(options).service(extended=extended)


def _region(options: argparse.Namespace) -> CloudRegion:
    with require_extra("cli"):
        # Slow: it imports the whole SDK.
        import openstack.config
        import openstack.exceptions

    asked = argparse.Namespace(
        **{name: value for name, value in vars(options).items() if name.startswith("os_")}
    )
    if options.endpoints:
        # The plugins without Keystone want one too.
        asked.os_endpoint = options.endpoints[0]
    try:
        # These plugins refuse the other credentials that the environment may hold.
        config = openstack.config.OpenStackConfig(
            load_envvars=options.os_auth_type not in _WITHOUT_KEYSTONE,
            app_name="glance-compat",
            app_version=metadata.version("glance-compat"),
        )
        if config.default_cloud == config.envvar_key and not asked.os_cloud:
            # It would only be compared with OS_REGION_NAME, and refused.
            asked.os_region_name = None
        if options.endpoints and _has_no_credentials(config, asked):
            asked.os_auth_type = "none"
        return config.get_one(argparse=asked)
    except ksa_exceptions.MissingRequiredOptions as error:
        raise UsageError(f"{error}; {_HOW_TO_SAY}") from error
    # TypeError: openstack.config hands the plugin what it does not know.
    except (ksa_exceptions.ClientException, openstack.exceptions.SDKException, TypeError) as error:
        raise exceptions.InvalidOption(
            f"the description of the cloud is invalid: {redact_text(str(error))}"
        ) from error


_HOW_TO_SAY = (
    "a cloud is named by OS_* variables, by --os-cloud NAME, or by --endpoint URL where there is"
    " no Keystone"
)


def _has_no_credentials(config: OpenStackConfig, asked: argparse.Namespace) -> bool:
    described = config.get_one(argparse=asked, validate=False).config
    known = {option.dest for option in loading.get_plugin_options(_DEFAULT_PLUGIN)}
    given = {name for name in (*described, *described["auth"]) if name in known}
    return described["auth_type"] == _DEFAULT_PLUGIN and not given
