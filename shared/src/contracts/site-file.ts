import { z } from "zod";
import { BUCKETS, ENVIRONMENTS } from "./deployment.ts";
import { partyName } from "./identifier.ts";

const bucketName = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "expected a bucket's name");

/**
 * `<client>.fedmkt.json`: what a site needs to know of the coordinator to work for a client. It holds no secret: whoever has it still
 * needs credentials that the coordinator trusts.
 */
export const siteFile = z.strictObject({
  version: z.literal(1),
  environment: z.enum(ENVIRONMENTS),
  client: partyName,
  account: z.string().regex(/^\d{12}$/, "expected an account's twelve digits"),
  region: z.string().regex(/^[a-z0-9-]{1,30}$/, "expected a region's name"),
  /** the party's role, which the worker takes for an hour at a time */
  roleArn: z.string().regex(/^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/, "expected a role's ARN"),
  /** must be named to take it; null where the coordinator asked for none */
  externalId: z.string().min(2).max(1224).nullable(),
  queueUrl: z.url(),
  buckets: z.strictObject(
    Object.fromEntries(BUCKETS.map((name) => [name, bucketName])) as Record<
      (typeof BUCKETS)[number],
      typeof bucketName
    >,
  ),
});
export type SiteFile = z.infer<typeof siteFile>;
