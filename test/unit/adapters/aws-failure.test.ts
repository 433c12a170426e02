import { describe, expect, it } from "@jest/globals";
import { awsFailure } from "../../../shared/src/adapters/aws/aws-failure.ts";

const sdkError = (name: string, httpStatusCode?: number) =>
  Object.assign(new Error("no"), { name, $metadata: { httpStatusCode } });

describe("an error of AWS", () => {
  it.each([
    ["ThrottlingException", 400],
    ["RequestThrottled", 403],
    ["TooManyRequestsException", 400],
    ["SlowDown", 503],
    ["InternalError", 500],
    ["RequestTimeout", 400],
    ["ExpiredToken", 400],
    ["ExpiredTokenException", 403],
    ["RequestTimeTooSkewed", 403],
    ["OperationAborted", 409],
    ["TimeoutError", undefined],
    ["InternalError", 200],
  ])("%s (status %s) passes: the same is tried again", (name, status) => {
    expect(awsFailure("s3://a/b", sdkError(name, status))).toMatchObject({
      name: "TransientError",
      code: "AWS_UNAVAILABLE",
      message: `s3://a/b: ${name}: no`,
    });
  });

  it.each([
    ["NoSuchKey", 404, "OBJECT_MISSING", "expected an object, found none"],
    ["NoSuchBucket", 404, "OBJECT_MISSING", "expected a bucket of this name, found none"],
    ["AccessDenied", 403, "ACCESS_DENIED", "access denied (AccessDenied)"],
    ["AccessDeniedException", 400, "ACCESS_DENIED", "access denied (AccessDeniedException)"],
    ["InvalidAccessKeyId", undefined, "ACCESS_DENIED", "access denied (InvalidAccessKeyId)"],
    ["ValidationException", 400, "REQUEST_REFUSED", "refused (ValidationException: no)"],
    ["PermanentRedirect", 301, "REQUEST_REFUSED", "refused (PermanentRedirect: no)"],
  ])("%s (status %s) fails the same way again: %s", (name, status, code, message) => {
    expect(awsFailure("s3://a/b", sdkError(name, status))).toMatchObject({
      name: "InvalidInputError",
      code,
      message: `s3://a/b: ${message}`,
    });
  });
});
