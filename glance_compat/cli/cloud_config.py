# SPDX-License-Identifier: Apache-2.0
"""Merge the description of a cloud: options before OS_* variables before clouds.yaml.

Each value is resolved for itself, so a password on the command line is used with the user name of
clouds.yaml.

What must live here: which value wins, and which auth plugin the values ask for. Pure: it reads
neither files nor the environment. What must not: how options are declared (``cloud``).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping

from glance_compat.cli.usage import UsageError

Values = Mapping[str, typing.Any]

#: The auth options of keystoneauth1's plugins, with the help of ``--os-NAME``. The plugins' own
#: table is not read, because loading all plugins takes longer than most commands.
AUTH_OPTIONS: Mapping[str, str] = {
    "auth_url": "the URL of the Identity service",
    "username": "the user's name",
    "user_id": "the user's id",
    "user_domain_name": "the name of the user's domain",
    "user_domain_id": "the id of the user's domain",
    "password": "the user's password",
    "passcode": "the user's one-time passcode",
    "project_name": "the name of the project to log in to",
    "project_id": "the id of the project to log in to",
    "project_domain_name": "the name of the project's domain",
    "project_domain_id": "the id of the project's domain",
    "domain_name": "the name of the domain to log in to",
    "domain_id": "the id of the domain to log in to",
    "default_domain_name": "the name of the domain of the user and the project",
    "default_domain_id": "the id of the domain of the user and the project",
    "system_scope": "log in to the system: all",
    "trust_id": "the id of a trust to log in with",
    "token": "a token to log in with, or to send as it is",
    "application_credential_id": "the id of an application credential",
    "application_credential_name": "the name of an application credential",
    "application_credential_secret": "the secret of an application credential",
    "auth_methods": "the methods of multi-factor authentication",
    "identity_provider": "the name of the identity provider",
    "protocol": "the protocol of the identity provider",
    "client_id": "the OpenID client id",
    "client_secret": "the OpenID client secret",
    "scope": "the OpenID scopes",
    "discovery_endpoint": "the URL of the OpenID discovery document",
    "access_token": "an OpenID access token",
    "access_token_endpoint": "the URL that issues OpenID access tokens",
    "access_token_type": "the type of the OpenID token: access_token or id_token",
    "device_authorization_endpoint": "the URL that starts the OpenID device flow",
    "code_challenge_method": "the PKCE method of the OpenID device flow",
    "code": "an OpenID authorization code",
    "redirect_uri": "the OpenID redirect URL",
    "redirect_host": "the host that the browser is redirected to",
    "redirect_port": "the port that the browser is redirected to",
    "login_timeout": "seconds to wait for the browser",
    "idp_otp_key": "the key of the identity provider's one-time password",
    "oauth2_endpoint": "the URL that issues OAuth 2.0 tokens",
    "oauth2_client_id": "the OAuth 2.0 client id",
    "oauth2_client_secret": "the OAuth 2.0 client secret",
}

#: Older names of options, variables and keys of clouds.yaml.
ALIASES: Mapping[str, str] = {
    "tenant_name": "project_name",
    "tenant_id": "project_id",
    "user_name": "username",
    "auth_token": "token",
    "openid_scope": "scope",
    "authorization_code": "code",
    "auth_plugin": "auth_type",
    "endpoint_type": "interface",
    "url": "endpoint",
}

#: Options that identify the same thing: one on a higher level replaces the other on a lower one.
_SAME = (
    ("username", "user_id"),
    ("user_domain_name", "user_domain_id"),
    ("project_name", "project_id"),
    ("project_domain_name", "project_domain_id"),
    ("domain_name", "domain_id"),
    ("default_domain_name", "default_domain_id"),
    ("application_credential_name", "application_credential_id"),
)
_REPLACES = {one: other for pair in _SAME for one, other in (pair, pair[::-1])}

#: What a log-in is for.
_TARGET = frozenset(
    {
        *("project_name", "project_id", "project_domain_name", "project_domain_id"),
        *("domain_name", "domain_id", "system_scope"),
    }
)
_DOMAINS = frozenset(
    {"default_domain_name", "default_domain_id", "user_domain_name", "user_domain_id"}
)

#: With one of these options or variables, a lone cloud of clouds.yaml is used only if it is named:
#: its credentials must not reach the endpoint of another cloud.
_IDENTITY = frozenset({"auth_type", "endpoint", *AUTH_OPTIONS}) - _TARGET - _DOMAINS


@dataclasses.dataclass(frozen=True, slots=True)
class Levels:
    """The values of each level, by their names in clouds.yaml; values of ``auth`` at the top.

    :param options: from the command line.
    :param variables: from OS_* variables.
    :param file: from clouds.yaml and secure.yaml, for one cloud and region.
    """

    options: Values
    variables: Values
    file: Values

    def __iter__(self) -> Iterator[Values]:
        """Return the levels, the highest first."""
        return iter((self.options, self.variables, self.file))


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    """A cloud, resolved.

    :param auth_type: the name of a keystoneauth1 plugin.
    :param auth: the values that the plugin takes.
    :param other: everything else: region, interface, certificates.
    """

    auth_type: str
    auth: Values
    other: Values


def normalize(values: Values) -> dict[str, typing.Any]:
    """Give values their current names, and move those of ``auth`` to the top.

    A value at the top wins over the same one in ``auth``, as in openstacksdk. Empty values count
    as not set.
    """
    auth = values.get("auth")
    nested = normalize(auth) if isinstance(auth, Mapping) else {}
    found = {}
    for name, value in values.items():
        key = name.replace("-", "_").lower()
        if key != "auth" and value not in (None, ""):
            found[ALIASES.get(key, key)] = value
    return {**nested, **found}


def names_identity(levels: Iterable[Values]) -> bool:
    """Return whether a level names an endpoint, an auth type, an auth URL or a credential."""
    return any(not _IDENTITY.isdisjoint(level) for level in levels)


def merge(levels: Levels) -> dict[str, typing.Any]:
    """Return each value from the highest level that has it.

    A name replaces the id of the same thing on a lower level, and the reverse.
    """
    merged: dict[str, typing.Any] = {}
    for level in reversed(list(levels)):
        for name in level:
            other = _REPLACES.get(name)
            if other is not None and other not in level:
                merged.pop(other, None)
        merged.update(level)
    return merged


def choose_auth_type(levels: Levels) -> str:
    """Return the plugin that a level names, or else the one for its credentials.

    ``token_endpoint`` is the old name of ``admin_token``.
    """
    for level in levels:
        named = level.get("auth_type")
        if named is not None:
            return "admin_token" if named == "token_endpoint" else str(named)
    merged = merge(levels)
    for level in levels:
        if not _APPLICATION_CREDENTIAL.isdisjoint(level):
            return "v3applicationcredential"
        if not _PASSWORD.isdisjoint(level):
            return "password"
        if "token" in level:
            return "admin_token" if "endpoint" in merged and "auth_url" not in merged else "token"
    return "none" if "endpoint" in merged and "auth_url" not in merged else "password"


_PASSWORD = frozenset({"username", "user_id", "password"})
_APPLICATION_CREDENTIAL = frozenset(
    {"application_credential_id", "application_credential_name", "application_credential_secret"}
)


def describe(levels: Levels, auth_type: str, accepted: Collection[str]) -> Description:
    """Return the merged description of a cloud.

    Values of a file or of variables that the plugin does not take are dropped: they belong to
    another plugin.

    :param accepted: the names of the plugin's options.
    :raises glance_compat.cli.usage.UsageError: an option is set that the plugin does not take.
    """
    taken = {ALIASES.get(name, name) for name in accepted}
    ignored = sorted((levels.options.keys() & AUTH_OPTIONS.keys()) - taken)
    if ignored:
        option = f"--os-{ignored[0].replace('_', '-')}"
        raise UsageError(
            f"{option} cannot be used with the auth type {auth_type}: name another one with"
            " --os-auth-type"
        )
    merged = merge(levels)
    if auth_type == "v3applicationcredential" and _TARGET.isdisjoint(levels.options):
        # It has its own project; Keystone refuses any other target (verified on Keystone 30).
        merged = {name: value for name, value in merged.items() if name not in _TARGET}
    # The plugins of the Identity API v2 have the older names.
    current = {name: ALIASES.get(name, name) for name in accepted}
    auth = {name: merged[key] for name, key in current.items() if key in merged}
    dropped = {*current.values(), *AUTH_OPTIONS, "endpoint", "auth_type"}
    other = {name: value for name, value in merged.items() if name not in dropped}
    return Description(auth_type, auth, other)
