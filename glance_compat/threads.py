# SPDX-License-Identifier: Apache-2.0
"""Whether the threads of this process are real ones.

What must live here: facts about threads that several packages need. What must not: the threads
themselves (see ``streams.hashing`` and ``routing.ahead``).
"""

from __future__ import annotations

import _thread
import types


def are_native() -> bool:
    """Return whether a new thread runs beside the others.

    Green threads do not: eventlet and gevent replace the function that starts a thread.
    """
    return isinstance(_thread.start_new_thread, types.BuiltinFunctionType)
