"""What the harness asks of a peer; each folder beside this file has one or more."""

import json
import os
import pathlib
import secrets
import shutil
import subprocess
import time
import urllib.error
import urllib.request

from driver import http
from machine import Process, free_port

FOLDER = pathlib.Path(__file__).parent
CHECK = {"limit": "/limit", "full": "/full"}


class Peer:
    """A server of our own few lines around a library, which answers 200, or refuses as the library's documentation does.

    `GET /limit` and `GET /full` with `x-api-key` are decisions; `/spend` is one that turns out dearer than it was thought;
    `POST /keys` makes keys and `POST /revoke` ends one.
    """

    name = None
    folder = None                 # below this one
    store = None                  # "dynamodb", "postgresql", or None where the store is in the process
    policies = ("limit", "full")
    trials = ("limit", "budget", "burst", "revoke", "spend", "outage")
    code_member = "code"          # of a refusal's body
    admitted_text = ""            # what the body of an admission holds
    notes = ()
    revocation_seconds = 2        # how long a revoked key is watched

    def __init__(self, harness):
        self.harness = harness
        self.scratch = harness.scratch / (self.folder + "-" + secrets.token_hex(3))
        self.port, self.process, self.start_seconds = free_port(), None, None
        self.versions = {}
        self.is_counted = False       # whether a store within the process is to count its calls

    def install(self):
        """Puts the peer's packages where they stay for the next run."""

    def command(self, store):
        raise NotImplementedError

    def environment(self, store):
        return {}

    def prepare(self, store):
        """Before the first start on a store."""

    def start(self, store=None):
        self.scratch.mkdir(parents=True, exist_ok=True)
        if self.process is None:
            self.prepare(store)
        began = time.monotonic()
        self.process = Process(
            self.command(store), self.scratch / "log", cwd=self.harness.installed(self.folder), PORT=self.port,
            **self.environment(store),
        ).start(f"http://127.0.0.1:{self.port}/healthz")
        self.start_seconds = time.monotonic() - began
        self.on = store

    def restart(self):
        """After a kill: the same port, the same store."""
        self.start(self.on)

    def stop(self):
        if self.process:
            self.process.stop()

    def keys(self, policy, count, most):
        """Keys as requests: so many, each good for `most` calls a day, or for a budget of so many."""
        made = self.post("/keys", {"policy": policy, "count": count, "most": most})["keys"]
        return [http("GET", CHECK[policy], key, [("x-api-key", key)]) for key in made]

    def revoke(self, request):
        self.post("/revoke", {"key": request.key})

    def spend(self, request):
        """One call that was estimated at one unit and cost five; whether it was admitted."""
        return self.ask("GET", "/spend", {"x-api-key": request.key})[0] == 200

    def booked(self, request):
        """Units that the peer's own books say were spent by the key; None where it has none."""
        return None

    def calls_made(self):
        """Calls to a store that no counter sees; None where one does."""
        return None

    def post(self, path, body, **headers):
        status, answer = self.ask("POST", path, headers, json.dumps(body).encode())
        if status >= 300:
            raise RuntimeError(f"{self.name}: {path} answers {status} {answer[:500]}")
        return json.loads(answer)

    def ask(self, method, path, headers=(), body=None):
        headers = {**dict(headers), **({"content-type": "application/json"} if body else {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


class Node(Peer):
    """One in Node, installed from its lock file."""

    main = "server.mjs"

    def install(self):
        folder = self.harness.installed(self.folder)
        lock = (FOLDER / self.folder / "package-lock.json").read_bytes()
        if not (folder / "lock").exists() or (folder / "lock").read_bytes() != lock:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(FOLDER / self.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
            run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--cache", self.harness.npm_cache], cwd=folder)
            (folder / "lock").write_bytes(lock)
        for file in [*(FOLDER / self.folder).glob("*.mjs"), FOLDER / "serve.mjs"]:
            shutil.copy(file, folder)
        packages = json.loads(lock)["packages"]
        wanted = packages[""]["dependencies"]
        self.versions = {name: packages[f"node_modules/{name}"]["version"] for name in wanted}
        self.versions["node"] = run(["node", "--version"]).strip().lstrip("v")

    def command(self, store):
        return ["node", self.main]

    def environment(self, store):
        return {"NODE_ENV": "production", "STORE": store or "", "FOLDER": self.scratch,
                "COUNTED": "1" if self.is_counted else ""}


class Python(Peer):
    """One in Python, installed from requirements with hashes."""

    main = "server:app"

    def install(self):
        folder = self.harness.installed(self.folder)
        wanted = (FOLDER / self.folder / "requirements.txt").read_bytes()
        if not (folder / "lock").exists() or (folder / "lock").read_bytes() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            run(["python3", "-m", "venv", folder / "venv"])
            requirements = ["--require-hashes", "--requirement", FOLDER / self.folder / "requirements.txt"]
            run([folder / "venv/bin/pip", "install", "--quiet", *requirements])
            (folder / "lock").write_bytes(wanted)
        for file in (FOLDER / self.folder).glob("*.*"):
            shutil.copy(file, folder)
        self.versions = self.installed_versions(folder)

    def installed_versions(self, folder):
        lines = run([folder / "venv/bin/pip", "freeze"]).split()
        return dict(line.split("==") for line in lines if line.split("==")[0] in self.shown)

    def command(self, store):
        python = self.harness.installed(self.folder) / "venv/bin/python"
        return [python, "-m", "uvicorn", self.main, "--host", "127.0.0.1", "--port", self.port,
                "--log-level", "warning", "--no-access-log"]

    def environment(self, store):
        return {"STORE": store or "", "FOLDER": self.scratch}


def run(command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-3000:]}{done.stdout[-1000:]}")
    return done.stdout


AWS = {
    "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
os.environ.update(AWS)
