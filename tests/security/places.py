# SPDX-License-Identifier: Apache-2.0
"""Code of the package that handles untrusted input, and the protection at each place.

The keys are "module:function". ``test_places`` compares them with the source: a new place needs a
row. Regular expressions are listed in ``test_regular_expressions``.
"""

from __future__ import annotations

from collections.abc import Mapping

_OWN = "nothing of another party reaches it"
_NOVA = "the location is in Nova's own cloud, read only if [glance]enable_rbd_download is set"
_PART = "the name is new and random; O_EXCL, O_NOFOLLOW and mode 0600"
_QUOTED = "messages of errors are made of quote_value, redact_url and describe_error"
_PATH = "the path of the caller, and strerror of the system"
_EMBEDDED = "embedded server: requests of its clients, at the level DEBUG, in repr or by path"

PLACES: Mapping[str, Mapping[str, str]] = {
    "parses a URL": {
        "audit/percent_encoding:_decode": "no URL: a value, decoded strictly",
        "fixture/application:GlanceApplication._negotiate": "decoded once, to bytes, then routed",
        "fixture/exchange/calls:Call.query": "the query of one request, of bounded length",
        "fixture/glance/configuration:_is_endpoint": _OWN,
        "fixture/identity/users:identity_from_token": "any string is a token",
        "fixture/servers/hosts:_host_name": "Host: ValueError counts as a foreign host, 421",
        "fixture/servers/mounted:_environ": "a URL that requests has prepared, in tests",
        "fixture/servers/proxy:FaultProxy.__init__": _OWN,
        "nova/signatures:_fetch": f"{_NOVA}; any error ends in a download from Glance",
        "nova/signatures:rbd_download": _NOVA,
        "routing/references:_is_same_endpoint": "urls.origin of both, which two parsers agree on",
        "routing/references:parse_image_id": "below a known endpoint; then check_path_segment",
        "transport/client:Transport.__init__": "endpoint that urls.is_http has accepted",
        "urls:https_endpoint": "same host by urls.origin; only shown in advice",
        "urls:is_http": "no query, fragment, space, backslash or unprintable character",
        "urls:keeps_credentials_safe": "urls.origin of both URLs",
        "urls:origin": "printable ASCII that urllib.parse and urllib3 read alike, else no origin",
        "urls:rbd_names_of": "full match of characters that glance_store writes; strict UTF-8",
        "urls:redirect_target": "same urls.origin, no user information, no missing host",
    },
    "follows a redirect": {
        "transport/client:Transport._redirect_target": "GET and HEAD; urls.redirect_target",
        "transport/sessions:_IdentityHttpView.request": "urls.keeps_credentials_safe, or refused",
    },
    "opens or reuses a connection": {
        "cli/demo:_Page._calls": "a dictionary that is named requests",
        "cli/demonstration:write_over_v1": "to the embedded server of the same process",
        "cli/demonstration:write_over_v2": "to the embedded server of the same process",
        "fixture/embedded:GlanceFixture.session": "to the embedded server of the same process",
        "fixture/servers/proxy:_Server._connected": "to the server behind the proxy, in tests",
        "fixture/servers/proxy:_Server.start": "listens for tests",
        "fixture/servers/proxy:_listener.bound": "listens for tests",
        "from_glanceclient:_create_session": "becomes the session of a service: next rows",
        "transport/client:Transport._transmit": "a view: response_reader, no cookies, one write",
        "transport/sessions:_copy_of": "a copy of the caller's settings; its views are made later",
    },
    "caches per process": {
        "backends/v1:_warn_folding": "names of properties, at most 1024",
        "conf:_own_options": "one list of options",
        "discovery/cache:<module>": "1024 endpoints without credentials; failures as strings",
        "routing/health:<module>": "1024 endpoints without credentials",
        "transport/response_reader:<module>": "context variable, reset after each request",
        "transport/response_reader:_reading_class": "at most 16 classes",
        "transport/sessions:<module>": "context variable, reset after each request",
        "transport/sessions:_view_class": "at most 64 pairs of classes",
    },
    "writes a file": {
        "cli/app:PrivateFileHandler._open": "a new log file has mode 0600",
        "cli/app:run": "/dev/null, after the reader of stdout is gone",
        "cli/credentials:_write_private": "mode 0600; accounts have passwords",
        "cli/serve:_write_tempest": "folder of the user's choice",
        "nova/signatures:_fetch": "the path that Nova passed; removed after an error",
        "nova/signatures:truncate_on_failure": "the file object that Nova passed",
        "streams/target:_Path.empty": "the part that is open; only a regular file",
        "streams/target:_create": _PART,
        "streams/target:_mode_of_new_file": _PART,
        "streams/target:_read_umask": "reads /proc/self/status",
        "streams/target:_remove_abandoned": "removes a part of the same name that is not locked",
        "streams/target:_remove_part": "removes the part that it locked, O_NOFOLLOW",
        "streams/target:_replacing": "renames a complete, synced part",
        "streams/target:_sync_folder": "reads the folder",
        "streams/target:_wait_for_reader": "O_NONBLOCK, no O_TRUNC; what was opened is examined",
        "transfers/locations:_open_file": "reads, folder by folder, O_NOFOLLOW, allowed folders",
        "transfers/locations:_open_regular_file": "reads; O_NONBLOCK; only a regular file",
        "transport/tls_files:_check": "reads the certificates and keys that the caller named",
        "transfers/locations:read_file": "reads what _open_file opened",
    },
    "logs": {
        "backends/pagination:_Position.step_back": _QUOTED,
        "backends/protocol:choose_expected": "the request, with the redacted endpoint",
        "backends/protocol:delete_on_failure": "id that check_path_segment has accepted",
        "backends/v1:_warn_folding": "names of properties, in repr",
        "cli/__init__:main": _OWN,
        "cli/app:GlanceCompat._report_unknown_command": "OneLineFormatter escapes controls",
        "cli/audit:Audit._end_audit": _QUOTED,
        "cli/audit:Audit._report": "OneLineFormatter escapes control characters",
        "cli/cloud:Cloud._log_foreign_endpoints": "redact_url",
        "cli/cloud:Cloud._log_other_version": "versions, from a fixed pattern",
        "cli/delete:Delete.take_action.done": "an id; OneLineFormatter escapes controls",
        "cli/references:for_each_image": "quote_value",
        "cli/references:report_error": _QUOTED,
        "cli/serve:Serve.take_action": _OWN,
        "fixture/application:GlanceApplication.__call__": _EMBEDDED,
        "fixture/embedded:GlanceFixture.setUp": _OWN,
        "fixture/faults/rules:Faults.take": _EMBEDDED,
        "fixture/glance/background:Task.end": _EMBEDDED,
        "fixture/keystone:KeystoneApplication.__call__": _EMBEDDED,
        "fixture/servers/http:_Server.error_log": "errors of clients at the level DEBUG",
        "fixture/servers/proxy:FaultProxy.setUp": _OWN,
        "nova/signatures:_fetch": "the traceback of Nova's own driver",
        "routing/dispatcher:Dispatcher._responds": _QUOTED,
        "routing/dispatcher:Dispatcher.discover": _QUOTED,
        "streams/streams:verify_format": "quote_value",
        "streams/target:_abandon": _PATH,
        "streams/target:_lock": _PATH,
        "streams/target:_set_mode": _PATH,
        "streams/target:_sync": _PATH,
        "streams/target:_sync_folder": _PATH,
        "transfers/download:Downloader._inspect": _QUOTED,
        "transfers/download:Downloader.save.again": _QUOTED,
        "transfers/locations:Locations._open": "scheme and id; describe_error",
        "transfers/locations:Locations.open": "scheme and id; describe_error",
        "transfers/locations:_close": "describe_error",
        "transfers/locations:_limit_size": "scheme and id; describe_error",
        "transfers/signatures:_fetch_trusted": _QUOTED,
        "transfers/upload:Uploader.remove_interrupted": "id that check_path_segment has accepted",
        "transfers/upload:Uploader._verify": _QUOTED,
        "transport/client:Transport._deadline_errors": _QUOTED,
        "transport/client:_log": "redact_url, checked_request_id, no headers and no bodies",
        "transport/retry:_call_hooks": "the traceback of the caller's hook",
    },
}
