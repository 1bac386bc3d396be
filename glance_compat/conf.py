# SPDX-License-Identifier: Apache-2.0
"""The options for oslo.config configuration files. No other module imports oslo.config.

An option group holds the fields of :class:`~glance_compat.options.Options` under the same names,
the session, auth and catalog options of keystoneauth1, the option ``endpoints``, and deprecated
options from older configuration files. The retry options of keystoneauth1 are not registered: the
library has its own retry options (``max_attempts``, ``backoff_max``, ``deadline``).

What must live here: the names, help texts and deprecated names of options, and the conversion of
an option group to ``ServiceArguments``. What must not: defaults and checks of the library's
options (see ``options``).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import loading
from keystoneauth1 import plugin as ksa_plugin
from oslo_config import cfg, types

from glance_compat import exceptions
from glance_compat.arguments import ServiceArguments
from glance_compat.options import Options
from glance_compat.redaction import quote_value

#: The default option group.
GROUP = "glance_compat"


# ---------------------------------------------------------------------------------------------
# The library's own options. Names, types and defaults are those of Options.

_HELP: Mapping[str, str] = {
    "api_version": "The version of the Images API to use.",
    "prefer": "The version of the Images API to use when an endpoint offers both.",
    "allow_experimental": "Whether to use API versions with the status EXPERIMENTAL.",
    "discovery_ttl": "How long to cache the API versions that an endpoint offers, in seconds.",
    "discovery_failure_ttl": "How long to cache a failed discovery of an endpoint's API versions, "
    "in seconds.",
    "page_size": "Number of images per page of a list. Unset: the largest page that the server "
    "allows.",
    "max_attempts": "Maximum number of attempts for a request that may be repeated, including the "
    "first one.",
    "backoff_max": "Maximum delay between two attempts, in seconds.",
    "connect_timeout": "Time limit for connecting to a server, in seconds, above 0. If the option "
    "timeout is set, its value is used instead.",
    "read_timeout": "Time limit for waiting for a response, in seconds, above 0. If the option "
    "timeout is set, its value is used instead.",
    "stall_timeout": "Time limit for waiting for the next byte of image data, in seconds, above "
    "0.",
    "settle_timeout": "How long to wait, in seconds, while the server is still storing the data "
    "of an upload whose response was lost. The image is fetched again with pauses of 1 to 15 s. "
    "0: it is fetched once. This time does not count towards the deadline.",
    "deadline": "Time limit for a metadata call including its retries, in seconds, above 0. "
    "Transfers of image data have no such limit.",
    "max_response_bytes": "Maximum size of a metadata response, in bytes after decompression.",
    "extended": "Whether image dicts include attributes that only newer APIs have (visibility, "
    "tags, os_hash_value and others).",
    "verify_downloads": "How to verify downloaded data.",
    "verify_uploads": "Whether to compare the size and checksum of uploaded data with those that "
    "the server stored.",
    "verify_updates": "Whether to GET the image after a v2 update, and to repeat the update if "
    "another client has overwritten it.",
    "check_format": "Whether to reject downloaded data whose format is not the image's "
    "disk_format. Only images with the container_format bare are inspected.",
    "download_mode": "Permissions of a file that a download to a path creates or replaces, as an "
    "octal number such as 0600. Unset: those of the file that is replaced, else 0666 less the "
    "umask.",
    "download_connections": "Number of connections over which a download to a path over v2 "
    "fetches the data, from 1 to 8. Each of them takes 8 MiB of memory.",
    "v1_folding": "What to do with property names that v1 would change: v1 converts names to "
    "lower case, and dashes to underscores.",
    "hidden_property": "Name of the property that marks a hidden image on servers without "
    "os_hidden (v1, and v2 before v2.7). Unset: such servers hide no image.",
    "successor_property": "Name of the property that links an image to its successor.",
    "property_definitions": "What to do with properties of images that are not what the metadata "
    "definitions of images allow. Needs the package jsonschema.",
    "definitions_file": "Path of a JSON file with metadata definitions, or of a folder of such "
    "files, as Glance ships them. Unset: the definitions of the cloud.",
    "v1_exact_show": "Whether to also read an image that is shown over v1 from the list of "
    "images, which is JSON and loses no metadata. Takes one more request per image.",
    "v1_keep_connections": "Whether to reuse a connection after a v1 response with image headers. "
    "On Glance 15.0.2 a tenant can store metadata that a client on this connection would read as "
    "the response to its next request, so leave this off unless every tenant is trusted.",
    "portable": "Whether to reject, over v2 as well, property names and values that v1 cannot "
    "transport.",
    "trusted_endpoints": "More URLs of the same image service. Image hrefs that start with one of "
    "them are accepted.",
    "allowed_location_schemes": "Image locations that the library may read directly, without the "
    "Images API: a directory, such as ``file:///var/lib/glance/images``; a Ceph cluster and pool, "
    "such as ``rbd://<fsid>/images``; or the URL scheme of another installed location handler.",
    "ceph_conf": "Absolute path of the Ceph configuration file that is used to read rbd "
    "locations.",
    "ceph_user": 'Name of the Ceph user, without the prefix "client.". Unset: the default of '
    "librados, which is admin.",
}

_MEANINGS: Mapping[str, Mapping[str, str]] = {
    "api_version": {
        "auto": "use a version that the endpoint offers",
        "1": "use v1 without a discovery request",
        "2": "use v2 without a discovery request",
    },
    "prefer": {"1": "Images API v1", "2": "Images API v2"},
    "verify_downloads": {
        "auto": "compare the size, and the MD5 checksum that the server sends with the data",
        "strong": "compare the size, and os_hash_value if the image has one; takes one more "
        "request",
        "off": "compare the size only",
    },
    "v1_folding": {
        "fold": "store the changed name, and log it once",
        "refuse": "reject the name",
    },
    "property_definitions": {
        "off": "nothing is checked",
        "warn": "log a warning",
        "refuse": "reject the value",
    },
}


#: Options with URLs, which may hold a name and a password. oslo.config shows no value of a secret
#: option in the log (``log_opt_values``).
_URLS = frozenset({"trusted_endpoints"})

#: Options that are written as octal numbers, as chmod has them.
_OCTAL = frozenset({"download_mode"})


class _Octal(types.ConfigType):
    """An option's type: the permissions of a file, as an octal number."""

    def __init__(self, type_name: str = "octal value") -> None:
        super().__init__(type_name=type_name)

    def __call__(self, value: object) -> int:
        # A value that a program sets with set_override() or set_default() may be a number.
        mode = value if isinstance(value, int) else int(str(value), 8)
        if isinstance(value, bool) or not 0 <= mode <= 0o777:
            raise ValueError("must be an octal number from 0 to 0777, such as 0600")
        return mode

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return "Octal"

    def _formatter(self, value: object) -> str:
        return f"{value:04o}"


def _option(field: dataclasses.Field[typing.Any], hint: typing.Any) -> cfg.Opt:
    """Return the oslo.config option for one field of Options.

    The option of a time has the minimum 0; where 0 is invalid, Options rejects it.

    :param field: the field of Options.
    :param hint: the type of the field, with string annotations resolved.
    """
    common: dict[str, typing.Any] = {"help": _HELP[field.name], "default": field.default}
    if field.name in _URLS:
        common["secret"] = True
    if typing.get_origin(hint) is typing.Literal:
        meanings = _MEANINGS[field.name]
        choices = [(choice, meanings[choice]) for choice in typing.get_args(hint)]
        return cfg.StrOpt(field.name, choices=choices, **common)
    if hint is bool:
        return cfg.BoolOpt(field.name, **common)
    if hint is float:
        return cfg.FloatOpt(field.name, min=0, **common)
    if field.name in _OCTAL:
        return cfg.Opt(field.name, type=_Octal(), **common)
    if hint in (int, int | None):
        return cfg.IntOpt(field.name, min=1, **common)
    if hint in (str, str | None):
        return cfg.StrOpt(field.name, **common)
    return cfg.ListOpt(field.name, **{**common, "default": list(common["default"])})


@functools.cache
def _own_options() -> tuple[cfg.Opt, ...]:
    hints = typing.get_type_hints(Options)
    return tuple(_option(field, hints[field.name]) for field in dataclasses.fields(Options))


_ENDPOINTS = cfg.ListOpt(
    "endpoints",
    help="URLs of equivalent image endpoints, which are tried in turn. Set this option or "
    "endpoint_override, not both.",
    secret=True,
)

# ---------------------------------------------------------------------------------------------
# Deprecated options. They are options of their own rather than aliases, so that conflicting values
# can be reported.


@dataclasses.dataclass(frozen=True, slots=True)
class _Old:
    """A deprecated option.

    :param option: the deprecated option.
    :param replaced_by: the name of the option that replaces it.
    :param convert: a function that converts a value of this option to one of the new option.
    """

    option: cfg.Opt
    replaced_by: str
    convert: Callable[[typing.Any], typing.Any]


def _keep(value: typing.Any) -> typing.Any:
    return value


def _retries_to_attempts(retries: int) -> int:
    return retries + 1


def _flag_to_version(use_v1: bool) -> str:
    return "1" if use_v1 else "2"


def _text_to_version(value: object) -> str:
    # If the program registered the option itself, the value may be an integer.
    return str(value).removeprefix("v")


def _old(
    kind: type[cfg.Opt],
    name: str,
    replaced_by: str,
    convert: Callable[[typing.Any], typing.Any],
    remark: str,
    *,
    also_in: Sequence[str] = (),
    **constraints: typing.Any,
) -> _Old:
    option = kind(
        name,
        deprecated_opts=[cfg.DeprecatedOpt(name, group=group) for group in also_in],
        deprecated_for_removal=True,
        deprecated_reason=f"Use {replaced_by} instead; {remark}.",
        help=f"Old name of the option {replaced_by}.",
        **constraints,
    )
    return _Old(option, replaced_by, convert)


_DEFAULT = ("DEFAULT",)

_OLD: Sequence[_Old] = (
    _old(cfg.ListOpt, "api_servers", "endpoints", _keep, "the value is the same", secret=True),
    _old(
        cfg.ListOpt,
        "glance_api_servers",
        "endpoints",
        _keep,
        "the value is the same",
        also_in=_DEFAULT,
        secret=True,
    ),
    _old(
        cfg.IntOpt, "num_retries", "max_attempts", _retries_to_attempts, "it is one greater", min=0
    ),
    _old(
        cfg.IntOpt,
        "glance_num_retries",
        "max_attempts",
        _retries_to_attempts,
        "it is one greater",
        also_in=_DEFAULT,
        min=0,
    ),
    _old(cfg.BoolOpt, "api_insecure", "insecure", _keep, "the value is the same"),
    _old(
        cfg.BoolOpt,
        "use_glance_v1",
        "api_version",
        _flag_to_version,
        "true is 1, false is 2",
        # In Nova 13.0.0 (Mitaka) and 14.0.0 (Newton) it was in the group [glance].
        also_in=("DEFAULT", "glance"),
    ),
    _old(
        cfg.StrOpt,
        "glance_api_version",
        "api_version",
        _text_to_version,
        "it has no leading v",
        also_in=_DEFAULT,
        choices=[(one, f"Images API v{one[-1]}") for one in ("1", "2", "v1", "v2")],
    ),
)

# ---------------------------------------------------------------------------------------------
# keystoneauth1's options.

_CATALOG = frozenset(
    {"service_type", "service_name", "valid_interfaces", "region_name", "endpoint_override"}
)
_INTERFACES = ("public", "internal", "admin")

#: Auth plugins whose options appear in a sample configuration file. Others can be used as well.
_SAMPLE_PLUGINS = ("password", "v3applicationcredential")


def _catalog_options() -> list[cfg.Opt]:
    known = loading.get_adapter_conf_options(include_deprecated=False)
    options = [one for one in known if one.dest in _CATALOG]
    cfg.set_defaults(options, service_type="image")
    for one in options:
        if one.dest == "endpoint_override":
            one.secret = True
            # keystoneauth1's help text mentions version options that this library does not have.
            one.help = (
                "URL of the image endpoint, with or without a version. Unset: the endpoint of the"
                " service catalog."
            )
    return options


def _auth_options() -> list[cfg.Opt]:
    options = {one.dest: one for one in loading.get_auth_common_conf_options()}
    for plugin in _SAMPLE_PLUGINS:
        for one in loading.get_auth_plugin_conf_options(plugin):
            options.setdefault(one.dest, one)
    return list(options.values())


# ---------------------------------------------------------------------------------------------
# Public functions.


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return all options, for oslo-config-generator (entry point ``oslo.config.opts``).

    :returns: a list with one pair: the name of the group, and copies of its options.
    """
    options = [*_own_options(), _ENDPOINTS, *_catalog_options()]
    options += [*loading.get_session_conf_options(), *_auth_options()]
    options += [old.option for old in _OLD]
    return [(GROUP, copy.deepcopy(options))]


def register_opts(conf: cfg.ConfigOpts, group: str = GROUP) -> None:
    """Register all options in an option group. A second call has no effect.

    If keystoneauth1 or the program has already registered an option of the same name in the group
    (in Nova's ``[glance]``, ``cafile`` and ``api_servers``, for example), that option is used.

    :param conf: the configuration to register the options in.
    :param group: the name of the group, without brackets.
    :raises glance_compat.exceptions.InvalidOption: the group already has a different option with
        the name of one of the library's own options, or ``auth_section`` cannot be read.
    """
    conf.register_group(cfg.OptGroup(group))
    with _invalid_option(group):
        conf.register_opts([*_own_options(), _ENDPOINTS], group=group)
        shared = [*_catalog_options(), *loading.get_session_conf_options()]
        # Copies, because oslo.config records in the option that it has logged the deprecation.
        shared += [copy.copy(old.option) for old in _OLD]
        known = conf[group]
        conf.register_opts([one for one in shared if one.dest not in known], group=group)
        loading.register_auth_conf_options(conf, group)


def read_options(conf: cfg.ConfigOpts, group: str = GROUP, **unless_set: typing.Any) -> Options:
    """Return the library's own options only, for a program that creates its own session.

    Missing options are registered in the group, except keystoneauth1's and their deprecated names.
    A program may call this function for every request: as long as no value has changed, it returns
    the same object, within about 0.1 ms.

    :param conf: the configuration to read.
    :param group: the name of the group, without brackets.
    :param unless_set: fields of Options, with the values to use if the configuration does not set
        them.
    :raises glance_compat.exceptions.InvalidOption: a value is invalid, or two options contradict
        each other.
    """
    conf.register_group(cfg.OptGroup(group))
    own = {one.dest for one in _own_options()}
    with _invalid_option(group):
        known = conf[group]
        old = [one.option for one in _OLD if one.replaced_by in own]
        missing = [one for one in old if one.dest not in known]
        # Registering an option clears oslo.config's cache of values, also for the program's own
        # options.
        if missing or any(name not in known for name in own):
            conf.register_opts(_own_options(), group=group)
            conf.register_opts([copy.copy(one) for one in missing], group=group)
        key = (_fingerprint(conf, group, unless_set), tuple(unless_set.items()))
        options = _PARSED.get(key)
        if options is None:
            unset = {
                name: value
                for name, value in unless_set.items()
                if not _values_by_name(conf, group, name)
            }
            options = dataclasses.replace(_read_own(conf, group), **unset)
            if len(_PARSED) >= _PARSED_MAX:
                _PARSED.clear()
            _PARSED[key] = options
        return options


def read_arguments(conf: cfg.ConfigOpts, group: str = GROUP) -> ServiceArguments:
    """Return the service arguments in an option group, with a new session and auth plugin.

    Missing options are registered in the group. No request is sent.

    :param conf: the configuration to read.
    :param group: the name of the group, without brackets.
    :returns: the arguments. ``session`` is new and has no auth plugin; ``auth`` is the plugin that
        the option ``auth_type`` names, or None.
    :raises glance_compat.exceptions.InvalidOption: a value is invalid, an auth plugin is not
        installed or lacks options, or two options contradict each other.
    """
    if not isinstance(conf, cfg.ConfigOpts):
        raise exceptions.InvalidOption(
            f"conf must be an oslo_config ConfigOpts, not {type(conf).__name__}"
        )
    if not isinstance(group, str) or not group or not group.isprintable():
        raise exceptions.InvalidOption(
            f"group must be the name of an option group, not {quote_value(group)}"
        )
    register_opts(conf, group)
    with _invalid_option(group):
        values = conf[group]
        return ServiceArguments(
            session=loading.load_session_from_conf_options(
                conf, group, insecure=_value_of(conf, group, "insecure")
            ),
            auth=_load_auth(conf, group),
            endpoint_override=_endpoint_override(conf, group),
            region_name=values.region_name,
            interface=_interface(values.valid_interfaces),
            service_type=values.service_type or "image",
            service_name=values.service_name,
            options=_read_own(conf, group),
        )


# ---------------------------------------------------------------------------------------------
# Reading.


@contextlib.contextmanager
def _invalid_option(group: str) -> Iterator[None]:
    """Convert errors of oslo.config, keystoneauth1 and Options to InvalidOption with the group."""
    try:
        yield
    except (cfg.Error, ksa_exceptions.ClientException, ValueError) as error:
        raise exceptions.InvalidOption(f"in group [{group}]: {error}") from error


def _load_auth(conf: cfg.ConfigOpts, group: str) -> ksa_plugin.BaseAuthPlugin | None:
    """Create the auth plugin, or return None if the configuration names none.

    :raises ValueError: the plugin raised an exception that is not one of keystoneauth1.
    """
    try:
        return loading.load_auth_from_conf_options(conf, group)
    except (cfg.Error, ksa_exceptions.ClientException, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"the auth plugin cannot be created: {error}") from error


#: Cache of read_options: its result by the values that it read. The values are compared, because
#: oslo.config does not report when a value is overridden. The key has the source of a value only
#: where the source matters: finding it takes ten times as long as reading the value.
_PARSED: dict[object, Options] = {}
_PARSED_MAX = 16


def _fingerprint(conf: cfg.ConfigOpts, group: str, also: Iterable[str]) -> tuple[object, ...]:
    """Return a cache key for the library's own options: their values, and which of them are set.

    Whether an option is set is part of the key only if the option has a deprecated name, is
    deprecated itself and has a value, or is in ``also``.

    :param also: names of more options for which the key must show whether they are set.
    """
    values = conf[group]
    found = {field.name: values[field.name] for field in dataclasses.fields(Options)}
    old = {one.option.dest: values[one.option.dest] for one in _OLD if one.replaced_by in found}
    with_old = {one.replaced_by for one in _OLD if one.replaced_by in found}
    with_source = {*with_old, *also, *(name for name, value in old.items() if value is not None)}
    return (
        *(
            tuple(one) if isinstance(one, list) else one
            for one in (*found.values(), *old.values())
        ),
        *(name for name in sorted(with_source) if _is_set(conf, group, name)),
    )


def _read_own(conf: cfg.ConfigOpts, group: str) -> Options:
    values: dict[str, typing.Any] = {}
    for field in dataclasses.fields(Options):
        value = _value_of(conf, group, field.name)
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return Options(**values)


def _endpoint_override(conf: cfg.ConfigOpts, group: str) -> str | list[str] | None:
    one: str | None = conf[group].endpoint_override or None
    several: list[str] | None = _value_of(conf, group, "endpoints") or None
    if one and several:
        names = " or ".join(_values_by_name(conf, group, "endpoints"))
        raise exceptions.InvalidOption(
            f"endpoint_override and {names} are both set; only one of them may be"
        )
    return one or several


def _interface(value: list[str] | None) -> list[str] | None:
    for one in value or ():
        if one not in _INTERFACES:
            raise exceptions.InvalidOption(
                f"valid_interfaces has {one!r}, which is not one of {', '.join(_INTERFACES)}"
            )
    return value or None


def _value_of(conf: cfg.ConfigOpts, group: str, name: str) -> typing.Any:
    """Return the value of an option, set under its own name or under a deprecated one.

    :raises glance_compat.exceptions.InvalidOption: two of the names have different values.
    """
    found = _values_by_name(conf, group, name)
    if not found:
        return conf[group][name]
    (first, value), *others = found.items()
    for other, another in others:
        if another != value:
            raise exceptions.InvalidOption(
                f"{first} and {other} contradict each other; set only {name}"
            )
    return value


def _values_by_name(conf: cfg.ConfigOpts, group: str, name: str) -> dict[str, typing.Any]:
    """Return the names under which an option is set, with their values in the new option's form.

    Deprecated names are included; their values are converted. Empty values count as not set.
    """
    found = {name: conf[group][name]} if _is_set(conf, group, name) else {}
    for old in _OLD:
        if old.replaced_by == name and _is_set(conf, group, old.option.dest):
            found[old.option.dest] = old.convert(conf[group][old.option.dest])
    return {name: value for name, value in found.items() if value not in ([], "")}


def _is_set(conf: cfg.ConfigOpts, group: str, name: str) -> bool:
    """Return whether the user or the program has set a value; a default does not count."""
    found = conf.get_location(name, group)
    if found is None:
        return False
    return found.location is cfg.Locations.set_override or found.location.is_user_controlled
