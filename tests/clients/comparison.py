# SPDX-License-Identifier: Apache-2.0
"""What four clients do when something goes wrong: the table of README.rst.

Each row names the tests that assert its cells.
"""

from __future__ import annotations

from typing import NamedTuple

#: The releases of the other clients. Older ones retry other requests.
RELEASES = {"python-glanceclient": "4.13", "openstacksdk": "4.22"}

#: The titles of the columns after the first one.
CLIENTS = (
    "glance-compat",
    "Nova 34's own module",
    *(f"{name} {release}" for name, release in RELEASES.items()),
)


class Row(NamedTuple):
    """One event, and what each client does.

    :param test: the name of a test in tests/clients/test_comparison.py, and of one in
        tests/nova/test_comparison.py for Nova's cell.
    """

    event: str
    ours: str
    novas: str
    glanceclients: str
    openstacksdks: str
    test: str


ROWS = (
    Row(
        "A cloud offers only v1",
        "works as over v2",
        "raises an error",
        "its v2 client raises an error; its v1 client has other methods and other results",
        "lists images; ``create_image`` raises an error",
        "test_cloud_that_offers_only_v1",
    ),
    Row(
        "An image is named ``Zoë's image`` over v1",
        "stores that name",
        "has no v1",
        "stores ``Zo%C3%AB%27s%20image``",
        "cannot create images over v1",
        "test_name_with_an_accent_over_v1",
    ),
    Row(
        "A property has the value ``None``",
        "leaves it out",
        "raises ``TypeError``",
        "raises ``TypeError``",
        "raises ``BadRequestException``",
        "test_property_without_a_value",
    ),
    Row(
        "The connection breaks during an upload",
        "sends a file again; for an iterator it raises an error, and deletes the image",
        "if it may retry, it sends the rest of the file: no error, and the image is active with"
        " 0 bytes",
        "raises an error, and leaves an image without data",
        "raises an error, and deletes the image",
        "test_connection_that_breaks_during_an_upload",
    ),
    Row(
        "The token expires before an upload",
        "sends a file again; for an iterator it raises an error, and deletes the image",
        "raises an error, and leaves an image without data",
        "no error, and the image is active with 0 bytes",
        "for a file it raises an error, and deletes the image; for an iterator there is no error,"
        " and the image is active with 0 bytes",
        "test_token_that_expires_before_an_upload",
    ),
    Row(
        "The response to the creation of an image is lost",
        "finds the image, and returns it",
        "if it may retry, it creates a second image",
        "raises an error, and leaves an image without data",
        "raises an error, and leaves an image without data",
        "test_lost_response_to_a_creation",
    ),
    Row(
        "A download is damaged on its way",
        "raises an error; repeats a download to a path",
        "raises an error, and leaves the damaged file",
        "raises an error",
        "raises an error, and leaves the damaged file; ``stream=True`` returns the damaged data",
        "test_damaged_download",
    ),
    Row(
        "The last image of a page is deleted while images are listed",
        "continues the list",
        "raises an error",
        "raises an error",
        "raises an error",
        "test_image_deleted_during_a_list",
    ),
    Row(
        "Images named ``in:a,b`` are listed",
        "finds them",
        "finds none",
        "finds none",
        "finds none",
        "test_name_that_looks_like_an_operator",
    ),
    Row(
        "A proxy returns an HTML page for a list",
        "raises ``BadResponse`` with the URL",
        "raises ``TypeError``",
        "raises ``TypeError``",
        "raises ``JSONDecodeError``",
        "test_html_page_instead_of_a_list",
    ),
)


def table() -> str:
    """Return the table as it stands in README.rst."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 20 20 20 20 20", ""]
    for cells in (("What happens when ...", *CLIENTS), *(row[:5] for row in ROWS)):
        lines += [f"   {'  ' if number else '* '}- {cell}" for number, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"
