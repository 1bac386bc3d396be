# SPDX-License-Identifier: Apache-2.0
"""What a move from v1 to v2, or back, would change or lose.

What must live here: ``findings`` declares every kind of finding, ``detectors`` finds them in the
records of an image, ``percent_encoding`` recognises text that python-glanceclient encoded, and
``reader`` reads the images of a cloud over both APIs.
What must not: how findings are printed (``cli``).
"""
