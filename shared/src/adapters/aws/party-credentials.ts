import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import { InvalidInputError, TransientError } from "../../core/errors.ts";
import { isPassing } from "./aws-failure.ts";
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
export function partyCredentials({ roleArn, party, externalId }: PartyRole): AwsCredentials & (() => Promise<unknown>) {
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

/**
 * Takes the role once, so that a worker that may not have it is told before it waits for jobs.
 * @param take - what {@link partyCredentials} gave
 * @throws InvalidInputError `CREDENTIALS_MISSING` where this machine has none of its own, `ACCESS_DENIED` where they may not take the
 *   role, or it is no longer there; TransientError `AWS_UNAVAILABLE`
 */
export async function requirePartyRole(take: () => Promise<unknown>, roleArn: string): Promise<void> {
  try {
    await take();
  } catch (cause) {
    const { name, message } = cause as Error;
    if (name === "CredentialsProviderError")
      throw new InvalidInputError(
        "CREDENTIALS_MISSING",
        `expected AWS credentials of this machine's own (AWS_PROFILE, AWS_ACCESS_KEY_ID, or aws sso login) to take the role ${roleArn}, found none (${message})`,
        { cause },
      );
    if (isPassing(cause)) throw new TransientError("AWS_UNAVAILABLE", `${roleArn}: ${name}: ${message}`, { cause });
    throw new InvalidInputError(
      "ACCESS_DENIED",
      `expected credentials that may take the role ${roleArn}; they are another's than the client's principal, the external id has changed, or the client was removed (${name}: ${message})`,
      { cause },
    );
  }
}
