"""Starts MiniStack with two of its condition keys answered as AWS answers them; policies then mean here what they mean there."""

from ministack import app
from ministack.core import iam_evaluator

resolve = iam_evaluator._resolve_condition_key


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
    return resolve(key, context)


iam_evaluator._resolve_condition_key = resolve_as_aws_does

if __name__ == "__main__":
    app.main()
