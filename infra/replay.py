#!/usr/bin/env python3
"""Hands the ledger once more what it did not take: batches that Lambda gave up, and records that were set aside.

    infra/replay.py --stack faregate            needs boto3, and credentials for the account
    infra/replay.py --stack faregate --dry-run  only says what there is

Batches are named by messages in the stack's queue LedgerDeadLetters; what they name stands in the table's stream for 24 hours.
Records that the ledger could not understand stand in the table until they are in the books (`book_aside`). Both are safe to
replay at any time and as often as one likes: what is in the books already is not entered again. Ends with 1 where something
could not be replayed.
"""

import argparse
import base64
import json
import sys

import boto3
import botocore.exceptions

ASIDE = "book_aside"
# As many as are read on before a shard counts as read.
EMPTY_PAGES = 50
# While a run is at a batch no other one sees it; a run that breaks off has the others wait so long.
HIDDEN_SECONDS = 300
# Without it, queues answer from some of their servers only.
LONG_POLL_SECONDS = 2


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--stack", default="faregate", help="the stack made of template.yaml")
    options.add_argument("--dry-run", action="store_true", help="hand over nothing")
    options = options.parse_args()
    outputs = boto3.client("cloudformation").describe_stacks(StackName=options.stack)["Stacks"][0]["Outputs"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    ledger = Ledger(outputs["Ledger"], options.dry_run)
    failed = replay_set_aside(outputs["TableName"], ledger) + replay_batches(outputs["LedgerDeadLetters"], ledger)
    print(f"{ledger.taken} records handed over, {failed} left")
    return 1 if failed else 0


class Ledger:
    """The deployed function."""

    def __init__(self, name, is_dry):
        self.name, self.is_dry, self.taken = name, is_dry, 0
        self.client = boto3.client("lambda")

    def takes(self, records):
        if self.is_dry:
            return False
        event = json.dumps({"Records": records}, default=base64_of, separators=(",", ":")).encode()
        answer = self.client.invoke(FunctionName=self.name, Payload=event)
        body = json.load(answer["Payload"])
        is_taken = "FunctionError" not in answer and body == {"batchItemFailures": []}
        self.taken += len(records) if is_taken else 0
        return is_taken


def replay_batches(queue, ledger):
    """The batches that the queue names; those that are taken leave it, the others are there for whoever comes next."""
    sqs, seen, left = boto3.client("sqs"), set(), []
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=HIDDEN_SECONDS, WaitTimeSeconds=LONG_POLL_SECONDS
    ).get("Messages"):
        # A message that was left comes again where a run takes longer than it is hidden.
        if all(message["MessageId"] in seen for message in messages):
            left += [message["ReceiptHandle"] for message in messages]
            break
        for message in messages:
            batch = json.loads(message["Body"])["DDBStreamBatchInfo"]
            is_new, is_taken = message["MessageId"] not in seen, False
            seen.add(message["MessageId"])
            if is_new:
                is_taken = replay_batch(batch, ledger)
            if is_taken:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            else:
                left.append(message["ReceiptHandle"])
    for handle in left:
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
    return len(left)


def replay_batch(batch, ledger):
    """Whether the ledger has taken the whole of a batch; what is left of another one is handed over all the same."""
    name = f"batch of {batch['batchSize']} in {batch['shardId']}"
    try:
        records, is_whole = records_of(batch)
    except botocore.exceptions.ClientError as error:
        # Of a shard that is gone: one lost batch must not hold up the others.
        print(f"{name}: {error.response['Error']['Code']}")
        return False
    print(f"{name}: {len(records)} still in the stream")
    is_taken = bool(records) and ledger.takes(records)
    return is_taken and is_whole


def records_of(batch):
    """What the stream still has of a batch, in the form of Lambda's events, and whether that is all of it."""
    streams, is_whole = boto3.client("dynamodbstreams"), True
    shard = {"StreamArn": batch["streamArn"], "ShardId": batch["shardId"]}
    try:
        start = streams.get_shard_iterator(
            **shard, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=batch["startSequenceNumber"]
        )
    except streams.exceptions.TrimmedDataAccessException:
        # It began more than 24 hours ago.
        start, is_whole = streams.get_shard_iterator(**shard, ShardIteratorType="TRIM_HORIZON"), False
    found, last, pages, iterator = [], int(batch["endSequenceNumber"]), EMPTY_PAGES, start["ShardIterator"]
    while iterator:
        answer = streams.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            number = int(record["dynamodb"]["SequenceNumber"])
            # The same filter as in template.yaml.
            keys = {name: key.get("S", "") for name, key in record["dynamodb"]["Keys"].items()}
            if number <= last and (keys["sk"] == "cell" or keys["pk"].startswith("refused_acc_")):
                found.append(as_event(record))
            if number >= last:
                return found, is_whole
        # A page may be empty before the end; one that comes close to now has seen all that a batch of the past had.
        if not answer["Records"] and (pages := pages - 1) == 0:
            break
        iterator = answer.get("NextShardIterator")
    return found, False


def base64_of(value):
    """A binary attribute, as Lambda's events have it."""
    return base64.b64encode(value).decode()


def as_event(record):
    at = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": at}}


def replay_set_aside(table, ledger):
    """The records that were set aside; those that are taken are forgotten."""
    dynamodb, failed, start = boto3.client("dynamodb"), 0, {}
    while True:
        page = dynamodb.query(
            TableName=table, KeyConditionExpression="pk = :aside", ExpressionAttributeValues={":aside": {"S": ASIDE}}, **start
        )
        for item in page["Items"]:
            print(f"set aside: {item['sk']['S']}: {item['wy']['S']}")
            key = {"pk": item["pk"], "sk": item["sk"]}
            if ledger.is_dry:
                failed += 1
                continue
            is_taken = ledger.takes([json.loads(item["re"]["S"])])
            # Where the ledger still does not understand it, it has set it aside anew.
            now = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", item)
            if is_taken and now["at"] == item["at"]:
                dynamodb.delete_item(TableName=table, Key=key)
            else:
                failed += 1
        if "LastEvaluatedKey" not in page:
            return failed
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


if __name__ == "__main__":
    sys.exit(main())
