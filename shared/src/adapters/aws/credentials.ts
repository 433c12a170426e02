import type { S3ClientConfig } from "@aws-sdk/client-s3";

/** Credentials, or what fetches and refreshes them, as every client of AWS takes them. */
export type AwsCredentials = NonNullable<S3ClientConfig["credentials"]>;
