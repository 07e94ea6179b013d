// What happens when the session ends, when two tabs differ, and when the API is slow or down.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Wallet } from "ethers";

import { Person, Program, closeBrowser, eventually } from "./world.mjs";

let program;
before(async () => (program = await Program.start()));
after(async () => {
  await closeBrowser();
  await program.stop();
});

const keysOf = async (wallet) => (await program.ask("GET", "/v1/api-keys", { token: await program.token(wallet) })).body.data;

test("a session that ends in the middle of a form loses nothing, and the form is sent once", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  await page.getByRole("button", { name: "New key" }).click();
  const form = page.getByRole("dialog", { name: "New key" });
  await form.getByLabel("Name").fill("long thought over");
  await form.getByLabel("Budget in dollars").fill("1.50");
  await person.loseSession();
  await form.getByRole("button", { name: "Create the key" }).click();
  const ended = page.getByRole("dialog", { name: "Your session has ended" });
  await ended.waitFor();
  assert.equal(await page.locator("dialog").filter({ hasText: "New key" }).getByLabel("Name").inputValue(), "long thought over");
  await ended.getByRole("button", { name: "Test Wallet" }).click();
  await page.getByRole("dialog", { name: "Your new key" }).waitFor();
  const keys = await keysOf(person.wallet);
  assert.deepEqual(keys.map(({ name, budget_usd }) => [name, budget_usd]), [["long thought over", 1.5]]);
  await person.close();
});

test("who puts the question aside keeps the form, and is asked again", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  await page.getByRole("button", { name: "New key" }).click();
  const form = page.getByRole("dialog", { name: "New key" });
  await form.getByLabel("Name").fill("patient");
  await person.loseSession();
  await form.getByRole("button", { name: "Create the key" }).click();
  await page.getByRole("dialog", { name: "Your session has ended" }).waitFor();
  await page.keyboard.press("Escape");
  await form.getByRole("alert").waitFor();
  assert.equal(await form.getByLabel("Name").inputValue(), "patient");
  await form.getByRole("button", { name: "Create the key" }).click();
  await page.getByRole("dialog", { name: "Your session has ended" }).getByRole("button", { name: "Test Wallet" }).click();
  await page.getByRole("dialog", { name: "Your new key" }).waitFor();
  await person.close();
});

test("signing in again in one tab is enough for the other", async () => {
  const person = await Person.of(program);
  await person.signIn();
  const other = await person.open();
  await other.goto(`${person.url}/projects?new=1`);
  await other.getByRole("dialog").getByLabel("Name").fill("from the other tab");
  await person.loseSession();
  await other.getByRole("button", { name: "Create the project" }).click();
  await other.getByRole("dialog", { name: "Your session has ended" }).waitFor();
  await person.page.getByRole("link", { name: "Billing" }).click();
  await person.page.getByRole("dialog", { name: "Your session has ended" }).getByRole("button", { name: "Test Wallet" }).click();
  await person.page.getByRole("heading", { name: "Allocations" }).waitFor();
  await other.getByRole("row", { name: /from the other tab/ }).waitFor();
  await person.close();
});

test("sessions that are open are told of, and ended one by one or all but this one", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn(page, "/account");
  const elsewhere = [await program.token(person.wallet), await program.token(person.wallet), await program.token(person.wallet)];
  const answers = async () => Promise.all(elsewhere.map(async (token) => (await program.ask("GET", "/v1/me", { token })).status));
  await page.reload();
  const rows = page.getByRole("region", { name: "Sessions" }).locator("tbody tr");
  await eventually(async () => (await rows.count()) === 4, "four sessions");
  await eventually(async () => (await rows.filter({ hasText: "this one" }).count()) === 1, "one of them is this one");
  assert.deepEqual(await answers(), [200, 200, 200]);
  await rows.getByRole("button", { name: /^End the session of/ }).first().click();
  await eventually(async () => (await rows.count()) === 3, "one less");
  assert.deepEqual((await answers()).sort(), [200, 200, 401]);
  await page.getByRole("button", { name: "End all others" }).click();
  await eventually(async () => (await rows.count()) === 1, "this one alone");
  await page.getByRole("button", { name: "End all others" }).waitFor({ state: "detached" });
  assert.deepEqual(await answers(), [401, 401, 401]);
  await page.getByRole("link", { name: "Billing" }).click();
  await page.getByRole("heading", { name: "Allocations" }).waitFor();
  await person.close();
});

test("a browser whose session is ended from another one is asked to sign in again", async () => {
  const person = await Person.of(program);
  await person.signIn(person.page, "/keys");
  const elsewhere = await Person.of(program, { wallets: [{ name: "Test Wallet", key: person.wallet }] });
  await elsewhere.signIn(elsewhere.page, "/account");
  await elsewhere.page.getByRole("button", { name: "End all others" }).click();
  await elsewhere.page.getByRole("status").filter({ hasText: "All other sessions are ended." }).waitFor();
  await person.page.getByRole("link", { name: "Billing" }).click();
  await person.page.getByRole("dialog", { name: "Your session has ended" }).getByRole("button", { name: "Test Wallet" }).click();
  await person.page.getByRole("heading", { name: "Allocations" }).waitFor();
  await elsewhere.close();
  await person.close();
});

test("another account in one tab leaves no trace of the first one in the other", async () => {
  const person = await Person.of(program, { wallets: [{ name: "One", key: Wallet.createRandom() }, { name: "Other", key: Wallet.createRandom() }] });
  await person.signIn();
  await person.makeKey("of the first account");
  const other = await person.open();
  await other.goto(`${person.url}/account`);
  await other.getByText(person.wallets[0].key.address).waitFor();
  await person.loseSession();
  await other.getByRole("link", { name: "Billing" }).click();
  await other.getByRole("dialog", { name: "Your session has ended" }).getByRole("button", { name: "Other" }).click();
  await other.getByRole("heading", { name: "No keys yet" }).waitFor();
  await person.page.getByRole("heading", { name: "No keys yet" }).waitFor();
  assert.equal(await person.page.getByText("of the first account").count(), 0);
  await person.close();
});

test("a slow API is told of, and a request that fails in passing is asked again", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  let failures = 2;
  let release = () => {};
  const isReleased = new Promise((done) => (release = done));
  await page.route("**/v1/billing", async (route) => {
    if (failures-- > 0) return route.fulfill({ status: 503, contentType: "application/problem+json", headers: { "retry-after": "1" }, body: JSON.stringify({ code: "unavailable", detail: "The service cannot answer right now; try again.", status: 503 }) });
    await isReleased;
    return route.continue();
  });
  await page.getByRole("link", { name: "Billing" }).click();
  await page.getByText("The API is slow to answer").waitFor();
  release();
  await page.getByRole("heading", { name: "Allocations" }).waitFor();
  await page.getByText("The API is slow to answer").waitFor({ state: "detached" });
  await person.close();
});

test("an API that stays down is told of with a way on, wherever it is met", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  let isDown = true;
  const problem = { code: "unavailable", detail: "The service cannot answer right now; try again.", status: 503, request_id: "req-7" };
  await page.route("**/v1/{analytics,requests,billing,projects}**", (route) => (isDown ? route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify(problem) }) : route.continue()));
  for (const [link, heading] of [["Projects", "Name"], ["Billing", "Allocations"], ["Requests", "No call fits"]]) {
    isDown = true;
    await page.getByRole("link", { name: link, exact: true }).click();
    const trouble = page.getByRole("alert").filter({ hasText: "req-7" }).first();
    await trouble.waitFor({ timeout: 60_000 });
    isDown = false;
    await trouble.getByRole("button", { name: "Try again" }).click();
    await page.getByText(heading, { exact: true }).first().waitFor();
  }
  await page.route("**/v1/me", (route) => route.abort());
  await page.goto(person.url);
  await page.getByRole("alert").filter({ hasText: "could not be reached" }).waitFor({ timeout: 60_000 });
  await page.unroute("**/v1/me");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
  await person.close();
});

test("a creation whose answer is lost is done once", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  let lost = 0;
  await page.route("**/v1/api-keys", async (route) => {
    if (route.request().method() !== "POST" || lost > 0) return route.continue();
    lost++;
    await route.fetch();
    return route.abort("connectionreset");
  });
  const key = await person.makeKey("only once");
  assert.equal(lost, 1);
  assert.equal((await keysOf(person.wallet)).length, 1);
  assert.equal((await program.ask("GET", "/demo/free", { key })).status, 200);
  await person.close();
});

test("pages that the console does not have say so, and every page opens by its address", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  for (const name of ["keys", "usage", "requests", "billing", "projects", "webhooks", "client-sessions", "account"]) {
    await page.goto(`${person.url}/${name}`);
    await eventually(async () => (await page.locator("nav a[aria-current]").getAttribute("href")) === `/console/${name}`, name);
    await page.locator("h1").waitFor();
  }
  assert.equal((await page.goto(`${person.url}/nothing`)).status(), 404);
  await page.goto(`${person.url}/keys?key=key_0000000000000000`);
  await page.getByRole("alert").filter({ hasText: "It is not there" }).waitFor();
  await person.close();
});
