# SPDX-License-Identifier: Apache-2.0
"""Discover which versions of the Images API an endpoint offers, and choose one.

What must live here: the discovery requests and the creation of the backend (``discover``); the
parsing of version documents, the capabilities of each version and the choice (``versions``); and
the results per endpoint (``cache``). Only this package decides between the two backends.
What must not: the list of endpoints and their order (see ``routing``).
"""
