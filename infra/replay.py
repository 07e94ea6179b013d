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
import json
import sys

import boto3
import botocore.exceptions

ASIDE = "book_aside"
# As many as are read on before a shard counts as read.
EMPTY_PAGES = 50


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
        event = json.dumps({"Records": records}).encode()
        answer = self.client.invoke(FunctionName=self.name, Payload=event)
        body = json.load(answer["Payload"])
        is_taken = "FunctionError" not in answer and body == {"batchItemFailures": []}
        self.taken += len(records) if is_taken else 0
        return is_taken


def replay_batches(queue, ledger):
    """The batches that the queue names; those that are taken leave it."""
    sqs, failed = boto3.client("sqs"), 0
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=120).get("Messages"):
        for message in messages:
            batch = json.loads(message["Body"])["DDBStreamBatchInfo"]
            try:
                records = records_of(batch)
            except botocore.exceptions.ClientError as error:
                # Older than 24 hours, or of a shard that is gone: one lost batch must not hold up the others.
                print(f"batch of {batch['batchSize']} in {batch['shardId']}: {error.response['Error']['Code']}")
                failed += 1
                continue
            print(f"batch of {batch['batchSize']} in {batch['shardId']}: {len(records)} still in the stream")
            if len(records) == batch["batchSize"] and ledger.takes(records):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            else:
                failed += 1
    return failed


def records_of(batch):
    """What the stream still has of a batch, in the form of Lambda's events."""
    streams = boto3.client("dynamodbstreams")
    iterator = streams.get_shard_iterator(
        StreamArn=batch["streamArn"], ShardId=batch["shardId"], ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=batch["startSequenceNumber"],
    )["ShardIterator"]
    found, last, pages = [], int(batch["endSequenceNumber"]), EMPTY_PAGES
    while iterator:
        answer = streams.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > last:
                return found
            # The same filter as in template.yaml: a batch counts what passed it.
            keys = {name: key.get("S", "") for name, key in record["dynamodb"]["Keys"].items()}
            if keys["sk"] == "cell" or keys["pk"].startswith("refused_acc_"):
                found.append(as_event(record))
        # A page may be empty before the end; one that comes close to now has seen all that a batch of the past had.
        if not answer["Records"] and (pages := pages - 1) == 0:
            return found
        iterator = answer.get("NextShardIterator")
    return found


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
