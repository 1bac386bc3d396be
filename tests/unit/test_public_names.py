# SPDX-License-Identifier: Apache-2.0
"""The public names; changing them affects every user (docs/compatibility.rst)."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
import requests.adapters
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint
from oslo_config import cfg

import glance_compat
from glance_compat import (
    BoundImageService,
    Discovery,
    ExtendedImage,
    Image,
    ImageService,
    Location,
    Member,
    OfferedVersion,
    Options,
    Store,
    Task,
    exceptions,
)
from glance_compat.audit.kinds import KINDS_BY_NAME
from glance_compat.audit.sanity_kinds import ALL_KINDS_BY_NAME
from glance_compat.cli import audit_rows
from glance_compat.fixture import GlanceFixture
from glance_compat.metadata import fields
from glance_compat.transport import retry
from tests.unit import typed_program

SIGNATURES = {
    "__init__": "session auth=None endpoint_override=None region_name=None interface=None"
    " service_type='image' service_name=None options=Options()",
    "show": "context image_id include_locations=False show_deleted=True",
    "detail": "context filters=None marker=None limit=None page_size=None sort_key=None"
    " sort_dir=None",
    "iter_detail": "context filters=None marker=None limit=None page_size=None sort_key=None"
    " sort_dir=None",
    "create": "context image_meta data=None * progress=None",
    "import_image": "context image_meta * uri=None data=None stores=None all_stores=False"
    " all_stores_must_succeed=True wait=True timeout=None progress=None",
    "import_data": "context image_id image_meta=None * uri=None data=None stores=None"
    " all_stores=False all_stores_must_succeed=True wait=True timeout=None progress=None",
    "update": "context image_id image_meta data=None purge_props=True * progress=None",
    "delete": "context image_id * missing_ok=False",
    "download": "context image_id data=None dst_path=None trusted_certs=None * progress=None"
    " resume=False",
    "stores": "context",
    "delete_from_store": "context image_id store",
    "copy_to_stores": "context image_id stores=None * all_stores=False wait=False progress=None",
    "tasks": "context image_id",
    "locations": "context image_id",
    "add_location": "context image_id url * metadata=None os_hash_algo=None os_hash_value=None",
    "deactivate": "context image_id",
    "reactivate": "context image_id",
    "hide": "context image_id",
    "unhide": "context image_id",
    "supersede": "context old_id new_id",
    "successor": "context image_id",
    "add_tag": "context image_id tag",
    "remove_tag": "context image_id tag",
    "members": "context image_id",
    "add_member": "context image_id member_id",
    "update_member": "context image_id member_id status",
    "remove_member": "context image_id member_id",
    "property_definitions": "context",
    "resolve": "context reference",
    "discover": "context=None",
    "from_conf": "conf group='glance_compat'",
    "from_client": "client",
    "bound": "context=None",
    "close": "",
}

#: Each error and its base classes.
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
    "PropertyInvalid": exceptions.Invalid,
    "InvalidOption": exceptions.Invalid,
    "Conflict": exceptions.GlanceCompatError,
    "ImageDeleteConflict": exceptions.Conflict,
    "UpdateConflict": exceptions.Conflict,
    "ImageNotActive": exceptions.Conflict,
    "ImageUnacceptable": exceptions.GlanceCompatError,
    "ImageQuotaExceeded": exceptions.GlanceCompatError,
    "ImageImportImpossible": exceptions.GlanceCompatError,
    "ImportFailed": exceptions.GlanceCompatError,
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


#: The output of ``glance-compat audit`` that scripts rely on.
AUDIT_COLUMNS = (
    *("id", "name", "severity", "kind", "target_api", "subject", "details", "owner", "value"),
    *("proposal", "confidence", "meaning", "to_do"),
)
AUDIT_KINDS = {
    *("shadowed-property", "spoofed-attribute", "line-break", "invalid-header-name"),
    *("folding-names", "folds-to-reserved", "too-many-headers", "too-long-value"),
    *("too-large-metadata", "lone-surrogate", "percent-encoded", "percent-encoded-property-name"),
    *("reserved-property", "non-uuid-id", "missing-formats", "deleted-image"),
    *("long-property-name", "folded-name", "outer-whitespace", "empty-name", "community-image"),
    *("hidden-image", "tags", "deactivated-image", "null-property", "no-name", "none-string"),
    *("no-checksum", "image-without-data", "declared-size", "killed-image"),
    *("half-deleted-image", "private-image", "import-status", "multiple-stores"),
    *("multiple-locations", "server-owned-property", "no-owner", "one-api-only"),
    *("unreadable-image", "partly-inspected", "v1-not-read", "v2-not-read", "lists-not-read"),
    "list-incomplete",
}
SANITY_KINDS = {
    *("broken-signature", "stuck-image", "unusable-format", "unverifiable-data"),
    *("invalid-property", "same-name", "unowned-image", "small-min-disk", "same-data"),
    *("unavailable-image", "unlisted-image", "no-successor", "definitions-not-read"),
}


def spelt(function: object) -> str:
    """Return a short form of a signature: names, defaults, a star before keyword-only names."""
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


def test_package_exports_its_contract() -> None:
    assert glance_compat.__all__ == [
        "BoundImageService",
        "Definition",
        "Definitions",
        "Discovery",
        "Download",
        "ExtendedImage",
        "Image",
        "ImageService",
        "Location",
        "Member",
        "OfferedVersion",
        "Options",
        "Store",
        "Task",
        "exceptions",
    ]
    assert {name for name in glance_compat.__all__ if not hasattr(glance_compat, name)} == set()


@pytest.mark.parametrize("name", SIGNATURES)
def test_methods_keep_their_signatures(name: str) -> None:
    assert spelt(getattr(ImageService, name)) == SIGNATURES[name]


def test_no_other_method_is_public() -> None:
    public = {name for name in dir(ImageService) if not name.startswith("_")}
    assert public == SIGNATURES.keys() - {"__init__"}


#: Methods with the argument context.
OF_A_CONTEXT = sorted(
    name for name, spelling in SIGNATURES.items() if spelling.startswith("context")
)


def test_bound_methods_match_methods_with_context() -> None:
    public = {name for name in vars(BoundImageService) if not name.startswith("_")}
    assert public == set(OF_A_CONTEXT) - {"bound"}


@pytest.mark.parametrize("name", sorted(set(OF_A_CONTEXT) - {"bound"}))
def test_bound_methods_leave_out_the_context_only(name: str) -> None:
    bound, method = getattr(BoundImageService, name), getattr(ImageService, name)
    assert spelt(bound) == " ".join(SIGNATURES[name].split()[1:])
    assert (bound.__name__, bound.__module__) == (name, method.__module__)
    documented = inspect.cleandoc(method.__doc__).splitlines()
    assert bound.__doc__.splitlines() == [
        line for line in documented if not line.startswith(":param context:")
    ]


@pytest.mark.parametrize("name", sorted(SIGNATURES.keys() - {"__init__"}))
def test_every_parameter_is_documented(name: str) -> None:
    documented = inspect.getdoc(getattr(ImageService, name)) or ""
    parameters = inspect.signature(getattr(ImageService, name)).parameters
    missing = {one for one in parameters if one != "self" and f":param {one}:" not in documented}
    # detail() refers to the documentation of iter_detail().
    assert missing == ({*parameters} - {"self", "context"} if name == "detail" else set())


# ---------------------------------------------------------------------------------------------
# The dicts.


def keys_of(*parts: fields.Part) -> set[str]:
    return {field.name for field in fields.FIELDS if field.part in parts}


def test_types_match_the_fields_table() -> None:
    always = keys_of(fields.Part.ALWAYS) | {"properties"}
    locations = keys_of(fields.Part.LOCATIONS)
    extended = keys_of(fields.Part.EXTENDED) | {"shadowed_properties"}
    assert Image.__required_keys__ == always
    assert Image.__optional_keys__ == locations
    assert ExtendedImage.__required_keys__ == always | extended
    assert ExtendedImage.__optional_keys__ == locations


@pytest.mark.parametrize(
    "kind", [Image, ExtendedImage, Member, Store, Task, Location], ids=lambda kind: kind.__name__
)
def test_types_document_each_key(kind: type) -> None:
    documented = "\n".join(inspect.getdoc(one) or "" for one in (Image, kind))
    names = {
        name
        for line in documented.splitlines()
        if not line.startswith(" ")
        for name in line.split(", ")
    }
    assert typing.get_type_hints(kind).keys() - names == set()


@pytest.mark.parametrize("api", ["1", "2"])
def test_results_match_declared_types(api: Literal["1", "2"]) -> None:
    with GlanceFixture(apis=("v1", "v2")) as glance:
        options = Options(api_version=api, extended=True)
        images = ImageService(
            glance.session(), endpoint_override=glance.url, options=options
        ).bound()
        image = images.create({"name": "typed", "disk_format": "raw", "container_format": "bare"})
        assert_has_type(images.show(image["id"], include_locations=True), ExtendedImage)
        assert_has_type(images.add_member(image["id"], "a" * 32), Member)


def test_stores_match_declared_type() -> None:
    with GlanceFixture(release="33") as glance:
        for token in ("owner", "admin:admin:admin"):
            for store in ImageService(glance.session(token)).stores(None):
                assert_has_type(store, Store)


def test_tasks_and_locations_match_declared_types() -> None:
    with GlanceFixture(release="33") as glance:
        images = ImageService(glance.session("admin:admin:admin")).bound()
        meta = {"disk_format": "raw", "container_format": "bare"}
        image: Image = images.import_image(meta, data=b"data")
        [task], [location] = images.tasks(image["id"]), images.locations(image["id"])
        assert_has_type(task, Task)
        assert_has_type(location, Location)


def assert_has_type(found: Mapping[str, object], kind: type) -> None:
    hints = typing.get_type_hints(kind)
    assert found.keys() == hints.keys()
    for key, hint in hints.items():
        allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        plain = tuple(typing.get_origin(one) or one for one in allowed)
        assert type(found[key]) in plain, key


def test_typed_program_runs(tmp_path: Path) -> None:
    with GlanceFixture(apis=("v1", "v2")) as glance:
        service = ImageService(glance.session(), endpoint_override=glance.url)
        typed_program.use_service(service, str(tmp_path / "first"))
        typed_program.use_bound_service(service.bound(), str(tmp_path / "second"))
        typed_program.use_options(glance.session(), glance.url)
        assert {image.status for image in glance.images.values()} == {"deleted"}


def test_typed_program_satisfies_mypy(tmp_path: Path) -> None:
    # tox -e types checks the program too; this test assigns a failure to the library.
    api = pytest.importorskip("mypy.api")
    root = Path(__file__).parents[2]
    options = ["--config-file", str(root / "pyproject.toml"), "--cache-dir", str(tmp_path)]
    found, errors, status = api.run([*options, typed_program.__file__])
    assert (status, errors) == (0, ""), found


# ---------------------------------------------------------------------------------------------
# Context, repr, closing.

CONTEXTS_FORGOTTEN = [
    ("show", ("id",)),
    ("show", ("id", True)),
    ("detail", ({"name": "x"},)),
    ("iter_detail", ({"name": "x"},)),
    ("create", ({"name": "x"},)),
    ("create", ({"name": "x"}, b"data")),
    ("update", ("id", {"name": "x"})),
    ("update", ("id", {"name": "x"}, b"data")),
    ("delete", ("id",)),
    ("download", ("id",)),
    ("copy_to_stores", ("id", ["fast"])),
    ("members", ("id",)),
    ("add_member", ("id", "project")),
    ("update_member", ("id", "project", "accepted")),
    ("remove_member", ("id", "project")),
    ("resolve", ("id",)),
    ("discover", ("id",)),
]


@pytest.mark.parametrize(("name", "arguments"), CONTEXTS_FORGOTTEN)
def test_forgotten_context_is_named(name: str, arguments: tuple[object, ...]) -> None:
    service = ImageService(ksa_session.Session(), endpoint_override="http://glance.invalid")
    with pytest.raises(exceptions.Invalid) as caught:
        getattr(service, name)(*arguments)
    assert str(caught.value) == (
        f"{name}() was called without a context: the first argument is a"
        f" {type(arguments[0]).__name__}; pass None for the service's own credentials, or call"
        f" service.bound().{name}()"
    )


def test_context_passed_by_name_is_checked_too() -> None:
    service = ImageService(ksa_session.Session(), endpoint_override="http://glance.invalid")
    with pytest.raises(exceptions.Invalid, match="without a context"):
        service.show(context="id", image_id="id")


def test_mapping_with_a_token_is_a_context() -> None:
    class Attributes(dict[str, str]):
        auth_token = "demo"

    with GlanceFixture(apis=("v2",)) as glance:
        service = ImageService(glance.session(), endpoint_override=glance.url)
        assert service.detail(Attributes()) == []


def test_bound_method_without_argument_raises_type_error() -> None:
    service = ImageService(ksa_session.Session(), endpoint_override="http://glance.invalid")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'image_id'"):
        service.bound().show()  # type: ignore[call-arg]


def test_bound_methods_pass_the_context_on() -> None:
    class Context:
        auth_token = "owner:one"
        global_id = "req-7"

    with GlanceFixture(apis=("v2",)) as glance:
        service = ImageService(glance.session(), endpoint_override=glance.url)
        image = service.bound(Context()).create({"name": "mine"})
        headers = glance.requests[-1].headers
        assert headers["X-Auth-Token"] == "owner:one"
        assert headers["X-OpenStack-Request-ID"] == "req-7"
        assert service.bound(Context()).show(image["id"])["owner"] == image["owner"]


def test_repr_shows_non_default_options() -> None:
    session = ksa_session.Session()
    assert repr(ImageService(session)) == "ImageService()"
    options = Options(api_version="1", page_size=5)
    service = ImageService(session, region_name="one", interface=["public"], options=options)
    shown = (
        "ImageService(region_name='one', interface=['public'],"
        " options=Options(api_version='1', page_size=5))"
    )
    assert repr(service) == shown
    assert repr(service.bound()) == f"{shown}.bound()"
    assert repr(Options()) == "Options()"
    assert repr(Options(extended=True)) == "Options(extended=True)"


def test_repr_shows_no_secret() -> None:
    class Context:
        auth_token = "sesame"

        def __repr__(self) -> str:
            return "sesame"

    urls = ["http://user:sesame@one.invalid/image", "http://two.invalid"]
    options = Options(trusted_endpoints=("http://user:sesame@three.invalid",))
    auth = token_endpoint.Token("http://user:sesame@four.invalid", "sesame")
    service = ImageService(
        ksa_session.Session(auth=auth), auth, endpoint_override=urls, options=options
    )
    one = ImageService(ksa_session.Session(), endpoint_override=urls[0])
    assert "sesame" not in repr(service) + repr(service.bound(Context())) + repr(one)
    assert repr(one) == "ImageService(endpoint_override='http://one.invalid/image')"
    assert repr(service.bound(Context())) == (
        "ImageService(endpoint_override=['http://one.invalid/image', 'http://two.invalid'],"
        " options=Options(trusted_endpoints=('http://three.invalid',))).bound(<Context>)"
    )


class Closing(requests.adapters.BaseAdapter):
    """A transport adapter that records whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_with_does_not_close_session_of_caller() -> None:
    session, adapter = ksa_session.Session(), Closing()
    session.session.mount("http://", adapter)
    with ImageService(session) as service:
        assert isinstance(service, ImageService)
    assert not adapter.closed


def test_with_closes_the_session_of_from_conf() -> None:
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    adapter = Closing()
    with ImageService.from_conf(conf) as service:
        [opened] = [one for one in vars(service).values() if isinstance(one, ksa_session.Session)]
        opened.session.mount("http://", adapter)
        assert not adapter.closed
    assert adapter.closed


# ---------------------------------------------------------------------------------------------
# Discovery, errors, and other names.


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


def test_error_tree_is_pinned() -> None:
    found = {
        name: error
        for name, error in vars(exceptions).items()
        if inspect.isclass(error) and issubclass(error, Exception)
    }
    assert {name: error.__bases__[0] for name, error in found.items()} == ERRORS
    assert issubclass(exceptions.InvalidOption, ValueError)
    assert issubclass(exceptions.InvalidSignature, exceptions.IntegrityError)


def test_errors_have_documented_attributes() -> None:
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


def test_retry_hooks_keep_their_names() -> None:
    assert [field.name for field in dataclasses.fields(retry.Retrying)] == [
        "error",
        "attempt",
        "pause",
    ]
    assert spelt(retry.set_hooks) == "hooks"
    assert spelt(retry.without_pauses) == ""


def test_audit_keeps_its_columns_and_kinds() -> None:
    assert audit_rows.LONG == AUDIT_COLUMNS
    assert KINDS_BY_NAME.keys() == AUDIT_KINDS
    assert ALL_KINDS_BY_NAME.keys() == AUDIT_KINDS | SANITY_KINDS
