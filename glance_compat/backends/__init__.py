# SPDX-License-Identifier: Apache-2.0
"""The port to an Images API, and its two implementations.

What must live here: ``protocol`` says what an Images API can do; ``v1`` and ``v2`` do it over the
transport, and do not import each other; ``pagination`` walks the pages of either.
What must not: the choice between v1 and v2 (``discovery``).
"""
