// Projects, allocations, usage and the money audit, on calls that were really made.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Wallet } from "ethers";

import { Person, Program, closeBrowser, eventually, settled } from "./world.mjs";

let program;
const operator = Wallet.createRandom();
before(async () => (program = await Program.start({ operator: operator.address })));
after(async () => {
  await closeBrowser();
  await program.stop();
});

test("projects are made and changed", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn(page, "/projects");
  await page.getByRole("button", { name: "New project" }).click();
  const made = page.getByRole("dialog", { name: "New project" });
  await made.getByLabel("Name").fill("second");
  await made.getByLabel("Gallery").selectOption("shared");
  await made.getByLabel("Rate that all keys share").selectOption("per_second");
  await made.getByLabel("Requests").fill("5");
  await made.getByLabel("Burst").fill("3");
  await made.getByRole("button", { name: "Create the project" }).click();
  const row = page.getByRole("row", { name: /second/ });
  await row.getByText("5 a second + 3").waitFor();
  await row.getByRole("button", { name: "Change second" }).click();
  const changed = page.getByRole("dialog", { name: "Change “second”" });
  await changed.getByLabel("Rate that all keys share").selectOption("none");
  await changed.getByLabel("Gallery").selectOption("isolated");
  await changed.getByRole("button", { name: "Change" }).click();
  await row.getByText("no limit of its own").waitFor();
  const { data } = (await program.ask("GET", "/v1/projects", { token: await program.token(person.wallet) })).body;
  const second = data.find(({ name }) => name === "second");
  assert.deepEqual([second.gallery_mode, second.limits], ["isolated", null]);
  await person.close();
});

test("money is moved by number and by drag, and what does not fit is said before it is tried", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn(page, "/projects?new=1");
  await page.getByRole("dialog").getByLabel("Name").fill("other");
  await page.getByRole("button", { name: "Create the project" }).click();
  await page.getByRole("row", { name: /other/ }).waitFor();
  await page.getByRole("link", { name: "Billing" }).click();
  await page.getByLabel("Dollars for default").fill("3.25");
  await page.getByText("−$1.75 default").waitFor();
  await page.getByLabel("Dollars for other").fill("9");
  await page.getByText("At most $1.75.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Move", exact: true }).isDisabled());
  await page.getByLabel("Dollars for other").fill("1.00");
  await page.getByRole("button", { name: "Move", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Moved." }).waitFor();
  const balances = async () => {
    const token = await program.token(person.wallet);
    const { data } = (await program.ask("GET", "/v1/projects", { token })).body;
    const { wallet_usd } = (await program.ask("GET", "/v1/billing", { token })).body.data;
    return [wallet_usd, ...data.map(({ available_usd }) => available_usd)].sort();
  };
  assert.deepEqual(await balances(), [0.75, 1, 3.25]);
  await page.getByRole("row", { name: /To a project other/ }).waitFor();
  const slider = page.getByRole("slider", { name: "Available to other" });
  // The table of projects has been read anew, and everything is where it stays.
  await page.locator('input[aria-label="Available to other"][aria-valuetext="$1.00"]').waitFor();
  await settled(page);
  const box = await slider.boundingBox();
  const share = 1 / 1.75;
  await page.mouse.move(box.x + 8 + (box.width - 16) * share, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 1, box.y + box.height / 2, { steps: 8 });
  await page.mouse.up();
  await page.getByText("+$0.75 other").waitFor();
  await slider.press("ArrowLeft");
  await slider.press("End");
  await page.getByRole("button", { name: "Move", exact: true }).click();
  await eventually(async () => JSON.stringify(await balances()) === "[0,1.75,3.25]", "the drag moved it");
  await person.close();
});

test("every picture and every cell leads to the calls behind it", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const key = await person.makeKey("caller");
  for (let calls = 0; calls < 4; calls++) assert.equal((await program.ask("POST", "/demo/paid", { key })).status, 200);
  await program.ask("GET", "/demo/free", { key });
  for (let calls = 0; calls < 9; calls++) await program.ask("GET", "/demo/limited", { key });
  const token = await program.token(person.wallet);
  await eventually(async () => {
    const numbers = (await program.ask("GET", "/v1/analytics?bucket=day", { token })).body.data.totals;
    return numbers.calls >= 10 && numbers.refused >= 1;
  }, "the books", 60);

  await page.getByRole("link", { name: "Usage" }).click();
  await page.locator(".figure", { hasText: "Cost" }).getByText("$0.04", { exact: true }).waitFor();
  await page.getByRole("img", { name: /Calls over time/ }).waitFor();
  await page.getByRole("heading", { name: "Refused, by code" }).waitFor();
  await page.getByRole("button", { name: "Route" }).click();
  const byRoute = page.getByRole("table").filter({ hasText: "POST /demo/paid" }).first();
  await byRoute.getByRole("link", { name: "POST /demo/paid" }).click();
  await page.waitForURL(/\/console\/requests\?.*route=POST/);
  await eventually(async () => (await page.locator("table.requests tbody tr:not(.refused)").count()) === 4, "four calls of that route");

  await page.goBack();
  const picture = page.locator(".chart .u-over").first();
  await picture.waitFor();
  await settled(page);
  const box = await picture.boundingBox();
  // The calls are in the last bucket.
  const position = { x: box.width - 2, y: box.height / 2 };
  await picture.hover({ position });
  await page.locator(".tip").first().waitFor();
  await picture.click({ position });
  await page.waitForURL(/\/console\/requests\?.*from=/);
  await eventually(async () => (await page.locator("table.requests tbody tr").count()) > 4, "the calls of that bucket");

  await page.locator("table.requests").getByRole("link", { name: "rate_limited" }).first().click();
  await page.waitForURL(({ searchParams }) => searchParams.get("code") === "rate_limited");
  await page.locator('a[download][href*="code=rate_limited"]').waitFor();
  await eventually(async () => (await page.locator("table.requests tbody tr:not(.refused)").count()) === 0, "no admitted call among them");
  await page.locator("table.requests tr.refused").first().waitFor();
  await page.goto(`${person.url}/requests?route=${encodeURIComponent("POST /demo/paid")}`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "CSV" }).click()]);
  const rows = (await (await download.createReadStream()).toArray()).join("").trim().split(/\r?\n/);
  assert.deepEqual([rows.length, rows.slice(1).every((row) => row.includes("POST /demo/paid"))], [5, true]);
  await page.getByRole("button", { name: /More of the call/ }).first().click();
  await page.getByText("nothing: the price is fixed").waitFor();
  await person.close();
});

test("how long settled calls took is drawn, figured and listed", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const key = await person.makeKey("slow");
  const service = (await program.ask("POST", "/v1/api-keys", { token: await program.token(operator), body: { name: "service", scopes: ["gate:check"] } })).body.data.key;
  const charge = (await program.ask("POST", "/demo/metered", { key })).body.data.context.chargeId;
  await new Promise((wake) => setTimeout(wake, 600));
  const settlement = await program.ask("POST", `/v1/charges/${charge}/settle`, { key: service, body: { outcome: "succeeded", actual_usd: "0.02" } });
  assert.equal(settlement.status, 200);
  await page.getByRole("link", { name: "Usage" }).click();
  const token = await program.token(person.wallet);
  const totals = async () => (await program.ask("GET", "/v1/analytics", { token })).body.data.totals;
  await eventually(async () => (await totals()).settled === 1, "the books", 60);
  const { latency_ms } = await totals();
  assert.ok(latency_ms.mean >= 600 && latency_ms.p50 > 500, JSON.stringify(latency_ms));
  await page.reload();
  await page.locator(".figure", { hasText: "Latency" }).getByText("half of 1 settled").waitFor();
  const picture = page.getByRole("img", { name: /half of 1 settled calls took at most/ });
  await picture.waitFor();
  await page.getByRole("button", { name: "Key" }).click();
  const line = page.getByRole("row", { name: /slow/ });
  await line.getByText(/^\d+ ms$|^[\d.]+ s$/).nth(2).waitFor();
  await line.getByRole("link", { name: "slow" }).click();
  await page.getByRole("button", { name: /More of the call/ }).click();
  await page.locator("dl.facts").getByText(/ after (\d+ ms|[\d.]+ s)/).waitFor();
  await person.close();
});

test("every filter of the API is in the address, and what is in the address is asked for", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  await person.makeKey("one");
  const filters = { from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z", environment: "sandbox", route: "GET /demo/free", code: "ok" };
  const asked = page.waitForRequest((request) => request.url().includes("/v1/requests?"));
  await page.goto(`${person.url}/requests?${new URLSearchParams(filters)}`);
  const sent = new URL((await asked).url()).searchParams;
  for (const [name, value] of Object.entries(filters)) assert.equal(sent.get(name), value, name);
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByLabel("Key").selectOption({ index: 1 });
  await page.getByLabel("Project").selectOption({ index: 1 });
  await page.waitForURL(({ searchParams: now }) => now.get("key_id")?.startsWith("key_") && now.get("project_id")?.startsWith("prj_") && !now.has("route"));
  await person.close();
});
