import type { Context } from "aws-lambda";

/** The context of an invocation, with a minute left. */
export const lambdaContext: Context = {
  callbackWaitsForEmptyEventLoop: false,
  functionName: "under-test",
  functionVersion: "$LATEST",
  invokedFunctionArn: "arn:aws:lambda:eu-central-1:111122223333:function:under-test",
  memoryLimitInMB: "1769",
  awsRequestId: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
  logGroupName: "under-test",
  logStreamName: "under-test",
  getRemainingTimeInMillis: () => 60_000,
  done: () => undefined,
  fail: () => undefined,
  succeed: () => undefined,
};
