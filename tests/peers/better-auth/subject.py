"""Better Auth with its api-key plugin, on SQLite and on PostgreSQL."""

import json

from peer import Node


class OnSqlite(Node):
    name = "Better Auth, SQLite"
    folder = "better-auth"
    # What a call turns out to cost it does not know, and its store is in its process.
    trials = ("limit", "budget", "burst", "revoke")
    notes = ("The budget is `remaining`, in calls; it knows no money.",)

    def calls_made(self):
        return json.loads(self.ask("GET", "/calls")[1])["calls"]


class OnPostgreSql(Node):
    name = "Better Auth, PostgreSQL"
    folder = "better-auth"
    store = "postgresql"
    trials = ("limit", "budget", "burst", "revoke", "outage")
    notes = OnSqlite.notes


PEERS = {"better-auth-sqlite": OnSqlite, "better-auth-postgresql": OnPostgreSql}
