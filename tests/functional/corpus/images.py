# SPDX-License-Identifier: Apache-2.0
"""The corpus as a table: the client and the metadata of each image, and its known differences.

Both APIs of Glance 15.0.2 use one database, so each image can be read over
both. Each difference has the name of a row of
:data:`glance_compat.metadata.deviations.DEVIATIONS` and the exact values of both sides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from tests.contract.shape import DATA

Maker = Literal["v1", "v2", "glanceclient v1", "glanceclient v2"]
State = Literal["deactivated", "deleted", "killed", "public"]

#: A placeholder for a key that a dict does not have.
MISSING = "(missing)"
#: A placeholder for an image that is not visible.
UNSEEN = "(ImageNotFound)"


@dataclasses.dataclass(frozen=True)
class Differs:
    """One known difference between show() over v1 and over v2.

    :param deviation: the name of the row that explains it.
    :param path: a key of the image dict, or ``properties/`` and a name, or "" for the whole image.
    :param users: the users who see the difference; empty: all users.
    """

    deviation: str
    path: str
    v1: Any
    v2: Any
    users: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Entry:
    """One image.

    :param about: a unique description of the special feature.
    :param maker: the client that creates it.
    :param meta: base attributes in the client's format; the default name is ``about``.
    :param properties: properties in the client's format.
    :param data: the data to upload, or None.
    :param states: changes of the status after the creation.
    :param shares: the member status of each user that the image is shared with.
    :param differs: the differences between show() over v1 and over v2.
    """

    about: str
    maker: Maker = "v2"
    meta: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    properties: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    data: bytes | None = None
    owner: str = "demo"
    states: tuple[State, ...] = ()
    shares: Mapping[str, str] = dataclasses.field(default_factory=dict)
    differs: tuple[Differs, ...] = ()


def _renamed(old: str, new: str, value: str) -> tuple[Differs, Differs]:
    return (
        Differs("head-property-case", f"properties/{old}", MISSING, value),
        Differs("head-property-case", f"properties/{new}", value, MISSING),
    )


_MANY = {f"property_{number:03}": f"value {number}" for number in range(95)}
_TEXTS = {
    "space": "my image",
    "percent": "100%25 a%2Bb %41",
    "plus": "a+b",
    "quotes": "\"double\" 'single' \\back",
    "commas": "a, b; c=d",
    "accents": "café Übung",
    "cjk": "日本語",
    "brackets": '[{"a": 1}]',
    "colon": "key: value",
    "equals": "a=b&c=d?e#f",
    "none": "None",
    "true": "True",
    "dashes": "-- --",
}

#: The keys at the top level of every v2 record.
SHADOWED = (
    *("checksum", "container_format", "created_at", "disk_format", "file", "id", "min_disk"),
    *("min_ram", "name", "owner", "protected", "schema", "self", "size", "status", "tags"),
    *("updated_at", "virtual_size", "visibility"),
)
WORDS_OF_V1 = (
    *("copy_from", "deleted", "deleted_at", "is_public", "location", "properties", "store"),
)

CORPUS: tuple[Entry, ...] = (
    # -- created with plain requests to v1
    Entry("v1 plain", "v1", properties={"a": "b"}),
    Entry("v1 with data", "v1", properties={"a": "b"}, data=DATA),
    Entry("v1 without anything", "v1", meta={"name": None}),
    Entry("v1 empty name", "v1", meta={"name": ""}),
    Entry('v1 name Übung 日本 +%41, "x"', "v1"),
    Entry("v1 texts", "v1", properties=_TEXTS),
    Entry(
        "v1 empty property",
        "v1",
        properties={"empty": "", "a": "b"},
        differs=(Differs("head-empty-property", "properties/empty", MISSING, ""),),
    ),
    Entry("v1 folded property", "v1", properties={"Foo-Bar": "x", "hw_Disk_BUS": "ide"}),
    Entry("v1 slash and tilde", "v1", properties={"a~b": "tilde", "a.b": "dot", "a^b|c": "odd"}),
    Entry("v1 many properties", "v1", properties=_MANY, data=DATA),
    Entry("v1 long value", "v1", properties={"long": "x" * 15000}),
    Entry("v1 minima", "v1", meta={"min_disk": 7, "min_ram": 2147483647}),
    Entry("v1 protected", "v1", meta={"protected": "True"}),
    Entry("v1 public", "v1", meta={"is_public": "True"}, owner="admin"),
    Entry("v1 amazon", "v1", meta={"disk_format": "ami", "container_format": None}),
    Entry("v1 size without data", "v1", meta={"size": 5}),
    Entry("v1 size 0", "v1", meta={"size": 0, "disk_format": None, "container_format": None}),
    Entry("v1 checksum without data", "v1", meta={"checksum": "d" * 32}),
    Entry("v1 undashed id", "v1", meta={"id": "(undashed)"}),
    Entry("v1 killed", "v1", states=("killed",)),
    Entry("v1 deactivated", "v1", data=DATA, states=("deactivated",)),
    Entry(
        "v1 deleted",
        "v1",
        data=DATA,
        states=("deleted",),
        differs=(Differs("deleted-images", "", "deleted", UNSEEN, ("admin",)),),
    ),
    Entry("v1 shared", "v1", data=DATA, shares={"other": "pending"}),
    Entry(
        "v1 shadowed properties",
        "v1",
        # Attributes at the top level of v2 records hide them.
        properties=dict.fromkeys(SHADOWED, "shadow"),
    ),
    Entry(
        "v1 planted attributes",
        "v1",
        # Pike's v2 shows them at the top level like attributes of the server.
        properties={
            "direct_url": "file:///etc/shadow",
            "locations": "bogus",
            "os_hidden": "true",
            "os_hash_algo": "sha512",
            "os_hash_value": "0",
            "stores": "fast",
        },
    ),
    Entry(
        "v1 words of v1",
        "v1",
        properties=dict.fromkeys(WORDS_OF_V1, "word"),
    ),
    Entry(
        "v1 structures",
        "v1",
        properties={
            "mappings": '[{"virtual": "ami", "device": "sda1"}]',
            "block_device_mapping": '[{"device_name": "vda", "snapshot_id": null}]',
        },
    ),
    Entry(
        "v1 broken structures", "v1", properties={"mappings": "[{", "block_device_mapping": "7"}
    ),
    # -- created with plain requests to v2
    Entry("v2 plain", properties={"a": "b"}),
    Entry("v2 with data", properties={"a": "b"}, data=DATA),
    Entry("v2 without anything", meta={"name": None, "disk_format": None}),
    Entry("v2 no bytes", data=b""),
    Entry("v2 empty name", meta={"name": ""}),
    Entry("v2 texts", properties=_TEXTS),
    # '' and not NULL, so v1 sends a header.
    Entry("v2 empty property", properties={"empty": ""}),
    Entry("v2 private", meta={"visibility": "private"}),
    Entry("v2 shared", meta={"visibility": "shared"}),
    Entry("v2 community", meta={"visibility": "community"}),
    Entry("v2 public", states=("public",)),
    Entry("v2 shared pending", data=DATA, shares={"other": "pending"}),
    Entry("v2 shared accepted", data=DATA, shares={"other": "accepted"}),
    Entry("v2 shared rejected", data=DATA, shares={"other": "rejected", "stranger": "accepted"}),
    Entry("v2 tags", meta={"tags": ["b", "a"]}),
    Entry("v2 protected", meta={"protected": True}),
    Entry("v2 minima", meta={"min_disk": 7, "min_ram": 2147483647}),
    Entry("v2 deactivated", data=DATA, states=("deactivated",)),
    Entry(
        "v2 deleted",
        states=("deleted",),
        differs=(Differs("deleted-images", "", "deleted", UNSEEN, ("admin",)),),
    ),
    Entry("v2 many properties", properties=_MANY, data=DATA),
    Entry("v2 long value", properties={"long": "x" * 20000}),
    # A longer line than http.client can read.
    Entry("v2 very long value", properties={"long": "x" * 65000}),
    Entry(
        "v2 upper case",
        properties={"Foo-Bar": "dash", "Foo_Baz": "under"},
        differs=(
            *_renamed("Foo-Bar", "foo-bar", "dash"),
            *_renamed("Foo_Baz", "foo_baz", "under"),
        ),
    ),
    Entry("v2 dash", properties={"foo-bar": "dash"}),
    Entry("v2 dash and underscore", properties={"foo-bar": "dash", "foo_bar": "under"}),
    Entry(
        "v2 keys that fold",
        # The order of the values is undefined, so there is only one value.
        properties={"foo_bar": "same", "FOO_BAR": "same"},
        differs=(Differs("head-property-case", "properties/FOO_BAR", MISSING, "same"),),
    ),
    Entry("v2 blank in a key", properties={"a b": "x", "c": "d"}),
    Entry(
        "v2 colon in a key",
        properties={"os:type": "linux"},
        differs=(
            Differs("head-property-colon", "properties/os:type", MISSING, "linux"),
            Differs("head-property-colon", "properties/os", "type: linux", MISSING),
        ),
    ),
    Entry(
        "v2 colon and blank in a key",
        properties={"os: type": "linux"},
        differs=(
            Differs("head-property-colon", "properties/os: type", MISSING, "linux"),
            Differs("head-property-colon", "properties/os", "type: linux", MISSING),
        ),
    ),
    Entry("v2 slash in a key", properties={"a/b": "slash", "a~b": "tilde"}),
    Entry("v2 empty key", properties={"": "x"}),
    Entry("v2 newline", properties={"lines": "one\ntwo"}),
    Entry("v2 return", properties={"lines": "one\rtwo", "more": "a\r\nb"}),
    Entry("v2 folded lines", properties={"lines": "one\n two\n\tthree"}),
    Entry("v2 empty line", properties={"lines": "one\r\n\r\ntwo"}),
    Entry("v2 newline at the end", properties={"lines": "one\n"}),
    # The value ends the header block.
    Entry("v2 newline alone", properties={"lines": "\n"}),
    Entry("v2 NUL", properties={"nul": "one\0two"}),
    Entry("v2 forged name", properties={"p": "one\r\nX-Image-Meta-Name: evil"}),
    Entry("v2 forged status", properties={"p": "one\r\nX-Image-Meta-Status: active"}),
    Entry("v2 forged id", properties={"p": f"one\r\nX-Image-Meta-Id: {'0' * 32}"}),
    Entry(
        "v2 forged checksum",
        properties={"p": f"one\r\nX-Image-Meta-Checksum: {'0' * 32}"},
        # Without data there is no checksum, whose header would otherwise occur twice.
        differs=(
            Differs("head-forged-header", "checksum", "0" * 32, None),
            Differs(
                "head-forged-header",
                "properties/p",
                "one",
                f"one\r\nX-Image-Meta-Checksum: {'0' * 32}",
            ),
        ),
    ),
    Entry(
        "v2 forged second checksum",
        properties={"p": f"one\r\nX-Image-Meta-Checksum: {'0' * 32}"},
        data=DATA,
    ),
    Entry("v2 newline in the name", meta={"name": "v2 newline\nin the name"}),
    Entry(
        "v2 forged property",
        properties={"p": "one\r\nX-Image-Meta-Property-Evil: x"},
        differs=(
            Differs(
                "head-forged-header",
                "properties/p",
                "one",
                "one\r\nX-Image-Meta-Property-Evil: x",
            ),
            Differs("head-forged-header", "properties/evil", "x", MISSING),
        ),
    ),
    Entry(
        "v2 blanks",
        properties={"lead": "  x", "trail": "x  ", "tab": "\tx\t", "only": "  "},
        differs=(
            Differs("head-blanks", "properties/lead", "x", "  x"),
            Differs("head-blanks", "properties/tab", "x\t", "\tx\t"),
            Differs("head-blanks", "properties/only", "", "  "),
        ),
    ),
    Entry(
        "v2 blanks around the name",
        meta={"name": "  v2 lead and trail  "},
        differs=(Differs("head-blanks", "name", "v2 lead and trail  ", "  v2 lead and trail  "),),
    ),
    Entry(
        "v2 structures",
        properties={"mappings": '[{"a": "é"}]', "block_device_mapping": "not JSON"},
    ),
    # -- created by python-glanceclient
    Entry(
        # The client percent-encodes every value, and Glance stores the encoded value.
        'gc v1 my image ü+%41, "x"',
        "glanceclient v1",
        properties={"text": 'my value ü+%41, "x"', "json": '[{"a": 1}]'},
        data=DATA,
    ),
    Entry(
        "gc v1 numbers",
        "glanceclient v1",
        properties={"int": 1, "float": 1.5, "bool": True, "none": None},
    ),
    Entry("gc v2", "glanceclient v2", properties={"text": 'ü+%41, "x"', "a b": "c"}, data=DATA),
)
