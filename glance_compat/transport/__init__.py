# SPDX-License-Identifier: Apache-2.0
"""The only sender of requests.

What must live here: one HTTP request and its response. ``client`` sends over the caller's
keystoneauth session, ``messages`` has requests and responses as data, ``response_reader`` reads
responses from connections, ``sessions`` derives sessions from the caller's and gets the reader to
their connections, ``error_mapping`` turns the exceptions of the libraries below into this
library's own, ``v1_headers`` spells metadata headers, and ``retry`` has the retry policy.
What must not: what a request means (``backends``), and which endpoint gets it (``routing``).
"""
