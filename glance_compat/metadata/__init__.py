# SPDX-License-Identifier: Apache-2.0
"""What an image is, and how v1 and v2 write it.

What must live here: pure functions and tables. ``fields`` has the table of image attributes,
``converters`` converts single values, ``support`` derives from the table what an API version can
store, ``changes`` checks what a caller passes and computes what an update sends, ``filters`` has
the table of list filters and sort keys, ``v1_limits`` says what a v1 header cannot carry, and
``deviations`` lists the differences that no translation removes.
What must not: I/O, a clock, keystoneauth, or a choice between the two APIs.
"""
