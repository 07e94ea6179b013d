// Visits the gate as the frontend of a customer does: a real browser, a page of another origin, and a client secret that
// the page's own backend handed it.
//
//   FAREGATE_URL=http://127.0.0.1:8080 FAREGATE=target/debug/faregate npm test
//
// The policy must let pages of http://localhost read answers, and no others. CHROMIUM names another browser.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

const base = process.env.FAREGATE_URL ?? "http://127.0.0.1:8080";
const program = process.env.FAREGATE ?? "../../target/debug/faregate";
const data = process.env.FAREGATE_DATA ?? "data";
let backend;
let browser;
const servers = [];

/** What a backend asks: no page has a part in it. */
async function ask(method, path, { body, token } = {}) {
  const headers = { "content-type": "application/json" };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text === "" ? null : JSON.parse(text) };
}

function wallet(word, input) {
  return execFileSync(program, ["--data", data, "wallet", word], { input, encoding: "utf8" }).trim();
}

async function makeKey() {
  const address = wallet("address");
  const { nonce, message } = (await ask("GET", `/auth/nonce/${address}`)).body.data;
  const proof = { address, nonce, signature: wallet("sign", message) };
  const token = (await ask("POST", "/auth/verify", { body: proof })).body.data.access_token;
  const body = { name: "a frontend's backend", scopes: ["demo:*", "sessions:write"] };
  const made = await ask("POST", "/v1/api-keys", { token, body });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body.data.key;
}

/** What the customer's backend hands its page. */
async function makeSession(settings = {}) {
  const body = { client_reference_id: "visitor", ...settings };
  const made = await ask("POST", "/v1/client-sessions", { token: backend, body });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { session, client_secret: handed } = made.body.data;
  return { id: session.id, url: handed.url, secret: handed.secret };
}

/** A page of an origin of its own. */
async function openPage(host) {
  const server = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>a page</title>"));
  servers.push(server);
  server.listen(0, host === "localhost" ? undefined : host);
  await once(server, "listening");
  const origin = `http://${host}:${server.address().port}`;
  const page = await browser.newPage();
  await page.goto(origin);
  assert.equal(await page.evaluate(() => location.origin), origin);
  return { page, origin };
}

/** What a page's script gets of a request: the answer as far as the browser lets it be read, or that it does not. */
function fetchIn(page, path, { token, body, ...rest } = {}) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const request = { headers, body: body && JSON.stringify(body), ...rest };
  return page.evaluate(
    async ([url, options]) => {
      try {
        const answer = await fetch(url, options);
        const text = await answer.text();
        const readable = Object.fromEntries(answer.headers);
        return { status: answer.status, headers: readable, body: text === "" ? null : JSON.parse(text) };
      } catch (error) {
        return { refused: error.name };
      }
    },
    [base + path, request],
  );
}

const redeem = (page, secret) =>
  fetchIn(page, "/v1/client-sessions/redeem", { method: "POST", body: { client_secret: secret } });

async function redeemed(page, settings) {
  const { id, secret } = await makeSession(settings);
  const answer = await redeem(page, secret);
  assert.equal(answer.status, 200, JSON.stringify(answer));
  assert.equal(answer.body.data.client_session_id, id);
  return { id, secret, token: answer.body.data.access_token };
}

before(async () => {
  backend = await makeKey();
  // The gate and the pages are this machine's own, and its root may not have the sandbox that Chromium wants.
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  for (const server of servers) server.close();
});

test("a page redeems its secret once and calls the gate, and reads its limits", async () => {
  const { page } = await openPage("localhost");
  const { secret, token } = await redeemed(page);
  const free = await fetchIn(page, "/demo/free", { token });
  assert.equal(free.status, 200, JSON.stringify(free));
  for (const name of ["ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]) {
    assert.ok(free.headers[name], `${name} is not to be read: ${JSON.stringify(free.headers)}`);
  }
  const paid = await fetchIn(page, "/demo/paid", { token, method: "POST", body: {} });
  assert.equal(paid.status, 200, JSON.stringify(paid));
  const again = await redeem(page, secret);
  assert.deepEqual([again.status, again.body.code], [401, "invalid_client_secret"]);
});

test("a page reads why it is refused", async () => {
  const { page } = await openPage("localhost");
  const { id, token } = await redeemed(page, { max_cost_usd: "0.01" });
  assert.equal((await fetchIn(page, "/demo/paid", { token, method: "POST", body: {} })).status, 200);
  const over = await fetchIn(page, "/demo/paid", { token, method: "POST", body: {} });
  assert.deepEqual([over.status, over.body.code, over.body.limit_source], [402, "insufficient_credits", "session"]);
  assert.equal((await ask("DELETE", `/v1/client-sessions/${id}`, { token: backend })).status, 204);
  const ended = await fetchIn(page, "/demo/free", { token });
  assert.deepEqual([ended.status, ended.body.code], [401, "invalid_token"]);
  assert.ok(ended.headers["www-authenticate"], JSON.stringify(ended.headers));
});

test("a page that is not listed reads nothing, and uses nothing up", async () => {
  const [listed, other] = [await openPage("localhost"), await openPage("127.0.0.1")];
  const { secret } = await makeSession();
  assert.deepEqual(await redeem(other.page, secret), { refused: "TypeError" });
  // Without a preflight the request arrives, and is no JSON.
  const path = "/v1/client-sessions/redeem";
  const plain = { method: "POST", headers: { "content-type": "text/plain" }, body: { client_secret: secret } };
  const sent = await fetchIn(other.page, path, plain);
  assert.deepEqual(sent, { refused: "TypeError" });
  const answer = await redeem(listed.page, secret);
  assert.equal(answer.status, 200, JSON.stringify(answer));
  const token = answer.body.data.access_token;
  assert.deepEqual(await fetchIn(other.page, "/demo/free", { token }), { refused: "TypeError" });
  assert.equal((await fetchIn(listed.page, "/demo/free", { token })).status, 200);
});

test("a session of one page is none of another's", async () => {
  const [own, other] = [await openPage("localhost"), await openPage("localhost")];
  const { secret } = await makeSession({ allowlist: [own.origin] });
  assert.deepEqual(await redeem(other.page, secret), { refused: "TypeError" });
  const answer = await redeem(own.page, secret);
  assert.equal(answer.status, 200, JSON.stringify(answer));
  const token = answer.body.data.access_token;
  assert.deepEqual(await fetchIn(other.page, "/demo/free", { token }), { refused: "TypeError" });
  assert.equal((await fetchIn(own.page, "/demo/free", { token })).status, 200);
});

test("no page manages anything", async () => {
  const { page } = await openPage("localhost");
  const { token } = await redeemed(page);
  assert.deepEqual(await fetchIn(page, "/v1/client-sessions", { token }), { refused: "TypeError" });
  assert.equal((await ask("GET", "/v1/client-sessions", { token })).status, 401);
});
