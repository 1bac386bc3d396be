# SPDX-License-Identifier: Apache-2.0
"""Image data on its way: counted, hashed, and written to a file.

What must live here: reading the caller's data, verifying what was sent or received (``streams``),
and writing a download to a path or a file object (``target``).
What must not: requests, and what a failed transfer leaves on the server (``transfers``).
"""
