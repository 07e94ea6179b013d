// Everything that owners do with their keys, and that it is so at the gate.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Person, Program, closeBrowser, eventually, settled } from "./world.mjs";

let program;
before(async () => (program = await Program.start()));
after(async () => {
  await closeBrowser();
  await program.stop();
});

const call = (key, path = "/demo/free", method = "GET") => program.ask(method, path, { key });

test("a key has what the form says: scopes, budget, origins, expiry and limits", async () => {
  const person = await Person.of(program);
  await person.signIn();
  const text = await person.makeKey("narrow", async (form) => {
    await form.getByLabel("Environment").selectOption("production");
    await form.getByLabel("Scopes", { exact: true }).selectOption("chosen");
    await form.getByLabel("demo:write").check();
    await form.getByLabel("keys:manage").check();
    await form.getByLabel("Budget in dollars").fill("0.02");
    await form.getByLabel("Expires").selectOption("30");
    await form.getByLabel("Allowed origins").fill("https://app.example.com\n*.example.org");
    await form.getByText("Limits", { exact: true }).click();
    await form.getByLabel("Per minute").fill("7");
    await form.getByLabel("Burst").fill("2");
  });
  assert.match(text, /^sk_prod_/);
  const { data } = (await program.ask("GET", "/v1/api-keys", { token: await program.token(person.wallet) })).body;
  const [key] = data;
  assert.deepEqual([...key.scopes].sort(), ["demo:write", "keys:manage"]);
  assert.deepEqual([...key.allowlist].sort(), ["*.example.org", "https://app.example.com"]);
  assert.deepEqual([key.budget_usd, key.limits.per_minute, key.limits.burst, key.environment], [0.02, 7, 2, "production"]);
  const days = (Date.parse(key.expires_at) - Date.now()) / 86_400_000;
  assert.ok(days > 29.9 && days < 30.1, key.expires_at);
  assert.equal((await call(text, "/demo/paid", "POST")).body.code, "origin_not_allowed");
  await person.close();
});

test("what the API says of a field stands at that field, and nothing typed is lost", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  await page.getByRole("button", { name: "New key" }).click();
  const form = page.getByRole("dialog", { name: "New key" });
  await form.getByLabel("Name").fill("kept");
  await form.getByLabel("Budget in dollars").fill("twelve");
  await form.getByRole("button", { name: "Create the key" }).click();
  await form.getByText("Dollars with a point").waitFor();
  await form.getByLabel("Budget in dollars").fill("12");
  await form.getByLabel("Allowed origins").fill("not an origin//");
  await form.getByRole("button", { name: "Create the key" }).click();
  await form.locator(".field", { hasText: "Allowed origins" }).locator(".error").waitFor();
  assert.equal(await form.getByLabel("Name").inputValue(), "kept");
  await form.getByLabel("Allowed origins").fill("");
  await form.getByRole("button", { name: "Create the key" }).click();
  await page.getByRole("dialog", { name: "Your new key" }).waitFor();
  await person.close();
});

test("freezing, thawing, changing, rotating and revoking hold at the very next call", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const first = await person.makeKey("worker");
  await page.getByRole("link", { name: "worker" }).click();
  await page.getByRole("heading", { name: "Right now" }).waitFor();
  assert.equal((await call(first)).status, 200);

  await page.getByRole("button", { name: "Freeze" }).click();
  await page.getByRole("button", { name: "Thaw" }).waitFor();
  assert.equal((await call(first)).status, 402);
  await page.getByRole("button", { name: "Thaw" }).click();
  await page.getByRole("button", { name: "Freeze" }).waitFor();
  assert.equal((await call(first)).status, 200);

  await page.getByRole("button", { name: "Change" }).click();
  const change = page.getByRole("dialog", { name: "Change “worker”" });
  await change.getByLabel("Name").fill("reader");
  await change.getByLabel("Scopes", { exact: true }).selectOption("read-only");
  await change.getByRole("button", { name: "Change" }).click();
  await page.getByRole("heading", { name: "reader" }).waitFor();
  assert.equal((await call(first, "/demo/paid", "POST")).status, 403);

  await page.getByRole("button", { name: "Rotate" }).click();
  const rotate = page.getByRole("dialog", { name: "Rotate “reader”" });
  await rotate.getByLabel("The old secret works for").selectOption("3600");
  await rotate.getByRole("button", { name: "Make a new secret" }).click();
  const shown = page.getByRole("dialog", { name: "The key’s new secret" });
  const second = await shown.getByLabel("Key “reader”").inputValue();
  await page.keyboard.press("Escape");
  await settled(page);
  assert.ok(await shown.isVisible(), "the only sight of a key was lost by one keystroke");
  await shown.getByLabel("I have put the key where it is safe").check();
  await shown.getByRole("button", { name: "Done" }).click();
  assert.deepEqual([(await call(first)).status, (await call(second)).status], [200, 200]);
  await page.getByText("Old secret:").waitFor();

  await page.getByRole("button", { name: "Revoke" }).click();
  const revoke = page.getByRole("dialog", { name: "Revoke “reader”" });
  const forEver = revoke.getByRole("button", { name: "Revoke for ever" });
  assert.ok(await forEver.isDisabled(), "revoked without its name");
  await revoke.getByLabel("Type the key’s name").fill("read");
  await settled(page);
  assert.ok(await forEver.isDisabled(), "revoked under half its name");
  await revoke.getByLabel("Type the key’s name").fill("reader");
  await forEver.click();
  await page.locator(".page-head .status", { hasText: "revoked" }).waitFor();
  assert.deepEqual([(await call(first)).status, (await call(second)).status], [401, 401]);
  await page.getByRole("button", { name: "Revoke" }).waitFor({ state: "detached" });
  await person.close();
});

test("the key's page counts along, tells what happened, and asks the gate", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const key = await person.makeKey("busy", (form) => form.getByLabel("Budget in dollars").fill("0.02"));
  await page.getByRole("link", { name: "busy" }).click();
  const minute = page.getByRole("meter", { name: "This minute" });
  await minute.waitFor();
  for (let calls = 0; calls < 3; calls++) await call(key, "/demo/paid", "POST");
  await eventually(async () => (await page.getByRole("meter", { name: "Budget" }).getAttribute("aria-valuenow")) === "0.02", "the live budget");
  assert.ok(Number(await page.getByRole("meter", { name: "Today (UTC)" }).getAttribute("aria-valuenow")) >= 2);
  await page.getByLabel("Call").selectOption("POST /demo/paid");
  await page.getByRole("button", { name: "What would it say?" }).click();
  await page.getByText("It would be refused with").waitFor();
  await page.getByRole("link", { name: "insufficient_credits" }).first().waitFor();
  await page.getByLabel("Call").selectOption("GET /demo/free");
  await page.getByRole("button", { name: "What would it say?" }).click();
  await page.getByText("It would go through").waitFor();
  await eventually(async () => {
    await page.reload();
    await page.getByText("of the budget is spent").first().waitFor({ timeout: 3_000 });
    return true;
  }, "the history");
  await person.close();
});

test("the table is narrowed by words, status, project and environment, and all of it stands in the address", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const token = await program.token(person.wallet);
  for (const body of [{ name: "alpha one" }, { name: "alpha two", environment: "production" }, { name: "beta", scopes: "read-only" }]) {
    assert.equal((await program.ask("POST", "/v1/api-keys", { token, body })).status, 201);
  }
  await page.reload();
  const names = async () => (await page.locator("table.keys tbody th a").allTextContents()).sort();
  await eventually(async () => (await names()).length === 3, "three keys");
  await page.getByLabel("Search").fill("alpha");
  await eventually(async () => (await names()).join() === "alpha one,alpha two", "the search");
  await page.getByLabel("Environment").selectOption("production");
  await eventually(async () => (await names()).join() === "alpha two", "search and environment");
  const address = new URL(page.url());
  assert.deepEqual([address.searchParams.get("search"), address.searchParams.get("environment")], ["alpha", "production"]);
  await page.reload();
  await eventually(async () => (await names()).join() === "alpha two", "the same after a reload");
  await page.goBack();
  await eventually(async () => (await names()).join() === "alpha one,alpha two", "the way back");
  await page.getByLabel("Status").selectOption("revoked");
  await page.getByRole("heading", { name: "No key fits" }).waitFor();
  await page.getByRole("button", { name: "Show all keys" }).click();
  await eventually(async () => (await names()).length === 3, "all of them again");
  await person.close();
});
