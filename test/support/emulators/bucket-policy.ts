import { GetBucketPolicyCommand, PutBucketPolicyCommand, type S3Client } from "@aws-sdk/client-s3";
import type { PolicyDocument, PolicyStatement } from "./identity.ts";

/** Runs something while a bucket's policy lacks these statements. @throws Error where it has none of them */
export async function withoutStatements<T>(
  s3: S3Client,
  bucket: string,
  lacks: (statement: PolicyStatement) => boolean,
  run: () => Promise<T>,
): Promise<T> {
  const { Policy } = await s3.send(new GetBucketPolicyCommand({ Bucket: bucket }));
  const document: PolicyDocument = JSON.parse(Policy!);
  const Statement = document.Statement.filter((statement) => !lacks(statement));
  if (Statement.length === document.Statement.length) throw new Error(`expected such a statement in ${Policy}`);
  const put = (policy: PolicyDocument) =>
    s3.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify(policy) }));
  try {
    await put({ ...document, Statement });
    return await run();
  } finally {
    await put(document);
  }
}
