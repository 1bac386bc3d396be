# SPDX-License-Identifier: Apache-2.0
"""What is public; a change here is a change for every user (docs/compatibility.rst)."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

import glance_compat
from glance_compat import Discovery, ImageService, OfferedVersion, Options, exceptions
from glance_compat.audit import findings
from glance_compat.cli import report
from glance_compat.transport import retry

SIGNATURES = {
    "__init__": "session auth=None endpoint_override=None region_name=None interface=None"
    " service_type='image' service_name=None options=Options()",
    "show": "context image_id include_locations=False show_deleted=True",
    "detail": "context filters=None marker=None limit=None page_size=None sort_key=None"
    " sort_dir=None",
    "iter_detail": "context filters=None marker=None limit=None page_size=None sort_key=None"
    " sort_dir=None",
    "create": "context image_meta data=None * progress=None",
    "update": "context image_id image_meta data=None purge_props=True * progress=None",
    "delete": "context image_id",
    "download": "context image_id data=None dst_path=None trusted_certs=None * progress=None",
    "copy_to_stores": "context image_id stores",
    "members": "context image_id",
    "add_member": "context image_id member_id",
    "update_member": "context image_id member_id status",
    "remove_member": "context image_id member_id",
    "resolve": "context reference",
    "discover": "context=None",
    "from_conf": "conf group='glance_compat'",
    "from_client": "client",
}

#: Each error and what it is a kind of.
ERRORS = {
    "GlanceCompatError": Exception,
    "NotFound": exceptions.GlanceCompatError,
    "ImageNotFound": exceptions.NotFound,
    "MemberNotFound": exceptions.NotFound,
    "Forbidden": exceptions.GlanceCompatError,
    "ImageNotAuthorized": exceptions.Forbidden,
    "NotAuthenticated": exceptions.GlanceCompatError,
    "Invalid": exceptions.GlanceCompatError,
    "ImageBadRequest": exceptions.Invalid,
    "InvalidImageRef": exceptions.Invalid,
    "PropertyNotAllowed": exceptions.Invalid,
    "InvalidOption": exceptions.Invalid,
    "Conflict": exceptions.GlanceCompatError,
    "ImageDeleteConflict": exceptions.Conflict,
    "UpdateConflict": exceptions.Conflict,
    "ImageNotActive": exceptions.Conflict,
    "ImageUnacceptable": exceptions.GlanceCompatError,
    "ImageQuotaExceeded": exceptions.GlanceCompatError,
    "ImageImportImpossible": exceptions.GlanceCompatError,
    "IntegrityError": exceptions.GlanceCompatError,
    "SignatureVerificationError": exceptions.GlanceCompatError,
    "SignatureUnusable": exceptions.SignatureVerificationError,
    "KeyManagerFailed": exceptions.SignatureVerificationError,
    "CertificateValidationFailed": exceptions.SignatureVerificationError,
    "InvalidSignature": exceptions.SignatureVerificationError,
    "OutcomeUnknown": exceptions.GlanceCompatError,
    "UnreadableImage": exceptions.GlanceCompatError,
    "DataSourceError": exceptions.GlanceCompatError,
    "UnsupportedByVersion": exceptions.GlanceCompatError,
    "NoUsableVersion": exceptions.GlanceCompatError,
    "BadResponse": exceptions.GlanceCompatError,
    "GlanceConnectionFailed": exceptions.GlanceCompatError,
    "DeadlineExceeded": exceptions.GlanceConnectionFailed,
}


#: What scripts that read ``glance-compat audit`` look for.
AUDIT_COLUMNS = (
    *("id", "name", "severity", "kind", "towards", "subject", "found", "owner", "value"),
    *("proposal", "sureness", "meaning", "to_do"),
)
AUDIT_KINDS = {
    *("shadowed-property", "planted-attribute", "line-break", "unfit-property-name"),
    *("folding-names", "folds-to-reserved", "too-many-headers", "too-long-value"),
    *("too-large-metadata", "broken-text", "percent-encoded", "percent-encoded-property-name"),
    *("reserved-property", "foreign-id", "missing-formats", "deleted-image"),
    *("long-property-name", "folded-name", "outer-blanks", "empty-name", "community-image"),
    *("hidden-image", "tags", "deactivated-image", "null-property", "no-name", "none-as-text"),
    *("no-checksum", "image-without-data", "declared-size", "killed-image"),
    *("half-deleted-image", "private-image", "import-status", "several-stores"),
    *("several-locations", "server-owned-property", "no-owner", "one-api-only"),
    *("unreadable-image", "v1-unseen", "v2-unseen", "lists-unasked", "list-incomplete"),
}


def spelt(function: object) -> str:
    """A signature in short: names, defaults, and a star before what must be named."""
    assert callable(function)
    parts: list[str] = []
    for one in inspect.signature(function).parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        default = "Options()" if one.default == Options() else repr(one.default)
        parts.append(one.name if one.default is one.empty else f"{one.name}={default}")
    return " ".join(parts)


def test_the_package_exports_its_contract() -> None:
    assert glance_compat.__all__ == [
        "Discovery",
        "ImageService",
        "OfferedVersion",
        "Options",
        "exceptions",
    ]


@pytest.mark.parametrize("name", SIGNATURES)
def test_methods_keep_their_signatures(name: str) -> None:
    assert spelt(getattr(ImageService, name)) == SIGNATURES[name]


def test_no_other_method_is_public() -> None:
    public = {name for name in vars(ImageService) if not name.startswith("_")}
    assert public == SIGNATURES.keys() - {"__init__"}


def test_discovery_keeps_its_fields() -> None:
    assert [field.name for field in dataclasses.fields(Discovery)] == [
        "api",
        "version",
        "endpoint",
        "offered",
        "reason",
        "capabilities",
        "requests",
        "endpoints",
    ]
    assert [field.name for field in dataclasses.fields(OfferedVersion)] == ["id", "status"]


def test_the_tree_of_errors() -> None:
    found = {
        name: error
        for name, error in vars(exceptions).items()
        if inspect.isclass(error) and issubclass(error, Exception)
    }
    assert {name: error.__bases__[0] for name, error in found.items()} == ERRORS
    assert issubclass(exceptions.InvalidOption, ValueError)
    assert issubclass(exceptions.InvalidSignature, exceptions.IntegrityError)


def test_every_error_carries_what_is_known() -> None:
    error = exceptions.ImageNotFound(
        "gone", status=404, request_id="req-1", endpoint="http://glance.example", image_id="1"
    )
    assert (error.status, error.request_id, error.endpoint, error.image_id, str(error)) == (
        404,
        "req-1",
        "http://glance.example",
        "1",
        "gone",
    )


def test_what_is_told_of_repeated_attempts() -> None:
    assert [field.name for field in dataclasses.fields(retry.Retrying)] == [
        "error",
        "attempt",
        "pause",
    ]
    assert spelt(retry.set_hooks) == "hooks"
    assert spelt(retry.without_pauses) == ""


def test_the_audit_keeps_its_words() -> None:
    assert report.LONG == AUDIT_COLUMNS
    assert findings.BY_NAME.keys() == AUDIT_KINDS
