// The first thing one would write: read the key's item, check it in code, count in a second call.

import { createHash, randomBytes } from "node:crypto";
import { DynamoDB } from "@aws-sdk/client-dynamodb";

import { serve } from "./serve.mjs";

const TABLE = "baseline";
const PRICE = 1;
const table = new DynamoDB({ endpoint: `http://${process.env.STORE}` });

await table
  .createTable({
    TableName: TABLE,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
  })
  .catch((error) => {
    if (error.name !== "ResourceInUseException") throw error;
  });

const hash = (key) => ({ S: createHash("sha256").update(key).digest("hex") });
const number = (attribute) => Number(attribute?.N ?? 0);
const today = () => new Date().toISOString().slice(0, 10);

async function decide(key, hasBudget) {
  const { Item: item } = await table.getItem({ TableName: TABLE, Key: { pk: hash(key) }, ConsistentRead: true });
  if (item?.status.S !== "active") return [401, "invalid_api_key"];
  const day = `d${today()}`;
  if (number(item[day]) >= number(item.per_day)) return [429, "rate_limited"];
  if (hasBudget && number(item.spent) + PRICE > number(item.budget)) return [402, "budget_exceeded"];
  await table.updateItem({
    TableName: TABLE,
    Key: { pk: hash(key) },
    UpdateExpression: hasBudget ? "ADD #day :one, spent :price" : "ADD #day :one",
    ExpressionAttributeNames: { "#day": day },
    ExpressionAttributeValues: { ":one": { N: "1" }, ...(hasBudget && { ":price": { N: String(PRICE) } }) },
  });
  return [200, "ok"];
}

// What the call has cost is known after it; the difference is booked then.
async function spend(key) {
  const verdict = await decide(key, true);
  if (verdict[0] !== 200) return verdict;
  await new Promise((done) => setTimeout(done, 20));
  await table.updateItem({
    TableName: TABLE,
    Key: { pk: hash(key) },
    UpdateExpression: "ADD spent :more",
    ExpressionAttributeValues: { ":more": { N: "4" } },
  });
  return verdict;
}

async function makeKeys({ policy, count, most }) {
  const keys = Array.from({ length: count }, () => `base_${randomBytes(24).toString("base64url")}`);
  for (const key of keys) {
    const limits = policy === "full" ? { per_day: 1e9, budget: most } : { per_day: most };
    const numbers = Object.entries(limits).map(([name, value]) => [name, { N: String(value) }]);
    const Item = { pk: hash(key), status: { S: "active" }, ...Object.fromEntries(numbers) };
    await table.putItem({ TableName: TABLE, Item });
  }
  return { keys };
}

async function revoke({ key }) {
  await table.updateItem({
    TableName: TABLE,
    Key: { pk: hash(key) },
    UpdateExpression: "SET #status = :revoked",
    ExpressionAttributeNames: { "#status": "status" },
    ExpressionAttributeValues: { ":revoked": { S: "revoked" } },
  });
  return {};
}

serve({
  decide: { "/limit": (key) => decide(key, false), "/full": (key) => decide(key, true), "/spend": spend },
  manage: { "/keys": makeKeys, "/revoke": revoke },
});
