# SPDX-License-Identifier: Apache-2.0
"""The options of a configuration file; the only module that imports oslo.config.

A group has the fields of :class:`~glance_compat.options.Options` under their own names, the
session, auth and catalog options of keystoneauth1, ``endpoints``, and the names that older
configuration files use. The retry options of keystoneauth1 are not registered: the library has one
retry policy of its own (``max_attempts``, ``backoff_max``, ``deadline``).

What must live here: names, help texts and old names of options, and how a group becomes
``ServiceArguments``. What must not: defaults and checks of the
library's options (``options``).
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
from oslo_config import cfg

from glance_compat import exceptions
from glance_compat.arguments import ServiceArguments
from glance_compat.options import Options
from glance_compat.redaction import quote_value

#: The group that is meant when none is named.
GROUP = "glance_compat"


# ---------------------------------------------------------------------------------------------
# The library's own options. Names, types and defaults are those of Options.

_HELP: Mapping[str, str] = {
    "api_version": "The version of the Images API to use.",
    "prefer": "The version of the Images API to use when an endpoint offers both.",
    "allow_experimental": "Whether to use API versions with the status EXPERIMENTAL.",
    "discovery_ttl": "How long to cache the API versions that an endpoint offers, in seconds.",
    "discovery_failure_ttl": "How long to cache a failure to find out which API versions an "
    "endpoint offers, in seconds.",
    "page_size": "Number of images in one page of a list. Unset: the largest page that the server "
    "allows.",
    "max_attempts": "Maximum number of attempts for a request that may be repeated, including the "
    "first one.",
    "backoff_max": "Longest pause between two attempts, in seconds.",
    "connect_timeout": "Time limit for connecting to a server, in seconds, above 0. If the option "
    "timeout is set, it is used instead.",
    "read_timeout": "Time limit for waiting for a response, in seconds, above 0. If the option "
    "timeout is set, it is used instead.",
    "stall_timeout": "Time limit for waiting for the next byte of image data, in seconds, above "
    "0.",
    "deadline": "Time limit for a metadata call including its retries, in seconds, above 0. "
    "Transfers of image data have no such limit.",
    "max_response_bytes": "Largest metadata response to accept, in bytes after decompression.",
    "extended": "Whether image dicts include attributes that only newer APIs have (visibility, "
    "tags, os_hash_value and others).",
    "verify_downloads": "How to verify downloaded data.",
    "verify_uploads": "Whether to compare the size and the checksum of an upload with what the "
    "server stored.",
    "verify_updates": "Whether to read an image back after a v2 update, and to repeat the update "
    "if another writer has undone it.",
    "check_format": "Whether to refuse downloaded data that does not have the format that the "
    "image's disk_format names.",
    "v1_folding": "What to do with property names that v1 would change: v1 converts them to lower "
    "case, and dashes to underscores.",
    "v1_exact_show": "Whether to read an image over v1 from the list of images, which loses no "
    "metadata, as well. Costs one more request for each image that is shown.",
    "v1_keep_connections": "Whether to use a connection again after a v1 response with image "
    "headers. On Glance 15.0.2 a tenant can write metadata that continues as a forged response to "
    "the next request, so leave this off unless every tenant is trusted.",
    "portable": "Whether to refuse property names and values on v2, too, if v1 cannot carry them.",
    "trusted_endpoints": "Further URLs of the same image service. Image hrefs below one of them "
    "are accepted.",
    "allowed_location_schemes": "Image locations that may be read directly, without the API: a "
    "folder for files, such as file:///var/lib/glance/images; a cluster and a pool for Ceph, such "
    "as rbd://<fsid>/images; or the scheme of another installed handler.",
    "ceph_conf": "Absolute path of the configuration file of the Ceph cluster that rbd locations "
    "are read from.",
    "ceph_user": 'Name of the Ceph user, without "client.". Unset: the default of librados, which '
    "is admin.",
}

_MEANINGS: Mapping[str, Mapping[str, str]] = {
    "api_version": {
        "auto": "use what the endpoint offers",
        "1": "use v1 without asking the endpoint",
        "2": "use v2 without asking the endpoint",
    },
    "prefer": {"1": "Images API v1", "2": "Images API v2"},
    "verify_downloads": {
        "auto": "compare the size, and the MD5 checksum that is sent with the data",
        "strong": "compare the size, and os_hash_value if the server has it; costs one more "
        "request",
        "off": "compare the size only",
    },
    "v1_folding": {
        "fold": "store the changed name, and log it once",
        "refuse": "refuse the name",
    },
}


def _option(field: dataclasses.Field[typing.Any], hint: typing.Any) -> cfg.Opt:
    """Create the oslo.config option for one field of Options, by the type of the field.

    The minimum of a time is 0 here; Options refuses 0 where it is invalid.
    """
    common: dict[str, typing.Any] = {"help": _HELP[field.name], "default": field.default}
    if typing.get_origin(hint) is typing.Literal:
        meanings = _MEANINGS[field.name]
        choices = [(choice, meanings[choice]) for choice in typing.get_args(hint)]
        return cfg.StrOpt(field.name, choices=choices, **common)
    if hint is bool:
        return cfg.BoolOpt(field.name, **common)
    if hint is float:
        return cfg.FloatOpt(field.name, min=0, **common)
    if hint in (int, int | None):
        return cfg.IntOpt(field.name, min=1, **common)
    if hint is str:
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
)

# ---------------------------------------------------------------------------------------------
# Old names. They are separate options, so that contradictions between them can be reported.


@dataclasses.dataclass(frozen=True, slots=True)
class _Old:
    """An option of older configuration files.

    :param replaced_by: the name of the option that replaced it.
    :param convert: converts a value of the old option to one of the new option.
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
    # The program may have registered the option itself, as a number.
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
    _old(cfg.ListOpt, "api_servers", "endpoints", _keep, "the value is the same"),
    _old(
        cfg.ListOpt,
        "glance_api_servers",
        "endpoints",
        _keep,
        "the value is the same",
        also_in=_DEFAULT,
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
        # Nova had it in [glance] (13.0.0, Mitaka, and 14.0.0, Newton).
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

#: Plugins whose options are in a sample file. Any other plugin can be used, too.
_SAMPLE_PLUGINS = ("password", "v3applicationcredential")


def _catalog_options() -> list[cfg.Opt]:
    known = loading.get_adapter_conf_options(include_deprecated=False)
    options = [one for one in known if one.dest in _CATALOG]
    cfg.set_defaults(options, service_type="image")
    for one in options:
        if one.dest == "endpoint_override":
            # The help of keystoneauth1 mentions version options that this library does not have.
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
    """List all options for oslo-config-generator (entry point ``oslo.config.opts``).

    :returns: one pair of group name and options. The options are copies.
    """
    options = [*_own_options(), _ENDPOINTS, *_catalog_options()]
    options += [*loading.get_session_conf_options(), *_auth_options()]
    options += [old.option for old in _OLD]
    return [(GROUP, copy.deepcopy(options))]


def register_opts(conf: cfg.ConfigOpts, group: str = GROUP) -> None:
    """Register the options; a second call changes nothing.

    Options that keystoneauth1 or the program has already registered in the group (Nova's
    ``[glance]`` has ``cafile`` and ``api_servers``, for example) are kept and used.

    :param conf: the configuration to register the options in.
    :param group: the name of the group, without brackets.
    :raises glance_compat.exceptions.InvalidOption: the group has another option with the name of
        one of the library's own options, or ``auth_section`` cannot be read.
    """
    conf.register_group(cfg.OptGroup(group))
    with _invalid_option(group):
        conf.register_opts([*_own_options(), _ENDPOINTS], group=group)
        shared = [*_catalog_options(), *loading.get_session_conf_options()]
        # Copies, because oslo.config notes in the option that it has warned.
        shared += [copy.copy(old.option) for old in _OLD]
        known = conf[group]
        conf.register_opts([one for one in shared if one.dest not in known], group=group)
        loading.register_auth_conf_options(conf, group)


def read_options(conf: cfg.ConfigOpts, group: str = GROUP, **unless_set: typing.Any) -> Options:
    """Read only the library's own options, for a program that has its own session options.

    Options that are missing are registered in the group, except for those of keystoneauth1 and
    their old names. A program may call this for every request: as long as no value has
    changed, it returns the same object after about 0.1 ms.

    :param conf: the configuration to read.
    :param group: the name of the group, without brackets.
    :param unless_set: values for fields of Options that are not set in the configuration.
    :raises glance_compat.exceptions.InvalidOption: a value is invalid, or two options contradict
        each other.
    """
    conf.register_group(cfg.OptGroup(group))
    own = {one.dest for one in _own_options()}
    with _invalid_option(group):
        known = conf[group]
        old = [one.option for one in _OLD if one.replaced_by in own]
        missing = [one for one in old if one.dest not in known]
        # Each registration clears oslo.config's cache of values, also of the program's own.
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
    """Read one group, and create the session and the auth plugin that it describes.

    Options that are missing are registered. No request is sent.

    :param conf: the configuration to read.
    :param group: the name of the group, without brackets.
    :returns: a new session without a plugin, and the plugin that ``auth_type`` names, or None.
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
            auth=loading.load_auth_from_conf_options(conf, group),
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
    """Convert errors of oslo.config, keystoneauth1 and Options to one that names the group."""
    try:
        yield
    except (cfg.Error, ksa_exceptions.ClientException, ValueError) as error:
        raise exceptions.InvalidOption(f"in group [{group}]: {error}") from error


#: Results of read_options by what they were read from. oslo.config does not report that a value
#: was overridden, so values are compared; finding out where each one was set costs ten times as
#: much as reading it.
_PARSED: dict[object, Options] = {}
_PARSED_MAX = 16


def _fingerprint(conf: cfg.ConfigOpts, group: str, also: Iterable[str]) -> tuple[object, ...]:
    """Return what the library's own options depend on: their values, and which of them are set.

    :param also: names of options of which it matters whether they are set, beside those with
        old spellings.
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
    """Return the value of an option, whichever of its names is set.

    :raises glance_compat.exceptions.InvalidOption: two of its names have different values.
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
    """Return the value of each name of an option that is set, converted to the new option."""
    found = {name: conf[group][name]} if _is_set(conf, group, name) else {}
    for old in _OLD:
        if old.replaced_by == name and _is_set(conf, group, old.option.dest):
            found[old.option.dest] = old.convert(conf[group][old.option.dest])
    return {name: value for name, value in found.items() if value not in ([], "")}


def _is_set(conf: cfg.ConfigOpts, group: str, name: str) -> bool:
    """Whether the user or the program has set a value, so that it is not a default."""
    found = conf.get_location(name, group)
    if found is None:
        return False
    return found.location is cfg.Locations.set_override or found.location.is_user_controlled
