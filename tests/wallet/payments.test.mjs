// Pays and refunds at a running gate as Stripe would: Stripe's own library signs each event, and says of each what it would
// say of it itself. The gate must say the same.
//
//   FAREGATE_URL=http://127.0.0.1:8080 FAREGATE_STRIPE_SECRET=whsec_… npm run payments

import assert from "node:assert/strict";
import { test } from "node:test";

import { Wallet } from "ethers";
import Stripe from "stripe";

const base = process.env.FAREGATE_URL ?? "http://127.0.0.1:8080";
const secret = process.env.FAREGATE_STRIPE_SECRET;
// No call of Stripe's API is made.
const { webhooks } = new Stripe("sk_test_none");

async function call(method, path, { headers = {}, body } = {}) {
  const answer = await fetch(base + path, { method, body, headers: { "content-type": "application/json", ...headers } });
  return { status: answer.status, body: await answer.json() };
}

async function logIn() {
  const wallet = Wallet.createRandom();
  const { data } = (await call("GET", `/auth/nonce/${wallet.address}`)).body;
  const proof = { address: wallet.address, nonce: data.nonce, signature: await wallet.signMessage(data.message) };
  return (await call("POST", "/auth/verify", { body: JSON.stringify(proof) })).body.data;
}

function send(payload, header) {
  return call("POST", "/v1/payments/stripe", { body: payload, headers: header === undefined ? {} : { "stripe-signature": header } });
}

async function walletOf({ access_token }) {
  const answer = await call("GET", "/v1/billing", { headers: { authorization: `Bearer ${access_token}` } });
  return answer.body.data.wallet_usd;
}

const event = (type, object) => JSON.stringify({ id: `evt_${object.id}`, object: "event", type, data: { object } }, null, 2);

const checkout = (account, payment, cents) =>
  event("checkout.session.completed", { id: `cs_${payment}`, object: "checkout.session", client_reference_id: account,
    payment_intent: payment, payment_status: "paid", amount_total: cents, currency: "usd" });

const name = (prefix) => `${prefix}_${Wallet.createRandom().address.slice(2)}`;

const sign = (payload, options = {}) => webhooks.generateTestHeaderString({ payload, secret, ...options });

test("what Stripe's library signs is credited and refunded once", async () => {
  const session = await logIn();
  const payment = name("pi");
  const paid = checkout(session.account_id, payment, 2_550);
  const refund = event("refund.created", { id: name("re"), object: "refund", payment_intent: payment, amount: 1_000,
    currency: "usd", status: "succeeded" });
  for (const [payload, wallet] of [[paid, 25.5], [paid, 25.5], [refund, 15.5], [refund, 15.5]]) {
    const answer = await send(payload, sign(payload));
    assert.deepEqual([answer.status, answer.body.data], [200, { status: "applied" }], JSON.stringify(answer.body));
    assert.equal(await walletOf(session), wallet);
  }
});

test("the gate accepts and refuses what Stripe's library accepts and refuses", async () => {
  const session = await logIn();
  const payload = checkout(session.account_id, name("pi"), 100);
  const now = Math.floor(Date.now() / 1000);
  const good = sign(payload);
  const [time, tag] = good.split(",");
  const other = sign(payload, { secret: secret.replace(/.$/, (last) => (last === "0" ? "1" : "0")) });
  const cases = [
    [payload, good], [payload, sign(payload, { timestamp: now - 280 })], [payload, `${good},v1=${"0".repeat(64)}`],
    [payload, `${time},v1=${"0".repeat(64)},${tag},v0=${"0".repeat(64)}`], [payload, `${tag},${time}`],
    [payload, other], [payload, `${other},${tag}`], [payload, sign(payload, { timestamp: now - 400 })],
    [payload, sign(payload, { scheme: "v0" })], [payload, `t=${now - 1},${tag}`], [payload, `${time}, ${tag}`],
    [payload, time], [payload, tag], [payload, ""], [payload, "nonsense"], [payload, undefined],
    [`${payload} `, good], [payload.replace("100", "900"), good], [payload.slice(0, -1), good], ["{}", good],
  ];
  const seen = new Set();
  for (const [body, header] of cases) {
    let accepted = true;
    try {
      webhooks.constructEvent(body, header, secret);
    } catch (error) {
      assert.ok(error instanceof Stripe.errors.StripeSignatureVerificationError, `${error}`);
      accepted = false;
    }
    const answer = await send(body, header);
    assert.equal(answer.status, accepted ? 200 : 400, `${header}: ${JSON.stringify(answer.body)}`);
    if (!accepted) assert.equal(answer.body.code, "invalid_event_signature");
    seen.add(accepted);
  }
  assert.equal(seen.size, 2);
  assert.equal(await walletOf(session), 1);
});

test("a time in the future is refused, which the library lets pass", async () => {
  const session = await logIn();
  const payload = checkout(session.account_id, name("pi"), 100);
  const early = sign(payload, { timestamp: Math.floor(Date.now() / 1000) + 400 });
  webhooks.constructEvent(payload, early, secret);
  assert.equal((await send(payload, early)).status, 400);
  assert.equal(await walletOf(session), 0);
});
