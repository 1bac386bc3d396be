# SPDX-License-Identifier: Apache-2.0
"""Find the file of the TLS settings that made a request fail.

requests raises the same exceptions for a file that is missing or invalid as for a network failure,
usually without the name of the file. So after a failure the files are loaded again.

What must live here: the checks of these files. What must not: requests.
"""

from __future__ import annotations

import os
import ssl
import typing

from glance_compat import exceptions
from glance_compat.redaction import describe_error, quote_value, redact_url


def check_tls_files(url: str, verify: object, cert: object, *, environment: bool) -> None:
    """Raise an exception if a file of the TLS settings of a request cannot be used.

    :param url: the URL of the request.
    :param verify: the argument ``verify`` of requests: the path of a CA file or directory, or a
        boolean.
    :param cert: the argument ``cert`` of requests: the path of the client certificate, or a tuple
        with the paths of the certificate and the private key.
    :param environment: whether requests reads the CA file's path from the environment.
    :raises glance_compat.exceptions.InvalidOption: a file is missing or unreadable, or its content
        is invalid.
    """
    if not url.lower().startswith("https:"):
        return
    if verify is True and environment:
        # As requests.sessions.Session.merge_environment_settings does (requests 2.32).
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        verify = next((os.environ[name] for name in names if os.environ.get(name)), True)
    if isinstance(verify, (str, os.PathLike)):
        _check(url, "CA", [os.fspath(verify)], _load_authorities)
    if cert:
        paths = [cert] if isinstance(cert, (str, os.PathLike)) else typing.cast("list[str]", cert)
        _check(url, "client certificate", [os.fspath(one) for one in paths if one], _load_client)


def _check(
    url: str, what: str, paths: list[str], load: typing.Callable[[list[str]], object]
) -> None:
    for path in paths:
        try:
            os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
        except OSError as error:
            raise _refusal(url, what, [path], describe_error(error)) from error
    try:
        load(paths)
    except _EncryptedError as error:
        raise _refusal(url, what, paths, "the private key needs a passphrase") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or describe_error(error)
        raise _refusal(url, what, paths, f"its content is invalid ({reason})") from error


def _refusal(url: str, what: str, paths: list[str], reason: str) -> exceptions.InvalidOption:
    names = " and ".join(map(quote_value, paths))
    return exceptions.InvalidOption(
        f"connecting to {redact_url(url)} failed: the {what} file {names} cannot be used:"
        f" {reason}. Correct the TLS options of the session (verify and cert; cafile, certfile"
        " and keyfile in a configuration file)."
    )


class _EncryptedError(Exception):
    """OpenSSL asks for the passphrase of a private key."""


def _load_authorities(paths: list[str]) -> None:
    [path] = paths
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if os.path.isdir(path):
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)


def _load_client(paths: list[str]) -> None:
    def refuse() -> typing.NoReturn:
        raise _EncryptedError

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(paths[0], paths[1] if paths[1:] else None, password=refuse)
