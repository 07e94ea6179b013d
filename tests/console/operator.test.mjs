// What operators do for others: credit, plans, payments that fit nobody.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";

import { Wallet } from "ethers";

import { Person, Program, closeBrowser, eventually, policyOf } from "./world.mjs";

const operator = Wallet.createRandom();
const stripe = "whsec_5tr1p351gn1ngs3cr3t0f4t35t3ndp01nt";
const policy = policyOf("default").replace("plans:\n", "plans:\n  starter: { max_keys: 1, per_minute: 10, per_day: 100, concurrent: 1 }\n");
let program;
before(async () => (program = await Program.start({ operator: operator.address, policy, stripe })));
after(async () => {
  await closeBrowser();
  await program.stop();
});

const operators = () => Person.of(program, { wallets: [{ name: "Test Wallet", key: operator }] });

/** An owner who is signed in, and the account's id. */
async function newcomer(path) {
  const owner = await Person.of(program);
  await owner.signIn(owner.page, path);
  const account = (await program.ask("GET", "/v1/me", { token: await program.token(owner.wallet) })).body.data.account_id;
  return { owner, account };
}

/** Tells of a checkout that was paid, signed as Stripe signs. */
async function paid(payment, account, cents, currency = "usd") {
  const object = { id: `cs_${payment}`, object: "checkout.session", client_reference_id: account, payment_intent: payment, payment_status: "paid", amount_total: cents, currency };
  const body = JSON.stringify({ id: `evt_${payment}`, object: "event", type: "checkout.session.completed", data: { object } });
  const at = Math.floor(Date.now() / 1_000);
  const signature = `t=${at},v1=${createHmac("sha256", stripe).update(`${at}.${body}`).digest("hex")}`;
  const answer = await fetch(`${program.url}/v1/payments/stripe`, { method: "POST", headers: { "content-type": "application/json", "stripe-signature": signature }, body });
  return (await answer.json()).data.status;
}

test("a payment that fits nobody is given to the account that it belongs to, or put aside", async () => {
  const { owner, account } = await newcomer("/billing");
  assert.equal(await paid("pi_lost", "somebody", 2_550), "kept");
  assert.equal(await paid("pi_yen", account, 4_000, "jpy"), "kept");
  assert.equal(await paid("pi_stray", "nobody", 100), "kept");
  const person = await operators();
  const { page } = person;
  await person.signIn(page, "/operator");
  const row = (payment) => page.getByRole("row", { name: new RegExp(payment) });
  await row("pi_lost").getByText("There is no such account.").or(row("pi_lost").getByText("It names no account.")).waitFor();

  await page.getByRole("button", { name: "Assign pi_lost" }).click();
  const lost = page.getByRole("dialog", { name: "Whose is pi_lost?" });
  await lost.getByLabel("Account").fill(`acc_${"0".repeat(22)}`);
  await lost.getByRole("button", { name: "Assign", exact: true }).click();
  await lost.getByRole("alert").waitFor();
  await lost.getByLabel("Account").fill(account);
  await lost.getByRole("button", { name: "Assign", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Assigned, and credited." }).waitFor();
  await row("pi_lost").waitFor({ state: "detached" });

  // What was not paid in dollars is worth what the operator says.
  await page.getByRole("button", { name: "Assign pi_yen" }).click();
  const yen = page.getByRole("dialog", { name: "Whose is pi_yen?" });
  assert.equal(await yen.getByLabel("Account").inputValue(), account);
  await yen.getByLabel("Worth in dollars").fill("26.10");
  await yen.getByRole("button", { name: "Assign", exact: true }).click();
  await row("pi_yen").waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Assign pi_stray" }).click();
  await page.getByRole("dialog", { name: "Whose is pi_stray?" }).getByRole("button", { name: "It is of no account here" }).click();
  await page.getByText("None: each payment reached an account.").waitFor();

  await owner.page.reload();
  await owner.page.locator(".figure", { hasText: "Wallet" }).getByText("$51.60", { exact: true }).waitFor();
  await owner.page.getByRole("row", { name: /pi_lost/ }).waitFor();
  await owner.page.getByRole("row", { name: /pi_yen/ }).waitFor();
  await person.close();
  await owner.close();
});

test("another plan holds for the owner at once", async () => {
  const { owner, account } = await newcomer("/keys");
  await owner.makeKey("the only one");
  const person = await operators();
  const { page } = person;
  await person.signIn(page, `/operator?account=${account}`);
  const plan = page.getByLabel("Plan", { exact: true });
  const move = page.getByRole("button", { name: "Move to this plan" });
  await plan.waitFor();
  await page.locator("button:disabled", { hasText: "Move to this plan" }).waitFor();
  await plan.selectOption("starter");
  await move.click();
  await page.getByRole("status").filter({ hasText: "on the plan starter now" }).waitFor();
  await page.locator(".facts").getByText("starter: 1 key").waitFor();

  await owner.page.getByRole("button", { name: "New key" }).click();
  const form = owner.page.getByRole("dialog", { name: "New key" });
  await form.getByLabel("Name").fill("one too many");
  await form.getByRole("button", { name: "Create the key" }).click();
  await form.getByRole("alert").filter({ hasText: "Your plan allows" }).waitFor();
  const other = await owner.open();
  await other.goto(`${owner.url}/account`);
  await other.getByRole("heading", { name: "Plan: starter" }).waitFor();

  await plan.selectOption("studio");
  await move.click();
  await page.getByRole("status").filter({ hasText: "on the plan studio now" }).waitFor();
  await form.getByRole("button", { name: "Create the key" }).click();
  await owner.page.getByRole("dialog", { name: "Your new key" }).waitFor();
  await person.close();
  await owner.close();
});

test("the operator credits and sees everybody, and nobody else has the page", async () => {
  const { owner, account } = await newcomer("/account");
  assert.equal(await owner.page.getByRole("link", { name: "Operator" }).count(), 0);
  await owner.page.goto(`${owner.url}/operator`);
  await owner.page.getByRole("heading", { name: "No such page" }).waitFor();

  const person = await operators();
  const { page } = person;
  await person.signIn(page, "/operator");
  await page.getByLabel("Account", { exact: true }).fill(account);
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByText(owner.wallet.address).waitFor();
  await page.getByLabel("Dollars").fill("25");
  await page.getByLabel("Reference").fill("invoice 1");
  await page.getByRole("button", { name: "Credit…" }).click();
  await page.getByRole("button", { name: "Credit $25.00" }).click();
  await page.getByRole("status").filter({ hasText: "the wallet has $25.00" }).waitFor();
  await page.getByRole("row", { name: /Credit .*invoice 1/ }).waitFor();
  await page.getByLabel("Dollars").fill("26");
  await page.getByLabel("Reference").fill("invoice 1");
  await page.getByRole("button", { name: "Credit…" }).click();
  await page.getByRole("button", { name: "Credit $26.00" }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("None: each payment reached an account.").waitFor();
  await page.getByRole("link", { name: "Everybody’s requests" }).click();
  await page.getByRole("columnheader", { name: "Account" }).or(page.getByRole("heading", { name: "No call fits" })).waitFor();
  await eventually(async () => (await page.getByLabel("Account", { exact: true }).inputValue()) === "all", "everybody's");

  await owner.page.goto(`${owner.url}/billing`);
  await owner.page.locator(".figure", { hasText: "Wallet" }).getByText("$25.00").waitFor();
  await owner.page.getByRole("row", { name: /Credit .*invoice 1/ }).waitFor();
  await person.close();
  await owner.close();
});
