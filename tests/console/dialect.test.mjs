// A gate whose policy words its answers, and has its keys, in a product's own way: the console works there all the same.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Wallet } from "ethers";

import { Person, Program, closeBrowser, policyOf } from "./world.mjs";

const operator = Wallet.createRandom();
// Its errors too, which that product leaves as they are.
const policy = policyOf("sigfigs").replace("dialect:\n", 'dialect:\n  codes: { invalid_request: BAD, key_revoked: GONE, not_found: NOWHERE }\n  error: { success: false, error: { code: "{code}", message: "{detail}" } }\n');
let program;
before(async () => (program = await Program.start({ operator: operator.address, policy })));
after(async () => {
  await closeBrowser();
  await program.stop();
});

test("keys are made, looked at, changed, rotated and revoked where a product has its own words for them", async () => {
  const owner = await Person.of(program);
  const { page } = owner;
  await owner.signIn(page, "/account");
  const token = await program.token(owner.wallet);
  const account = (await program.ask("GET", "/v1/me", { token })).body.data.account_id;
  const worded = (await program.ask("GET", "/api/keys", { token })).body;
  assert.deepEqual([Array.isArray(worded.keys), worded.data], [true, undefined], "the product has no words of its own");
  assert.equal((await program.ask("GET", "/v1/projects/prj_none", { token })).body.error.code, "NOWHERE");

  // Accounts of this product begin without keys.
  await page.getByRole("link", { name: "Keys" }).click();
  await page.getByRole("button", { name: "Make the first key" }).click();
  const refused = page.getByRole("dialog", { name: "New key" });
  await refused.getByLabel("Name").fill("renderer");
  await refused.getByRole("button", { name: "Create the key" }).click();
  await refused.getByRole("alert").filter({ hasText: "Ask the operator for another plan" }).waitFor();
  const person = await Person.of(program, { wallets: [{ name: "Test Wallet", key: operator }] });
  await person.signIn(person.page, `/operator?account=${account}`);
  await person.page.getByLabel("Plan", { exact: true }).selectOption("studio");
  await person.page.getByRole("button", { name: "Move to this plan" }).click();
  await person.page.getByRole("status").filter({ hasText: "on the plan studio now" }).waitFor();
  await person.close();

  await refused.getByLabel("Allowed origins").fill("not an origin//");
  await refused.getByRole("button", { name: "Create the key" }).click();
  await refused.locator(".field", { hasText: "Allowed origins" }).locator(".error").waitFor();
  await refused.getByLabel("Allowed origins").fill("");
  await refused.getByRole("button", { name: "Create the key" }).click();
  const shown = page.getByRole("dialog", { name: "Your new key" });
  assert.match(await shown.getByLabel("Key “renderer”").inputValue(), /^sf_live_/);
  await shown.getByLabel("I have put the key where it is safe").check();
  await shown.getByRole("button", { name: "Done" }).click();

  await page.reload();
  await page.getByRole("link", { name: "renderer" }).click();
  await page.getByRole("heading", { name: "Right now" }).waitFor();
  await page.getByRole("button", { name: "Change" }).click();
  const change = page.getByRole("dialog", { name: "Change “renderer”" });
  await change.getByLabel("Name").fill("batch");
  await change.getByRole("button", { name: "Change" }).click();
  await page.getByRole("heading", { name: "batch" }).waitFor();
  await page.getByLabel("Call").selectOption("GET /api/templates");
  await page.getByRole("button", { name: "What would it say?" }).click();
  await page.getByText("It would be refused with").waitFor();
  await page.getByRole("link", { name: "insufficient_scope" }).first().waitFor();
  await page.getByRole("button", { name: "Rotate" }).click();
  await page.getByRole("dialog", { name: "Rotate “batch”" }).getByRole("button", { name: "Make a new secret" }).click();
  const rotated = page.getByRole("dialog", { name: "The key’s new secret" });
  assert.match(await rotated.getByLabel("Key “batch”").inputValue(), /^sf_live_/);
  await rotated.getByLabel("I have put the key where it is safe").check();
  await rotated.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Revoke" }).click();
  const revoke = page.getByRole("dialog", { name: "Revoke “batch”" });
  await revoke.getByLabel("Type the key’s name").fill("batch");
  await revoke.getByRole("button", { name: "Revoke for ever" }).click();
  await page.locator(".page-head .status", { hasText: "revoked" }).waitFor();

  await page.goto(`${owner.url}/keys?key=key_0000000000000000`);
  await page.getByRole("alert").filter({ hasText: "It is not there" }).waitFor();
  await owner.close();
});
