// The gate's one write as a small Node authorizer would send it, with the AWS SDK; a yardstick for starts and answers,
// not a gate: it knows free routes, keys without an allowlist and one minute's bucket only.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import { crc32 } from "node:zlib";
import { ConditionalCheckFailedException, DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const secrets = JSON.parse(readFileSync(process.env.FAREGATE_SECRETS.slice("file:".length), "utf8"));
const pepper = Buffer.from(secrets.pepper.current, "hex");
const dynamodb = new DynamoDBClient({});
const lane = Math.random().toString(36).slice(2, 10);
let seq = 0;

function base62(number, width) {
  let text = "";
  for (; number > 0n; number /= 62n) text = DIGITS[Number(number % 62n)] + text;
  return text.padStart(width, "0");
}

function hasChecksum(key) {
  const body = key.slice(-55);
  const sum = base62(BigInt(crc32(body.slice(0, 49))), 6);
  return timingSafeEqual(Buffer.from(sum), Buffer.from(body.slice(49)));
}

async function decide(event) {
  const key = event.headers["X-Api-Key"] ?? "";
  if (key.length < 56 || !hasChecksum(key)) throw new Error("Unauthorized");
  const nowMs = Date.now();
  const minute = Math.floor(nowMs / 60_000);
  seq = Math.max(seq + 1, nowMs);
  const write = new UpdateItemCommand({
    TableName: process.env.FAREGATE_TABLE,
    Key: { pk: { S: `key_${key.slice(-55, -39)}` }, sk: { S: "cell" } },
    UpdateExpression:
      "SET #t = if_not_exists(#t, tc) - :one, #d = if_not_exists(#d, :zero) + :one, w = :k, q.#i = :seq, n = n + :one",
    ConditionExpression:
      "h = :h AND st = :a AND NOT xp <= :now AND NOT w > :k AND NOT q.#i >= :seq AND NOT #d >= dl " +
      "AND (contains(sc, :s) OR contains(sc, :f) OR contains(sc, :w)) AND attribute_not_exists(al) " +
      "AND (#t >= :one OR (attribute_not_exists(#t) AND NOT #p < tb))",
    ExpressionAttributeNames: { "#t": `m${minute}`, "#p": `m${minute - 1}`, "#d": `d${Math.floor(minute / 1440)}`, "#i": lane },
    ExpressionAttributeValues: {
      ":one": { N: "1" }, ":zero": { N: "0" }, ":k": { N: `${minute}` }, ":seq": { N: `${seq}` },
      ":now": { N: `${Math.floor(nowMs / 1000)}` }, ":a": { S: "A" },
      ":h": { B: createHmac("sha256", pepper).update(key).digest() },
      ":s": { S: "demo:read" }, ":f": { S: "demo:*" }, ":w": { S: "*" },
    },
    ReturnValues: "ALL_NEW",
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  });
  let effect = "Allow";
  try {
    await dynamodb.send(write);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    effect = "Deny";
  }
  const Resource = event.methodArn.split("/").slice(0, 2).join("/") + "/*";
  const Statement = [{ Action: "execute-api:Invoke", Effect: effect, Resource }];
  return { principalId: key.slice(-55, -39), policyDocument: { Version: "2012-10-17", Statement }, context: {} };
}

const agent = new http.Agent({ keepAlive: true });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, host, port, method, path: `/2018-06-01/runtime/${path}` }, (answer) => {
      let text = "";
      answer.on("data", (part) => (text += part)).on("end", () => resolve([answer.headers, text]));
    });
    request.on("error", reject);
    request.end(body);
  });
}

for (;;) {
  const [headers, text] = await call("GET", "invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    await call("POST", `invocation/${id}/response`, JSON.stringify(await decide(JSON.parse(text))));
  } catch (error) {
    await call("POST", `invocation/${id}/error`, JSON.stringify({ errorMessage: error.message }));
  }
}
