"""Holds every alarm and every filter to what exists: metrics that something counts, logs and names that are deployed, and
words that the functions say.

    alarms.py ALARMS TEMPLATE ROOT

Run with a Python that has cfn-lint. Each rule is also tried on alarms that break it, so that it cannot pass by finding
nothing. Whether CloudWatch then fires is not tested: nothing here runs on AWS.
"""

import copy
import pathlib
import re
import sys

from cfnlint.decode.cfn_yaml import load

# AWS's own metrics that are used here, as its documentation has them.
FOREIGN = {
    "AWS/Lambda": {"Duration": {"FunctionName"}, "IteratorAge": {"FunctionName"}, "Throttles": {"FunctionName"}},
    "AWS/DynamoDB": {"WriteThrottleEvents": {"TableName"}},
    "AWS/SQS": {"ApproximateAgeOfOldestMessage": {"QueueName"}, "ApproximateNumberOfMessagesVisible": {"QueueName"}},
}
# What Lambda writes into a function's log when it ends one.
OF_LAMBDA = {"Runtime exited", "Runtime.ExitError", "Task timed out"}


def faults(alarms, deployed, sources):
    """Every breach, as `resource: what`."""
    resources = alarms["Resources"]
    counted = set()
    exports = {name(output["Export"]["Name"]) for output in deployed["Outputs"].values() if "Export" in output}
    logs = {
        name(resource["Properties"]["LogGroupName"])
        for resource in deployed["Resources"].values()
        if resource["Type"] == "AWS::Logs::LogGroup"
    }
    for key, resource in resources.items():
        if resource["Type"] != "AWS::Logs::MetricFilter":
            continue
        properties = resource["Properties"]
        counted |= {(name(one["MetricNamespace"]), one["MetricName"]) for one in properties["MetricTransformations"]}
        log = properties["LogGroupName"]
        if "Fn::ImportValue" not in log and name(log) not in logs:
            yield f"{key}: nobody writes the log {name(log)}"
        for words in re.findall(r'"([^"]+)"', properties["FilterPattern"]):
            # A star at the end stands for the rest of the sentence.
            if words not in OF_LAMBDA and f'"{words.removesuffix("*")}' not in sources:
                yield f"{key}: no function says “{words}”"
    for imported in values(alarms, "Fn::ImportValue"):
        if name(imported) not in exports:
            yield f"{name(imported)} is exported by nobody"
    for key, resource in resources.items():
        if resource["Type"] != "AWS::CloudWatch::Alarm":
            continue
        if not resource["Properties"]["AlarmActions"]:
            yield f"{key}: tells nobody"
        for metric in metrics(resource["Properties"]):
            namespace, dimensions = name(metric["Namespace"]), {one["Name"] for one in metric.get("Dimensions", [])}
            own = (namespace, metric["MetricName"]) in counted and not dimensions
            if not own and FOREIGN.get(namespace, {}).get(metric["MetricName"]) != dimensions:
                yield f"{key}: nothing counts {namespace} {metric['MetricName']} {sorted(dimensions)}"
    # A function that does not start is counted, whichever it is.
    for log in sorted(logs):
        watched = [
            resource["Properties"]
            for resource in resources.values()
            if resource["Type"] == "AWS::Logs::MetricFilter" and group(resource["Properties"]["LogGroupName"]) == log
        ]
        if not any(f'?"{STARTS_NOT}"' in one["FilterPattern"] for one in watched):
            yield f"{log}: nobody notices when its function does not start"


def metrics(alarm):
    if "MetricName" in alarm:
        yield alarm
    yield from (one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one)


def values(node, key):
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for value in node.values():
            yield from values(value, key)
    if isinstance(node, list):
        for value in node:
            yield from values(value, key)


def name(text):
    """A name that both templates write with their own word for the stack."""
    text = text.get("Fn::Sub") if isinstance(text, dict) else text
    return str(text).replace("${AWS::StackName}", "STACK").replace("${AppStack}", "STACK")


def group(log):
    """The log's own name; the authorizer's is imported."""
    return "/aws/lambda/STACK-authorizer" if "Fn::ImportValue" in log else name(log)


def broken(alarms):
    """The alarms broken in each way that must be found."""

    def edit(resource, **change):
        other = copy.deepcopy(alarms)
        other["Resources"][resource]["Properties"].update(change)
        return other

    yield "nothing counts", edit("GateUnavailable", MetricName="NoDecisions")
    yield "nothing counts", edit("TableThrottled", Dimensions=[])
    yield "no function says", edit("NoDecisionFilter", FilterPattern='{ $.message = "undecided" }')
    yield "nobody writes", edit("KeysStartFailedFilter", LogGroupName="/aws/lambda/STACK-kees")
    yield "exported by nobody", edit("NoDecisionFilter", LogGroupName={"Fn::ImportValue": "STACK-Log"})
    yield "nobody notices", edit("VerifyStartFailedFilter", FilterPattern='"Task timed out"')
    yield "tells nobody", edit("GateCrashes", AlarmActions=[])


def main(alarms_path, template_path, root):
    alarms, deployed = load(alarms_path), load(template_path)
    folders = [pathlib.Path(root) / folder for folder in ("shared", "functions")]
    sources = "\n".join(file.read_text() for folder in folders for file in sorted(folder.rglob("src/**/*.rs")))
    found = list(faults(alarms, deployed, sources))
    for rule, other in broken(alarms):
        if not any(rule in fault for fault in faults(other, deployed, sources)):
            found.append(f"the rule about “{rule}” finds nothing in alarms that break it")
    if found:
        sys.exit("\n".join(found))
    kinds = [resource["Type"] for resource in alarms["Resources"].values()]
    print(f"{kinds.count('AWS::CloudWatch::Alarm')} alarms watch what exists")


STARTS_NOT = "the function does not start"

main(*sys.argv[1:])
