// Logs in to a running gate the way a browser would: ethers holds the wallet, siwe reads and writes the sign-in
// message (EIP-4361), jose checks the token. None of them was written by this project.
//
//   FAREGATE_URL=http://127.0.0.1:8080 npm test

import assert from "node:assert/strict";
import { test } from "node:test";

import { Wallet } from "ethers";
import { createLocalJWKSet, jwtVerify } from "jose";
import { SiweMessage } from "siwe";

const base = process.env.FAREGATE_URL ?? "http://127.0.0.1:8080";

async function call(method, path, { body, token } = {}) {
  const headers = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  // Behind `cargo lambda watch`, a function is compiled when it is first called.
  const signal = AbortSignal.timeout(120_000);
  const answer = await fetch(base + path, { method, headers, signal, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === "" ? null : JSON.parse(text) };
}

async function askNonce(wallet) {
  const { status, body } = await call("GET", `/auth/nonce/${wallet.address}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.data;
}

async function logIn(wallet) {
  const { nonce, message } = await askNonce(wallet);
  const signature = await wallet.signMessage(message);
  const answer = await call("POST", "/auth/verify", { body: { address: wallet.address, signature, nonce } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.data;
}

test("a foreign library reads our message as we meant it", async () => {
  const wallet = Wallet.createRandom();
  const { nonce, message } = await askNonce(wallet);
  const parsed = new SiweMessage(message);
  assert.equal(parsed.address, wallet.address);
  assert.equal(parsed.nonce, nonce);
  assert.equal(parsed.prepareMessage(), message);
  const checked = await parsed.verify({ signature: await wallet.signMessage(message), nonce, domain: parsed.domain });
  assert.equal(checked.success, true);
});

test("a foreign wallet logs in once per nonce", async () => {
  const wallet = Wallet.createRandom();
  const { nonce, message } = await askNonce(wallet);
  const body = { address: wallet.address, nonce, signature: await wallet.signMessage(message) };
  assert.equal((await call("POST", "/auth/verify", { body })).status, 200);
  const again = await call("POST", "/auth/verify", { body });
  assert.equal(again.status, 401);
  assert.equal(again.body.code, "invalid_signature");
});

test("a wallet that builds its own message logs in", async () => {
  const wallet = Wallet.createRandom();
  const offered = await askNonce(wallet);
  const { domain, uri, chainId } = new SiweMessage(offered.message);
  const own = new SiweMessage({ domain, uri, chainId, address: wallet.address, version: "1", nonce: offered.nonce,
    issuedAt: new Date().toISOString(), statement: "Let me in." });
  const message = own.prepareMessage();
  const signature = await wallet.signMessage(message);
  const body = { address: wallet.address, signature, nonce: offered.nonce, message };
  const answer = await call("POST", "/auth/verify", { body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
});

test("another wallet's signature does not log in", async () => {
  const [wallet, thief] = [Wallet.createRandom(), Wallet.createRandom()];
  const { nonce, message } = await askNonce(wallet);
  const body = { address: wallet.address, nonce, signature: await thief.signMessage(message) };
  const answer = await call("POST", "/auth/verify", { body });
  assert.equal(answer.status, 401);
  assert.equal(answer.body.code, "invalid_signature");
});

test("a foreign library accepts our token by the published keys", async () => {
  const wallet = Wallet.createRandom();
  const { access_token } = await logIn(wallet);
  const discovery = await call("GET", "/.well-known/openid-configuration");
  const keys = await call("GET", new URL(discovery.body.jwks_uri).pathname);
  const { payload, protectedHeader } = await jwtVerify(access_token, createLocalJWKSet(keys.body), {
    issuer: discovery.body.issuer, typ: "at+jwt", algorithms: ["ES256"] });
  assert.ok(protectedHeader.kid);
  assert.match(payload.sub, new RegExp(`^eip155:\\d+:${wallet.address}$`));
});

test("a key made by a foreign wallet works until it is revoked", async () => {
  const { access_token: token } = await logIn(Wallet.createRandom());
  const created = await call("POST", "/v1/api-keys", { token, body: { name: "ethers" } });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const { id, key } = created.body.data;

  const admitted = await call("GET", "/demo/free", { token: key });
  assert.equal(admitted.status, 200, JSON.stringify(admitted.body));
  assert.equal(admitted.headers.get("x-ratelimit-limit"), "100");
  assert.equal(admitted.headers.get("x-ratelimit-remaining"), "99");

  assert.equal((await call("DELETE", `/v1/api-keys/${id}`, { token })).status, 204);
  const refused = await call("GET", "/demo/free", { token: key });
  assert.equal(refused.status, 401);
  assert.equal(refused.body.code, "invalid_api_key");
});

test("a session passes the gate until it logs out", async () => {
  const { access_token: token } = await logIn(Wallet.createRandom());
  assert.equal((await call("GET", "/demo/free", { token })).status, 200);
  assert.ok((await call("POST", "/auth/logout", { token })).status < 300);
  const refused = await call("GET", "/demo/free", { token });
  assert.equal(refused.status, 401);
  assert.equal(refused.body.code, "invalid_token");
});
