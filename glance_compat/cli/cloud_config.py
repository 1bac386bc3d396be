# SPDX-License-Identifier: Apache-2.0
"""Merge the settings of a cloud: options override OS_* variables, these override clouds.yaml.

Each value is resolved separately: a password on the command line is used with the user name in
clouds.yaml.

What must live here: the precedence of values, and the choice of the auth plugin; pure functions
that read neither files nor the environment. What must not: the declaration of options (``cloud``).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping

from glance_compat.cli.usage import UsageError

Values = Mapping[str, typing.Any]

#: The auth options of keystoneauth1's plugins, with the help text of ``--os-NAME``. They are not
#: read from the plugins, because loading all plugins takes longer than most commands.
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
    "token": "a token to log in with, or to send without logging in",
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

#: The current name for each older name of an option, a variable or a key of clouds.yaml.
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

#: Pairs of options that identify the same object. Either replaces the other on a lower level.
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

#: Options that set the scope of a log-in: a project, a domain or the system.
_TARGET = frozenset(
    {
        *("project_name", "project_id", "project_domain_name", "project_domain_id"),
        *("domain_name", "domain_id", "system_scope"),
    }
)
_DOMAINS = frozenset(
    {"default_domain_name", "default_domain_id", "user_domain_name", "user_domain_id"}
)

#: If one of these options or variables is set, the only cloud in clouds.yaml is used only if it is
#: named, because its credentials must not be sent to the endpoint of another cloud.
_IDENTITY = frozenset({"auth_type", "endpoint", *AUTH_OPTIONS}) - _TARGET - _DOMAINS


@dataclasses.dataclass(frozen=True, slots=True)
class Levels:
    """The values of each level, by their names in clouds.yaml.

    Values inside ``auth`` are moved to the top; see :func:`normalize`.

    :param options: values of the command line.
    :param variables: values of OS_* variables.
    :param file: values of clouds.yaml and secure.yaml for one cloud and region.
    """

    options: Values
    variables: Values
    file: Values

    def __iter__(self) -> Iterator[Values]:
        """Iterate over the levels, the highest first."""
        return iter((self.options, self.variables, self.file))


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    """The resolved settings of a cloud.

    :param auth_type: the name of a keystoneauth1 plugin.
    :param auth: the values of the plugin's options.
    :param other: all other values: region, interface, certificates.
    """

    auth_type: str
    auth: Values
    other: Values


def normalize(values: Values) -> dict[str, typing.Any]:
    """Rename values to their current names, and move those inside ``auth`` to the top.

    A value at the top overrides the same one in ``auth``, as in openstacksdk. Empty values are
    dropped.
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
    """Return whether any level sets an endpoint, an auth type, an auth URL or a credential."""
    return any(not _IDENTITY.isdisjoint(level) for level in levels)


def merge(levels: Levels) -> dict[str, typing.Any]:
    """Return each value from the highest level that sets it.

    A name replaces the id of the same object on a lower level, and vice versa.
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
    """Return the auth plugin that the highest level names, or the one for its credentials.

    ``token_endpoint`` is an old name of ``admin_token``.
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
    """Return the merged settings of a cloud.

    Values of files and variables that the plugin does not accept are dropped, because they are for
    another plugin.

    :param auth_type: the name of the plugin.
    :param accepted: the names of the plugin's options.
    :raises glance_compat.cli.usage.UsageError: the command line sets an option that the plugin
        does not accept.
    """
    taken = {ALIASES.get(name, name) for name in accepted}
    ignored = sorted((levels.options.keys() & AUTH_OPTIONS.keys()) - taken)
    if ignored:
        option = f"--os-{ignored[0].replace('_', '-')}"
        raise UsageError(
            f"{option} cannot be used with the auth type {auth_type}: select another auth type"
            " with --os-auth-type"
        )
    merged = merge(levels)
    if auth_type == "v3applicationcredential" and _TARGET.isdisjoint(levels.options):
        # It has its own project; Keystone rejects any other scope (verified on Keystone 30).
        merged = {name: value for name, value in merged.items() if name not in _TARGET}
    # The plugins of the Identity API v2 use the older names.
    current = {name: ALIASES.get(name, name) for name in accepted}
    auth = {name: merged[key] for name, key in current.items() if key in merged}
    dropped = {*current.values(), *AUTH_OPTIONS, "endpoint", "auth_type"}
    other = {name: value for name, value in merged.items() if name not in dropped}
    return Description(auth_type, auth, other)
