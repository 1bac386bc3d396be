# SPDX-License-Identifier: Apache-2.0
"""The same choices in a configuration file: the only module that imports oslo.config.

A group holds the fields of :class:`~glance_compat.options.Options` under their own names, the
session, auth and catalog options of keystoneauth1, ``endpoints``, and the names that older
configuration files use. keystoneauth1's retry options are not registered: the library has one
retry policy of its own (``max_attempts``, ``backoff_max``, ``deadline``).

What must live here: names, help texts and old spellings of options, and how a group becomes a
:class:`Settings`. What must not: defaults and checks of the library's options (see ``options``).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence

from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import loading
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from oslo_config import cfg

from glance_compat import exceptions
from glance_compat.options import Options
from glance_compat.redaction import quote_value

#: The group that is meant when none is named.
GROUP = "glance_compat"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one group of a configuration file says: the arguments of ``ImageService``.

    :param session: a new keystoneauth1 session (TLS, time-out) without a plugin of its own.
    :param auth: the plugin that ``auth_type`` names, or None when it is not set.
    :param endpoint_override: one URL, a list of URLs that are equals, or None for the catalog.
    :param interface: interfaces of the catalog in order of preference, or None.
    """

    session: Session
    auth: BaseAuthPlugin | None
    endpoint_override: str | list[str] | None
    region_name: str | None
    interface: list[str] | None
    service_type: str
    service_name: str | None
    options: Options


# ---------------------------------------------------------------------------------------------
# The library's own options. Names, types and defaults are those of Options.

_HELP: Mapping[str, str] = {
    "api_version": "The Images API to use.",
    "prefer": "The Images API to use when an endpoint offers both.",
    "allow_experimental": "Whether an API version whose status is EXPERIMENTAL may be chosen.",
    "discovery_ttl": "How long an answer about the API versions of an endpoint is believed, in "
    "seconds.",
    "discovery_failure_ttl": "How long a failure to learn the API versions of an endpoint is "
    "believed, in seconds.",
    "page_size": "Images in one page of a list. Unset: as many as the server grants.",
    "max_attempts": "Attempts for one request that may be repeated, the first one included.",
    "backoff_max": "The longest pause between two attempts, in seconds.",
    "connect_timeout": "Time to connect, in seconds, above 0. The option timeout, when set, wins.",
    "read_timeout": "Time without an answer, in seconds, above 0. The option timeout, when set, "
    "wins.",
    "stall_timeout": "Time without a byte of image data, in seconds, above 0.",
    "deadline": "Time for a metadata call with all its retries, in seconds, above 0.",
    "max_response_bytes": "The largest metadata answer, in bytes after decompression.",
    "extended": "Whether image dicts carry what only newer APIs know (visibility, tags, "
    "os_hash_value and others).",
    "verify_downloads": "How downloaded data is verified.",
    "verify_uploads": "Whether size and checksum of an upload are compared with what the server "
    "stored.",
    "verify_updates": "Whether a v2 update is read back and repeated when another writer undid "
    "it.",
    "check_format": "Whether downloaded data must be what disk_format says.",
    "v1_folding": "What happens to property names that v1 would lower-case, or whose dashes it "
    "would turn into underscores.",
    "v1_exact_show": "Whether showing an image on v1 always reads the lossless list, which costs "
    "one more request.",
    "portable": "Whether property names and values that v1 cannot carry are refused on v2 as "
    "well.",
    "trusted_endpoints": "Further URLs of the same image service, from which image hrefs are "
    "accepted.",
    "allowed_location_schemes": "Image locations that may be read directly: the folder as a URL "
    "for files, such as file:///var/lib/glance/images, the cluster and the pool for Ceph, as in "
    "rbd://<fsid>/images, else a scheme that has a handler.",
    "ceph_conf": "The configuration file of the Ceph cluster that rbd locations are read from, an "
    "absolute path.",
    "ceph_user": 'The user of the Ceph cluster, without "client.". Unset: librados\'s own choice, '
    "which is admin.",
}

_MEANINGS: Mapping[str, Mapping[str, str]] = {
    "api_version": {
        "auto": "the endpoint is asked what it offers",
        "1": "Images API v1, without asking",
        "2": "Images API v2, without asking",
    },
    "prefer": {"1": "Images API v1", "2": "Images API v2"},
    "verify_downloads": {
        "auto": "size, and the MD5 that comes with the data",
        "strong": "size and os_hash_value where the server has it, which costs one more request",
        "off": "size only",
    },
    "v1_folding": {
        "fold": "v1 stores the folded name, and it is logged once",
        "refuse": "the name is refused",
    },
}


def _option(field: dataclasses.Field[typing.Any], hint: typing.Any) -> cfg.Opt:
    """Declare the oslo.config option of one field of Options, by the type of the field.

    Options is stricter than the minimum here: a time that may not be 0 is refused there.
    """
    given: dict[str, typing.Any] = {"help": _HELP[field.name], "default": field.default}
    if typing.get_origin(hint) is typing.Literal:
        meanings = _MEANINGS[field.name]
        choices = [(choice, meanings[choice]) for choice in typing.get_args(hint)]
        return cfg.StrOpt(field.name, choices=choices, **given)
    if hint is bool:
        return cfg.BoolOpt(field.name, **given)
    if hint is float:
        return cfg.FloatOpt(field.name, min=0, **given)
    if hint in (int, int | None):
        return cfg.IntOpt(field.name, min=1, **given)
    if hint is str:
        return cfg.StrOpt(field.name, **given)
    return cfg.ListOpt(field.name, **{**given, "default": list(given["default"])})


@functools.cache
def _own_options() -> tuple[cfg.Opt, ...]:
    hints = typing.get_type_hints(Options)
    return tuple(_option(field, hints[field.name]) for field in dataclasses.fields(Options))


_ENDPOINTS = cfg.ListOpt(
    "endpoints",
    help="URLs of image endpoints that are equals: they are tried in turn. The list form of "
    "endpoint_override; only one of the two may be set.",
)

# ---------------------------------------------------------------------------------------------
# Old spellings. They are options of their own, so that two that contradict each other are seen.


@dataclasses.dataclass(frozen=True, slots=True)
class _Old:
    """An option of older configuration files.

    :param replaced_by: the name of the option that says it today.
    :param translate: from a value of the old option to one of the new.
    """

    option: cfg.Opt
    replaced_by: str
    translate: Callable[[typing.Any], typing.Any]


def _as_it_is(value: typing.Any) -> typing.Any:
    return value


def _attempts(retries: int) -> int:
    return retries + 1


def _version_of_flag(use_v1: bool) -> str:
    return "1" if use_v1 else "2"


def _version_of_text(value: object) -> str:
    # A host may have registered the option itself, as a number.
    return str(value).removeprefix("v")


def _old(
    kind: type[cfg.Opt],
    name: str,
    replaced_by: str,
    translate: Callable[[typing.Any], typing.Any],
    remark: str,
    *,
    also_in: Sequence[str] = (),
    **constraints: typing.Any,
) -> _Old:
    option = kind(
        name,
        deprecated_opts=[cfg.DeprecatedOpt(name, group=group) for group in also_in],
        deprecated_for_removal=True,
        deprecated_reason=f"Use {replaced_by}: {remark}.",
        help=f"The old spelling of {replaced_by}.",
        **constraints,
    )
    return _Old(option, replaced_by, translate)


_DEFAULT = ("DEFAULT",)

_OLD: Sequence[_Old] = (
    _old(cfg.ListOpt, "api_servers", "endpoints", _as_it_is, "the value is the same"),
    _old(
        cfg.ListOpt,
        "glance_api_servers",
        "endpoints",
        _as_it_is,
        "the value is the same",
        also_in=_DEFAULT,
    ),
    _old(cfg.IntOpt, "num_retries", "max_attempts", _attempts, "it is one more", min=0),
    _old(
        cfg.IntOpt,
        "glance_num_retries",
        "max_attempts",
        _attempts,
        "it is one more",
        also_in=_DEFAULT,
        min=0,
    ),
    _old(cfg.BoolOpt, "api_insecure", "insecure", _as_it_is, "the value is the same"),
    _old(
        cfg.BoolOpt,
        "use_glance_v1",
        "api_version",
        _version_of_flag,
        "true is 1, false is 2",
        # Nova had it in [glance] (13.0.0, Mitaka, and 14.0.0, Newton).
        also_in=("DEFAULT", "glance"),
    ),
    _old(
        cfg.StrOpt,
        "glance_api_version",
        "api_version",
        _version_of_text,
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

#: Plugins whose options are shown in a sample file. Any other plugin can be used as well.
_SAMPLE_PLUGINS = ("password", "v3applicationcredential")


def _catalog_options() -> list[cfg.Opt]:
    known = loading.get_adapter_conf_options(include_deprecated=False)
    options = [one for one in known if one.dest in _CATALOG]
    cfg.set_defaults(options, service_type="image")
    for one in options:
        if one.dest == "endpoint_override":
            # keystoneauth1's text speaks of version options that this library does not have.
            one.help = "The URL of the image endpoint, versioned or not; unset: the catalog's."
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
    """Tell oslo-config-generator about all options (entry point ``oslo.config.opts``).

    :returns: one pair of group name and options; the options are copies.
    """
    options = [*_own_options(), _ENDPOINTS, *_catalog_options()]
    options += [*loading.get_session_conf_options(), *_auth_options()]
    options += [old.option for old in _OLD]
    return [(GROUP, copy.deepcopy(options))]


def register_opts(conf: cfg.ConfigOpts, group: str = GROUP) -> None:
    """Make the options known to ``conf``; may be repeated.

    What keystoneauth1 or the host has registered already in that group (Nova's ``[glance]`` has
    ``cafile`` and ``api_servers``, for example) stays as it is and is used.

    :param group: the name of the group, without brackets.
    :raises glance_compat.exceptions.InvalidOption: the group has an option of the same name as
        one of the library's own but of another kind, or ``auth_section`` cannot be read.
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


def own_options(conf: cfg.ConfigOpts, group: str = GROUP, **unless_set: typing.Any) -> Options:
    """Read the library's own options alone, for a host that has its session and catalog options.

    What is not registered yet is registered: in that group, and neither keystoneauth1's options
    nor the old spellings of them.

    :param group: the name of the group, without brackets.
    :param unless_set: fields of Options that the host says where the file does not.
    :raises glance_compat.exceptions.InvalidOption: a value is not valid, or two contradict.
    """
    conf.register_group(cfg.OptGroup(group))
    own = {one.dest for one in _own_options()}
    with _invalid_option(group):
        known = conf[group]
        old = [one.option for one in _OLD if one.replaced_by in own]
        missing = [one for one in old if one.dest not in known]
        # Each registration makes oslo.config forget the values that it has read, the host's too.
        if missing or any(name not in known for name in own):
            conf.register_opts(_own_options(), group=group)
            conf.register_opts([copy.copy(one) for one in missing], group=group)
        said = {name for name in unless_set if _spellings(conf, group, name)}
        given = {name: value for name, value in unless_set.items() if name not in said}
        return dataclasses.replace(_options(conf, group), **given)


def settings(conf: cfg.ConfigOpts, group: str = GROUP) -> Settings:
    """Read one group and build the session and the auth plugin that it describes.

    What is not registered yet is registered. No request is sent.

    :param group: the name of the group, without brackets.
    :raises glance_compat.exceptions.InvalidOption: a value is not valid, a file asks for a plugin
        that is not there or lacks options of it, or two options contradict each other.
    """
    if not isinstance(conf, cfg.ConfigOpts):
        raise exceptions.InvalidOption(
            f"conf must be an oslo_config ConfigOpts, not {type(conf).__name__}"
        )
    if not isinstance(group, str) or not group or not group.isprintable():
        raise exceptions.InvalidOption(f"group must be the name of one, not {quote_value(group)}")
    register_opts(conf, group)
    with _invalid_option(group):
        values = conf[group]
        return Settings(
            session=loading.load_session_from_conf_options(
                conf, group, insecure=_agreed(conf, group, "insecure")
            ),
            auth=loading.load_auth_from_conf_options(conf, group),
            endpoint_override=_endpoint_override(conf, group),
            region_name=values.region_name,
            interface=_interface(values.valid_interfaces),
            service_type=values.service_type or "image",
            service_name=values.service_name,
            options=_options(conf, group),
        )


# ---------------------------------------------------------------------------------------------
# Reading.


@contextlib.contextmanager
def _invalid_option(group: str) -> Iterator[None]:
    """Turn what oslo.config, keystoneauth1 and Options raise into one error with the group."""
    try:
        yield
    except (cfg.Error, ksa_exceptions.ClientException, ValueError) as error:
        raise exceptions.InvalidOption(f"in group [{group}]: {error}") from error


def _options(conf: cfg.ConfigOpts, group: str) -> Options:
    values: dict[str, typing.Any] = {}
    for field in dataclasses.fields(Options):
        value = _agreed(conf, group, field.name)
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return Options(**values)


def _endpoint_override(conf: cfg.ConfigOpts, group: str) -> str | list[str] | None:
    one: str | None = conf[group].endpoint_override or None
    several: list[str] | None = _agreed(conf, group, "endpoints") or None
    if one and several:
        names = " or ".join(_spellings(conf, group, "endpoints"))
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


def _agreed(conf: cfg.ConfigOpts, group: str, name: str) -> typing.Any:
    """Return the value of an option, whichever of its spellings has been used.

    :raises glance_compat.exceptions.InvalidOption: two spellings say different things.
    """
    said = _spellings(conf, group, name)
    if not said:
        return conf[group][name]
    (first, value), *others = said.items()
    for other, another in others:
        if another != value:
            raise exceptions.InvalidOption(f"{first} and {other} contradict each other")
    return value


def _spellings(conf: cfg.ConfigOpts, group: str, name: str) -> dict[str, typing.Any]:
    """Return, for each spelling of an option that is set, its value in the terms of today."""
    said = {name: conf[group][name]} if _is_set(conf, group, name) else {}
    for old in _OLD:
        if old.replaced_by == name and _is_set(conf, group, old.option.dest):
            said[old.option.dest] = old.translate(conf[group][old.option.dest])
    return {spelling: value for spelling, value in said.items() if value not in ([], "")}


def _is_set(conf: cfg.ConfigOpts, group: str, name: str) -> bool:
    """Tell whether a value was given, and is not just a default."""
    found = conf.get_location(name, group)
    if found is None:
        return False
    return found.location is cfg.Locations.set_override or found.location.is_user_controlled
