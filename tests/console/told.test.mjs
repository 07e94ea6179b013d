// Webhooks, received where they are sent to; and client sessions, ended where they are watched.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { Person, Program, closeBrowser, eventually } from "./world.mjs";

let program;
before(async () => (program = await Program.start()));
after(async () => {
  await closeBrowser();
  await program.stop();
});

/** Somebody who takes webhooks, and answers as they are told to. */
async function receiver() {
  const taken = [];
  const answer = { status: 200 };
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      taken.push({ id: request.headers["webhook-id"], body: JSON.parse(body) });
      response.writeHead(answer.status).end();
    });
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { url: `http://127.0.0.1:${server.address().port}/hook`, taken, answer, stop: () => server.close() };
}

test("an endpoint is made, tried, sent to again, disabled, changed and deleted", async () => {
  const hook = await receiver();
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  await person.makeKey("owner of the endpoint");
  await page.getByRole("link", { name: "Webhooks" }).click();
  await page.getByRole("button", { name: "Make the first endpoint" }).click();
  const form = page.getByRole("dialog", { name: "New endpoint" });
  await form.getByLabel("Address").fill("https://10.0.0.1/inside");
  await form.getByRole("button", { name: "Create the endpoint" }).click();
  await form.locator(".error, .trouble").first().waitFor();
  await form.getByLabel("Address").fill(hook.url);
  await form.getByLabel("Description").fill("orders");
  await form.getByRole("button", { name: "Create the endpoint" }).click();
  await page.getByRole("heading", { name: "orders" }).waitFor();

  await page.getByRole("button", { name: "Send a test" }).click();
  await eventually(async () => hook.taken.some(({ body }) => body.type === "webhook.test"), "the test event");
  const sent = hook.taken.find(({ body }) => body.type === "webhook.test");
  const row = page.getByRole("row", { name: /webhook.test/ }).first();
  await eventually(async () => {
    await page.getByRole("button", { name: "Refresh" }).click();
    await row.getByText("delivered").waitFor({ timeout: 2_000 });
    return true;
  }, "its delivery");
  await row.getByRole("button", { name: /Send again/ }).click();
  await eventually(async () => hook.taken.filter(({ id }) => id === sent.id).length === 2, "the same event again");

  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("button", { name: "Enable" }).waitFor();
  await page.locator("button:disabled", { hasText: "Send a test" }).waitFor();
  await page.getByRole("button", { name: "Enable" }).click();
  await page.getByRole("button", { name: "Change" }).click();
  const change = page.getByRole("dialog", { name: "Change the endpoint" });
  await change.getByLabel("All events").uncheck();
  await change.getByLabel("key.revoked").check();
  await change.getByRole("button", { name: "Change" }).click();
  await page.locator(".facts").getByText("key.revoked").waitFor();

  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog", { name: "Delete the endpoint" }).getByRole("button", { name: "Delete" }).click();
  await page.getByRole("heading", { name: "No endpoint yet" }).waitFor();
  hook.stop();
  await person.close();
});

test("a client session is watched and ended", async () => {
  const person = await Person.of(program);
  const { page } = person;
  await person.signIn();
  const token = await program.token(person.wallet);
  const made = (await program.ask("POST", "/v1/api-keys", { token, body: { name: "backend", scopes: ["demo:*", "sessions:write"] } })).body.data;
  const body = { client_reference_id: "user-42", max_cost_usd: 0.05 };
  const session = (await program.ask("POST", "/v1/client-sessions", { key: made.key, body })).body.data;
  const redeemed = (await program.ask("POST", "/v1/client-sessions/redeem", { body: { client_secret: session.client_secret.secret } })).body.data;
  assert.equal((await program.ask("GET", "/demo/free", { token: redeemed.access_token })).status, 200);
  await page.getByRole("link", { name: "Client sessions" }).click();
  const row = page.getByRole("row", { name: /user-42/ });
  await row.getByText("active").waitFor();
  await row.getByText("of $0.05").waitFor();
  await row.getByRole("button", { name: /End/ }).click();
  await page.getByRole("dialog", { name: "End the session" }).getByRole("button", { name: "End it" }).click();
  await row.getByText("ended").waitFor();
  assert.equal((await program.ask("GET", "/demo/free", { token: redeemed.access_token })).status, 401);
  await person.close();
});
