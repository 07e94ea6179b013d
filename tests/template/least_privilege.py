"""Holds the roles of templates to the least: no wildcard among actions and resources, items named, one signer.

    least_privilege.py TEMPLATE...

Run with a Python that has cfn-lint. Each rule is also tried on a template that breaks it, so that it cannot pass by
finding nothing.
"""

import copy
import sys

from cfnlint.decode.cfn_yaml import load

# What Secrets Manager puts behind a secret's name: six characters that nobody knows before.
SECRET_SUFFIX = "-??????"
READS = {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}
STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}


def faults(template):
    """Every breach, as `role: what`."""
    resources = template["Resources"]
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            if "Role" not in properties:
                yield f"{name}: without a role of its own SAM gives it one that may write every log"
            if "Policies" in properties:
                yield f"{name}: its policies belong into its role"
        if resource["Type"] == "AWS::IAM::Role":
            if properties.get("ManagedPolicyArns"):
                yield f"{name}: managed policies are wider than what is used"
            for policy in properties.get("Policies", []):
                statements = policy["PolicyDocument"]["Statement"]
                for statement in statements:
                    yield from (f"{name}: {fault}" for fault in faults_of_statement(name, statement))
                if may_update(statements, "key_*") and not may_update(statements, "refused_*"):
                    yield f"{name}: decides about callers and cannot count those that it refuses"


def faults_of_statement(role, statement):
    actions, texts = listed(statement["Action"]), [text_of(one) for one in listed(statement["Resource"])]
    if statement["Effect"] != "Allow":
        yield "only what is allowed is written down"
    if "NotAction" in statement or "NotResource" in statement:
        yield "what is not named is allowed"
    for action in actions:
        if "*" in action:
            yield f"wildcard action {action}"
    for text in texts:
        if "*" in text or "?" in text.removesuffix(SECRET_SUFFIX):
            yield f"wildcard resource {text}"
        if text.endswith(f"/signing{SECRET_SUFFIX}") and role != "VerifyRole":
            yield "reads the key that signs"
        if text.endswith(f"/stripe{SECRET_SUFFIX}") and role != "PaymentsRole":
            yield "reads what Stripe signs with"
    if STREAM & set(actions):
        if role not in ("LedgerRole", "WebhooksRole") or not set(actions) <= STREAM or statement["Resource"] != {"Ref": "StreamArn"}:
            yield "only the ledger and the webhooks read the stream, and that stream alone"
    elif any(action.startswith("dynamodb:") for action in actions):
        items = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
        if not items or any(item.strip("*") == "" for item in items):
            yield "every item of the table"
        if role == "AuthorizerRole" and not set(actions) <= {"dynamodb:GetItem", "dynamodb:UpdateItem"}:
            yield "the authorizer reads and updates single items, and does nothing else"
        if "refused_*" in items and not set(actions) <= {"dynamodb:GetItem", "dynamodb:Query"} and actions != ["dynamodb:UpdateItem"]:
            yield "refused calls are counted or read, never replaced or removed"
        if "book_*" in items and role not in ("LedgerRole", "LeaksRole") and not set(actions) <= READS:
            yield "only the ledger writes the books"
        if role == "LedgerRole" and not set(actions) <= READS and items not in (["book_*"], ["ses_*"]):
            yield "the ledger writes the books, and nothing else but sums of client sessions"
        if role == "WebhooksRole" and not set(actions) <= READS and items != ["hook_*"]:
            yield "whoever calls strangers writes webhooks, and nothing else"


def may_update(statements, items):
    """Whether the statements allow updates of these items."""
    return any(
        "dynamodb:UpdateItem" in listed(statement["Action"])
        and items in statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
        for statement in statements
    )


def listed(value):
    return value if isinstance(value, list) else [value]


def text_of(resource):
    """A resource's text; what another resource is called has no wildcard in it."""
    if isinstance(resource, str):
        return resource
    return str(resource.get("Fn::Sub", "")) if "Fn::Sub" in resource else ""


def broken(template):
    """The template broken in each way that must be found."""

    def edit(role, change):
        other = copy.deepcopy(template)
        change(other["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"])
        return other

    yield "wildcard action", edit("NonceRole", lambda statements: statements[1].update(Action="dynamodb:*"))
    yield "wildcard resource", edit("NonceRole", lambda statements: statements[1].update(Resource="*"))
    yield "every item", edit("AuthorizerRole", lambda statements: statements[1].pop("Condition"))
    yield "nothing else", edit("AuthorizerRole", lambda statements: statements[1].update(Action="dynamodb:Query"))
    counting = {"dynamodb:LeadingKeys": ["refused_*"]}
    counting = {"Action": ["dynamodb:PutItem"], "Condition": {"ForAllValues:StringLike": counting}}
    yield "never replaced", edit("KeysRole", lambda statements: statements[3].update(counting))
    yield "cannot count", edit("KeysRole", lambda statements: statements.pop(3))
    signing = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": f"arn/signing{SECRET_SUFFIX}"}
    yield "key that signs", edit("KeysRole", lambda statements: statements.append(signing))
    stripe = {**signing, "Resource": f"arn/stripe{SECRET_SUFFIX}"}
    yield "what Stripe signs with", edit("BillingRole", lambda statements: statements.append(stripe))
    books = {"dynamodb:LeadingKeys": ["book_*"]}
    books = {"Action": ["dynamodb:UpdateItem"], "Condition": {"ForAllValues:StringLike": books}}
    yield "only the ledger writes", edit("KeysRole", lambda statements: statements[3].update(books))
    wider = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["book_*", "key_*"]}}
    yield "writes the books, and nothing", edit("LedgerRole", lambda statements: statements[2].update(Condition=wider))
    yield "whoever calls strangers", edit("WebhooksRole", lambda statements: statements[2].update(Condition=wider))
    yield "read the stream", edit("BillingRole", lambda statements: statements[1].update(Action=sorted(STREAM)))
    other = copy.deepcopy(template)
    del other["Resources"]["Keys"]["Properties"]["Role"]
    yield "role of its own", other


def main(paths):
    found = []
    for path in paths:
        template = load(path)
        found += [f"{path}: {fault}" for fault in faults(template)]
        if "Authorizer" in template["Resources"]:
            for rule, other in broken(template):
                if not any(rule in fault for fault in faults(other)):
                    found.append(f"{path}: the rule about “{rule}” finds nothing in a template that breaks it")
    if found:
        sys.exit("\n".join(found))
    print(f"no wildcard, no unnamed items and one signer in {', '.join(paths)}")


main(sys.argv[1:])
