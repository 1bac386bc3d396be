# SPDX-License-Identifier: Apache-2.0
"""Where the same call does not give the same result on v1 and on v2, and why it cannot.

What must live here: differences that an API makes unavoidable. What must not: anything that the
library could even out. The documentation is made from this table, and each row has a test that
asserts both sides on real servers.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One difference.

    :param name: unique, for tests and links.
    :param calls: the methods of the facade that show it.
    :param v1: what a caller sees where v1 answers.
    :param v2: what a caller sees where v2 answers.
    :param fact: the behaviour of Glance that makes it unavoidable, with its source.
    :param remedy: what a caller can do about it; empty: nothing.
    """

    name: str
    calls: tuple[str, ...]
    v1: str
    v2: str
    fact: str
    remedy: str = ""


_EXACT = "Options(v1_exact_show=True) reads the lossless list, for one more request."

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        name="head-property-case",
        calls=("show",),
        v1=(
            "Names of properties are in lower case, foo-bar; of names that differ in case only,"
            " one is shown."
        ),
        v2="Names of properties are as they were written: Foo-Bar.",
        fact=(
            "v1 shows one image as headers only, and writes their names in lower case (seen on"
            " Glance 15.0.2). Only v2 can have written such a name."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-empty-property",
        calls=("show",),
        v1="A property without a value is not shown.",
        v2="A property without a value is shown as ''.",
        fact=(
            "Over v1 an empty value is stored as NULL, and headers leave NULL out (seen on Glance"
            " 15.0.2: HEAD omits it, the list says null, v2 says '')."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-blanks",
        calls=("show",),
        v1="Blanks and tabs at the beginning of a name or a value are not shown.",
        v2="They are shown.",
        fact=(
            "A header's value begins after its blanks (RFC 9110, section 5.5); only v2 can have"
            " written such a value (seen on Glance 15.0.2)."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-property-colon",
        calls=("show",),
        v1="A property with a colon in its name is shown under the part before the colon: os.",
        v2="It is shown under its own name: os:type.",
        fact=(
            "v1 writes names as they are, and a header's name ends at its first colon (seen on"
            " Glance 15.0.2). Only v2 can have written such a name."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-forged-header",
        calls=("show",),
        v1=(
            "What follows a line break in a property's value is shown as another property, or as"
            " an attribute that the image does not have."
        ),
        v2="The value is shown as it is, with its line break.",
        fact=(
            "v1 writes a value with CR LF as it is into its headers (seen on Glance 15.0.2). What"
            " follows and is a well-formed header that is there only once cannot be told from a"
            " true one. An attribute that has a value cannot be forged: it would be there twice,"
            " which is noticed and looked up."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="deleted-images",
        calls=("show",),
        v1="An administrator is shown a deleted image, with deleted True and deleted_at.",
        v2="Nobody is shown a deleted image: ImageNotFound.",
        fact="v2 shows a deleted image to nobody (seen on Glance 15.0.2 and 33).",
        remedy="show(..., show_deleted=False) gives ImageNotFound on both.",
    ),
)
