// Listens for webhooks of a running gate and checks each by the libraries of Standard Webhooks, for Node and, where
// CHECK_PYTHON names an interpreter that has it, for Python. The secret is computed from the API key, as a holder does it.
//
//   FAREGATE_URL=http://127.0.0.1:8080 npm test

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { Wallet } from "ethers";
import { Webhook } from "standardwebhooks";

const base = process.env.FAREGATE_URL ?? "http://127.0.0.1:8080";
const python = process.env.CHECK_PYTHON;

let session, key, server, url;
const received = [];
let answer = () => ({ status: 204 });

before(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece)).on("end", () => {
      received.push({ headers: request.headers, body });
      const { status, headers = {} } = answer(JSON.parse(body));
      response.writeHead(status, headers).end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}/hook`;
  const wallet = Wallet.createRandom();
  const { data } = (await call("GET", `/auth/nonce/${wallet.address}`)).body;
  const proof = { address: wallet.address, nonce: data.nonce, signature: await wallet.signMessage(data.message) };
  session = (await call("POST", "/auth/verify", { body: proof })).body.data;
  key = (await asOwner("POST", "/v1/api-keys", { name: "hooks", scopes: ["*"] })).body.data;
});

after(() => server.close());

async function call(method, path, { headers = {}, body } = {}) {
  const answer = await fetch(base + path, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
  });
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? null : JSON.parse(text) };
}

const asOwner = (method, path, body) => call(method, path, { headers: { authorization: `Bearer ${session.access_token}` }, body });
const asKey = (method, path, body) => call(method, path, { headers: { "x-api-key": key.key }, body });

const secretOf = (text) => "whsec_" + createHmac("sha256", text).update("faregate webhook v1").digest("base64");

async function until(claim, what) {
  for (let round = 0; round < 200; round++) {
    const found = await claim();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`not in twenty seconds: ${what}`);
}

function check({ headers, body }, secret) {
  const event = new Webhook(secret).verify(body, headers);
  if (python) {
    const script = "import json, sys; from standardwebhooks import Webhook; it = json.load(sys.stdin); " +
      "Webhook(it['secret']).verify(it['body'], it['headers'])";
    const checked = spawnSync(python, ["-c", script], { input: JSON.stringify({ secret, body, headers }), encoding: "utf8" });
    assert.equal(checked.status, 0, checked.stderr);
  }
  return event;
}

function isRefused(message, secret) {
  assert.throws(() => new Webhook(secret).verify(message.body, message.headers));
}

test("a delivery is checked by whoever holds the key, and by nobody else", async () => {
  const made = await asKey("POST", "/v1/webhooks", { url });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.equal(made.body.data.secret, secretOf(key.key));
  assert.equal((await asKey("POST", `/v1/webhooks/${made.body.data.id}/test`)).status, 202);
  const message = await until(() => received.find((one) => JSON.parse(one.body).type === "webhook.test"), "the test event");
  assert.equal(check(message, secretOf(key.key)).type, "webhook.test");
  isRefused(message, secretOf("sk_test_" + "0".repeat(55)));
  isRefused({ ...message, body: message.body.replace("test", "best") }, secretOf(key.key));
  isRefused({ ...message, headers: { ...message.headers, "webhook-id": "msg_other" } }, secretOf(key.key));
});

test("a delivery that fails comes again under its id, signed anew", async () => {
  received.length = 0;
  let failures = 1;
  answer = (event) => ({ status: event.data.name === "another" && failures-- > 0 ? 500 : 204 });
  const { body } = await asOwner("POST", "/v1/api-keys", { name: "another" });
  const about = () => received.filter((one) => JSON.parse(one.body).data.key_id === body.data.id);
  await until(() => about().length === 2, "the second attempt");
  const [first, second] = about();
  for (const message of [first, second]) assert.equal(check(message, secretOf(key.key)).type, "key.created");
  assert.equal(first.headers["webhook-id"], second.headers["webhook-id"]);
  assert.equal(first.body, second.body);
});

test("while both secrets of a rotated key work, a delivery is signed under both", async () => {
  received.length = 0;
  const rotated = await asOwner("POST", `/v1/api-keys/${key.id}/rotate`, { grace_seconds: 3600 });
  assert.equal(rotated.status, 201);
  const message = await until(() => received.find((one) => JSON.parse(one.body).type === "key.rotated"), "the rotation");
  check(message, secretOf(key.key));
  check(message, secretOf(rotated.body.data.key));
  assert.equal(message.headers["webhook-signature"].split(" ").length, 2);
});
