# SPDX-License-Identifier: Apache-2.0
"""The command line ``glance-compat``: the library for people and for shell scripts.

It is one host among others: nothing here knows v1 from v2. What only one command needs is
imported by that command, since most of the time of a short command goes into imports. The
packages that it needs are the extra ``cli``; ``demo`` and ``serve`` need ``fixtures`` as well.
"""
