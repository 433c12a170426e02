/** Which stand-in for AWS the tests run against. */
export type EmulatorName = "ministack" | "ministack-with-iam" | "localstack";

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** AWS on this machine, as far as the tests need to know it. */
export interface Emulator {
  name: EmulatorName;
  endpoint: string;
  region: string;
  account: string;
  /** of the account's owner, who may do everything */
  owner: Credentials;
  /** whether policies decide what a role may do */
  enforcesPolicies: boolean;
  /** whether its DynamoDB can be asked; LocalStack's is a Java program that host mode does not bring */
  hasTables: boolean;
  /** where it keeps functions' logs in groups of its own, whatever their stack says: how those begin */
  ownLogGroups: string | null;
  /** PEM file of the authority that its certificate comes from; null: it speaks plain HTTP */
  authority: string | null;
  /** what it wrote lately, for the report of a test that failed */
  output(): string;
  stop(): Promise<void>;
}

/**
 * All that a program needs to speak with an emulator as somebody, and nothing of this process's own settings: a developer's profile or
 * endpoint must not leak into a test.
 * @param home - a folder of its own: caches (the CDK CLI keeps accounts by access key) do not meet
 */
export function environmentOf(emulator: Emulator, credentials: Credentials, home: string): Record<string, string> {
  return {
    PATH: pathWithThisNode(),
    HOME: home,
    TMPDIR: home,
    AWS_ENDPOINT_URL: emulator.endpoint,
    AWS_REGION: emulator.region,
    AWS_DEFAULT_REGION: emulator.region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    ...(credentials.sessionToken !== undefined && { AWS_SESSION_TOKEN: credentials.sessionToken }),
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    NODE_NO_WARNINGS: "1",
    ...(emulator.authority !== null && {
      NODE_EXTRA_CA_CERTS: emulator.authority,
      AWS_CA_BUNDLE: emulator.authority,
    }),
  };
}

/** The Node that runs the tests comes first, also for what starts `node` by name. */
export function pathWithThisNode(): string {
  const folder = process.execPath.slice(0, process.execPath.lastIndexOf("/"));
  return `${folder}:${process.env.PATH ?? "/usr/bin:/bin"}`;
}
