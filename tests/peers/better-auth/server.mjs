// Better Auth with its api-key plugin, as its documentation sets it up; verifyApiKey exists on the server alone, so this is the server.

import { randomUUID } from "node:crypto";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import Database from "better-sqlite3";
import pg from "pg";

import { serve } from "./serve.mjs";

const DAY_MS = 86_400_000;
let statements = 0;

function database() {
  if (process.env.STORE) return new pg.Pool({ connectionString: `postgres://postgres@${process.env.STORE}/postgres` });
  const verbose = process.env.COUNTED ? () => (statements += 1) : undefined;
  return new Database(`${process.env.FOLDER}/sqlite.db`, { verbose });
}

const options = {
  database: database(),
  baseURL: `http://127.0.0.1:${process.env.PORT}`,
  secret: "a-secret-of-this-comparison-alone-0123456789",
  emailAndPassword: { enabled: true },
  plugins: [apiKey()],
  telemetry: { enabled: false },
  logger: { level: "error", disabled: true },
};
// A connection of the pool that breaks is an event, which ends the process where nobody listens; the pool opens another.
options.database.on?.("error", () => {});
options.database.on?.("connect", (client) => client.on("error", () => {}));
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);
let owner;

async function makeKeys({ policy, count, most }) {
  owner ??= (await auth.api.signUpEmail({ body: { email: `${randomUUID()}@example.com`, password: randomUUID(), name: "owner" } })).user.id;
  // One limit is the plugin's rate limit, over a day; a budget is `remaining`, in calls, beside it.
  const limit = { rateLimitEnabled: true, rateLimitTimeWindow: DAY_MS, rateLimitMax: policy === "full" ? 1e9 : most };
  const keys = [];
  for (let index = 0; index < count; index += 1) {
    const body = { userId: owner, name: `${index}`, ...limit, ...(policy === "full" && { remaining: most }) };
    const made = await auth.api.createApiKey({ body });
    keys.push(`${made.id}.${made.key}`);
  }
  return { keys };
}

// The plugin knows codes and no statuses; these two are its own for them where a key is taken for a session.
const TOO_MANY = ["RATE_LIMITED", "USAGE_EXCEEDED"];

async function decide(key) {
  const { valid, error } = await auth.api.verifyApiKey({ body: { key: key.split(".")[1] } });
  if (valid) return [200, "ok"];
  return [TOO_MANY.includes(error.code) ? 429 : 401, error.code];
}

async function revoke({ key }) {
  await auth.api.updateApiKey({ body: { keyId: key.split(".")[0], userId: owner, enabled: false } });
  return {};
}

serve({
  decide: { "/limit": decide, "/full": decide },
  manage: { "/keys": makeKeys, "/revoke": revoke, "/calls": () => ({ calls: statements }) },
});
