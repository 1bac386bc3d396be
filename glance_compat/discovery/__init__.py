# SPDX-License-Identifier: Apache-2.0
"""Find out which Images API an endpoint offers, and choose one.

What must live here: ``discover`` queries an endpoint and creates the backend, ``versions`` reads
version documents, knows the capabilities of each version and chooses, ``cache`` keeps the results
per endpoint. No other package knows that there are two backends.
What must not: the list of endpoints and their order (``routing``).
"""
