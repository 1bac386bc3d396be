# SPDX-License-Identifier: Apache-2.0
"""``glance-compat serve``: run the embedded Glance, for tests in any language."""

from __future__ import annotations

import argparse
import ipaddress
import pathlib
import signal
import typing
from collections.abc import Mapping

import yaml
from cliff.command import Command

from glance_compat.cli.credentials import CLOUD, FORMS, Credentials, write_tempest
from glance_compat.cli.usage import UsageError, argument_type, require_extra

if typing.TYPE_CHECKING:
    from glance_compat.fixture import GlanceFixture, User

_ENDS = frozenset({signal.SIGTERM, signal.SIGINT})


def _apis(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    if not set(found) <= {"v1", "v2"}:
        raise ValueError(f"must be v1, v2 or v1,v2, not {text!r}")
    return found


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise ValueError(f"must be a port number from 0 (any free port) to 65535, not {text!r}")
    return int(text)


class _Login(typing.NamedTuple):
    """A user that can log in."""

    name: str
    password: str
    projects: tuple[str, ...] | None = None
    roles: tuple[str, ...] = ("member",)


#: The users for ``--tempest`` without ``--user``.
TEMPEST_USERS = (
    _Login("admin", "admin-password", ("admin",), ("admin",)),
    _Login("demo", "demo-password", ("demo",)),
    _Login("alt_demo", "alt_demo-password", ("alt_demo",)),
    _Login("demo_reader", "demo_reader-password", ("demo",), ("reader",)),
    *(_Login(f"tempest-{n}", f"tempest-{n}-password", (f"tempest-{n}",)) for n in (1, 2)),
)
#: The clouds that devstack defines: the user of each, and whether it logs in to the system.
DEVSTACK = {
    "devstack": ("demo", False),
    "devstack-admin": ("admin", False),
    "devstack-alt": ("alt_demo", False),
    "devstack-system-admin": ("admin", True),
}


def _login(text: str) -> _Login:
    """Parse ``NAME:PASSWORD[:PROJECT,PROJECT[:ROLE,ROLE]]``."""
    parts = text.split(":")
    if not 2 <= len(parts) <= 4 or not parts[0]:
        raise ValueError(f"must be NAME:PASSWORD[:PROJECT,...[:ROLE,...]], not {text!r}")
    name, password, projects, roles = (*parts, "", "")[:4]
    return _Login(name, password, _names(projects) or None, _names(roles) or ("member",))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _option(text: str) -> tuple[str, typing.Any]:
    """Parse ``NAME=VALUE``; the value is YAML."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"must be NAME=VALUE, not {text!r}")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"the value of {name} is invalid: {value!r}") from error


def _source(text: str) -> tuple[str, str | int]:
    """Parse ``URL=PATH`` or ``URL=STATUS``."""
    url, equals, held = text.rpartition("=")
    if not url or not equals or not held:
        raise ValueError(f"must be URL=FILE, URL=FOLDER or URL=STATUS, not {text!r}")
    return url, int(held) if held.isdecimal() else held


class Serve(Command):
    """Run an in-memory Glance until SIGTERM or Ctrl-C.

    The first line of output is its URL. Any string is accepted as the token of an ordinary member.
    A token of the form user:project:role,role selects another user, project and roles. Clients can
    log in at /identity, which emulates Keystone; their credentials are written to stderr.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the arguments of this command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--config",
            metavar="FILE",
            type=pathlib.Path,
            help="YAML file with parameters of glance_compat.fixture.GlanceFixture; the options"
            " below override it",
        )
        _add_address(parser)
        _add_glance(parser)
        _add_users(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve until SIGTERM or SIGINT arrives; return the exit code 0."""
        if parsed_args.tempest is not None and not parsed_args.users:
            parsed_args.users = list(TEMPEST_USERS)
        settings = _settings(parsed_args)
        fixture = _fixture(settings)
        # The signals are blocked in all threads and received by sigwait, so that a signal during
        # startup or shutdown also stops the server cleanly. A handler could interrupt any code.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            with fixture as glance:
                clouds = _clouds(glance, settings)
                if parsed_args.tempest is not None:
                    _write_tempest(parsed_args.tempest, glance, settings)
                self.app.stdout.write(f"{glance.url}\n")
                self.app.stdout.flush()
                self.app.stderr.write(_warning(settings["host"]))
                self.app.stderr.write(FORMS[parsed_args.export](clouds))
                self.app.stderr.flush()
                signal.sigwait(_ENDS)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return 0


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on; default: 127.0.0.1")
    parser.add_argument(
        "--port", type=argument_type(_port), help="port to listen on; default: a free port"
    )
    parser.add_argument(
        "--allow-host",
        dest="allowed_hosts",
        metavar="NAME",
        action="append",
        help="additional host name to accept in the Host header, such as a service name of Docker"
        " Compose; * accepts every name; may be repeated. IP addresses, localhost and the name of"
        " this host are always accepted",
    )
    parser.add_argument("--prefix", help="path of the endpoint, such as /image")


def _add_glance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--api",
        "--apis",
        dest="apis",
        metavar="VERSIONS",
        type=argument_type(_apis),
        action="append",
        help="APIs to offer: v1, v2 or v1,v2; may be repeated; default: all APIs that the release"
        " has",
    )
    parser.add_argument(
        "--release",
        help="release of Glance to emulate: icehouse, kilo, mitaka, newton, pike (15.0.2, the"
        " default), rocky, train, yoga or 33; releases after pike have only v2",
    )
    parser.add_argument(
        "--option",
        dest="options",
        metavar="NAME=VALUE",
        type=argument_type(_option),
        action="append",
        help="option of glance-api.conf, such as image_property_quota=3 or"
        " enabled_backends=fast:file,web:http; may be repeated",
    )
    parser.add_argument(
        "--images",
        metavar="FILE",
        help="initial images: a YAML file with a list of images, nova (the images of Nova's"
        " functional tests), or none (the default)",
    )
    parser.add_argument(
        "--definitions",
        metavar="PATH",
        help="metadata definitions: a JSON file of Glance or a folder of them, or glance for those"
        " of the installed package glance; default: three small namespaces",
    )
    parser.add_argument(
        "--property-protections",
        metavar="FILE",
        help="property protections by roles, a file like Glance's property-protections.conf",
    )
    parser.add_argument(
        "--source",
        dest="sources",
        metavar="URL=FILE",
        type=argument_type(_source),
        action="append",
        help="serve a file, or an error status, for an external URL that copies and imports read;"
        " with a folder, serve each file in it below the URL; may be repeated. The server sends no"
        " network requests",
    )


def _add_users(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--user",
        dest="users",
        metavar="NAME:PASSWORD[:PROJECT,...[:ROLE,...]]",
        type=argument_type(_login),
        action="append",
        help="a user that can log in; default: all projects, role member; may be repeated. Without"
        " this option any name and password is accepted, and the user admin has the admin role",
    )
    parser.add_argument(
        "--region",
        dest="regions",
        metavar="NAME",
        action="append",
        help="region of the catalog; may be repeated; default: RegionOne",
    )
    parser.add_argument(
        "--strict-tokens", action="store_true", help="accept only tokens issued by /identity"
    )
    parser.add_argument(
        "--export",
        choices=tuple(FORMS),
        default="openrc",
        help="format of the credentials written to stderr; default: openrc. clouds.yaml has the"
        " cloud glance-compat, and those of devstack whose users can log in",
    )
    parser.add_argument(
        "--tempest",
        metavar="FOLDER",
        type=pathlib.Path,
        help="write tempest.conf and accounts.yaml for this server to a folder; without --user,"
        " create the users that Tempest needs",
    )


def _settings(parsed_args: argparse.Namespace) -> dict[str, typing.Any]:
    """Return the parameters of the fixture; options override those in the file.

    :raises UsageError: for an invalid file or option.
    """
    # Imported here because only this command and demo need the extra.
    with require_extra("fixtures"):
        from glance_compat.fixture.parameters import mapping
        from glance_compat.fixture.settings_file import with_project_ids

    try:
        found = _from_files(parsed_args)
        if parsed_args.options:
            config = mapping("config", found.get("config"))
            found["config"] = {**config, **dict(parsed_args.options)}
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    if parsed_args.apis:
        found["apis"] = [one for group in parsed_args.apis for one in group]
    for name in _AS_THEY_ARE:
        if getattr(parsed_args, name) is not None:
            found[name] = getattr(parsed_args, name)
    if parsed_args.strict_tokens:
        found["strict_tokens"] = True
    named = with_project_ids({**found, **_users(parsed_args)})
    return {**_DEFAULTS, **named, "sockets": True}


def _from_files(parsed_args: argparse.Namespace) -> dict[str, typing.Any]:
    """Return the parameters in files.

    :raises ValueError: for an invalid file.
    :raises OSError: when a file cannot be read.
    """
    from glance_compat.fixture import GlanceFixture, settings_file

    found: dict[str, typing.Any] = {}
    if parsed_args.config is not None:
        found = settings_file.read_settings(parsed_args.config, GlanceFixture.parameters())
    if parsed_args.images not in (None, "none"):
        found["images"] = _images(parsed_args.images)
    if parsed_args.sources:
        held = settings_file.read_sources(dict(parsed_args.sources), pathlib.Path())
        found["sources"] = {**found.get("sources", {}), **held}
    return found


def _images(text: str) -> list[typing.Mapping[str, typing.Any]]:
    from glance_compat.fixture import settings_file

    if text == "nova":
        return settings_file.read_images(text, pathlib.Path())
    file = pathlib.Path(text)
    return settings_file.read_images(settings_file.read_yaml(file), file.parent)


def _users(parsed_args: argparse.Namespace) -> dict[str, typing.Any]:
    from glance_compat.fixture import User

    users = [User(*login) for login in parsed_args.users or ()]
    return {"users": users} if users else {}


#: Options that are parameters of the fixture with the same value.
_AS_THEY_ARE = (
    "host",
    "port",
    "prefix",
    "release",
    "definitions",
    "property_protections",
    "allowed_hosts",
    "regions",
)
#: Defaults that differ from those of the fixture.
_DEFAULTS = {
    "host": "127.0.0.1",
    "fault_injection": False,
    "fail_on": "nothing",
    "recorded_requests": 0,
}


def _fixture(settings: dict[str, typing.Any]) -> GlanceFixture:
    from glance_compat.fixture import GlanceFixture

    try:
        return GlanceFixture(**settings)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _warning(host: str) -> str:
    """Return a warning if other hosts can reach the address, otherwise "".

    The warning is a ``#`` comment, because stderr may be read by a shell or a YAML parser.
    """
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if local:
        return ""
    return (
        f"# warning: the server listens on {host}. Every host that can reach this address can use"
        " it, and without --user and --strict-tokens every password and token is valid.\n"
    )


def _clouds(glance: GlanceFixture, settings: dict[str, typing.Any]) -> dict[str, Credentials]:
    """Return the credentials for each cloud name, those of the first user first."""
    from glance_compat.fixture import ORDINARY_USER, User

    users = settings.get("users") or [User(ORDINARY_USER, "any")]
    clouds = {CLOUD: _credentials(glance, users[0])}
    for cloud, (name, is_system) in DEVSTACK.items():
        found = next((user for user in users if user.name == name), None)
        if found is None and not settings.get("users"):
            found = User(name, "any", (name,), ("admin",) if name == "admin" else ("member",))
        if found is not None:
            clouds[cloud] = _credentials(glance, found, is_system=is_system)
    return clouds


def _credentials(glance: GlanceFixture, user: User, *, is_system: bool = False) -> Credentials:
    return Credentials(
        auth_url=f"{glance.auth_url}/v3",
        username=user.name,
        password="any" if user.password is None else user.password,
        project_name=None if is_system else user.default_project,
        region_name=glance.regions[0],
        roles=user.roles,
    )


def _write_tempest(
    folder: pathlib.Path, glance: GlanceFixture, settings: dict[str, typing.Any]
) -> None:
    users = settings["users"]
    # Tempest takes accounts in this order, and one for the system also where it needs a project.
    logins = [_credentials(glance, user) for user in users]
    logins += [_credentials(glance, user, is_system=True) for user in users if user.is_admin]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tempest(folder.absolute(), logins, **tempest_features(settings))
    except OSError as error:
        raise UsageError(f"cannot write Tempest's files to {folder}: {error}") from error


def tempest_features(settings: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """Return what Tempest needs to know about a server, as arguments of ``write_tempest``.

    :param settings: parameters of the fixture.
    """
    from glance_compat.fixture.glance import configuration
    from glance_compat.fixture.parameters import names

    release = configuration.release_named(settings.get("release", "pike"))
    config = configuration.read_config(release, settings.get("config") or {})
    apis = configuration.offered_apis(release, names("apis", settings.get("apis", release.apis)))
    has_http = "http" in config.enabled_backends.values()
    features = {
        # Tempest 17, the last with tests of v1, needs the first three options.
        "api_v1": "v1" in apis,
        "api_v2": "v2" in apis,
        "deactivate_image": True,
        "import_image": bool(config.enabled_import_methods),
        "os_glance_reserved": bool(release.reserved_prefix),
        "manage_locations": config.show_multiple_locations and has_http,
        "http_store_enabled": has_http,
    }
    return {"features": features, "has_scopes": release.has_scopes}
