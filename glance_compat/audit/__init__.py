# SPDX-License-Identifier: Apache-2.0
"""Find out what a move from v1 to v2, or back, would change or lose.

What must live here: ``kinds`` declares every kind of finding. ``records`` holds the v1 and the v2
record of one image. ``detectors`` recognise each kind in those records, ``findings`` runs them.
``percent_encoding`` recognises strings that python-glanceclient encoded. ``reader`` reads the
images of a cloud over both APIs.
What must not: how findings are printed (``cli``).
"""
