// An account with very many keys and calls, which are really stored: keys made one by one over the API, calls entered into the
// books by the store's own writes (shared/store/examples/fill.rs).
//
//   FAREGATE_KEYS=10000 FAREGATE_ROWS=1000000 npm run many      # what `.ci/run console_scale` does

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Wallet } from "ethers";

import { Person, Program, closeBrowser, eventually, policyOf } from "./world.mjs";

const KEYS = Number(process.env.FAREGATE_KEYS ?? 300);
const ROWS = Number(process.env.FAREGATE_ROWS ?? 3_000);
// The plan of the default policy has room for 100 keys.
const policy = policyOf("default").replace("max_keys: 100,", `max_keys: ${KEYS},`);

let program;
before(async () => (program = await Program.start({ policy, isOpen: true })));
after(async () => {
  await closeBrowser();
  await program.stop();
});

// What the program says meanwhile is taken from it, or it would stand still.
const run = promisify(execFile);
const seconds = (since) => ((performance.now() - since) / 1_000).toFixed(2);

/** What the program holds in memory. */
function megabytes() {
  const status = readFileSync(`/proc/${program.process.pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1_024);
}

/** What the page holds: scripts' heap and elements. */
async function weigh(person) {
  const session = await person.context.newCDPSession(person.page);
  await session.send("HeapProfiler.collectGarbage");
  await session.send("Performance.enable");
  const metrics = Object.fromEntries((await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  await session.detach();
  return `${(metrics.JSHeapUsedSize / 1_048_576).toFixed(1)} MB of scripts' heap, ${metrics.Nodes} nodes`;
}

/** Makes so many keys, some at a time. */
async function makeKeys(wallet, wanted) {
  let made = 0;
  let token = null;
  while (made < wanted) {
    // A session lasts a quarter of an hour.
    if (made % 1_000 === 0) token = await program.token(wallet);
    const some = Array.from({ length: Math.min(8, wanted - made, 1_000 - (made % 1_000)) }, (_, index) => `key ${String(made + index).padStart(5, "0")}`);
    const answers = await Promise.all(some.map((name) => program.ask("POST", "/v1/api-keys", { token, body: { name } })));
    assert.deepEqual(answers.map(({ status }) => status), some.map(() => 201), JSON.stringify(answers[0].body));
    made += some.length;
  }
}

test(`${KEYS} keys are read page by page, searched whole, and never all drawn`, { timeout: 3_600_000 }, async () => {
  const wallet = Wallet.createRandom();
  const filling = performance.now();
  await makeKeys(wallet, KEYS);
  console.log(`${KEYS} keys made in ${seconds(filling)} s; the program holds ${megabytes()} MB`);
  const person = await Person.of(program, { wallets: [{ name: "Test Wallet", key: wallet }] });
  const { page } = person;
  const asked = [];
  page.on("request", (request) => request.url().includes("/v1/api-keys?") && asked.push(request.url()));
  await person.signIn();
  const drawn = () => page.locator("table.keys tbody tr:not(.gap)").count();
  const names = () => page.locator("table.keys tbody th a").allTextContents();
  await eventually(async () => (await drawn()) > 10, "the first keys");
  asked.length = 0;
  const opening = performance.now();
  await page.reload();
  await page.locator("table.keys tbody th a").first().waitFor();
  console.log(`first keys after ${seconds(opening)} s`);
  assert.ok(asked.length <= 4, `${asked.length} pages before anybody asked for more`);

  const searching = performance.now();
  await page.getByLabel("Search").fill("no such key");
  await page.getByRole("heading", { name: "No key fits" }).waitFor({ timeout: 120_000 });
  console.log(`all keys searched in ${seconds(searching)} s`);
  assert.equal(new Set(asked).size, Math.ceil(KEYS / 100), "not every page was searched");
  const last = `key ${String(KEYS - 1).padStart(5, "0")}`;
  await page.getByLabel("Search").fill(last);
  await eventually(async () => (await names()).join() === last, "the last key that was made");

  await page.getByLabel("Search").fill("");
  await page.getByText(`${KEYS.toLocaleString("en-GB")} keys`).waitFor();
  for (const part of [0.25, 0.9, 0.5]) {
    await page.evaluate((part) => scrollTo(0, document.body.scrollHeight * part), part);
    const inSight = () => {
      const rows = [...document.querySelectorAll("table.keys tbody tr:not(.gap)")];
      const seen = rows.filter((row) => row.getBoundingClientRect().top > 0 && row.getBoundingClientRect().bottom < innerHeight);
      return seen.map((row) => Number(row.getAttribute("aria-rowindex")));
    };
    const wanted = KEYS * part;
    await eventually(async () => (await page.evaluate(inSight)).some((row) => Math.abs(row - wanted) < 80), `the keys at ${part}`);
    assert.ok((await drawn()) < 80, `${await drawn()} rows are drawn`);
  }
  console.log(`with all keys read: ${await weigh(person)}`);
  await person.close();
});

test(`${ROWS} rows are gone through page by page, narrowed and summed, and no more than a page is ever held`, { timeout: 7_200_000 }, async () => {
  const wallet = Wallet.createRandom();
  const token = await program.token(wallet);
  const me = (await program.ask("GET", "/v1/me", { token })).body.data;
  const filling = performance.now();
  const { stdout: filled } = await run(process.env.FILL, [program.dynamodb, me.account_id, me.default_project_id, String(ROWS), String(Date.now())]);
  console.log(filled.trim());
  console.log(`${ROWS} rows stored in ${seconds(filling)} s; the program holds ${megabytes()} MB`);
  const person = await Person.of(program, { wallets: [{ name: "Test Wallet", key: wallet }] });
  const { page } = person;
  await person.signIn();
  const rows = () => page.locator("table.requests tbody tr").count();
  const opening = performance.now();
  await page.goto(`${person.url}/requests?range=month`);
  await page.locator("table.requests tbody tr").first().waitFor();
  console.log(`first rows after ${seconds(opening)} s`);
  await page.getByText("Page 1, 50 lines").waitFor();
  assert.equal(await rows(), 50);
  const seen = new Set();
  const note = async () => {
    for (const label of await page.locator("table.requests tbody time").evaluateAll((times) => times.map((time) => time.getAttribute("datetime")))) seen.add(label);
  };
  await note();
  const turning = performance.now();
  for (let number = 2; number <= 30; number++) {
    await page.getByRole("button", { name: "Older" }).click();
    await page.getByText(`Page ${number}, 50 lines`).waitFor();
    assert.equal(await rows(), 50);
  }
  console.log(`29 more pages in ${seconds(turning)} s: ${await weigh(person)}`);
  const times = await page.locator("table.requests tbody time").evaluateAll((found) => found.map((time) => time.getAttribute("datetime")));
  assert.deepEqual(times, times.toSorted().reverse(), "not the newest first");
  assert.ok(times.every((at) => at < [...seen].toSorted()[0]), "page 30 is not older than page 1");
  await page.getByRole("button", { name: "Newer" }).click();
  await page.getByText("Page 29, 50 lines").waitFor();

  // Far back, by the address alone; and the rarer route, by a click on a cell.
  const [from, to] = [20, 19].map((days) => `${new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 19)}Z`);
  const jumping = performance.now();
  await page.goto(`${person.url}/requests?${new URLSearchParams({ from, to })}`);
  await page.getByText("Page 1, 50 lines").waitFor();
  console.log(`rows of 20 days ago after ${seconds(jumping)} s`);
  await page.locator("table.requests").getByRole("link", { name: "GET /demo/limited" }).first().click();
  await page.waitForURL(/route=GET/);
  await eventually(async () => (await page.locator("table.requests").getByRole("link", { name: "GET /demo/free" }).count()) === 0, "the rarer route alone");
  // A fifth of the calls of a day, of which the page stops at 25 or more.
  const some = Math.min(25, Math.floor(ROWS / 29 / 5) - 4);
  assert.ok((await rows()) >= some, `${await rows()} rows of the rarer route`);

  const summing = performance.now();
  await page.goto(`${person.url}/usage?range=month&group=key`);
  await page.locator(".figure", { hasText: "Admitted" }).getByText(ROWS.toLocaleString("en-GB"), { exact: true }).waitFor();
  console.log(`sums after ${seconds(summing)} s: ${await weigh(person)}`);
  for (const name of ["caller 0", "caller 3"]) await page.getByRole("row", { name: new RegExp(`${name}.*${(ROWS / 4).toLocaleString("en-GB")}`) }).waitFor();
  await person.close();
});

test("the books of all that agree with keys and wallets", { timeout: 3_600_000 }, async () => {
  const auditing = performance.now();
  // Ends with another status where anything differs.
  const { stdout: said } = await run(process.env.FAREGATE, ["audit", "--endpoint", program.dynamodb]);
  console.log(`${said.trim()}\naudited in ${seconds(auditing)} s`);
});
