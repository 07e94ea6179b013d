"""Puts the templates and the release binaries into an emulated AWS account, and walks through it over HTTP.

    walk.py BINARIES GATE

BINARIES is the folder with the functions' release binaries, GATE the local program (its wallet signs in). Needs
`ministack`, `aws-sam-translator`, `boto3` and openssl. What the emulator does not do stands in docs/aws.md; this is changed
of the template for it, and nothing else:

- `arm64` becomes this machine's architecture, because the emulator starts the binaries itself;
- the functions' code and the policy layer come from a bucket, as `sam package` would have put them there;
- a method for all methods becomes one for each, and gateway responses are put once the API is there: its import knows
  neither;
- the usage plan's requirement goes: it asks the caller for the plan's key and not the authorizer;
- of what a generated secret must not hold it knows single characters only;
- in one of the stacks webhooks may go to this machine, where the receiver is, without TLS.
"""

import base64
import hmac
import http.server
import io
import json
import os
import pathlib
import platform
import re
import shutil
import ssl
import string
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile

import boto3
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTIONS = [
    "nonce", "verify", "keys", "charges", "check", "billing", "payments", "requests", "sessions", "links", "leaks", "ledger", "endpoints",
    "webhooks", "console", "authorizer",
]
ORIGIN = "https://api.example.com"
# Where the table is not.
ELSEWHERE = "eu-west-1"
STRIPE_SECRET = "whsec_" + "5" * 32


def main(binaries, gate):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        wallet = Wallet(gate, folder / "wallet")
        backend = Backend(folder)
        with Cloud(folder, backend.certificate) as cloud:
            cloud.upload(pathlib.Path(binaries))
            data = cloud.deploy("faregate-data", table_template(), {})
            parameters = {
                "TableName": data["TableName"], "StreamArn": data["StreamArn"], "SecretsPrefix": data["SecretsPrefix"], "PublicOrigin": ORIGIN,
                "BackendUrl": backend.url, "Operator": wallet.address,
            }
            api = cloud.deploy_api("faregate", parameters)
            walk(cloud, api, wallet, backend, data)
            product(cloud, parameters, wallet)
            broken(cloud, parameters)


def walk(cloud, api, wallet, backend, data):
    """From a wallet to a refused call, through every function."""
    secrets, table = data["SecretsPrefix"], data["TableName"]
    step("documents")
    expect(api.get("/.well-known/jwks.json"), 200)
    described = expect(api.get("/openapi.json"), 200)
    assert "/v1/api-keys/verify" in described["paths"]

    step("the console, and what its page asks for")
    for path in ["/console", "/console/keys"]:
        headers, page = api.fetch(path)
        assert "default-src 'none'" in headers["content-security-policy"], headers
    parts = re.findall(r'(?:src|href)="(/console/[^"]+)"', page)
    assert {part.rsplit(".")[-1] for part in parts} == {"js", "css", "svg"}, parts
    for part in parts:
        headers, text = api.fetch(part)
        assert text and headers["x-content-type-options"] == "nosniff", (part, headers)
    expect(api.get("/console/nothing"), 404)

    step("signing in")
    token = wallet.sign_in(api)
    bearer = {"authorization": f"Bearer {token}"}
    account = expect(api.get("/v1/me", bearer), 200)["data"]["account_id"]

    step("keys")
    made = expect(api.post("/v1/api-keys", {"name": "first", "budget_usd": 0.03}, bearer), 201)["data"]
    key = {"x-api-key": made["key"]}
    expect(api.get(f"/v1/api-keys/{made['id']}", bearer), 200)
    service = expect(api.post("/v1/api-keys", {"name": "service", "scopes": ["gate:check"]}, bearer), 201)["data"]["key"]
    service = {"authorization": f"Bearer {service}"}

    step("through the authorizer to the API behind it")
    before = backend.requests
    seen = expect(api.get("/demo/free", key), 200)
    assert seen == {"backend": "/demo/free"} and backend.requests == before + 1, (seen, backend.requests)

    step("401: no credential, junk, and an unknown key")
    for credential in [{}, {"x-api-key": "junk"}, {"authorization": "Bearer " + made["key"][:-1] + "x"}]:
        assert expect(api.get("/demo/free", credential), 401)["code"] == "invalid_api_key"
    assert backend.requests == before + 1, "a refused call reached the API"

    step("429: a route's limit of five and a burst of two")
    statuses = [api.get("/demo/limited", key)[0] for _ in range(9)]
    # The minute may have turned once.
    assert statuses.count(429) >= 1 and statuses.index(429) >= 5 and set(statuses) <= {200, 429}, statuses

    step("the verify call: 403, 402 when the budget is spent, and what was told of limits")
    def verify(method, path, credential=made["key"]):
        asked = {"key": credential, "method": method, "path": path}
        return expect(api.post("/v1/api-keys/verify", asked, service), 200)["data"]

    read_only = expect(api.post("/v1/api-keys", {"name": "r", "scopes": "read-only"}, bearer), 201)["data"]["key"]
    refused = verify("POST", "/demo/paid", read_only)
    assert (refused["allowed"], refused["status"], refused["code"]) == (False, 403, "insufficient_scope"), refused
    for _ in range(3):
        decided = verify("POST", "/demo/paid")
        assert decided["allowed"] and decided["headers"]["x-ratelimit-limit"] == "100", decided
    spent = verify("POST", "/demo/paid")
    assert (spent["status"], spent["body"]["detail"]) == (402, "Insufficient credits"), spent

    step("a settled charge gives back what it did not cost")
    metered = expect(api.post("/v1/api-keys", {"name": "m", "budget_usd": 0.10}, bearer), 201)["data"]["key"]
    charge = verify("POST", "/demo/metered", metered)
    assert charge["principal"]["settle"] == "required", charge
    assert verify("POST", "/demo/metered", metered)["status"] == 402
    report = {"outcome": "succeeded", "actual_usd": 0.04}
    expect(api.post(f"/v1/charges/{charge['charge_id']}/settle", report, service), 200)
    expect(api.post(f"/v1/charges/{charge['charge_id']}/settle", report, service), 200)
    assert verify("POST", "/demo/paid", metered)["allowed"]
    reserved = expect(api.get("/v1/billing", bearer), 200)["data"]
    assert reserved["reserved_usd"] == 0 and reserved["spent_today_usd"] == 0.08, reserved

    step("credit, once for ever")
    for _ in range(2):
        credited = api.post(f"/v1/accounts/{account}/credits", {"amount_usd": 5, "reference": "invoice-1"}, bearer)
        expect(credited, {200, 201})
    assert expect(api.get("/v1/billing", bearer), 200)["data"]["wallet_usd"] == 5

    step("a payment, signed as Stripe signs, once its secret is there")
    event = {"type": "checkout.session.completed", "data": {"object": {
        "id": "cs_1", "payment_intent": "pi_1", "payment_status": "paid", "amount_total": 250, "currency": "usd",
        "client_reference_id": account}}}
    expect(api.pay(event, STRIPE_SECRET), 404)
    cloud.client("secretsmanager").put_secret_value(SecretId=f"{secrets}/stripe", SecretString=STRIPE_SECRET)
    # That it was absent is remembered for ten seconds.
    time.sleep(11)
    assert expect(api.pay(event, "whsec_" + "0" * 32), 400)["code"] == "invalid_event_signature"
    for _ in range(2):
        assert expect(api.pay(event, STRIPE_SECRET), 200)["data"]["status"] == "applied"
    assert expect(api.get("/v1/billing", bearer), 200)["data"]["wallet_usd"] == 7.5
    assert expect(api.get("/v1/payments/unmatched", bearer), 200)["data"] == []

    step("a client session: made, redeemed once, charged to its key, ended")
    backend_key = expect(api.post("/v1/api-keys", {"name": "b", "scopes": ["demo:*", "sessions:write"]}, bearer), 201)["data"]["key"]
    backend_key = {"x-api-key": backend_key}
    asked = {"client_reference_id": "user-42", "max_cost_usd": "0.01", "scopes": ["demo:*"]}
    session = expect(api.post("/v1/client-sessions", asked, backend_key), 201)["data"]
    secret = {"client_secret": session["client_secret"]["secret"]}
    visitor = expect(api.post("/v1/client-sessions/redeem", secret), 200)["data"]["access_token"]
    visitor = {"authorization": f"Bearer {visitor}"}
    assert expect(api.post("/v1/client-sessions/redeem", secret), 401)["code"] == "invalid_client_secret"
    expect(api.get("/demo/free", visitor), 200)
    expect(api.post("/demo/paid", {}, visitor), 200)
    page = f"/v1/client-sessions/{session['session']['id']}"
    assert expect(api.get(page, backend_key), 200)["data"]["spent_usd"] == 0.01
    expect(api.send("DELETE", page, None, backend_key), 204)
    expect(api.get("/demo/free", visitor), 401)
    preflight = {"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    expect(api.send("OPTIONS", "/v1/client-sessions/redeem", None, preflight), 204)

    step("a signed URL opens what it was made for, without a credential")
    signed = expect(api.post("/v1/signed-urls", {"path": "/demo/media/cat.png?size=2"}, bearer), 201)["data"]
    assert signed["url"].startswith(f"{ORIGIN}/demo/media/cat.png?"), signed
    target = signed["url"].removeprefix(ORIGIN)
    assert expect(api.get(target), 200)["backend"].startswith("/demo/media/cat.png?"), target
    def ask(url):
        path, query = url.split("?")
        asked = {"key": "", "method": "GET", "path": path, "query": query}
        return expect(api.post("/v1/api-keys/verify", asked, service), 200)["data"]

    # The emulator hands on what API Gateway refuses with INVALID_API_KEY, so refusals are asked for.
    for other in [target.replace("size=2", "size=3"), target.replace("cat", "dog"), target + "&size=2", target[:-1] + "g"]:
        refused = ask(other)
        assert (refused["allowed"], refused["status"], refused["code"]) == (False, 403, "invalid_signed_url"), refused
    decided = ask(target)
    assert decided["allowed"] and decided["charge_id"] is None and decided["principal"]["account_id"] == account, decided

    step("the books: a row for each admitted request, and every number of every cell")
    books(cloud, table)
    step("the books are read out")
    listed = expect(api.get(f"/v1/requests?account_id={account}&route=POST%20/demo/paid", bearer), 200)
    assert [row["cost_usd"] for row in listed["data"]] == [0.01] * 5, listed
    numbers = expect(api.get("/v1/analytics?bucket=hour&group_by=key", bearer), 200)["data"]
    assert len(numbers["buckets"]) == 25, numbers
    expect(api.get(f"/v1/api-keys/{made['id']}/events", bearer), 200)
    for path in ["/v1/billing", "/v1/billing/entries"]:
        assert expect(api.get(f"{path}?account_id={account}", bearer), 200) == expect(api.get(path, bearer), 200), path

    step("a batch that the ledger crashes with is given up, missed, and replayed from the dead letters")
    given_up(cloud, api, table, key)
    step("a record that the ledger does not understand is set aside, and replayed when it is mended")
    set_aside(cloud, api, table, made["id"], key)

    step("a report of a leaked key that nobody signed, and one that cannot be checked, end nothing")
    unsigned = api.send("POST", "/v1/leaks/github", json.dumps([{"token": made["key"], "type": "t", "url": ""}]).encode())
    assert expect(unsigned, 400)["code"] == "invalid_event_signature", unsigned
    expect(api.get("/demo/free", key), 200)
    # Where GitHub's keys are out of reach it is asked to send again; where they are not, none of them is of this name.
    sealed = {"github-public-key-identifier": "nobody", "github-public-key-signature": "MAYCAQECAQE="}
    report = json.dumps([{"token": made["key"], "type": "t", "url": ""}]).encode()
    expect(api.send("POST", "/v1/leaks/github", report, sealed), {400, 503})
    expect(api.get("/demo/free", key), 200)

    step("a webhook: in order, signed under what follows from the key, and in the log")
    webhooks(api, backend, bearer)

    step("rotation and revocation at the very next call")
    rotated = expect(api.post(f"/v1/api-keys/{made['id']}/rotate", {"grace_seconds": 0}, bearer), 201)["data"]["key"]
    expect(api.get("/demo/free", key), 401)
    expect(api.get("/demo/free", {"x-api-key": rotated}), 200)
    expect(api.send("DELETE", f"/v1/api-keys/{made['id']}", None, bearer), 204)
    expect(api.get("/demo/free", {"x-api-key": rotated}), 401)

    step("the end of a session")
    expect(api.send("POST", "/auth/logout", None, bearer), 204)
    expect(api.get("/v1/me", bearer), 401)


def webhooks(api, backend, bearer):
    """Events arrive at a receiver, through stream and queues, within a minute."""
    made = expect(api.post("/v1/api-keys", {"name": "hooks", "scopes": ["*"]}, bearer), 201)["data"]
    key = {"x-api-key": made["key"]}
    for url in ["https://10.0.0.1/", "http://example.com/", "https://169.254.169.254/latest/meta-data"]:
        assert expect(api.post("/v1/webhooks", {"url": url}, key), 400)["field"] == "url"
    hook = expect(api.post("/v1/webhooks", {"url": backend.hook, "events": ["key.created", "key.revoked"]}, key), 201)["data"]
    tag = hmac.new(made["key"].encode(), b"faregate webhook v1", "sha256").digest()
    assert hook["secret"] == "whsec_" + base64.b64encode(tag).decode(), "another secret"
    expect(api.post(f"/v1/webhooks/{hook['id']}/test", {}, key), 202)
    other = expect(api.post("/v1/api-keys", {"name": "other"}, bearer), 201)["data"]["id"]
    expect(api.send("DELETE", f"/v1/api-keys/{other}", None, bearer), 204)
    wanted = {"webhook.test", "key.created", "key.revoked"}
    for _ in range(60):
        heard = [json.loads(body) for path, _, body in backend.received if path == "/hook"]
        about = [one["type"] for one in heard if one["data"].get("key_id") in (None, other)]
        if set(about) == wanted:
            break
        time.sleep(1)
    assert set(about) == wanted and about.index("key.created") < about.index("key.revoked"), heard
    for path, headers, body in backend.received:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        signature = "v1," + base64.b64encode(hmac.new(tag, signed, "sha256").digest()).decode()
        assert headers["webhook-signature"] == signature, headers
    for _ in range(30):
        log = expect(api.get(f"/v1/webhooks/{hook['id']}/deliveries", key), 200)["data"]
        if all(one["status"] == "delivered" for one in log):
            break
        time.sleep(1)
    assert len(log) >= 3 and all(one["status"] == "delivered" for one in log), log
    expect(api.send("DELETE", f"/v1/webhooks/{hook['id']}", None, key), 204)


def books(cloud, table):
    """The ledger has been told of everything, within a minute."""
    for _ in range(60):
        items = [item for page in cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table) for item in page["Items"]]
        cells = {item["pk"]["S"]: int(item["n"]["N"]) for item in items if item["sk"]["S"] == "cell"}
        entered = {
            item["pk"]["S"].removeprefix("book_"): int(item["n"]["N"]) for item in items if item["sk"]["S"] == "position"
        }
        rows = sum(item["sk"]["S"].startswith("row_") for item in items)
        if rows == sum(cells.values()) and all(entered.get(cell, 0) == count for cell, count in cells.items()):
            assert rows >= 10, rows
            assert not any("hl" in item for item in items if item["sk"]["S"] == "position"), "a gap"
            return
        time.sleep(1)
    raise AssertionError(f"cells have admitted {cells}, the books have {entered} and {rows} rows")


def given_up(cloud, api, table, key):
    """Puts the ledger out of order until a batch is in its dead letters, and then in order again."""
    outputs, functions = cloud.outputs("faregate"), cloud.client("lambda")
    ledger, queue, sqs = outputs["Ledger"], outputs["LedgerDeadLetters"], cloud.client("sqs")
    mapping = functions.list_event_source_mappings(FunctionName=ledger)["EventSourceMappings"][0]
    variables = functions.get_function_configuration(FunctionName=ledger)["Environment"]["Variables"]
    assert mapping["MaximumRecordAgeInSeconds"] == 57600, mapping
    # AWS would wait for a minute at the least.
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRecordAgeInSeconds=1)
    broken = {**variables, "FAREGATE_TABLE": "nowhere"}
    functions.update_function_configuration(FunctionName=ledger, Environment={"Variables": broken})
    for _ in range(3):
        expect(api.get("/demo/free", key), 200)

    def letters():
        count = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        return int(count["Attributes"]["ApproximateNumberOfMessages"])

    until(letters, "a dead letter")
    functions.update_function_configuration(FunctionName=ledger, Environment={"Variables": variables})
    functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRecordAgeInSeconds=57600)
    expect(api.get("/demo/free", key), 200)
    until(lambda: gaps(cloud, table), "a gap in the books")
    # A dry run takes nothing, and hides nothing from the run after it.
    status, said = cloud.replay("--dry-run")
    assert status == 1 and "still in the stream" in said and said.endswith(f"0 records handed over, {letters()} left\n"), said
    status, said = cloud.replay()
    assert status == 0 and re.search(r"^[1-9]\d* records handed over, 0 left$", said, re.MULTILINE), said
    assert not letters() and not gaps(cloud, table)
    books(cloud, table)
    assert cloud.replay() == (0, "0 records handed over, 0 left\n")


def set_aside(cloud, api, table, key_id, key):
    """Writes an admission into a key's cell in a form that no ledger knows."""
    dynamodb, cell, unknown = cloud.client("dynamodb"), {"pk": {"S": key_id}, "sk": {"S": "cell"}}, "a row of another form"
    row = dynamodb.get_item(TableName=table, Key=cell, ConsistentRead=True)["Item"]["lr"]["S"]

    def write(update, **values):
        values = {f":{name}": value for name, value in values.items()}
        dynamodb.update_item(TableName=table, Key=cell, UpdateExpression=update, ExpressionAttributeValues=values)

    def aside():
        asked = {"TableName": table, "KeyConditionExpression": "pk = :aside"}
        return dynamodb.query(**asked, ExpressionAttributeValues={":aside": {"S": "book_aside"}})["Items"]

    write("SET n = n + :one, lr = :row", one={"N": "1"}, row={"S": unknown})
    # The write after it shows the cell before as it was.
    write("SET lr = :row", row={"S": row})
    until(lambda: len(aside()) == 2, "two records set aside")
    expect(api.get("/demo/free", key), 200)
    until(lambda: gaps(cloud, table), "a gap in the books")
    status, said = cloud.replay()
    assert (status, said.count("set aside: ")) == (1, 2) and said.endswith("2 left\n"), said
    assert len(aside()) == 2 and gaps(cloud, table)
    charge, rest = row.split(" ", 1)
    for item in aside():
        mended = item["re"]["S"].replace(unknown, f"{charge[::-1]} {rest}")
        dynamodb.put_item(TableName=table, Item={**item, "re": {"S": mended}})
    status, said = cloud.replay()
    assert status == 0 and said.endswith("2 records handed over, 0 left\n"), said
    assert not aside() and not gaps(cloud, table)
    books(cloud, table)


def gaps(cloud, table):
    """What is missing from the books, by cell."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["pk"]["S"]: item["hl"] for page in pages for item in page["Items"] if item["sk"]["S"] == "position" and "hl" in item}


def until(holds, what):
    for _ in range(60):
        if holds():
            return
        time.sleep(0.5)
    raise AssertionError(f"{what} does not come")


def product(cloud, parameters, wallet):
    """Another policy out of the layer: its prefix, its words."""
    step("a product's policy, by one parameter")
    layer_file = cloud.layer / "biofrq.yaml"
    assert layer_file.exists()
    data = cloud.deploy("biofrq-data", table_template(), {})
    own = {"TableName": data["TableName"], "StreamArn": data["StreamArn"], "SecretsPrefix": data["SecretsPrefix"], "PolicyFile": "biofrq.yaml"}
    api = cloud.deploy_api("biofrq", {**parameters, **own})
    bearer = {"authorization": f"Bearer {wallet.sign_in(api)}"}
    made = expect(api.post("/v1/api-keys", {"name": "mobile"}, bearer), 201)
    text = json.dumps(made)
    assert "bfq_live_" in text, text
    key = re.search(r"bfq_live_[0-9A-Za-z]{55}", text)[0]
    expect(api.post("/v1/face/execute", {}, {"x-api-key": key}), 200)
    # Here webhooks go to public addresses alone, as they do everywhere but in the stack before.
    refused = expect(api.post("/v1/webhooks", {"url": "https://localhost/", "key_id": "key_0000000000000000"}, bearer), 400)
    assert "public address" in json.dumps(refused), refused
    # No other credential surface: the same key as a bearer is not read.
    expect(api.post("/v1/face/execute", {}, {"authorization": f"Bearer {key}"}), 401)


def broken(cloud, parameters):
    """A deployment that cannot work says why when it starts, shows no secret, and admits nobody."""
    cloud.place("unsound.yaml", (ROOT / "infra/policies/default.yaml").read_text().replace("plan: studio,", "plan: gold,"))
    other = {layout: cloud.deploy(f"layout-{layout}", table_template(), {})["TableName"] for layout in (1, 3)}
    for layout, table in other.items():
        item = {"pk": {"S": "layout"}, "sk": {"S": "layout"}, "v": {"N": str(layout)}}
        cloud.client("dynamodb").put_item(TableName=table, Item=item)
    table, here = parameters["TableName"], cloud.region
    for name, parameter, value, region, said in [
        ("without-policy", "PolicyFile", "missing.yaml", here, "/opt/missing.yaml: No such file"),
        ("with-an-unsound-policy", "PolicyFile", "unsound.yaml", here, r"/opt/unsound.yaml:\d+: sign_up.plan: .*gold"),
        ("without-secrets", "SecretsPrefix", "nobody", here, r"secret nobody/\w+ could not be read: ResourceNotFound"),
        ("without-table", "TableName", "nowhere", here, f"table nowhere in {here} does not answer: .*ResourceNotFound"),
        ("in-another-region", "TableName", table, ELSEWHERE, f"table {table} in {ELSEWHERE} does not answer: .*ResourceNotFound"),
        ("on-an-older-table", "TableName", other[1], here, f"table {other[1]} in {here} has layout 1, and this version reads layout 2"),
        ("on-a-newer-table", "TableName", other[3], here, f"table {other[3]} in {here} has layout 3, and this version reads layout 2"),
    ]:
        step(f"a deployment {name.replace('-', ' ')} admits nobody, and its log says why")
        before = len(cloud.said())
        api = cloud.deploy_api(name, {**parameters, parameter: value}, region)
        for method, path in [("GET", "/demo/free"), ("POST", "/demo/paid"), ("GET", f"/auth/nonce/{parameters['Operator']}")]:
            status, _ = api.send(method, path, None, {"x-api-key": "sk_test_" + "0" * 55})
            # A function that needs no secret starts without them.
            assert status >= 500 or (name == "without-secrets" and path.startswith("/auth/nonce")), (path, status)
        log = cloud.said()[before:]
        assert re.search(f"{name}-Authorizer.*the function does not start: {said}", log), log
        assert not any(secret in log for secret in cloud.secrets()), "a secret is in the log"


def table_template():
    """infra/table.yaml as the emulator can take it."""
    body = yaml.load((ROOT / "infra/table.yaml").read_text(), Loader=Intrinsics)
    for resource in body["Resources"].values():
        rule = resource["Properties"].get("GenerateSecretString")
        if rule:
            assert rule["ExcludePunctuation"] and rule["ExcludeUppercase"] and rule["PasswordLength"] == 64
            rule["ExcludeCharacters"] += string.ascii_uppercase + string.punctuation
    return json.dumps(body)


class Template:
    """template.yaml as the emulator can take it."""

    def __init__(self, bucket):
        self.body = yaml.load((ROOT / "template.yaml").read_text(), Loader=Intrinsics)
        machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
        globals_of_functions = self.body["Globals"]["Function"]
        globals_of_functions["Architectures"] = [machine]
        del globals_of_functions["CodeUri"]
        code = []
        for resource in self.body["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                code.append(resource["Metadata"]["BuildProperties"]["Binary"])
                resource["Properties"]["CodeUri"] = f"s3://{bucket}/{code[-1]}.zip"
            if resource["Type"] == "AWS::Serverless::LayerVersion":
                resource["Properties"]["ContentUri"] = f"s3://{bucket}/policies.zip"
                resource["Properties"]["CompatibleArchitectures"] = [machine]
        assert sorted(code) == sorted(FUNCTIONS), code
        definition = self.body["Resources"]["Api"]["Properties"]["DefinitionBody"]
        self.gateway_responses = definition["x-amazon-apigateway-gateway-responses"]
        for path in definition["paths"].values():
            operation = path.pop("x-amazon-apigateway-any-method")
            if "security" in operation:
                operation = {**operation, "security": [{"gate": []}]}
            path.update({method: operation for method in ["get", "post", "put", "patch", "delete", "head"]})

    def let_webhooks_stay_here(self):
        for name in ["Endpoints", "Webhooks"]:
            properties = self.body["Resources"][name]["Properties"]
            variables = properties.setdefault("Environment", {}).setdefault("Variables", {})
            variables["FAREGATE_REACH"] = "loopback"

    def text(self):
        return json.dumps(self.body)


class Intrinsics(yaml.SafeLoader):
    """CloudFormation's short forms as the long ones."""


def intrinsic(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt":
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Intrinsics.add_multi_constructor("!", intrinsic)


class Cloud:
    """The emulator, and what is put into it."""

    def __init__(self, folder, certificate):
        self.folder = folder
        self.layer = pathlib.Path("/opt")
        self.region = "us-east-1"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = open(folder / "cloud.log", "w+")
        environment = {
            **os.environ, "GATEWAY_PORT": str(self.port), "AWS_ENDPOINT_URL": self.url, "BIND_HOST": "127.0.0.1",
            "SSL_CERT_FILE": certificate, "LOG_LEVEL": "INFO", "TMPDIR": str(folder),
        }
        command = [shutil.which("ministack", path=os.path.dirname(sys.executable)) or "ministack"]
        self.process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=subprocess.STDOUT, cwd=folder)
        self.placed = []

    def __enter__(self):
        for _ in range(150):
            try:
                urllib.request.urlopen(self.url + "/_localstack/health", timeout=1)
                return self
            except OSError:
                time.sleep(0.2)
        raise SystemExit("the emulator does not start:\n" + self.tail())

    def __exit__(self, kind, *_):
        self.process.terminate()
        self.process.wait()
        for file in self.placed:
            file.unlink(missing_ok=True)
        if kind:
            print(self.tail(), file=sys.stderr)
        self.log.close()

    def tail(self):
        self.log.flush()
        return "".join(pathlib.Path(self.log.name).read_text().splitlines(keepends=True)[-60:])

    def client(self, service, region=None):
        return boto3.client(
            service, endpoint_url=self.url, region_name=region or self.region, aws_access_key_id="000000000000",
            aws_secret_access_key="none",
        )

    def upload(self, binaries):
        files = {f"{name}.zip": zipped({"bootstrap": binaries / name}) for name in FUNCTIONS}
        policies = {file.name: file for file in (ROOT / "infra/policies").iterdir()}
        files["policies.zip"] = zipped(policies)
        # Lambda takes code from a bucket of its own region only.
        for region in [self.region, ELSEWHERE]:
            s3 = self.client("s3", region)
            if region == self.region:
                s3.create_bucket(Bucket=bucket(region))
            else:
                s3.create_bucket(Bucket=bucket(region), CreateBucketConfiguration={"LocationConstraint": region})
            for name, body in files.items():
                s3.put_object(Bucket=bucket(region), Key=name, Body=body)
        # The emulator does not mount layers for binaries that it starts itself.
        for name, file in policies.items():
            self.place(name, file.read_text())

    def place(self, name, text):
        """Puts a file where the policy layer is mounted."""
        target = self.layer / name
        if not target.exists():
            target.write_text(text)
            self.placed.append(target)

    def outputs(self, stack):
        described = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    def replay(self, *options):
        """infra/replay.py for the stack: how it ended, and what it said."""
        environment = {
            **os.environ, "AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": self.region, "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "none",
        }
        command = [sys.executable, str(ROOT / "infra/replay.py"), "--stack", "faregate", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout

    def secrets(self):
        """Every value that no log may show."""
        manager = self.client("secretsmanager")
        values = [manager.get_secret_value(SecretId=one["ARN"])["SecretString"] for one in manager.list_secrets()["SecretList"]]
        # The place for Stripe's is empty until somebody fills it.
        return [value for value in values if value]

    def said(self):
        """Everything that was said so far, by functions that ended while they started among others: the emulator puts
        that into its own log."""
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def deploy_api(self, name, parameters, region=None):
        template = Template(bucket(region or self.region))
        if name == "faregate":
            template.let_webhooks_stay_here()
        outputs = self.deploy(name, template.text(), parameters, region)
        api = Api(outputs, self)
        gateway = self.client("apigateway", region)
        for kind, response in template.gateway_responses.items():
            gateway.put_gateway_response(
                restApiId=api.id, responseType=kind, statusCode=str(response["statusCode"]),
                responseParameters=response["responseParameters"], responseTemplates=response["responseTemplates"],
            )
        gateway.create_deployment(restApiId=api.id, stageName="live")
        return api

    def deploy(self, name, template, parameters, region=None):
        formation = self.client("cloudformation", region)
        source = bucket(region or self.region)
        self.client("s3", region).put_object(Bucket=source, Key=f"{name}.template", Body=template.encode())
        formation.create_stack(
            StackName=name, TemplateURL=f"{self.url}/{source}/{name}.template", Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        for _ in range(240):
            stack = formation.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                break
            time.sleep(0.25)
        if stack["StackStatus"] != "CREATE_COMPLETE":
            events = formation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [event for event in events if "FAILED" in event["ResourceStatus"]]
            raise SystemExit(f"{name}: {stack['StackStatus']} {reasons}")
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


class Api:
    """A deployed API, called as its callers do."""

    def __init__(self, outputs, cloud):
        self.id = re.match(r"https://([^.]+)\.", outputs["Url"])[1]
        self.base, self.host = f"{cloud.url}/live", f"{self.id}.execute-api.localhost:{cloud.port}"

    def get(self, path, headers=None):
        return self.send("GET", path, None, headers)

    def post(self, path, body, headers=None):
        return self.send("POST", path, json.dumps(body).encode(), headers)

    def pay(self, event, secret):
        body, sent_at = json.dumps(event), int(time.time())
        tag = hmac.new(secret.encode(), f"{sent_at}.{body}".encode(), "sha256").hexdigest()
        return self.send("POST", "/v1/payments/stripe", body.encode(), {"stripe-signature": f"t={sent_at},v1={tag}"})

    def fetch(self, path):
        """What a browser gets: headers, and the text."""
        request = urllib.request.Request(self.base + path, headers={"host": self.host})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers, answer.read().decode()

    def send(self, method, path, body=None, headers=None):
        headers = {"content-type": "application/json", "host": self.host, **(headers or {})}
        request = urllib.request.Request(self.base + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, read(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, read(refused.read())


class Wallet:
    """The local program's development wallet."""

    def __init__(self, program, folder):
        self.command = [program, "--data", str(folder), "wallet"]
        self.address = self.ask("address", "")

    def ask(self, what, text):
        done = subprocess.run([*self.command, what], input=text, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def sign_in(self, api):
        nonce = expect(api.get(f"/auth/nonce/{self.address}"), 200)["data"]
        proof = {"address": self.address, "signature": self.ask("sign", nonce["message"]), "nonce": nonce["nonce"]}
        token = expect(api.post("/auth/verify", proof), 200)["data"]["access_token"]
        # A nonce works once.
        expect(api.post("/auth/verify", proof), 401)
        return token


class Backend:
    """The API behind the gate: answers with the path it was asked for, over TLS, as the template demands."""

    def __init__(self, folder):
        self.requests = 0
        self.received = []
        self.certificate = str(folder / "backend.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-keyout", str(folder / "backend.key"), "-out", self.certificate, "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost"],
            check=True, capture_output=True,
        )
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                backend.requests += 1
                sent = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.path == "/hook":
                    backend.received.append((self.path, self.headers, sent))
                body = json.dumps({"backend": self.path}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate, str(folder / "backend.key"))
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"https://localhost:{server.server_port}"
        # The emulator gives functions no certificate of this machine's, so webhooks come without TLS.
        plain = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        self.hook = f"http://127.0.0.1:{plain.server_port}/hook"


def bucket(region):
    return f"code-{region}"


def expect(answer, wanted):
    status, body = answer
    wanted = wanted if isinstance(wanted, set) else {wanted}
    assert status in wanted, f"{status} in place of {wanted}: {body}"
    return body


def read(body):
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, file in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
    return out.getvalue()


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def step(text):
    print(f"· {text}", flush=True)


main(*sys.argv[1:])
