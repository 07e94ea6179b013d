"""Has schemathesis ask a running program everything that its description says, once for each kind of caller.

walk.py URL FAREGATE FOLDER    the program's address, its binary, and a folder for what is needed beside; the wallet in
                               `operator` is the program's operator
"""

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SEED = os.environ.get("FAREGATE_SEED", "20261")
# For each of the callers: enough for all that is tried systematically, and some more by chance.
SECONDS = os.environ.get("FAREGATE_SECONDS", "40")


def main():
    url, binary, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    operator, owner = Wallet(url, binary, folder / "operator"), Wallet(url, binary, folder / "owner")
    # All of it before anything is asked: later the network may have had its nonces, and the project its money.
    prepared = [(caller, owner.begin_charge()) for caller in callers(url, operator, owner)]
    # A key's id stands in its text.
    texts = [text for caller, _ in prepared for text in (caller.credential, caller.spare) if text.startswith("sk_test_")]
    os.environ["FAREGATE_KEYS"] = " ".join(f"key_{text[8:24]}" for text in texts)
    failed = [caller.name for caller, charge in prepared if not holds(url, caller, owner.account, charge, folder)]
    if failed:
        sys.exit(f"error: the program is not what its description says for {', '.join(failed)}; seed {SEED}")


@dataclass
class Caller:
    """Who asks, of whose account, how they prove it, and a second credential of the same kind, which may end."""

    name: str
    wallet: "Wallet"
    scheme: str
    credential: str
    spare: str
    headers: str = ""


def callers(url, operator, owner):
    everything, service = ["admin", "admin"], [["gate:check"], ["gate:check"]]
    yield Caller("an operator's session", operator, "token = {{ bearer = {} }}", operator.sign_in(), operator.sign_in())
    cookie = "session = {{ api_key = {} }}"
    origin = f'headers = {{ Origin = "{url}" }}'
    yield Caller("a session in a cookie", owner, cookie, owner.sign_in(), owner.sign_in(), origin)
    yield Caller("a key with every scope", owner, "headerKey = {{ api_key = {} }}", *map(owner.make_key, everything))
    yield Caller("a service key", operator, "key = {{ bearer = {} }}", *map(operator.make_key, service))


def holds(url, caller, account, charge, folder):
    """Whether the program answers this caller as the description says."""
    print(f"\n-- {caller.name}, seed {SEED}", flush=True)
    auth = caller.scheme.format(json.dumps(caller.credential))
    config = folder / "schemathesis.toml"
    config.write_text(f"{caller.headers}\n{(HERE / 'schemathesis.toml').read_text()}\n[auth.openapi]\n{auth}\n")
    settings = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "FAREGATE_HOOKS": str(HERE / "hooks.py"),
        "FAREGATE_CREDENTIAL": caller.credential,
        "FAREGATE_SPARE": caller.spare,
        "FAREGATE_CHARGE": charge,
        "FAREGATE_ACCOUNT": account,
        "FAREGATE_PROJECT": caller.wallet.project,
    }
    # From a file, because schemathesis leaves out the operation that it has a description from.
    description = folder / "openapi.json"
    urllib.request.urlretrieve(f"{url}/openapi.json", description)
    program = Path(sys.executable).parent / "schemathesis"
    # All checks are on unless the file says otherwise; to name them here would overrule it.
    command = [program, "--config-file", config, "run", description, "--url", url]
    limits = ["--seed", SEED, "--max-time", SECONDS, "--max-failures", "20", "--output-truncate", "false"]
    done = subprocess.run([*command, *limits], env=os.environ | settings, cwd=folder)
    # Whoever lost the credential on the way was only told that it is not valid.
    caller.wallet.ask("GET", "/v1/me", None, caller.credential)
    return done.returncode == 0


class Wallet:
    """A development wallet of the program's own making, signed in."""

    def __init__(self, url, binary, folder):
        self.url, self.command = url, [binary, "--data", str(folder), "wallet"]
        self.address = self.run("address", "").strip()
        self.token = self.sign_in()
        self.project = self.ask("GET", "/v1/me", None, self.token)["default_project_id"]

    def sign_in(self):
        issued = self.ask("GET", f"/auth/nonce/{self.address}")
        proof = {"address": self.address, "nonce": issued["nonce"], "signature": self.run("sign", issued["message"]).strip()}
        session = self.ask("POST", "/auth/verify", proof)
        self.account = session["account_id"]
        return session["access_token"]

    def make_key(self, scopes):
        return self.ask("POST", "/v1/api-keys", {"name": "walk", "scopes": scopes}, self.token)["key"]

    def begin_charge(self):
        """A call that waits to be settled."""
        return self.ask("POST", "/demo/metered", None, self.make_key("full-access"))["context"]["chargeId"]

    def ask(self, method, path, body=None, credential=None):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {credential}"} if credential else {})
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers, method=method)) as answer:
            return json.load(answer)["data"]

    def run(self, word, text):
        done = subprocess.run([*self.command, word], input=text, capture_output=True, text=True, check=True)
        return done.stdout


if __name__ == "__main__":
    main()
