"""The gate's one write as a small Python authorizer would send it, with the AWS SDK; a yardstick for starts and answers,
not a gate: it knows free routes, keys without an allowlist and one minute's bucket only.
"""

import hashlib
import hmac
import http.client
import json
import os
import random
import time
import zlib

import boto3

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
with open(os.environ["FAREGATE_SECRETS"].removeprefix("file:"), encoding="utf-8") as file:
    PEPPER = bytes.fromhex(json.load(file)["pepper"]["current"])
DYNAMODB = boto3.client("dynamodb", endpoint_url=os.environ.get("AWS_ENDPOINT_URL_DYNAMODB"))
LANE = "".join(random.choices(DIGITS, k=8))
SEQ = 0


def base62(number, width):
    text = ""
    while number:
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text.rjust(width, "0")


def decide(event):
    global SEQ
    key = event["headers"].get("X-Api-Key", "")
    body = key[-55:]
    if len(key) < 56 or not hmac.compare_digest(base62(zlib.crc32(body[:49].encode()), 6), body[49:]):
        raise PermissionError("Unauthorized")
    now_ms = int(time.time() * 1000)
    minute = now_ms // 60_000
    SEQ = max(SEQ + 1, now_ms)
    effect = "Allow"
    try:
        DYNAMODB.update_item(
            TableName=os.environ["FAREGATE_TABLE"],
            Key={"pk": {"S": f"key_{body[:16]}"}, "sk": {"S": "cell"}},
            UpdateExpression="SET #t = if_not_exists(#t, tc) - :one, #d = if_not_exists(#d, :zero) + :one, w = :k, "
            "q.#i = :seq, n = n + :one",
            ConditionExpression="h = :h AND st = :a AND NOT xp <= :now AND NOT w > :k AND NOT q.#i >= :seq "
            "AND NOT #d >= dl AND (contains(sc, :s) OR contains(sc, :f) OR contains(sc, :w)) "
            "AND attribute_not_exists(al) AND (#t >= :one OR (attribute_not_exists(#t) AND NOT #p < tb))",
            ExpressionAttributeNames={
                "#t": f"m{minute}", "#p": f"m{minute - 1}", "#d": f"d{minute // 1440}", "#i": LANE,
            },
            ExpressionAttributeValues={
                ":one": {"N": "1"}, ":zero": {"N": "0"}, ":k": {"N": str(minute)}, ":seq": {"N": str(SEQ)},
                ":now": {"N": str(now_ms // 1000)}, ":a": {"S": "A"},
                ":h": {"B": hmac.new(PEPPER, key.encode(), hashlib.sha256).digest()},
                ":s": {"S": "demo:read"}, ":f": {"S": "demo:*"}, ":w": {"S": "*"},
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except DYNAMODB.exceptions.ConditionalCheckFailedException:
        effect = "Deny"
    resource = "/".join(event["methodArn"].split("/")[:2]) + "/*"
    statement = [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}]
    return {"principalId": body[:16], "policyDocument": {"Version": "2012-10-17", "Statement": statement}, "context": {}}


def main():
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        runtime.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = runtime.getresponse()
        event, request_id = json.loads(answer.read()), answer.headers["lambda-runtime-aws-request-id"]
        try:
            result, outcome = decide(event), "response"
        except Exception as error:
            result, outcome = {"errorMessage": str(error)}, "error"
        runtime.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/{outcome}", json.dumps(result))
        runtime.getresponse().read()


main()
