# SPDX-License-Identifier: Apache-2.0
"""The common interface of the Images APIs v1 and v2, and one implementation for each.

What must live here: the interface (``protocol``); its implementations ``v1`` and ``v2``, which
send requests through the transport and do not import each other; and iteration over the pages of a
list (``pagination``). What must not: the choice between v1 and v2 (see ``discovery``).
"""
