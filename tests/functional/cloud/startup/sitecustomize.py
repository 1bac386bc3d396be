# SPDX-License-Identifier: Apache-2.0
"""Read by the interpreters of the servers, Python 2.7 among them, when they start.

oslo.db opens each SQLite transaction with ``BEGIN``, which takes the write lock only when
something is written. A transaction that has read by then fails at once with "database is locked"
if another one wrote in between, however long the time-out is. Real databases do not do this, so
each transaction takes the write lock when it begins, and the others wait.
"""

import sqlite3


class Cursor(sqlite3.Cursor):
    def execute(self, statement, *arguments):
        if statement == "BEGIN":
            statement = "BEGIN IMMEDIATE"
        return sqlite3.Cursor.execute(self, statement, *arguments)


class Connection(sqlite3.Connection):
    def cursor(self, factory=Cursor):
        return sqlite3.Connection.cursor(self, factory)


_connect = sqlite3.connect


def connect(*arguments, **options):
    options.setdefault("factory", Connection)
    return _connect(*arguments, **options)


sqlite3.connect = sqlite3.dbapi2.connect = connect
