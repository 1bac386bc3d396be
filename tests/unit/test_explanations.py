# SPDX-License-Identifier: Apache-2.0
"""The generated pages of the manual show what the library really does."""

from __future__ import annotations

import pytest

from pages import choosing

SHOW_V1 = f"HEAD /v1/images/{choosing.IMAGE} with the token: 200, the image"
SHOW_V2 = f"GET /v2/images/{choosing.IMAGE} with the token: 200, the image"
DOCUMENT = "GET / : 300, the version document"
NO_DOCUMENT = "GET / : 200, an HTML page"

#: The requests of each drawing, which the text around it describes.
REQUESTS = {
    "document": [[DOCUMENT, SHOW_V2], [SHOW_V2]],
    "probes": [
        [
            NO_DOCUMENT,
            "GET /v2/schemas/image with the token: 200, a schema",
            "GET /v1/images?limit=1 with the token: 200, a list",
            SHOW_V2,
        ]
    ],
    "path": [[NO_DOCUMENT, SHOW_V1]],
    "pinned": [[SHOW_V2]],
    "upgrade": [
        [
            DOCUMENT,
            SHOW_V1.replace("200, the image", "300, the version document"),
            DOCUMENT,
            SHOW_V2,
        ]
    ],
}


@pytest.mark.parametrize("name", choosing.SCENES)
def test_page_on_the_choice_describes_the_requests(name: str) -> None:
    result = choosing.run(choosing.SCENES[name])
    assert [
        [
            f"{one.method} {one.path} {'with the token' if one.has_token else ''}:"
            f" {choosing.describe(one)}"
            for one in exchanges
        ]
        for exchanges in result.calls
    ] == REQUESTS[name]


def test_page_on_the_choice_has_every_arrow() -> None:
    text = choosing.page()
    calls = [call for calls in REQUESTS.values() for call in calls]
    # Each call and each request has an arrow there and an arrow back.
    arrows = 2 * len(calls) + 2 * sum(map(len, calls))
    assert text.count("<polygon") == arrows
    # Each label is in the drawing, and in its description.
    without_token = [one for call in calls for one in call if "token" not in one]
    assert text.count("(no token)") == 2 * len(without_token)
