# SPDX-License-Identifier: Apache-2.0
"""What attackers attempt, and what happens: ``table`` lists the attacks, one test each."""
