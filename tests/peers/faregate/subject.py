"""Faregate itself: the gate in front of an API, and the verify call of an API that nothing stands in front of."""

import json
import pathlib
import re
import subprocess

from driver import http
from peer import CHECK, Peer

FOLDER = pathlib.Path(__file__).parent
PRICE_USD = 0.001


class Gate(Peer):
    """The local program on the embedded DynamoDB of another one, whose process is the store here."""

    name = "**Faregate**, the gate"
    folder = "faregate"
    store = "dynamodb"

    def install(self):
        self.program = self.harness.binaries / "faregate"
        self.versions = {"faregate": self.harness.revision}

    def prepare(self, store):
        self.wallet = [self.program, "--data", self.scratch / "data"]
        self.address = self.say("wallet", "address").strip()

    def say(self, *words, text=""):
        done = subprocess.run([*self.wallet, *words], input=text, capture_output=True, text=True, check=True)
        return done.stdout

    def command(self, store):
        return [*self.wallet, "--listen", f"127.0.0.1:{self.port}", "--policy", FOLDER / "policy.yaml",
                "--operator", self.address, "--store", f"http://{store}"]

    def start(self, store=None):
        self.harness.folder_of(self.folder)
        super().start(store)
        if not hasattr(self, "token"):
            self.token = self.sign_in()
            self.service = self.make_key(name="service", scopes=["gate:check"])["key"]

    def restart(self):
        super().start(self.on)

    def sign_in(self):
        _, answer = self.ask("GET", f"/auth/nonce/{self.address}")
        asked = json.loads(answer)["data"]
        signature = self.say("wallet", "sign", text=asked["message"]).strip()
        proof = {"address": self.address, "signature": signature, "nonce": asked["nonce"]}
        return self.post("/auth/verify", proof)["data"]["access_token"]

    def make_key(self, **wanted):
        return self.post("/v1/api-keys", wanted, authorization=f"Bearer {self.token}")["data"]

    def keys(self, policy, count, most):
        self.ids = getattr(self, "ids", {})
        requests = []
        for number in range(count):
            if policy == "limit":
                made = self.make_key(name=f"{number}", limits={"per_day": most})
            else:
                made = self.make_key(name=f"{number}", budget_usd=round(most * PRICE_USD, 6))
            self.ids[made["key"]] = made["id"]
            requests.append(self.request(policy, made["key"]))
        return requests

    def request(self, policy, key):
        return http("GET", CHECK[policy], key, [("x-api-key", key)])

    def revoke(self, request):
        path = f"/v1/api-keys/{self.ids[request.key]}"
        status, answer = self.ask("DELETE", path, {"authorization": f"Bearer {self.token}"})
        if status != 204:
            raise RuntimeError(f"a key is not revoked: {status} {answer}")

    def spend(self, request):
        status, answer = self.ask("GET", "/spend", {"x-api-key": request.key})
        if status != 200:
            return False
        charge = re.search(rb'"chargeId":"(chg_[0-9A-Za-z]+)"', answer)[1].decode()
        headers = {"authorization": f"Bearer {self.service}"}
        dearer = json.dumps({"outcome": "succeeded", "actual_usd": 5 * PRICE_USD}).encode()
        status, answer = self.ask("POST", f"/v1/charges/{charge}/settle", headers, dearer)
        if status < 400:
            raise RuntimeError(f"more than was reserved is taken: {answer}")
        self.post(f"/v1/charges/{charge}/settle", {"outcome": "succeeded"}, **headers)
        return True

    def booked(self, request):
        path = f"/v1/api-keys/{self.ids[request.key]}"
        _, answer = self.ask("GET", path, {"authorization": f"Bearer {self.token}"})
        return round(json.loads(answer)["data"]["usage"]["spent_usd"] / PRICE_USD)


class WithBooks(Gate):
    """The same, and the store's process keeps the books as it goes: a row and its sums for each admitted call."""

    name = "**Faregate**, the gate, its books kept on the same cores"
    store = "dynamodb-with-books"
    trials = ()


class VerifyCall(Gate):
    """The same decision, asked for over HTTP by an API: the answer is 200 and says what to answer."""

    name = "**Faregate**, the verify call"
    admitted_text = '"allowed":true'
    trials = ("limit", "budget", "burst", "revoke", "outage")
    notes = ("What the caller is told is in the answer's `code`; the call itself is 200.",)

    def request(self, policy, key):
        body = json.dumps({"key": key, "method": "GET", "path": CHECK[policy]}).encode()
        return http("POST", "/v1/api-keys/verify", key, [("authorization", f"Bearer {self.service}")], body)


PEERS = {"faregate": Gate, "faregate-verify": VerifyCall, "faregate-books": WithBooks}
