"""Creates and deletes the stack of template.yaml on a local stand-in for AWS, once for each kind of database.

Run by stack.sh: stack.py TRANSFORMED PORT, where TRANSFORMED is what transform.py printed. The stand-in (ministack) runs on that port of 127.0.0.1 as long as this does. It makes every
resource, but no function runs there, and it knows nothing of policies: it proves that references, conditions and
properties fit together, not that the functions may do what they do.
"""

import io
import json
import os
import subprocess
import sys
import time
import zipfile

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-Ab12Cd"
VARIANTS = {
    "postgres": {
        "DatabaseEngine": "postgres",
        "DatabaseSecretArn": SECRET,
        "AlarmEmail": "operator@example.com",
        "ChatProvider": "bedrock",
        "BedrockChatModel": "eu.amazon.nova-lite-v1:0",
    },
    "mysql": {
        "DatabaseEngine": "mysql",
        "DatabaseSecretArn": SECRET,
        "AppSecretsArn": SECRET,
        "SubnetIds": "subnet-1,subnet-2",
        "SecurityGroupIds": "sg-1",
    },
    "sqlite": {"DatabaseEngine": "sqlite", "EmbeddingProvider": "local", "OldBucket": "old"},
}


def wait(stacks, name):
    """Waits until a stack is at rest, and returns its status; None when it is gone."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            status = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        except ClientError:
            return None
        if not status.endswith("IN_PROGRESS"):
            return None if status == "DELETE_COMPLETE" else status
        time.sleep(0.2)
    sys.exit(f"stack: {name} is not at rest after two minutes")


def expected(template, made):
    """Returns the resources without a condition: those that every variant has."""
    always = {name for name, resource in template["Resources"].items() if "Condition" not in resource}
    return always - made


def put(store, template):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("bootstrap", "")
    deadline = time.monotonic() + 60
    while True:
        try:
            store.create_bucket(Bucket="bucket")
            break
        except EndpointConnectionError:
            if time.monotonic() > deadline:
                sys.exit("stack: the stand-in does not listen after a minute")
            time.sleep(0.2)
    store.put_object(Bucket="bucket", Key="key", Body=code.getvalue())
    store.put_object(Bucket="bucket", Key="template", Body=json.dumps(template))


def main(path, port):
    with open(path, encoding="utf-8") as file:
        template = json.load(file)
    endpoint = f"http://127.0.0.1:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    client = lambda service: boto3.client(service, endpoint_url=endpoint, **keys)
    put(client("s3"), template)
    stacks = client("cloudformation")
    for name, parameters in VARIANTS.items():
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        url = f"{endpoint}/bucket/template"
        stacks.create_stack(StackName=name, TemplateURL=url, Capabilities=["CAPABILITY_IAM"], Parameters=parameters)
        status = wait(stacks, name)
        if status != "CREATE_COMPLETE":
            events = stacks.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in events
                       if "FAILED" in event["ResourceStatus"]]
            sys.exit(f"stack: {name} is {status}: {'; '.join(reasons)}")
        made = stacks.describe_stack_resources(StackName=name)["StackResources"]
        missing = expected(template, {resource["LogicalResourceId"] for resource in made})
        if missing:
            sys.exit(f"stack: {name} has no {', '.join(sorted(missing))}")
        stacks.delete_stack(StackName=name)
        if wait(stacks, name) is not None:
            sys.exit(f"stack: {name} cannot be deleted")
        print(f"stack: {name}: {len(made)} resources made and deleted")


def serve(path, port):
    program = os.path.join(os.path.dirname(sys.executable), "ministack")
    settings = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": port}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([program], env=settings, **quiet) as stand_in:
        try:
            main(path, port)
        finally:
            stand_in.terminate()


serve(*sys.argv[1:])
