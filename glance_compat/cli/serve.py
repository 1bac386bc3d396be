# SPDX-License-Identifier: Apache-2.0
"""``glance-compat serve``: run the embedded Glance, for tests in any language."""

from __future__ import annotations

import argparse
import ipaddress
import signal
import typing

from cliff.command import Command

from glance_compat.cli.credentials import FORMS, Credentials
from glance_compat.cli.usage import UsageError, argument_type, require_extra

if typing.TYPE_CHECKING:
    from glance_compat.fixture import GlanceFixture

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


def _login(text: str) -> _Login:
    """Parse ``NAME:PASSWORD[:PROJECT,PROJECT[:ROLE,ROLE]]``."""
    parts = text.split(":")
    if not 2 <= len(parts) <= 4 or not parts[0]:
        raise ValueError(f"must be NAME:PASSWORD[:PROJECT,...[:ROLE,...]], not {text!r}")
    name, password, projects, roles = (*parts, "", "")[:4]
    return _Login(name, password, _names(projects) or None, _names(roles) or ("member",))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


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
            "--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1"
        )
        parser.add_argument(
            "--port",
            type=argument_type(_port),
            default=0,
            help="port to listen on; default: a free port",
        )
        parser.add_argument(
            "--allow-host",
            dest="allowed_hosts",
            metavar="NAME",
            action="append",
            default=[],
            help="additional host name to accept in the Host header, such as a service name of"
            " Docker Compose; * accepts every name; may be repeated. IP addresses, localhost and"
            " the name of this host are always accepted",
        )
        parser.add_argument(
            "--api",
            "--apis",
            dest="apis",
            metavar="VERSIONS",
            type=argument_type(_apis),
            action="append",
            help="APIs to offer: v1, v2 or v1,v2; may be repeated; default: all APIs that the"
            " release has",
        )
        parser.add_argument(
            "--release",
            default="pike",
            help="release of Glance to emulate: kilo, mitaka, newton, pike (15.0.2, the default),"
            " rocky, train, yoga or 33; releases after pike have only v2",
        )
        parser.add_argument("--prefix", default="", help="path of the endpoint, such as /image")
        parser.add_argument(
            "--images",
            choices=("none", "nova"),
            default="none",
            help="initial images: none (the default), or nova, the images of Nova's functional"
            " tests",
        )
        parser.add_argument(
            "--user",
            dest="users",
            metavar="NAME:PASSWORD[:PROJECT,...[:ROLE,...]]",
            type=argument_type(_login),
            action="append",
            help="a user that can log in; default: all projects, role member; may be repeated."
            " Without this option any name and password is accepted, and the user admin has the"
            " admin role",
        )
        parser.add_argument(
            "--strict-tokens",
            action="store_true",
            help="accept only tokens issued by /identity",
        )
        parser.add_argument(
            "--export",
            choices=tuple(FORMS),
            default="openrc",
            help="format of the credentials written to stderr; default: openrc",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Serve until SIGTERM or SIGINT arrives; return the exit code 0."""
        fixture = self._fixture(parsed_args)
        # The signals are blocked in all threads and received by sigwait, so that a signal during
        # startup or shutdown also stops the server cleanly. A handler could interrupt any code.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            with fixture as glance:
                self.app.stdout.write(f"{glance.url}\n")
                self.app.stdout.flush()
                credentials = _credentials(glance, parsed_args)
                self.app.stderr.write(_warning(parsed_args.host))
                self.app.stderr.write(FORMS[parsed_args.export](credentials))
                self.app.stderr.flush()
                signal.sigwait(_ENDS)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return 0

    def _fixture(self, parsed_args: argparse.Namespace) -> GlanceFixture:
        # Imported here because only this command and demo need the extra.
        with require_extra("fixtures"):
            from glance_compat.fixture import NOVA_IMAGES, GlanceFixture, User

        apis = [one for group in parsed_args.apis or [("v1", "v2")] for one in group]
        try:
            return GlanceFixture(
                apis=apis,
                release=parsed_args.release,
                prefix=parsed_args.prefix,
                images=NOVA_IMAGES if parsed_args.images == "nova" else (),
                users=[User(*login) for login in parsed_args.users or ()],
                strict_tokens=parsed_args.strict_tokens,
                host=parsed_args.host,
                port=parsed_args.port,
                allowed_hosts=parsed_args.allowed_hosts,
                fault_injection=False,
                fail_on="nothing",
                recorded_requests=0,
            )
        except ValueError as error:
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


def _credentials(glance: GlanceFixture, parsed_args: argparse.Namespace) -> Credentials:
    """Return the credentials of the first user."""
    from glance_compat.fixture import ORDINARY_PROJECT, ORDINARY_USER, REGION

    login = (parsed_args.users or [_Login(ORDINARY_USER, "any")])[0]
    return Credentials(
        auth_url=f"{glance.auth_url}/v3",
        username=login.name,
        password=login.password,
        project_name=(login.projects or (ORDINARY_PROJECT,))[0],
        region_name=REGION,
    )
