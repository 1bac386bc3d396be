# SPDX-License-Identifier: Apache-2.0
"""Send HTTP requests; no other package does.

What must live here: sending a request with the caller's keystoneauth session (``client``);
requests and responses as data (``messages``); reading responses from connections
(``response_reader``); sessions that are derived from the caller's and use this reader
(``sessions``); converting the exceptions of other libraries to this library's own
(``error_mapping``); the encoding of metadata headers (``v1_headers``); and the retry policy
(``retry``). What must not: the content of requests (see ``backends``), and the selection of
endpoints (see ``routing``).
"""
