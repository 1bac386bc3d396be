# SPDX-License-Identifier: Apache-2.0
"""Exceptions: the tree, their attributes, and the tables that map HTTP statuses."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat import exceptions
from glance_compat.exceptions import STATUS_ERRORS, GlanceCompatError, UnsupportedByVersion
from tests.cases import in_one_test

#: The parent of each exception, as in the public contract.
PARENTS = {
    "NotFound": "GlanceCompatError",
    "ImageNotFound": "NotFound",
    "MemberNotFound": "NotFound",
    "Forbidden": "GlanceCompatError",
    "ImageNotAuthorized": "Forbidden",
    "NotAuthenticated": "GlanceCompatError",
    "Invalid": "GlanceCompatError",
    "ImageBadRequest": "Invalid",
    "InvalidImageRef": "Invalid",
    "PropertyNotAllowed": "Invalid",
    "PropertyInvalid": "Invalid",
    "InvalidOption": "Invalid",
    "Conflict": "GlanceCompatError",
    "ImageDeleteConflict": "Conflict",
    "UpdateConflict": "Conflict",
    "ImageNotActive": "Conflict",
    "ImageUnacceptable": "GlanceCompatError",
    "ImageQuotaExceeded": "GlanceCompatError",
    "ImageImportImpossible": "GlanceCompatError",
    "ImportFailed": "GlanceCompatError",
    "IntegrityError": "GlanceCompatError",
    "SignatureVerificationError": "GlanceCompatError",
    "SignatureUnusable": "SignatureVerificationError",
    "KeyManagerFailed": "SignatureVerificationError",
    "CertificateValidationFailed": "SignatureVerificationError",
    "InvalidSignature": "SignatureVerificationError",
    "OutcomeUnknown": "GlanceCompatError",
    "UnreadableImage": "GlanceCompatError",
    "DataSourceError": "GlanceCompatError",
    "UnsupportedByVersion": "GlanceCompatError",
    "NoUsableVersion": "GlanceCompatError",
    "BadResponse": "GlanceCompatError",
    "GlanceConnectionFailed": "GlanceCompatError",
    "DeadlineExceeded": "GlanceConnectionFailed",
}

CLASSES: dict[str, type[GlanceCompatError]] = {
    name: kind
    for name, kind in vars(exceptions).items()
    if inspect.isclass(kind) and issubclass(kind, GlanceCompatError)
}
PLAIN = [kind for kind in CLASSES.values() if kind is not UnsupportedByVersion]


def drawn() -> dict[str, str]:
    """Return the parent of each exception in the drawing of the module's docstring."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        found = re.fullmatch(r"    ([│├└─ ]*)([A-Z]\w+)( .*)?", line)
        if not found:
            continue
        depth, name = len(found[1]) // 4, found[2]
        path = [*path[:depth], name]
        if depth:
            parents[name] = path[-2]
    return parents


def test_classes_match_the_contract() -> None:
    assert sorted(CLASSES) == sorted([*PARENTS, "GlanceCompatError"])


def test_every_class_belongs_to_the_tree() -> None:
    found = [kind for kind in vars(exceptions).values() if inspect.isclass(kind)]
    errors = {kind.__name__ for kind in found if issubclass(kind, BaseException)}
    assert errors == set(CLASSES)


@in_one_test(("child", "parent"), PARENTS.items())
def test_tree_matches_the_contract(child: str, parent: str) -> None:
    assert CLASSES[child].__bases__[0] is CLASSES[parent]


def test_docstring_draws_the_tree() -> None:
    assert drawn() == PARENTS


def test_invalid_option_is_a_value_error() -> None:
    errors = {name for name, kind in CLASSES.items() if issubclass(kind, ValueError)}
    assert errors == {"InvalidOption"}


@in_one_test("kind", PLAIN)
def test_error_carries_its_attributes(kind: type[GlanceCompatError]) -> None:
    error = kind("no", status=404, request_id="req-1", endpoint="http://glance", image_id="i")
    assert (error.status, error.request_id) == (404, "req-1")
    assert (error.endpoint, error.image_id) == ("http://glance", "i")
    assert error.retry_after is None
    assert str(error) == error.message == "no"


@in_one_test("kind", PLAIN)
def test_unknown_attributes_are_none(kind: type[GlanceCompatError]) -> None:
    error = kind("no")
    assert (error.status, error.request_id, error.endpoint, error.image_id) == (None,) * 4


def test_extended_message_is_shown() -> None:
    error = GlanceCompatError("no")
    error.message += "; image i could not be removed again"
    assert str(error) == "no; image i could not be removed again"


def test_unsupported_by_version_names_needed_and_offered() -> None:
    error = UnsupportedByVersion("tags", "Images API v1", endpoint="http://glance", image_id="i")
    assert (error.needed, error.offered) == ("tags", "Images API v1")
    assert (error.endpoint, error.image_id, error.status) == ("http://glance", "i", None)
    assert "tags" in str(error)
    assert "Images API v1" in str(error)


EXAMPLES = [
    *(
        kind("no", status=503, request_id="req-1", endpoint="http://glance", image_id="i")
        for kind in PLAIN
    ),
    UnsupportedByVersion("tags", "Images API v1", endpoint="http://glance", image_id="i"),
]


@in_one_test("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_can_be_copied_and_pickled(error: GlanceCompatError) -> None:
    error.retry_after = 1.5
    for twin in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert type(twin) is type(error)
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)


#: The exception for each status: of all methods, and then of single methods.
EVERYWHERE = {
    400: "ImageBadRequest",
    401: "NotAuthenticated",
    403: "ImageNotAuthorized",
    404: "ImageNotFound",
    409: "Conflict",
    410: "ImageNotFound",
    412: "ImageNotFound",
    413: "ImageQuotaExceeded",
    415: "ImageUnacceptable",
    414: "Invalid",
    416: "Invalid",
    431: "ImageBadRequest",
}
OF_A_LIST = {
    400: "Invalid",
    403: "Forbidden",
    404: "NotFound",
    410: "NotFound",
    431: "Invalid",
}
OWN = {
    "show": {},
    "detail": OF_A_LIST,
    "detail after a marker": {**OF_A_LIST, 403: "Invalid"},
    "create": {403: "Forbidden", 404: "NotFound"},
    "upload": {409: "ImageNotActive"},
    "update": {409: "UpdateConflict"},
    "delete": {409: "ImageDeleteConflict"},
    "download": {409: "ImageNotActive"},
    "members": {400: "Invalid"},
    "stores": OF_A_LIST,
    "definitions": OF_A_LIST,
    "import": {409: "ImageImportImpossible"},
}


def test_each_method_has_a_status_table() -> None:
    assert sorted(STATUS_ERRORS) == sorted(OWN)


@pytest.mark.parametrize("method", OWN)
def test_status_maps_to_its_error(method: str) -> None:
    found = {status: kind.__name__ for status, kind in STATUS_ERRORS[method].items()}
    assert found == EVERYWHERE | OWN[method]


@hypothesis.given(status=strategies.integers(min_value=500, max_value=599))
def test_server_errors_are_in_no_table(status: int) -> None:
    assert not any(status in table for table in STATUS_ERRORS.values())


def test_status_tables_are_read_only() -> None:
    with pytest.raises(TypeError):
        STATUS_ERRORS["show"] = {}  # type: ignore[index]


def test_unsupported_by_version_names_endpoint_and_remedy() -> None:
    error = UnsupportedByVersion("v2.7 (hidden)", "v2.5", endpoint="http://glance.example")
    assert str(error) == (
        "the call needs v2.7 (hidden), but the image endpoint http://glance.example offers v2.5."
        " Leave that out of the call, or use an endpoint that has it; discover() returns what an"
        " endpoint offers."
    )
    assert str(copy.copy(error)) == str(error)
