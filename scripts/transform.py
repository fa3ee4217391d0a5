"""Prints template.yaml as CloudFormation sees it after the transform of SAM, as JSON, without asking AWS.

Run with the Python of the tools (scripts/setup.sh python): transform.py TEMPLATE
"""

import json
import sys

import boto3
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.translator import Translator


class NoPolicies(ManagedPolicyLoader):
    """Policies of AWS are named by their ARNs, so nobody has to list them."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file.read())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = {"Bucket": "bucket", "Key": "key"}
template["Globals"]["Function"].pop("CodeUri")
session = boto3.session.Session(region_name="us-east-1")
translator = Translator(NoPolicies().load(), Parser(), boto_session=session)
json.dump(translator.translate(template, {}), sys.stdout, indent=1)
