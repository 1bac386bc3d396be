# SPDX-License-Identifier: Apache-2.0
"""Route each call to an endpoint, with the identity of its caller, and retry it.

What must live here: sending a call to an endpoint, retries and failover (``dispatcher``); finding
endpoints (``catalog``); checking ids and hrefs (``references``); recording unhealthy endpoints
(``health``); and reading the caller's identity from a context (``context``). What must not: the
operations that a call consists of (see ``service`` and ``transfers``).
"""
