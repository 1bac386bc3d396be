# SPDX-License-Identifier: Apache-2.0
"""Run the unittest tests of packages, and write the outcome of each test to a JSON file.

``python program.py FILE PACKAGE...``: a suite's own interpreter runs this program, which may be
Python 2.7. It imports nothing of this project.
"""

import importlib
import json
import os
import sys
import unittest


def name_of(test):
    """Return the id of a test without the attributes that Tempest appends in brackets."""
    return test.id().split("[")[0]


def tests_of(suite):
    """Yield the tests of a suite, in their order."""
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            for test in tests_of(one):
                yield test
        else:
            yield one


class Outcomes(unittest.TestResult):
    """The status and the reason of each test."""

    def __init__(self, names):
        unittest.TestResult.__init__(self)
        self.names = names
        self.found = {}

    def _add(self, test, status, reason=""):
        name = name_of(test)
        # setUpClass (package.module.Class): the outcome of all tests of the class.
        group = name.partition("(")[2].rstrip(")")
        names = [one for one in self.names if one.startswith(group + ".")] if group else [name]
        for one in names:
            self.found[one] = [status, reason]
        sys.stderr.write("%s %s%s\n" % (status, name, " # " + reason if reason else ""))
        sys.stderr.flush()

    def addSuccess(self, test):
        # The test may have failed before, in a subtest.
        if name_of(test) not in self.found:
            self._add(test, "passed")

    def addSkip(self, test, reason):
        self._add(test, "skipped", str(reason).strip())

    def addError(self, test, err):
        # testtools for Python 2.7 has a class of its own for skips of a class of tests.
        if err[0].__name__ in ("SkipTest", "TestSkipped"):
            self.addSkip(test, str(err[1]))
            return
        text = self._exc_info_to_string(err, test).strip()
        sys.stderr.write(text + "\n")
        self._add(test, "failed", text.splitlines()[-1])

    addFailure = addError

    def addExpectedFailure(self, test, err):
        self._add(test, "passed")

    def addUnexpectedSuccess(self, test):
        self._add(test, "failed", "unexpected success")


def load(package):
    """Return the tests below a package."""
    folder = os.path.dirname(os.path.abspath(importlib.import_module(package).__file__))
    top = folder
    for _ in package.split("."):
        top = os.path.dirname(top)
    return unittest.TestLoader().discover(folder, top_level_dir=top)


def main():
    """Run the tests that the command line names."""
    suite = unittest.TestSuite([load(package) for package in sys.argv[2:]])
    outcomes = Outcomes([name_of(test) for test in tests_of(suite)])
    suite.run(outcomes)
    with open(sys.argv[1], "w") as file:
        json.dump(outcomes.found, file)


if __name__ == "__main__":
    main()
