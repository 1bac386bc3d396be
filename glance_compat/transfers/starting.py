# SPDX-License-Identifier: Apache-2.0
"""Request the server to import or copy data, once, even if a response is lost.

What must live here: the decision whether the request may be repeated. What must not: the request
(see ``backends``), and waiting for its end (see ``watching``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi
from glance_compat.transport import retry

#: Errors of a request that the server may reject because it is executing an earlier one.
_REJECTIONS = (
    exceptions.ImageBadRequest,
    exceptions.ImageImportImpossible,
    exceptions.ImageNotActive,
)


@dataclasses.dataclass(slots=True)
class Start:
    """The request for an import or a copy, as a call that may be repeated.

    :param send: a function that sends the request.
    :param has_begun: a function that returns whether the server is executing it, or is done.
    :param may_have_begun: whether an earlier attempt, whose response was lost, may have reached
        the server.
    """

    send: Callable[[ImagesApi], None]
    has_begun: Callable[[ImagesApi], bool]
    may_have_begun: bool = False

    def __call__(self, api: ImagesApi) -> None:
        try:
            self.send(api)
        except _REJECTIONS:
            if not self.may_have_begun or not self.has_begun(api):
                raise
        except exceptions.GlanceCompatError as error:
            self.may_have_begun = self.may_have_begun or retry.is_transient(error)
            raise
