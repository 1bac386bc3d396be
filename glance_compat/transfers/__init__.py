# SPDX-License-Identifier: Apache-2.0
"""Whole images, or nothing.

What must live here: ``upload`` creates an image with its data and cleans up after a failure,
``download`` assembles a download, ``resume`` continues an interrupted one, ``locations`` and
``rbd`` read data that is accessible outside of the API, and ``signatures`` verifies it.
What must not: endpoints and retries (``routing``), hashing and files (``streams``).
"""
