# SPDX-License-Identifier: Apache-2.0
"""Find what moving images from v1 to v2, or back, would change or lose.

What must live here: the audit itself. ``kinds`` declares every kind of finding. ``records`` holds
the v1 record and the v2 record of one image. ``detectors`` recognises each kind in these records,
and ``findings`` runs the detectors. ``percent_encoding`` recognises strings that
python-glanceclient encoded. ``reader`` reads the images of a cloud over both APIs, and ``writer``
writes what only v1 shows.

``sanity_kinds`` declares the kinds that have nothing to do with a move. ``conditions`` and
``comparisons`` recognise them, the latter by comparing all images; ``examinations`` says what they
need to know.

What must not: code that prints findings (``cli``).
"""
