"""Starts MiniStack with what its policies are decided by answered as AWS answers it; policies then mean here what they mean there."""

import json
from contextvars import ContextVar

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import stepfunctions

# the machine whose state is being executed, the machines that wait for tokens, the cluster that a request to ECS names
machine = ContextVar("machine", default="*")
waiting_machines = {}
cluster = ContextVar("cluster", default=None)

resolve_condition_key = iam_evaluator._resolve_condition_key
extract_resource_arn = iam_actions.extract_resource_arn
execute_task = stepfunctions._execute_task
invoke_with_callback = stepfunctions._invoke_with_callback


def resolve_as_aws_does(key, context):
    name = key.lower()
    arn = context.principal_arn
    # of a session, AWS compares the role that it was taken with, not the session
    if name == "aws:principalarn" and ":assumed-role/" in arn:
        account, role = arn.split(":")[4], arn.split("/")[1]
        return f"arn:aws:iam::{account}:role/{role}"
    # MiniStack counts the account's owner as every service; a service says for whose resource it acts
    if name == "aws:sourceaccount" and context.principal_type == "Root":
        return context.principal_account
    if name == "ecs:cluster":
        return cluster.get()
    return resolve_condition_key(key, context)


def execute_in_machine(state_def, raw_input, execution, ctx):
    machine.set(ctx.get("StateMachine", {}).get("Id", "*"))
    return execute_task(state_def, raw_input, execution, ctx)


def remember_machine(resource, input_data, token, state_def):
    waiting_machines[token] = machine.get()
    return invoke_with_callback(resource, input_data, token, state_def)


def extract_as_aws_does(service, method, path, headers, body, query_params, region, account_id):
    named = named_in(body) if service in ("ecs", "states") else {}
    if service == "ecs":
        name = str(named.get("cluster", "default")).rsplit("/", 1)[-1]
        cluster.set(f"arn:aws:ecs:{region}:{account_id}:cluster/{name}")
    # an answer to a token is an act on the machine that waits for it
    if "taskToken" in named:
        return waiting_machines.get(named["taskToken"], "*")
    return extract_resource_arn(service, method, path, headers, body, query_params, region, account_id)


def named_in(body):
    try:
        named = json.loads(body or b"{}")
    except ValueError:
        return {}
    return named if isinstance(named, dict) else {}


iam_evaluator._resolve_condition_key = resolve_as_aws_does
iam_actions.extract_resource_arn = extract_as_aws_does
stepfunctions._execute_task = execute_in_machine
stepfunctions._invoke_with_callback = remember_machine

if __name__ == "__main__":
    app.main()
