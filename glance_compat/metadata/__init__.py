# SPDX-License-Identifier: Apache-2.0
"""Image metadata, and its representations in v1 and v2.

What must live here: pure functions and tables. ``fields`` has the table of image attributes, and
``property_names`` the rules for properties; ``image_records`` converts between image dicts and
what the APIs send and receive; ``converters`` converts single values; ``support`` determines from
the table which attributes an API version can store; ``changes`` checks the caller's metadata and
computes the changes of an update; ``filters`` has the table of list filters and sort keys;
``v1_limits`` has the limits of v1 headers; and ``deviations`` lists the differences between v1 and
v2 that remain visible to callers.
What must not: I/O, a clock, keystoneauth, and the choice between the two APIs.
"""
