// The first thing one would write: read the key's item, check it in code, count in a second call.

import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { DynamoDB } from "@aws-sdk/client-dynamodb";

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

async function body(request) {
  let text = "";
  for await (const part of request) text += part;
  return JSON.parse(text);
}

async function answer(request) {
  const key = request.headers["x-api-key"] ?? "";
  const said = ([status, code]) => [status, { code }];
  switch (request.url) {
    case "/healthz":
      return [200, {}];
    case "/limit":
      return said(await decide(key, false));
    case "/full":
      return said(await decide(key, true));
    case "/spend":
      return said(await spend(key));
    case "/keys":
      return [200, await makeKeys(await body(request))];
    case "/revoke":
      return [200, await revoke(await body(request))];
    default:
      return [404, {}];
  }
}

createServer(async (request, response) => {
  const [status, content] = await answer(request).catch((error) => [503, { code: error.code ?? error.name }]);
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(content));
}).listen(Number(process.env.PORT), "127.0.0.1");
