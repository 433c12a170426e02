import type { AwsCredentials } from "../adapters/aws/credentials.ts";
import { SqsJobQueue } from "../adapters/aws/sqs-job-queue.ts";
import { sqsClient } from "../adapters/aws/sqs-message-queue.ts";
import type { JobQueue } from "../ports/job-queue.ts";

/** A party's job queue. @param url - as SQS names it; where an endpoint is set, that is asked all the same, and not the URL's host */
export function jobQueue(url: string, credentials?: AwsCredentials): JobQueue {
  const isEmulator = (process.env.AWS_ENDPOINT_URL_SQS ?? process.env.AWS_ENDPOINT_URL) !== undefined;
  return new SqsJobQueue(
    sqsClient({ useQueueUrlAsEndpoint: !isEmulator, ...(credentials === undefined ? {} : { credentials }) }),
    url,
  );
}
