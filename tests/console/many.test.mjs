// Ten thousand keys, which really are there; and a million rows, which the API is made to say that it has.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { Person, Program, closeBrowser, eventually } from "./world.mjs";

const KEYS = Number(process.env.FAREGATE_KEYS ?? 10_000);
const ROWS = 1_000_000;

let program;
before(async () => {
  const policy = readFileSync(new URL("../../infra/policies/default.yaml", import.meta.url), "utf8");
  program = await Program.start({ policy: policy.replace("max_keys: 100,", `max_keys: ${KEYS},`) });
});
after(async () => {
  await closeBrowser();
  await program.stop();
});

test("ten thousand keys are read page by page, searched whole, and never all drawn", { timeout: 900_000 }, async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  let token = await program.token(person.wallet);
  for (let made = 0; made < KEYS; ) {
    // A session lasts a quarter of an hour, and this may take longer than one thinks.
    if (made % 2_000 === 0) token = await program.token(person.wallet);
    const some = Array.from({ length: Math.min(20, KEYS - made) }, (_, index) => program.ask("POST", "/v1/api-keys", { token, body: { name: `key ${String(made + index).padStart(5, "0")}` } }));
    for (const { status, body } of await Promise.all(some)) assert.equal(status, 201, JSON.stringify(body));
    made += some.length;
  }
  await person.signIn();
  const drawn = () => page.locator("table.keys tbody tr:not(.gap)").count();
  await eventually(async () => (await drawn()) > 10, "the first keys");
  const first = person.addresses.filter((address) => address.includes("/v1/api-keys")).length;
  assert.ok(first <= 8, `${first} requests before anybody asked for more`);
  await page.getByLabel("Search").fill(`key ${String(KEYS - 1).padStart(5, "0")}`);
  await eventually(async () => (await page.locator("table.keys tbody th a").allTextContents()).join() === `key ${String(KEYS - 1).padStart(5, "0")}`, "the last key", 240);
  await eventually(async () => (await page.locator(".table-end").innerText()).startsWith("1 key"), "the end of the search", 240);
  await page.getByLabel("Search").fill("");
  await page.getByText(`${KEYS.toLocaleString("en-GB")} keys`).waitFor();
  for (const part of [0.25, 0.9, 0.5]) {
    await page.evaluate((part) => scrollTo(0, document.body.scrollHeight * part), part);
    await eventually(async () => (await page.locator("table.keys tbody th a").first().boundingBox()) !== null && (await drawn()) > 10, `rows at ${part}`);
    assert.ok((await drawn()) < 80, `${await drawn()} rows are drawn`);
    const isRowInSight = await page.evaluate(() => [...document.querySelectorAll("table.keys tbody tr:not(.gap)")].some((row) => row.getBoundingClientRect().top > 0 && row.getBoundingClientRect().bottom < innerHeight));
    assert.ok(isRowInSight, `nothing in sight at ${part}`);
  }
  await person.close();
});

test("a million rows are gone through page by page, and no more than a page is ever held", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const newest = Date.parse("2026-06-01T12:00:00Z");
  const account_id = `acc_${"0".repeat(22)}`;
  const row = (number) => ({
    id: `chg_k${String(number).padStart(38, "0")}`, at: `${new Date(newest - number * 1_000).toISOString().slice(0, 19)}Z`, account_id, key_id: null, project_id: `prj_${"0".repeat(22)}`,
    environment: "sandbox", route: "GET /demo/free", code: "ok", cost_usd: 0.01, reserved_usd: null, outcome: null, error_code: null, settled_at: null, network: "203.0.113.0/24", agent: "curl",
  });
  const asked = [];
  await page.route("**/v1/requests?**", (route) => {
    const query = new URL(route.request().url()).searchParams;
    const [from, limit] = [Number(query.get("cursor") ?? 0), Number(query.get("limit"))];
    asked.push(from);
    // Now and then nothing fits among the rows that were looked through: a page may be empty before the end.
    const isEmpty = from % 500 === 400;
    const data = isEmpty ? [] : Array.from({ length: Math.min(limit, ROWS - from) }, (_, index) => row(from + index));
    const next = isEmpty ? from + 50 : from + data.length;
    return route.fulfill({ json: { data, refused: [], next_cursor: next < ROWS ? String(next) : null } });
  });
  await page.goto(`${person.url}/requests`);
  const rows = () => page.locator("table.requests tbody tr").count();
  await eventually(async () => (await rows()) === 50, "the first page");
  for (let number = 2; number <= 30; number++) {
    await page.getByRole("button", { name: "Older" }).click();
    await page.getByText(`Page ${number},`).waitFor();
    assert.ok((await rows()) <= 100, `${await rows()} rows on page ${number}`);
  }
  assert.ok(asked.includes(400) && asked.includes(450), "an empty page was taken for the end");
  await page.getByRole("button", { name: "Newer" }).click();
  await page.getByText("Page 29,").waitFor();
  assert.ok(new Set(asked).size < 40);
  await person.close();
});
