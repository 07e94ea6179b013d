// From the first visit to the first call, and every way of signing in.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";

import { Wallet } from "ethers";

import { Person, Program, closeBrowser, eventually } from "./world.mjs";

let program;
before(async () => (program = await Program.start()));
after(async () => {
  await closeBrowser();
  await program.stop();
});

test("from the first visit to the first successful call takes less than two minutes of clicks", async () => {
  const person = await Person.of(program);
  const { page } = person;
  const began = Date.now();
  await page.goto(person.url);
  await page.getByRole("button", { name: "Test Wallet" }).click();
  await page.getByRole("button", { name: "Make the first key" }).click();
  await page.getByLabel("Name").fill("first");
  await page.getByRole("button", { name: "Create the key" }).click();
  await page.getByRole("button", { name: "Copy the command" }).click();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  const said = execFileSync("sh", ["-c", command], { encoding: "utf8" });
  const seconds = (Date.now() - began) / 1_000;
  assert.match(said, /^HTTP\/1\.1 200/);
  // A person reads and moves the mouse between six clicks and a name; the page must leave them the time.
  assert.ok(seconds < 20, `${seconds} s without anybody's thinking`);
  await page.getByLabel("I have put the key where it is safe").check();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("link", { name: "first" }).waitFor();
  await person.close();
});

test("each of several wallets signs in as itself", async () => {
  const keys = [Wallet.createRandom(), Wallet.createRandom()];
  const person = await Person.of(program, { wallets: [{ name: "One", key: keys[0] }, { name: "Other", key: keys[1] }] });
  const { page } = person;
  await page.goto(person.url);
  await eventually(async () => (await page.locator(".wallets li").count()) === 2, "both wallets");
  await page.getByRole("button", { name: "Other" }).click();
  await page.getByRole("link", { name: "Account" }).click();
  await page.getByText(keys[1].address).waitFor();
  assert.equal(person.wallets[0].asked, undefined, "the other wallet was asked");
  await person.close();
});

test("a wallet that announces nothing is found where older ones stand", async () => {
  const person = await Person.of(program, { wallets: [{ name: "old", key: Wallet.createRandom(), isLegacy: true }] });
  await person.page.goto(person.url);
  await person.page.getByRole("button", { name: "Browser wallet" }).click();
  await person.page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
  await person.close();
});

test("who declines in the wallet is told so and may try again", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await page.goto(person.url);
  for (const [error, words] of [
    [{ code: 4001, message: "User rejected" }, "You declined in the wallet"],
    [{ code: -32002, message: "pending" }, "already asking you"],
    [{ code: 4900, message: "gone" }, "disconnected"],
    [{ code: -32603, message: "boiled over" }, "boiled over"],
  ]) {
    person.wallets[0].error = error;
    await page.getByRole("button", { name: "Test Wallet" }).click();
    await page.getByRole("alert").filter({ hasText: words }).waitFor();
  }
  person.wallets[0].error = null;
  await page.getByRole("button", { name: "Test Wallet" }).click();
  await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
  await person.close();
});

test("a signature of another account is told of in words that help", async () => {
  const person = await Person.of(program);
  const { page, wallet } = person;
  const stranger = Wallet.createRandom();
  person.wallets[0].key = { address: wallet.address, signMessage: (message) => stranger.signMessage(message) };
  await page.goto(person.url);
  await page.getByRole("button", { name: "Test Wallet" }).click();
  await page.getByRole("alert").filter({ hasText: "does not fit the message" }).waitFor();
  await person.close();
});

test("without a wallet in the browser the message is signed by hand", async () => {
  const person = await Person.of(program, { wallets: [] });
  const { page } = person;
  const wallet = Wallet.createRandom();
  await page.goto(person.url);
  await page.getByText("This browser shows no wallet.").waitFor();
  await page.getByLabel("Address").fill("0x123");
  await page.getByRole("button", { name: "Get the message" }).click();
  await page.getByRole("alert").filter({ hasText: "no wallet address" }).waitFor();
  await page.getByLabel("Address").fill(wallet.address);
  await page.getByRole("button", { name: "Get the message" }).click();
  const message = await page.getByLabel("Message, good for five minutes").inputValue();
  await page.getByLabel("Signature").fill(await wallet.signMessage(message));
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Keys", exact: true }).waitFor();
  await person.close();
});

test("an account or a chain that changes in the wallet does not change who is signed in", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  await person.emit("chainChanged", "0x89");
  await person.emit("accountsChanged", [Wallet.createRandom().address]);
  await page.getByText("This page is still signed in as").waitFor();
  await person.emit("accountsChanged", [person.wallet.address]);
  await page.getByText("This page is still signed in as").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Account" }).click();
  await page.getByText(person.wallet.address).waitFor();
  await person.close();
});

test("signing out ends the session here, at the API and in other tabs", async () => {
  const person = await Person.of(program);
  await person.signIn();
  const other = await person.open();
  await other.goto(`${person.url}/billing`);
  await other.getByRole("heading", { name: "Allocations" }).waitFor();
  const cookies = await person.context.cookies();
  const token = cookies.find(({ name }) => name === "faregate_session");
  assert.deepEqual([token.httpOnly, token.secure, token.sameSite], [true, true, "Strict"]);
  await person.page.getByRole("link", { name: "Account" }).click();
  await person.page.getByRole("button", { name: "Sign out" }).click();
  await person.page.getByRole("heading", { name: "Sign in with your wallet" }).waitFor();
  assert.equal((await program.ask("GET", "/v1/me", { token: token.value })).status, 401);
  await other.getByRole("dialog", { name: "Your session has ended" }).waitFor();
  await other.getByRole("button", { name: "Leave the page" }).click();
  await other.getByRole("heading", { name: "Sign in with your wallet" }).waitFor();
  await person.close();
});
