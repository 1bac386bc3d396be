# SPDX-License-Identifier: Apache-2.0
"""Which endpoint gets a call, for whom, and how often.

What must live here: ``dispatcher`` sends a call to an endpoint and repeats it, ``catalog`` finds
endpoints, ``references`` checks ids and hrefs, ``health`` remembers unhealthy endpoints, and
``context`` reads the caller's identity from a context.
What must not: what a call does (``transfers``, ``service``).
"""
