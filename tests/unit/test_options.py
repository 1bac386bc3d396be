# SPDX-License-Identifier: Apache-2.0
"""options: the documented defaults, and the refusal of invalid values."""

from __future__ import annotations

import dataclasses
import math
import typing

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat.exceptions import GlanceCompatError, Invalid, InvalidOption
from glance_compat.options import Options
from tests.cases import in_one_test

#: The documented defaults. Times are in seconds.
DEFAULTS: dict[str, object] = {
    "api_version": "auto",
    "prefer": "2",
    "allow_experimental": False,
    "discovery_ttl": 300,
    "discovery_failure_ttl": 5,
    "page_size": None,
    "max_attempts": 4,
    "backoff_max": 20,
    "connect_timeout": 10,
    "read_timeout": 60,
    "stall_timeout": 60,
    "settle_timeout": 600,
    "deadline": 180,
    "max_response_bytes": 67108864,
    "extended": False,
    "verify_downloads": "auto",
    "verify_uploads": True,
    "verify_updates": False,
    "check_format": False,
    "download_mode": None,
    "download_connections": 1,
    "v1_folding": "fold",
    "v1_exact_show": False,
    "v1_keep_connections": False,
    "portable": False,
    "hidden_property": None,
    "successor_property": "superseded_by",
    "property_definitions": "off",
    "definitions_file": None,
    "trusted_endpoints": (),
    "allowed_location_schemes": (),
    "ceph_conf": "/etc/ceph/ceph.conf",
    "ceph_user": "",
}

CHOICES = {
    "api_version": ["auto", "1", "2"],
    "prefer": ["1", "2"],
    "verify_downloads": ["auto", "strong", "off"],
    "v1_folding": ["fold", "refuse"],
    "property_definitions": ["off", "warn", "refuse"],
}
BOOLEANS = [name for name, default in DEFAULTS.items() if isinstance(default, bool)]
ABOVE_ZERO = ["connect_timeout", "read_timeout", "stall_timeout", "deadline"]
ZERO_OR_MORE = ["discovery_ttl", "discovery_failure_ttl", "backoff_max", "settle_timeout"]
COUNTS = ["page_size", "max_attempts", "max_response_bytes"]
TEXTS = ["trusted_endpoints", "allowed_location_schemes"]
FSID = "01234567-89ab-cdef-0123-456789abcdef"
PROPERTIES = ["hidden_property", "successor_property"]
OTHERS = [
    *("ceph_conf", "ceph_user", "definitions_file"),
    *("download_connections", "download_mode"),
    *PROPERTIES,
]


def with_option(name: str, value: object) -> Options:
    given: dict[str, typing.Any] = {name: value}
    return Options(**given)


def refused(name: str, value: object) -> InvalidOption:
    with pytest.raises(InvalidOption, match=name) as caught:
        with_option(name, value)
    return caught.value


def test_defaults_are_the_promised_ones() -> None:
    assert dataclasses.asdict(Options()) == DEFAULTS


def test_every_option_is_tested_here() -> None:
    groups = (CHOICES, BOOLEANS, ABOVE_ZERO, ZERO_OR_MORE, COUNTS, TEXTS, OTHERS)
    assert sorted(name for group in groups for name in group) == sorted(DEFAULTS)


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().prefer = "1"  # type: ignore[misc]


def test_options_are_keywords_only() -> None:
    with pytest.raises(TypeError):
        Options("auto")  # type: ignore[call-arg]


def test_unknown_option_raises_type_error() -> None:
    with pytest.raises(TypeError, match="page_sizes"):
        with_option("page_sizes", 3)


def test_options_can_be_compared_and_hashed() -> None:
    assert {Options(), Options(prefer="1"), Options()} == {Options(), Options(prefer="1")}


def test_invalid_option_is_invalid_and_value_error() -> None:
    error = refused("prefer", "3")
    for kind in (ValueError, Invalid, GlanceCompatError):
        assert isinstance(error, kind)
    assert "1, 2" in error.message
    assert "'3'" in error.message


@pytest.mark.parametrize(
    ("name", "choice"), [(name, one) for name, choices in CHOICES.items() for one in choices]
)
def test_every_choice_is_valid(name: str, choice: str) -> None:
    assert getattr(with_option(name, choice), name) == choice


@in_one_test("name", CHOICES)
@in_one_test("value", ["", "AUTO", "v2", 1, 2, None, True, ["1"], {}])
def test_other_choice_is_refused(name: str, value: object) -> None:
    assert isinstance(refused(name, value), InvalidOption)


@in_one_test("name", BOOLEANS)
@in_one_test("value", [0, 1, "true", "", None])
def test_boolean_option_accepts_only_booleans(name: str, value: object) -> None:
    assert "True or False" in refused(name, value).message
    assert getattr(with_option(name, True), name) is True
    assert getattr(with_option(name, False), name) is False


@in_one_test("name", [*ABOVE_ZERO, *ZERO_OR_MORE])
@in_one_test("value", [-1, -0.001, 10**400, math.nan, math.inf, -math.inf, "1", None, True])
def test_time_must_be_a_finite_number(name: str, value: object) -> None:
    assert "finite number" in refused(name, value).message


@pytest.mark.parametrize("name", ABOVE_ZERO)
def test_timeout_must_be_above_zero(name: str) -> None:
    assert "above 0" in refused(name, 0).message


@pytest.mark.parametrize("name", ZERO_OR_MORE)
def test_ttl_may_be_zero(name: str) -> None:
    assert getattr(with_option(name, 0), name) == 0


@hypothesis.given(
    name=strategies.sampled_from([*ABOVE_ZERO, *ZERO_OR_MORE]),
    seconds=strategies.floats(min_value=1e-6, max_value=1e9)
    | strategies.integers(min_value=1, max_value=10**9),
)
def test_any_positive_number_is_a_valid_time(name: str, seconds: float) -> None:
    assert getattr(with_option(name, seconds), name) == seconds


@in_one_test("name", COUNTS)
@in_one_test("value", [0, -1, 1.0, "1", True])
def test_count_must_be_a_positive_integer(name: str, value: object) -> None:
    assert "whole number" in refused(name, value).message
    assert getattr(with_option(name, 1), name) == 1


@pytest.mark.parametrize("name", ["max_attempts", "max_response_bytes"])
def test_only_the_page_size_may_be_none(name: str) -> None:
    assert "whole number" in refused(name, None).message
    assert Options(page_size=None).page_size is None


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", ["https://a.example", ["https://a.example"], ("",), (1,), None])
def test_list_option_must_be_a_tuple_of_strings(name: str, value: object) -> None:
    assert "tuple" in refused(name, value).message


def test_trusted_endpoints_are_kept_in_order() -> None:
    trusted = ("https://b.example", "https://a.example")
    assert Options(trusted_endpoints=trusted).trusted_endpoints == trusted


@pytest.mark.parametrize(
    "entry",
    [
        "file:///var/lib/glance/images",
        "file:///var/lib/glance/images/",
        "file://localhost/images",
        "file:///with blanks/\u00fc",
        *("rbd", "swift+https", "x-1.0"),
        f"rbd://{FSID}/images",
        f"rbd://{FSID}/a%20b%2Fc%C3%BC",
    ],
)
def test_valid_location_schemes_are_accepted(entry: str) -> None:
    for entries in ((entry,), ("rbd", entry)):
        found = Options(allowed_location_schemes=entries).allowed_location_schemes
        assert found == entries


@in_one_test(
    "entry",
    [
        *("file", "file:", "file://", "file:///", "file:////", "file:/images", "file:images"),
        *("file:///images/../etc", "file:///images//a", "file:///./images", "file:///images/.."),
        *("file://host/images", "file://user@localhost/images", "file://images"),
        *("file:///images%2Fa", "file:///im%61ges", "file:///images?a", "file:///images#a"),
        *("file:///images\0", "file:///images\n"),
    ],
)
def test_file_scheme_needs_a_folder(entry: str) -> None:
    message = refused("allowed_location_schemes", (entry,)).message
    assert "the folder that files may be read from" in message
    assert "file:///var/lib/glance/images" in message
    assert message.isprintable()
    refused("allowed_location_schemes", ("rbd", entry))


@in_one_test(
    "entry",
    [
        *("RBD", "File", "FILE:///images", "rbd://", "rbd://pool", "rbd:", "1rbd", "*", " rbd"),
        *("rbd ", "/var/lib/glance/images", "r\u00e9bd", "rbd\n", "file\n", "\0"),
        *("rbd://cluster/images", f"rbd://{FSID}", f"rbd://{FSID}/", f"rbd://{FSID}/images/"),
        *(
            f"rbd://{FSID}/images/image",
            f"rbd://{FSID}/images/image/snap",
            f"rbd:///{FSID}/images",
        ),
        *(f"rbd://{FSID.upper()}/images", f"RBD://{FSID}/images", f"rbd://{FSID}/a b"),
        *(
            f"rbd://{FSID}/*",
            f"rbd://{FSID}/images%00",
            f"rbd://{FSID}/%ff",
            f"rbd://{FSID}/\u00fc",
        ),
        *(f"rbd://{FSID}/images\n", f"rbd://{FSID}/images?x", f"rbd://user@{FSID}/images"),
        *(f" rbd://{FSID}/images", f"rbd://{FSID}0/images", f"rbd+x://{FSID}/images"),
    ],
)
def test_invalid_location_schemes_are_rejected(entry: str) -> None:
    assert "a scheme in lower case" in refused("allowed_location_schemes", (entry,)).message
    assert "rbd://01234567-89ab-cdef-0123-456789abcdef/images" in (
        refused("allowed_location_schemes", (entry,)).message
    )


@pytest.mark.parametrize("path", ["/etc/ceph/ceph.conf", "/a b/\u00fc.conf"])
def test_valid_ceph_conf_is_accepted(path: str) -> None:
    assert Options(ceph_conf=path).ceph_conf == path


@pytest.mark.parametrize("mode", [0, 0o400, 0o600, 0o644, 0o777, None])
def test_download_mode_is_permissions(mode: int | None) -> None:
    assert Options(download_mode=mode).download_mode == mode


@pytest.mark.parametrize("mode", [-1, 600, 644, 0o1777, 0o4755, 0.5, True, "0600", "600"])
def test_download_mode_must_be_permissions(mode: object) -> None:
    """A mode in decimal digits (600, 644) is above 0o777."""
    assert "from 0 to 0o777" in refused("download_mode", mode).message


@pytest.mark.parametrize("name", PROPERTIES)
def test_property_name_must_be_the_same_on_every_api(name: str) -> None:
    assert getattr(with_option(name, "site_hidden2"), name) == "site_hidden2"
    for value in ("", "Hidden", "a-b", "a b", "a:b", "2a", "_a", "a" * 101, "größe", 5, b"a"):
        assert "lower-case" in refused(name, value).message


@pytest.mark.parametrize("count", [1, 2, 8])
def test_download_connections_are_few(count: int) -> None:
    assert Options(download_connections=count).download_connections == count


@pytest.mark.parametrize("count", [0, 9, -1, True, 2.0, "2", None])
def test_download_connections_must_be_a_small_number(count: object) -> None:
    assert "from 1 to 8" in refused("download_connections", count).message


def test_download_mode_is_shown_in_octal() -> None:
    assert repr(Options(download_mode=0o640)) == "Options(download_mode=0o640)"


@pytest.mark.parametrize(
    "path", ["", "ceph.conf", "~/ceph.conf", "/a\0", "/a\n", "/\ud800", None, 1, b"/a"]
)
def test_ceph_conf_must_be_absolute_path(path: object) -> None:
    assert "an absolute path" in refused("ceph_conf", path).message


@pytest.mark.parametrize("user", ["", "glance", "nova-1.x", "client"])
def test_valid_ceph_user_is_accepted(user: str) -> None:
    assert Options(ceph_user=user).ceph_user == user


@pytest.mark.parametrize("user", ["client.glance", "client.", "a\0", "a\n", "\ud800", None, 1])
def test_invalid_ceph_user_is_rejected(user: object) -> None:
    assert "without client." in refused("ceph_user", user).message


def test_definitions_file_is_a_path_or_none() -> None:
    for path in (None, "definitions.json", "/etc/glance/metadefs"):
        assert Options(definitions_file=path).definitions_file == path
    for wrong in ("", 5, b"/etc", "a\nb", ("a",)):
        assert "the path of a file or folder" in refused("definitions_file", wrong).message
