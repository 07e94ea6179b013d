// Ten thousand keys and a million rows, which the API is made to say that it has.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Person, Program, closeBrowser, eventually } from "./world.mjs";

const KEYS = 10_000;
const ROWS = 1_000_000;

let program;
before(async () => (program = await Program.start()));
after(async () => {
  await closeBrowser();
  await program.stop();
});

test("ten thousand keys are read page by page, searched whole, and never all drawn", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const token = await program.token(person.wallet);
  // One real key, and as many like it.
  await program.ask("POST", "/v1/api-keys", { token, body: { name: "real" } });
  const [real] = (await program.ask("GET", "/v1/api-keys", { token })).body.data;
  const nameOf = (number) => `key ${String(number).padStart(5, "0")}`;
  const like = (number) => ({ ...real, id: `key_${String(number).padStart(16, "0")}`, name: nameOf(number) });
  const asked = new Set();
  await page.route("**/v1/api-keys?**", (route) => {
    const query = new URL(route.request().url()).searchParams;
    const [from, limit] = [Number(query.get("cursor") ?? 0), Number(query.get("limit"))];
    asked.add(from);
    const data = Array.from({ length: Math.min(limit, KEYS - from) }, (_, index) => like(from + index));
    return route.fulfill({ json: { data, next_cursor: from + limit < KEYS ? String(from + limit) : null } });
  });
  await page.reload();
  const drawn = () => page.locator("table.keys tbody tr:not(.gap)").count();
  const names = () => page.locator("table.keys tbody th a").allTextContents();
  await eventually(async () => (await drawn()) > 10, "the first keys");
  assert.ok(asked.size <= 4, `${asked.size} pages before anybody asked for more`);
  await page.getByLabel("Search").fill(nameOf(KEYS - 1));
  await eventually(async () => (await names()).join() === nameOf(KEYS - 1), "the last key", 120);
  await eventually(async () => (await page.locator(".table-end").innerText()).startsWith("1 key"), "the end of the search", 120);
  assert.equal(asked.size, KEYS / 100);
  await page.getByLabel("Search").fill("");
  await page.getByText(`${KEYS.toLocaleString("en-GB")} keys`).waitFor();
  for (const part of [0.25, 0.9, 0.5]) {
    await page.evaluate((part) => scrollTo(0, document.body.scrollHeight * part), part);
    const wanted = Math.round(KEYS * part);
    await eventually(async () => (await names()).some((name) => Math.abs(Number(name.slice(4)) - wanted) < 40), `the keys at ${part}`);
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
    const shown = await rows();
    assert.ok(shown >= 25 && shown <= 100, `${shown} rows on page ${number}`);
  }
  assert.ok(asked.includes(400) && asked.includes(450), "an empty page was taken for the end");
  await page.getByRole("button", { name: "Newer" }).click();
  await page.getByText("Page 29,").waitFor();
  assert.ok(new Set(asked).size < 40);
  await person.close();
});
