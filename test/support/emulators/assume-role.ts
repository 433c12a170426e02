import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import type { AwsClients } from "./aws-clients.ts";
import type { Credentials } from "./emulator.ts";

/** Short-lived credentials of a role, asked for by whoever the clients speak as. */
export async function assumeRole(
  { sts }: Pick<AwsClients, "sts">,
  roleArn: string,
  externalId?: string,
): Promise<Required<Credentials>> {
  const { Credentials: given } = await sts.send(
    new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: "integration-test", ExternalId: externalId }),
  );
  return {
    accessKeyId: given!.AccessKeyId!,
    secretAccessKey: given!.SecretAccessKey!,
    sessionToken: given!.SessionToken!,
  };
}
