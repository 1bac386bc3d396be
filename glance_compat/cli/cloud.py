# SPDX-License-Identifier: Apache-2.0
"""Which cloud, and as whom: OS_* variables, options, clouds.yaml.

``openstack.config`` of openstacksdk reads clouds.yaml, secure.yaml and OS_*, as ``openstack``
does. keystoneauth1's own loader knows no clouds.yaml, and os-client-config, where this code comes
from, is retired in favour of openstacksdk. It is slow to import, so it is imported when a command
needs a cloud. The options are keystoneauth1's, so that they are called as everywhere.

What must live here: options of all commands that need a cloud, and the service made of them.
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
from glance_compat.cli.usage import UsageError, checked, needs
from glance_compat.options import Options
from glance_compat.routing import catalog
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.service import ImageService

if typing.TYPE_CHECKING:
    from openstack.config import OpenStackConfig
    from openstack.config.cloud_region import CloudRegion

#: The plugin whose options are known when nothing says which plugin it is.
_USUAL_PLUGIN = "password"

_WITHOUT_KEYSTONE = frozenset({"none", "admin_token", "token_endpoint"})


#: Options that an environment variable of the same name stands in for.
_OF_ENVIRONMENT = (
    ("os-cloud", "NAME", "a cloud of clouds.yaml"),
    ("os-region-name", "REGION", "the region in the catalog"),
    ("os-interface", "INTERFACE", "the interface in the catalog: public, internal or admin"),
    ("os-cacert", "FILE", "certificates of the authorities that sign the servers'"),
    ("os-cert", "FILE", "a client certificate"),
    ("os-key", "FILE", "the key of the client certificate"),
)


def _endpoint(text: str) -> str:
    try:
        return catalog.check_endpoints(text)[0]
    except exceptions.InvalidOption:
        raise ValueError(f"must be an http or https URL, not {text!r}") from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"must be a number of seconds above 0, not {text!r}")
    return seconds


def add_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Add the options that say which cloud and how to speak to it.

    :param argv: looked through for the auth plugin, which has options of its own.
    """
    _add_auth_options(parser, argv)
    group = parser.add_argument_group(
        "cloud options",
        "Options count before OS_* variables, and these before clouds.yaml. The options of another"
        " auth plugin than password are known with --os-auth-type or OS_AUTH_TYPE.",
    )
    for name, metavar, text in _OF_ENVIRONMENT:
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
        type=checked(_endpoint),
        action="append",
        help="the image endpoint, in place of the catalog's; may be repeated for endpoints that"
        " are equals. Alone, without any credentials, it stands for --os-auth-type none",
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
        type=checked(_seconds),
        help="time to connect and time without an answer; default: 10 and 60",
    )
    _add_library_options(parser)


def _add_auth_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    try:
        known: object = loading.register_auth_argparse_arguments(parser, list(argv))
    except ksa_exceptions.NoMatchingPlugin as error:
        parser.error(str(error))
    if known is None:
        group = parser.add_argument_group(
            "authentication options", f"Options of the auth plugin {_USUAL_PLUGIN}."
        )
        for option in loading.get_plugin_options(_USUAL_PLUGIN):
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
        help="auto: ask the endpoint; 1 or 2: that Images API, without asking",
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
        help="a version whose status is EXPERIMENTAL may be chosen",
    )


class Place:
    """The image service of the cloud that the options name; no request is sent.

    :param options: as parsed with :func:`add_options`.
    :raises glance_compat.cli.usage.UsageError: no cloud is named, or not wholly.
    :raises glance_compat.exceptions.InvalidOption: clouds.yaml or OS_* have a value that cannot
        be.
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
        """The library.

        :param choices: fields of :class:`glance_compat.Options`.
        """
        return ImageService(
            self._session,
            endpoint_override=self._endpoints,
            options=dataclasses.replace(self._options, **choices),
            **self._catalog._asdict(),
        )

    def dispatcher(self, **choices: typing.Any) -> Dispatcher:
        """The port of the library, for what the facade does not tell.

        :param choices: fields of :class:`glance_compat.Options`.
        """
        options = dataclasses.replace(self._options, **choices)
        return Dispatcher(self._session, None, self._endpoints, self._catalog, options)


def service_of(options: argparse.Namespace, *, extended: bool = False) -> ImageService:
    """The image service of the cloud that the options name; see :class:`Place`.

    :param extended: as in :class:`glance_compat.Options`.
    """
    return Place(options).service(extended=extended)


def _region(options: argparse.Namespace) -> CloudRegion:
    with needs("cli"):
        # Slow: it brings all of the SDK along.
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
        raise exceptions.InvalidOption(f"of the cloud's description: {error}") from error


_HOW_TO_SAY = (
    "a cloud is named by OS_* variables, by --os-cloud NAME, or by --endpoint URL where there is"
    " no Keystone"
)


def _has_no_credentials(config: OpenStackConfig, asked: argparse.Namespace) -> bool:
    described = config.get_one(argparse=asked, validate=False).config
    known = {option.dest for option in loading.get_plugin_options(_USUAL_PLUGIN)}
    given = {name for name in (*described, *described["auth"]) if name in known}
    return described["auth_type"] == _USUAL_PLUGIN and not given
