// rate-limiter-flexible's DynamoDB limiter: it limits, and knows no keys; a key here is a name that its plan stands in.

import { randomBytes } from "node:crypto";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import { RateLimiterDynamo } from "rate-limiter-flexible";

import { serve } from "./serve.mjs";

const DAY_S = 86_400;
// Its "never", a duration of 0, starts anew at each call with DynamoDB: -1 is what it keeps for it, and that is always past.
const NEVER = 365 * DAY_S;
const storeClient = new DynamoDB({ endpoint: `http://${process.env.STORE}` });
const limiters = new Map();

// One limiter per plan, as its documentation has it.
async function limiter(kind, points, duration) {
  const name = `${kind}${points}`;
  if (!limiters.has(name)) {
    const made = new Promise((resolve, reject) => {
      const options = { storeClient, tableName: "limits", keyPrefix: name, points, duration };
      const limiter = new RateLimiterDynamo(options, (error) => (error ? reject(error) : resolve(limiter)));
    });
    limiters.set(name, made);
    made.catch(() => limiters.delete(name));
  }
  return limiters.get(name);
}

async function decide(key, points = 1) {
  const [policy, most] = key.split("-");
  try {
    const isFull = policy === "full";
    await (await limiter("day", isFull ? 1e9 : Number(most), DAY_S)).consume(key);
    if (isFull) await (await limiter("budget", Number(most), NEVER)).consume(key, points);
    return [200, "ok"];
  } catch (refused) {
    // It rejects with an Error where the store fails, and with the limiter's state where the limit is used up.
    return refused instanceof Error ? [503, refused.code ?? refused.name] : [429, "too_many_requests"];
  }
}

// What the call has cost is known after it; `penalty` takes the difference.
async function spend(key) {
  const verdict = await decide(key);
  if (verdict[0] !== 200) return verdict;
  await new Promise((done) => setTimeout(done, 20));
  await (await limiter("budget", Number(key.split("-")[1]), NEVER)).penalty(key, 4);
  return verdict;
}

const makeKeys = ({ policy, count, most }) => ({
  keys: Array.from({ length: count }, () => `${policy}-${most}-${randomBytes(12).toString("hex")}`),
});

async function revoke({ key }) {
  const [policy, most] = key.split("-");
  await (await limiter("day", policy === "full" ? 1e9 : Number(most), DAY_S)).block(key, DAY_S);
  return {};
}

serve({
  decide: { "/limit": decide, "/full": decide, "/spend": spend },
  manage: { "/keys": makeKeys, "/revoke": revoke },
});
