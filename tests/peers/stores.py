"""The stores that peers keep their state in, each a process of its own."""

import os
import pathlib
import pwd
import shutil
import time

from machine import Process, free_port
from peer import run


class DynamoDb:
    """The embedded DynamoDB of the local program, in memory; nobody asks this program's gate."""

    is_raw = False
    has_books = False

    def __init__(self, harness):
        self.address = f"127.0.0.1:{free_port()}"
        gate = free_port()
        policy = pathlib.Path(__file__).parent / "faregate/policy.yaml"
        command = [harness.binaries / "faregate", "--memory", "--listen", f"127.0.0.1:{gate}", "--dynamodb", self.address,
                   "--policy", policy]
        if not self.has_books:
            # A program on another's store feeds no books; this one is on its own.
            command += ["--store", f"http://{self.address}"]
        self.process = Process(command, harness.scratch / "dynamodb.log").start(f"http://127.0.0.1:{gate}/healthz")

    def stop(self):
        self.process.stop()


class DynamoDbWithBooks(DynamoDb):
    """The same, where the program also enters Faregate's books from the table's stream."""

    has_books = True


class PostgreSql:
    """Debian's PostgreSQL as it is configured there, with pg_stat_statements, which counts its calls."""

    is_raw = True

    def __init__(self, harness):
        self.binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.folder = harness.scratch / "postgresql"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        # The server does not run as root.
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
            for parent in [self.folder, *self.folder.parents]:
                parent.chmod(parent.stat().st_mode | 0o011) if parent.is_relative_to(harness.scratch) else None
        data = self.folder / "data"
        run([self.binaries / "initdb", "--auth", "trust", "--username", "postgres", "--pgdata", data], user=self.user)
        command = [self.binaries / "postgres", "-D", data, "-k", self.folder, "-p", self.port, "-h", "127.0.0.1",
                   "-c", "shared_preload_libraries=pg_stat_statements"]
        self.process = Process(command, harness.scratch / "postgresql.log", user=self.user).start()
        for _ in range(100):
            try:
                self.say("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                return
            except RuntimeError:
                time.sleep(0.1)
        raise RuntimeError((harness.scratch / "postgresql.log").read_text())

    def say(self, sql):
        return run([self.binaries / "psql", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-Atc", sql]).strip()

    def calls(self):
        return int(self.say("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements"))

    def stop(self):
        self.process.stop()


STORES = {"dynamodb": DynamoDb, "dynamodb-with-books": DynamoDbWithBooks, "postgresql": PostgreSql}
