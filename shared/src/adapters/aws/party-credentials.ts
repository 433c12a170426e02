import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import type { AwsCredentials } from "./credentials.ts";

/** The shortest that a role's credentials may be asked for without further settings; the clients fetch new ones before they end. */
const SESSION_SECONDS = 3600;

/** Whose role is taken, and as whom. */
export interface PartyRole {
  roleArn: string;
  /** names the session in the coordinator's trail */
  party: string;
  /** must be named where the coordinator asked for it */
  externalId?: string;
}

/** A party's short-lived credentials towards the coordinator, which this machine's own credentials fetch whenever they are about to end. */
export function partyCredentials({ roleArn, party, externalId }: PartyRole): AwsCredentials {
  return fromTemporaryCredentials({
    params: {
      RoleArn: roleArn,
      // a session's name has two characters at least, a party's may have one
      RoleSessionName: `fedmkt-${party}`,
      DurationSeconds: SESSION_SECONDS,
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    },
  });
}
