# SPDX-License-Identifier: Apache-2.0
"""Streams of image data: counting, hashing, and writing to files.

What must live here: reading the data of an upload, verifying data that was sent or received
(``streams``), and writing a download to a path or a file object (``target``). What must not:
requests, and cleanup on the server after a failed transfer (see ``transfers``).
"""
