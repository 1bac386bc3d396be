# SPDX-License-Identifier: Apache-2.0
"""Attacks as data: who attempts what, what happens, and the test that proves it.

The page docs/security is generated from this table.
"""

from __future__ import annotations

import dataclasses
import typing

Attacker = typing.Literal["server", "tenant", "network", "local user", "browser"]


@dataclasses.dataclass(frozen=True, slots=True)
class Attack:
    """One attack.

    :param name: unique, as the page shows it.
    :param attacker: who carries it out.
    :param attempt: what is attempted.
    :param outcome: what happens.
    :param tests: names of tests below ``tests/security``, as "file::function".
    """

    name: str
    attacker: Attacker
    attempt: str
    outcome: str
    tests: tuple[str, ...]


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "values that take a regular expression quadratic time",
        "tenant",
        "A property of tens of thousands of letters or line breaks, or hundreds of percent-encoded"
        " ones: ``glance-compat audit`` would stall for a minute per image.",
        "Every regular expression of the package takes linear time. The audit inspects the first"
        " 65536 characters of a value and reports the finding ``partly-inspected``.",
        (
            "test_regular_expressions.py::test_every_pattern_has_its_worst_case",
            "test_regular_expressions.py::test_pattern_takes_linear_time",
            "test_regular_expressions.py::test_audit_of_long_values_takes_linear_time",
            "test_regular_expressions.py::test_audit_of_many_encoded_values_takes_linear_time",
            "test_regular_expressions.py::test_audit_reports_uninspected_values",
        ),
    ),
    Attack(
        "hostile metadata definitions",
        "tenant",
        "On Glance 15.0.2 every tenant may write public namespaces: with patterns for which"
        " Python's ``re`` takes exponential time, references to other schemas, deep nesting, huge"
        " numbers, thousands of values, or definitions that forbid what Glance's own ones allow.",
        "Only the keywords of metadata definitions are read, with limits of number and size, and"
        " no reference is followed. Patterns are matched in linear time, by an automaton. A"
        " malformed namespace is skipped with one warning. A value needs to be allowed by only one"
        " of the namespaces that define the property.",
        (
            "test_definitions.py::test_hostile_namespace_does_not_stop_the_others",
            "test_definitions.py::test_hostile_patterns_take_bounded_time",
            "test_definitions.py::test_tenant_cannot_forbid_what_another_namespace_allows",
            "test_definitions.py::test_messages_show_no_control_characters",
        ),
    ),
    Attack(
        "secrets in the log of the command line",
        "local user",
        "``--log-file`` is readable by every user, and keystoneauth logs the password of an auth"
        " URL.",
        "A new log file has mode 0600. URLs in the log are shown without credentials, whichever"
        " library wrote the record, and so is a refused ``--endpoint``.",
        (
            "test_command_line.py::test_log_file_is_private_and_has_no_secret",
            "test_command_line.py::test_traceback_has_no_password_of_auth_url",
            "test_command_line.py::test_refused_endpoint_is_shown_without_password",
        ),
    ),
    Attack(
        "control characters in a terminal or a log",
        "server",
        "Metadata, messages and headers of a server contain escape sequences that recolour a"
        " terminal, move its cursor or forge a line of a log.",
        "The command line escapes every control character in its output and its log.",
        ("test_command_line.py::test_control_characters_reach_neither_terminal_nor_log",),
    ),
    Attack(
        "formulas in CSV",
        "tenant",
        "An image's name begins with ``=``, and a spreadsheet that opens ``list -f csv`` or"
        " ``audit -f csv`` runs it as a formula.",
        "Such a cell gets an apostrophe in front, in every command.",
        ("test_command_line.py::test_csv_has_no_formula",),
    ),
    Attack(
        "redirect that two parsers read differently",
        "server",
        r"A redirect to ``http://evil\@glance/`` and the like: one parser reads the endpoint's"
        " host, the other connects to the attacker's, with the token and the endpoint's password.",
        "Only a URL that urllib.parse and urllib3 read alike is followed, within the same origin"
        " and without user information. Any other is BadResponse, and nothing is sent.",
        (
            "test_redirects.py::test_redirect_to_another_host_is_refused",
            "test_redirects.py::test_followed_redirects_connect_to_the_endpoint",
        ),
    ),
    Attack(
        "interim response before the real one",
        "server",
        "A response with status 103 (or any other 1xx) is sent before the real one, so that the"
        " real one is read as the response to the next request, of another tenant.",
        "Up to 100 interim responses are skipped. More of them, or 101, are an error, and the"
        " connection is closed.",
        (
            "test_connections.py::test_interim_responses_are_skipped",
            "test_connections.py::test_connection_with_other_interim_responses_is_closed",
        ),
    ),
    Attack(
        "response whose end two readers see at different places",
        "network",
        "A response with two lengths, a folded header or the like, so that a proxy and the library"
        " disagree about where the next response begins.",
        "The connection is closed after such a response.",
        ("test_connections.py::test_connection_is_closed_after_ambiguous_framing",),
    ),
    Attack(
        "metadata that continues as a forged response",
        "tenant",
        "On Glance 15.0.2 a tenant writes a property over v2 whose value contains line breaks, all"
        " headers of an image, an empty line and a whole response about another image. Over v1 it"
        " would be read as the response to the next request on the connection.",
        "A connection is closed after a v1 response with image headers, unless"
        " ``Options(v1_keep_connections=True)`` says that all tenants are trusted. That costs a"
        " new connection for each v1 show: 0.6 ms over HTTP, 4.6 ms over TLS (measured on one"
        " machine).",
        (
            "test_connections.py::test_v1_response_cannot_continue_as_another",
            "test_connections.py::test_v1_connections_are_kept_if_tenants_are_trusted",
            "test_real_servers.py::test_tenant_cannot_forge_the_next_v1_response",
            "test_real_servers.py::test_tenant_cannot_forge_the_next_v1_download",
        ),
    ),
    Attack(
        "many headers in order to bypass the caller's adapter",
        "network",
        "An image with more than 100 properties, and another server in front of Glance: the"
        " fingerprint that the caller's adapter pins would not be checked.",
        "Responses of any length are read over the caller's own adapters.",
        ("test_connections.py::test_fingerprint_of_adapter_applies_to_long_responses",),
    ),
    Attack(
        "session that bypasses the limits",
        "server",
        "The caller's session or adapter cannot be subclassed, replaces its methods or sends by"
        " another adapter, so that responses would be read without any of these defences.",
        "InvalidOption, when the service is made where that can be seen, and else at the response."
        " An adapter that does not use urllib3 reads its responses by itself.",
        (
            "test_sessions.py::test_session_without_views_is_refused",
            "test_sessions.py::test_adapter_mounted_later_is_refused",
            "test_sessions.py::test_response_read_without_limits_is_refused",
            "test_sessions.py::test_connection_without_limits_is_refused",
            "test_sessions.py::test_replaced_send_of_session_is_refused",
        ),
    ),
    Attack(
        "write that is sent again",
        "network",
        "The response to a write is lost, or 503, and the caller's adapter, with retries of"
        " urllib3 or its own, sends the write again: two images, or data of another call.",
        "urllib3's retries are turned off, and a write leaves once, except after a 401 or 407. The"
        " library retries by itself what is safe.",
        (
            "test_sessions.py::test_write_is_sent_once_although_the_adapter_retries",
            "test_sessions.py::test_get_is_not_repeated_by_urllib3",
            "test_sessions.py::test_write_is_resent_after_a_digest_challenge",
        ),
    ),
    Attack(
        "place without a protection",
        "server",
        "A change of the library parses a URL, follows a redirect, opens a connection, caches,"
        " writes a file or logs, and what others wrote reaches that unprotected.",
        "Each such place is listed in ``tests/security/places.py`` with what protects it, and"
        " compared with the source.",
        (
            "test_places.py::test_each_kind_of_place_is_listed",
            "test_places.py::test_each_place_has_its_protection",
        ),
    ),
    Attack(
        "cookies",
        "server",
        "A response sets a cookie, which would be sent with another caller's token, or to another"
        " service on the same host.",
        "Requests to the image service neither keep nor send cookies.",
        ("test_connections.py::test_cookies_are_neither_kept_nor_sent",),
    ),
    Attack(
        "password from ~/.netrc",
        "server",
        "The process's netrc file has the password of another service on the endpoint's host.",
        "netrc is not read for the image service.",
        ("test_connections.py::test_netrc_is_not_read_for_the_endpoint",),
    ),
    Attack(
        "response about another image",
        "server",
        "The response to show, update or create is about another image than the request.",
        "The ids are compared: BadResponse.",
        ("test_responses.py::test_response_about_another_image_is_refused",),
    ),
    Attack(
        "more data than the image has",
        "server",
        "A download continues beyond the size of the image, without end or compressed, to fill the"
        " disk.",
        "Reading stops at the first byte too many: IntegrityError, and no file is left. Where a"
        " response does not say how long the data is, the image does.",
        (
            "test_responses.py::test_data_beyond_image_size_is_not_received",
            "test_responses.py::test_proxy_compressed_data_is_downloaded",
        ),
    ),
    Attack(
        "list without an end",
        "server",
        "Every page of a list says that another one follows, and has the same images again in"
        " another order.",
        "A page without a new image ends the list: BadResponse. A server that invents new images"
        " is bounded by ``limit`` only; ``deadline`` counts for each page.",
        ("test_responses.py::test_list_without_new_images_ends",),
    ),
    Attack(
        "numbers of thousands of digits",
        "server",
        "Lengths, sizes or character references of 5,000 digits, which Python refuses to convert.",
        "An error of the library, within the usual time.",
        ("test_responses.py::test_overlong_number_raises_library_error",),
    ),
    Attack(
        "error text that is slow to examine",
        "server",
        "An error message of megabytes of opening angle brackets or the like.",
        "Of a long body 64 KiB are read and nothing is shown; of others the start is examined.",
        ("test_responses.py::test_error_text_is_cut_before_it_is_examined",),
    ),
    Attack(
        "decompression bomb",
        "server",
        "A metadata response of some kilobytes becomes gigabytes when it is decompressed.",
        "It is decompressed in blocks, and refused at ``max_response_bytes``. Versions of urllib3"
        " that decompress more than is read are not supported.",
        ("test_responses.py::test_compressed_metadata_is_bounded_while_it_is_decompressed",),
    ),
    Attack(
        "JSON that becomes gigabytes",
        "server",
        "A response within ``max_response_bytes`` consists of millions of empty objects, which"
        " take much more memory than their text.",
        "JSON of more than a million values is not parsed: BadResponse.",
        (
            "test_responses.py::test_json_of_millions_of_values_is_not_parsed",
            "test_responses.py::test_deep_json_is_refused",
        ),
    ),
    Attack(
        "redirected log-in",
        "network",
        "The identity service, or what answers in its place, redirects the log-in to another host"
        " or from https to http, and the password is sent there.",
        "Such a redirect is refused. Redirects within the host, and from http to https, are"
        " followed.",
        (
            "test_secrets.py::test_log_in_is_not_redirected_to_another_host",
            "test_secrets.py::test_log_in_is_redirected_within_its_host",
            "test_secrets.py::test_location_header_of_created_token_is_no_redirect",
        ),
    ),
    Attack(
        "token or password in a traceback",
        "local user",
        "A program logs tracebacks with local variables, which some users may read.",
        "Tokens and the URLs of endpoints are held in objects that do not show secrets, and errors"
        " keep no frames of the libraries below.",
        ("test_secrets.py::test_traceback_with_locals_shows_neither_token_nor_password",),
    ),
    Attack(
        "control characters in a request id",
        "server",
        "A request id with escape sequences is written to a log or a terminal.",
        "An id that is not printable ASCII, or too long, counts as none.",
        ("test_secrets.py::test_request_id_with_control_characters_is_not_shown",),
    ),
    Attack(
        "credentials in messages",
        "local user",
        "Passwords and signatures in URLs of endpoints, locations and Glance's own messages are"
        " written to logs, which some users may read.",
        "One function removes user information and queries, however the URL is spelt.",
        (
            "test_secrets.py::test_url_is_shown_without_credentials",
            "test_secrets.py::test_server_messages_are_shown_without_credentials",
            "test_secrets.py::test_user_information_is_redacted_in_every_spelling",
            "test_secrets.py::test_query_is_redacted_in_every_spelling",
            "test_secrets.py::test_password_with_slash_is_redacted",
            "test_secrets.py::test_refused_location_is_shown_without_credentials",
            "test_secrets.py::test_refused_href_is_shown_without_credentials",
            "test_secrets.py::test_foreign_errors_are_shown_without_secrets",
            "test_secrets.py::test_only_safe_modules_are_quoted",
            "test_secrets.py::test_repr_of_options_has_no_password",
            "test_secrets.py::test_warning_about_a_missing_checksum_has_no_signature",
            "test_secrets.py::test_process_caches_no_urls",
            "test_secrets.py::test_configured_urls_are_not_logged",
            "test_secrets.py::test_endpoint_in_messages_has_no_password",
        ),
    ),
    Attack(
        "another caller's token in a cached failure",
        "local user",
        "A process serves many callers, and caches that an endpoint failed, with the error of the"
        " caller who noticed: its request, token and auth plugin would live as long.",
        "A cached failure has text and numbers only. Each caller receives its own exception."
        " Endpoints are cached without credentials, or, with metadata definitions, as a hash.",
        (
            "test_process.py::test_cached_failure_holds_no_reference_to_caller",
            "test_process.py::test_each_caller_receives_its_own_failure",
            "test_process.py::test_tables_of_endpoints_have_no_secret",
            "test_definitions.py::test_cached_definitions_hold_no_secret",
        ),
    ),
    Attack(
        "endless number of endpoints",
        "tenant",
        "Each call names another endpoint in its service catalog, and the process records all of"
        " them until it ends.",
        "The versions of 1024 endpoints are cached and the failures of 1024 recorded. The one that"
        " was used longest ago makes room.",
        (
            "test_process.py::test_discovery_cache_keeps_a_limited_number_of_endpoints",
            "test_process.py::test_discovery_cache_is_bounded_in_threads",
            "test_process.py::test_health_table_keeps_a_limited_number_of_endpoints",
        ),
    ),
    Attack(
        "what replaces the path of a download",
        "local user",
        "After the check of a path a FIFO is replaced by a link to another file, which is opened;"
        " a link waits at the name of the partial file; a FIFO has no reader.",
        "The partial file is new, and no link is followed. A device or FIFO is opened once,"
        " without truncation, and what was opened is examined. A FIFO without a reader is an"
        " OSError after 5 s.",
        (
            "test_files.py::test_file_that_replaces_a_fifo_is_not_written",
            "test_files.py::test_link_named_like_partial_file_is_not_followed",
            "test_files.py::test_fifo_without_a_reader_is_an_error",
        ),
    ),
    Attack(
        "working directory that changes during a download",
        "local user",
        "Another thread changes the working directory, and a relative ``dst_path`` names another"
        " file at the end than at the beginning.",
        "The path is made absolute when the call begins.",
        (
            "test_files.py::test_relative_path_is_resolved_at_call",
            "test_files.py::test_parent_of_linked_folder_is_resolved_by_system",
        ),
    ),
    Attack(
        "disk filled with partial downloads",
        "local user",
        "Downloads are killed again and again, and each leaves a partial file; or the folder"
        " cannot be listed.",
        "The next download of the image to the path removes the partial file, unless it is being"
        " written. A folder of mode 0300 will do.",
        (
            "test_files.py::test_partial_file_of_killed_download_is_removed",
            "test_files.py::test_download_beside_another_uses_its_own_partial_file",
            "test_files.py::test_folder_that_cannot_be_listed_can_be_written",
        ),
    ),
    Attack(
        "images left by interrupts",
        "local user",
        "A creation is interrupted (Ctrl-C, the exit of a thread) again and again, and each time"
        " a queued record stays that no program knows.",
        "The image is removed, and its id logged as a warning. Under an id of the caller's choice,"
        " where no response proves that the image is the caller's, the log names it only.",
        (
            "test_interrupts.py::test_image_of_interrupted_create_is_removed_or_named",
            "test_interrupts.py::test_unremovable_image_of_interrupted_create_is_named",
        ),
    ),
    Attack(
        "memory of the embedded server",
        "network",
        "Many requests, endless header blocks, endless lines and huge sizes in chunked bodies,"
        " large and deeply nested JSON, sent to the embedded Glance.",
        "The record of requests is limited (10,000 requests, 64 MiB); header blocks above 128 KiB"
        " and JSON above 16 MiB are refused before they are in memory; JSON nested deeper than 100"
        " levels is 400. The data of images is limited by image_size_cap and user_storage_quota.",
        (
            "test_embedded_server.py::test_journal_is_limited_by_default",
            "test_embedded_server.py::test_journal_keeps_a_limited_number_of_requests",
            "test_embedded_server.py::test_journal_keeps_a_limited_number_of_bytes",
            "test_embedded_server.py::test_journal_refuses_invalid_limits",
            "test_embedded_server.py::test_served_program_records_no_requests",
            "test_embedded_server.py::test_large_header_block_is_refused_before_its_end",
            "test_embedded_server.py::test_malformed_chunks_are_refused",
            "test_embedded_server.py::test_trailers_are_not_the_next_request",
            "test_embedded_server.py::test_large_json_body_is_refused",
            "test_embedded_server.py::test_deep_json_is_400",
        ),
    ),
    Attack(
        "service of the embedded server",
        "network",
        "200 clients that connect and send nothing, or a request byte by byte, or that read no"
        " response; malformed requests; a restart while old connections are open.",
        "Requests whose end is ambiguous are 400. Each slow client occupies one of up to 500"
        " threads for at most a minute, others are served. Malformed requests leave nothing on"
        " stderr. The port can be used again.",
        (
            "test_embedded_server.py::test_200_silent_clients_do_not_stop_service",
            "test_embedded_server.py::test_impossible_content_length_is_refused",
            "test_embedded_server.py::test_request_with_ambiguous_end_is_refused",
            "test_embedded_server.py::test_header_name_without_latin_1_upper_case_is_refused",
            "test_embedded_server.py::test_first_header_that_is_folded_is_refused",
            "test_embedded_server.py::test_refused_client_may_finish_sending",
            "test_embedded_server.py::test_invented_requests_leave_nothing_on_stderr",
            "test_embedded_server.py::test_served_program_stays_small_beside_slow_clients",
            "test_embedded_server.py::test_server_can_be_restarted_on_its_port",
        ),
    ),
    Attack(
        "DNS rebinding of the embedded server",
        "browser",
        "A page in the developer's browser reaches the embedded server by the page's own name,"
        " which resolves to 127.0.0.1, or another host reaches a server that listens on all"
        " addresses.",
        "Requests whose Host is neither an address nor a name of the server are 421; --allow-host"
        " adds names. An address that other hosts can reach is a warning.",
        (
            "test_embedded_server.py::test_foreign_host_name_is_refused",
            "test_embedded_server.py::test_own_names_and_addresses_are_accepted",
            "test_embedded_server.py::test_allowed_host_is_accepted",
            "test_embedded_server.py::test_serve_accepts_allowed_hosts",
            "test_embedded_server.py::test_serve_warns_about_reachable_addresses",
        ),
    ),
)
