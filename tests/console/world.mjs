// The running program, a browser, and people with wallets: what every test of the console begins with.
//
//   FAREGATE=target/debug/faregate CHROMIUM=/usr/bin/chromium npm test

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Wallet, getBytes } from "ethers";
import { chromium } from "playwright-core";

/** A policy that ships with the program, as text. */
export function policyOf(name) {
  return readFileSync(new URL(`../../infra/policies/${name}.yaml`, import.meta.url), "utf8");
}

/** The program on a port of its own, keeping nothing; its table is for others too where it `isOpen`. */
export class Program {
  static async start({ policy, operator, stripe, isOpen } = {}) {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "faregate-console-"));
    const options = ["--listen", `127.0.0.1:${port}`, "--data", folder];
    const table = isOpen ? await freePort() : null;
    options.push("--memory", ...(isOpen ? ["--dynamodb", `127.0.0.1:${table}`] : []));
    if (policy) {
      writeFileSync(join(folder, "policy.yaml"), policy);
      options.push("--policy", join(folder, "policy.yaml"));
    }
    if (operator) options.push("--operator", operator);
    const env = stripe ? { ...process.env, FAREGATE_STRIPE_SECRET: stripe } : process.env;
    const process_ = spawn(process.env.FAREGATE, options, { env, stdio: ["ignore", "pipe", "pipe"] });
    const program = new Program();
    Object.assign(program, { url: `http://127.0.0.1:${port}`, dynamodb: `http://127.0.0.1:${table}`, process: process_, folder, said: "" });
    for (const stream of [process_.stdout, process_.stderr]) stream.on("data", (text) => (program.said += text));
    for (let tries = 0; tries < 200; tries++) {
      const isReady = await fetch(`${program.url}/healthz`).then((answer) => answer.ok, () => false);
      if (isReady) return program;
      await new Promise((wake) => setTimeout(wake, 100));
    }
    throw new Error(`the program does not start: ${program.said}`);
  }

  async stop() {
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGTERM");
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Asks the API by itself, without the console. */
  async ask(method, path, { token, key, body } = {}) {
    const headers = {};
    if (body !== undefined) headers["content-type"] = "application/json";
    if (token || key) headers.authorization = `Bearer ${token ?? key}`;
    const answer = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text ? JSON.parse(text) : null };
  }

  async token(wallet) {
    const { body } = await this.ask("GET", `/auth/nonce/${wallet.address}`);
    const proof = { address: wallet.address, nonce: body.data.nonce, signature: await wallet.signMessage(body.data.message) };
    return (await this.ask("POST", "/auth/verify", { body: proof })).body.data.access_token;
  }
}

let browser = null;

async function launched() {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Whoever tests as root has no sandbox of Chromium's.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = null;
}

/** Somebody with a wallet, in a browser of their own. What goes wrong on their pages fails the test at the end. */
export class Person {
  static async of(program, { wallets, viewport, scheme, timezone = "Europe/Berlin" } = {}) {
    const person = new Person();
    const options = { viewport: viewport ?? { width: 1440, height: 900 }, colorScheme: scheme ?? "light", timezoneId: timezone, locale: "en-GB" };
    person.context = await (await launched()).newContext(options);
    person.program = program;
    person.url = `${program.url}/console`;
    person.faults = [];
    person.addresses = [];
    person.wallets = wallets ?? [{ name: "Test Wallet", key: Wallet.createRandom() }];
    await person.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: program.url });
    await person.context.exposeBinding("faregateTestWallet", (_, index, method, params) => person.#answer(index, method, params));
    await person.context.addInitScript(announce, person.wallets.map(({ name, isLegacy }) => ({ name, isLegacy: isLegacy ?? false })));
    person.page = await person.open();
    return person;
  }

  /** Another tab. */
  async open() {
    const page = await this.context.newPage();
    page.setDefaultTimeout(45_000);
    page.on("pageerror", (error) => this.faults.push(`error: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // An answer of the API that is no success is not a fault of the page; the browser says it all the same.
      if (message.type() === "error" && !/^Failed to load resource/.test(text)) this.faults.push(`console: ${text}`);
      if (/Content.Security.Policy/i.test(text)) this.faults.push(`policy: ${text}`);
    });
    page.on("request", (request) => this.addresses.push(request.url()));
    page.on("framenavigated", (frame) => this.addresses.push(frame.url()));
    return page;
  }

  get wallet() {
    return this.wallets[0].key;
  }

  /** What a wallet answers; `refuses`, `answers` and `key` of a wallet may change at any time. */
  async #answer(index, method, params) {
    const wallet = this.wallets[index];
    (wallet.asked ??= []).push(method);
    if (wallet.error) return { error: wallet.error };
    switch (method) {
      case "eth_requestAccounts":
        return { result: wallet.key ? [wallet.key.address.toLowerCase()] : [] };
      case "personal_sign":
        return { result: await wallet.key.signMessage(getBytes(params[0])) };
      case "eth_chainId":
        return { result: "0x1" };
      default:
        return { error: { code: 4200, message: `no ${method}` } };
    }
  }

  /** The wallet tells the page something. */
  async emit(event, value, page = this.page, index = 0) {
    await page.evaluate(([index, event, value]) => globalThis.faregateTestEmit(index, event, value), [index, event, value]);
  }

  async signIn(page = this.page, path = "") {
    await page.goto(this.url + path);
    await page.getByRole("button", { name: this.wallets[0].name }).click();
    await page.getByRole("navigation", { name: "Console" }).waitFor();
  }

  /** Makes a key in the console; what stands on the dialog is the one place where its text is. */
  async makeKey(name, fill = async () => {}) {
    const { page } = this;
    await page.getByRole("button", { name: "New key" }).click();
    const form = page.getByRole("dialog", { name: "New key" });
    await form.getByLabel("Name").fill(name);
    await fill(form);
    await form.getByRole("button", { name: "Create the key" }).click();
    const shown = page.getByRole("dialog", { name: "Your new key" });
    const key = await shown.getByLabel(`Key “${name}”`).inputValue();
    await shown.getByLabel("I have put the key where it is safe").check();
    await shown.getByRole("button", { name: "Done" }).click();
    return key;
  }

  /** Ends the session without a word to the page, as time does. */
  async loseSession() {
    await this.context.clearCookies();
  }

  async close() {
    const { faults } = this;
    await this.context.close();
    assert.deepEqual(faults, [], "the pages complained");
  }
}

/** Runs in each page before anything of ours: wallets that announce themselves (EIP-6963) and ask the test what to say. */
function announce(wallets) {
  const listeners = wallets.map(() => new Map());
  globalThis.faregateTestEmit = (index, event, value) => listeners[index].get(event)?.forEach((listener) => listener(value));
  const providers = wallets.map((_, index) => ({
    async request({ method, params }) {
      const { result, error } = await globalThis.faregateTestWallet(index, method, params ?? []);
      if (error) throw Object.assign(new Error(error.message), error);
      return result;
    },
    on(event, listener) {
      const known = listeners[index].get(event) ?? new Set();
      listeners[index].set(event, known.add(listener));
    },
    removeListener(event, listener) {
      listeners[index].get(event)?.delete(listener);
    },
  }));
  const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><rect width='9' height='9' fill='teal'/></svg>";
  const tell = () => {
    wallets.forEach(({ name, isLegacy }, index) => {
      if (isLegacy) return (globalThis.ethereum = providers[index]);
      const info = { uuid: `00000000-0000-4000-8000-00000000000${index}`, name, icon, rdns: `test.${index}` };
      dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider: providers[index] }) }));
    });
  };
  addEventListener("eip6963:requestProvider", tell);
  tell();
}

async function freePort() {
  return new Promise((found) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

/** Waits until the page has what it asked for, has drawn it, and nothing on it moves. */
export async function settled(page) {
  const isAtRest = () =>
    new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn))).then(() => {
      const isBusy = document.querySelector('[aria-busy="true"], .stale') !== null || /Loading…|Opening the console…/.test(document.body.innerText);
      return !isBusy && document.fonts.status === "loaded" && document.getAnimations().every(({ playState }) => playState !== "running");
    });
  // What is drawn may ask for more: at rest is what still rests some frames later.
  let frames = 0;
  await eventually(async () => {
    while (frames < 3 && (await page.evaluate(isAtRest))) frames++;
    if (frames < 3) frames = 0;
    return frames === 3;
  }, "the page comes to rest");
}

/** Asks again until it holds; the books follow a call by seconds. */
export async function eventually(claim, what, seconds = 30) {
  let last;
  for (let tries = 0; tries < seconds * 4; tries++) {
    try {
      if (await claim()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((wake) => setTimeout(wake, 250));
  }
  throw new Error(`${what}: ${last ?? "it never held"}`);
}
