// What is true of every page: nothing that keeps anybody out, nothing from elsewhere, no secret left behind; small and fast.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { Wallet } from "ethers";

import { Person, Program, closeBrowser, eventually, settled } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const DIST = new URL("../../functions/console/dist/", import.meta.url);
const PICTURES = process.env.FAREGATE_PICTURES;
const operator = Wallet.createRandom();

let program;
before(async () => {
  program = await Program.start({ operator: operator.address });
  if (PICTURES) mkdirSync(PICTURES, { recursive: true });
});
after(async () => {
  await closeBrowser();
  await program.stop();
});

/** Fills an account so that no page is empty, by the API. */
async function furnish(wallet) {
  const token = await program.token(wallet);
  const post = async (path, body) => (await program.ask("POST", path, { token, body })).body.data;
  const me = (await program.ask("GET", "/v1/me", { token })).body.data;
  const studio = await post("/v1/projects", { name: "studio", gallery_mode: "shared", limits: { per_second: 5, burst: 5 } });
  await post("/v1/projects", { name: "research" });
  await post(`/v1/accounts/${me.account_id}/credits`, { amount_usd: 12.5, reference: "invoice 2026-0042" });
  await post(`/v1/projects/${studio.id}/allocations`, { amount_usd: "4.25" });
  const keys = [];
  for (const body of [
    { name: "backend", budget_usd: 1 },
    { name: "mobile app", allowlist: ["https://app.example.com"], limits: { per_minute: 60, burst: 10 } },
    { name: "nightly import", project_id: studio.id, environment: "production", expires_at: new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 19) + "Z" },
    { name: "intern", scopes: "read-only", budget_usd: 0.05 },
    { name: "old laptop" },
    { name: "leaked once" },
  ]) keys.push(await post("/v1/api-keys", body));
  await program.ask("PATCH", `/v1/api-keys/${keys[4].id}`, { token, body: { frozen: true } });
  await program.ask("DELETE", `/v1/api-keys/${keys[5].id}`, { token });
  let admitted = 0;
  const call = async (times, method, path, key) => {
    for (let calls = 0; calls < times; calls++) admitted += (await program.ask(method, path, { key })).status === 200 ? 1 : 0;
  };
  await call(34, "POST", "/demo/paid", keys[0].key);
  await call(9, "GET", "/demo/limited", keys[3].key);
  await call(21, "GET", "/demo/free", keys[2].key);
  await call(5, "POST", "/demo/paid", keys[3].key);
  await call(1, "POST", "/demo/metered", keys[2].key);
  const service = (await post("/v1/api-keys", { name: "settling", scopes: ["gate:check"] })).key;
  // The studio may go on in the next second.
  await new Promise((wake) => setTimeout(wake, 1_100));
  for (const [key, ms] of [[keys[0], 60], [keys[0], 130], [keys[2], 250], [keys[2], 700]]) {
    const metered = await program.ask("POST", "/demo/metered", { key: key.key });
    assert.equal(metered.status, 200, JSON.stringify(metered.body));
    const { chargeId } = metered.body.data.context;
    admitted++;
    await new Promise((wake) => setTimeout(wake, ms));
    const body = { outcome: "succeeded", actual_usd: "0.03" };
    assert.equal((await program.ask("POST", `/v1/charges/${chargeId}/settle`, { key: service, body })).status, 200);
  }
  await eventually(async () => (await program.ask("GET", "/v1/analytics?bucket=day", { token })).body.data.totals.calls === admitted, "the books", 60);
  return { keys, me };
}

async function violations(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}

test("axe finds nothing on any page, wide and narrow, light and dark, with things and without", { timeout: 600_000 }, async () => {
  let furnished = null;
  const wrong = [];
  const wallet = { name: "Test Wallet", key: operator };
  for (const [viewport, scheme] of [[{ width: 1440, height: 900 }, "light"], [{ width: 1440, height: 900 }, "dark"], [{ width: 390, height: 844 }, "light"], [{ width: 390, height: 844 }, "dark"]]) {
    const person = await Person.of(program, { viewport, scheme, wallets: [wallet] });
    const { page } = person;
    const look = async (name) => {
      await settled(page);
      wrong.push(...(await violations(page)).map((what) => `${name} ${viewport.width} ${scheme}: ${what}`));
      const isTooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (isTooWide) wrong.push(`${name} scrolls sideways at ${viewport.width}`);
      if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}-${viewport.width}-${scheme}.png` });
    };
    await page.goto(person.url);
    await page.getByRole("button", { name: "Test Wallet" }).waitFor();
    await look("sign-in");
    await person.signIn();
    if (!furnished) {
      for (const path of ["keys", "usage", "requests", "billing", "projects"]) {
        await page.goto(`${person.url}/${path}`);
        await look(`empty-${path}`);
      }
      furnished = await furnish(operator);
    }
    const { keys, me } = furnished;
    for (const [name, path] of [
      ["keys", "/keys"], ["key", `/keys?key=${keys[0].id}`], ["new-key", "/keys?new=1"], ["usage", "/usage?range=day"], ["usage-by-key", "/usage?group=key&range=day"],
      ["requests", "/requests"], ["billing", "/billing"], ["projects", "/projects"], ["new-project", "/projects?new=1"], ["webhooks", "/webhooks"], ["new-webhook", "/webhooks?new=1"], ["client-sessions", "/client-sessions"], ["account", "/account"], ["operator", `/operator?account=${me.account_id}`],
    ]) {
      await page.goto(person.url + path);
      await page.locator("h1").waitFor();
      await look(name);
    }
    await person.close();
  }
  assert.deepEqual(wrong, []);
});

test("everything is reached by the keyboard alone", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await page.goto(person.url);
  const press = async (name, role = "button") => {
    const target = page.getByRole(role, { name }).first();
    await target.waitFor();
    for (let steps = 0; steps < 60; steps++) {
      if (await target.evaluate((element) => element === document.activeElement)) return page.keyboard.press("Enter");
      await page.keyboard.press("Tab");
    }
    throw new Error(`the keyboard does not reach ${name}`);
  };
  await press("Test Wallet");
  await press("Make the first key");
  const form = page.getByRole("dialog", { name: "New key" });
  await form.waitFor();
  await form.getByLabel("Name").focus();
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Your new key" }).waitFor();
  for (let steps = 0; steps < 20; steps++) {
    if (await page.evaluate(() => document.activeElement?.getAttribute("type") === "checkbox")) break;
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Space");
  await press("Done");
  await press("by keyboard", "link");
  await page.getByRole("heading", { name: "by keyboard" }).waitFor();
  await press("Usage", "link");
  await page.getByRole("heading", { name: "Usage" }).waitFor();
  await person.close();
});

test("no request leaves the page's own origin, and no secret stands in an address, in storage or in history", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const key = await person.makeKey("secret");
  const token = (await person.context.cookies()).find(({ name }) => name === "faregate_session").value;
  for (const path of ["/usage", "/requests", "/billing", "/projects", "/account", "/keys"]) {
    await page.goto(person.url + path);
    await page.locator("h1").waitFor();
  }
  const kept = await page.evaluate(async () => {
    const databases = (await indexedDB.databases?.()) ?? [];
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, databases, await caches.keys(), history.state, document.cookie, location.href]);
  });
  const shown = await page.content();
  for (const [name, secret] of [["the key", key.slice(20)], ["the session", token.split(".")[2]]]) {
    for (const [place, content] of [["an address", person.addresses.join("\n")], ["storage", kept], ["a page afterwards", shown], ["the program's log", program.said.replace(/Its key, shown this once.*|Bearer \S+/g, "")]]) {
      assert.ok(!content.includes(secret), `${name} is in ${place}`);
    }
  }
  const foreign = person.addresses.filter((address) => !address.startsWith(program.url) && !address.startsWith("data:") && address !== "about:blank");
  assert.deepEqual(foreign, []);
  await person.close();
});

test("the policy stops what is inline or from elsewhere", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await page.goto(person.url);
  const stopped = await page.evaluate(async () => {
    const seen = [];
    addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
    document.body.insertAdjacentHTML("beforeend", '<p style="color: red"></p><img src="https://example.com/a.png">');
    const script = document.createElement("script");
    script.textContent = "globalThis.wasRun = true";
    document.body.append(script);
    await fetch("https://example.com/").catch(() => {});
    // The browser reports in its own time; what it has not reported after ten seconds it has not stopped.
    for (let tries = 0; tries < 200 && new Set(seen).size < 4; tries++) await new Promise((wake) => setTimeout(wake, 50));
    return [...new Set(seen), String(globalThis.wasRun)];
  });
  assert.deepEqual(stopped.sort(), ["connect-src", "img-src", "script-src-elem", "style-src-attr", "undefined"]);
  person.faults.length = 0;
  await person.close();
});

test("all of it together is at most 150 KB compressed", () => {
  const sizes = readdirSync(DIST).map((name) => [name, gzipSync(readFileSync(new URL(name, DIST)), { level: 9 }).length]);
  const sum = sizes.reduce((sum, [, size]) => sum + size, 0);
  console.log(`${sum} bytes compressed: ${sizes.map(([name, size]) => `${name} ${size}`).join(", ")}`);
  assert.ok(sum <= 150 * 1_024, `${sum} bytes`);
});

test("something is painted within a second on a slow line and a slow machine", async () => {
  const person = await Person.of(program);
  const { page } = person;
  const session = await person.context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  // What Lighthouse calls slow 4G, and a processor of a quarter of the speed.
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 150, downloadThroughput: (1.6 * 1_024 * 1_024) / 8, uploadThroughput: (750 * 1_024) / 8 });
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  const painted = [];
  for (let visit = 0; visit < 5; visit++) {
    await page.goto(person.url);
    await page.getByRole("button", { name: "Test Wallet" }).waitFor();
    painted.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  }
  const [, , middle] = painted.sort((one, other) => one - other);
  console.log(`first paint after ${painted.map(Math.round).join(", ")} ms`);
  assert.ok(middle <= 1_000, `${middle} ms`);
  await person.close();
});
