import { PassThrough } from "node:stream";
import { type Front, startFront } from "../../cli/src/local/front.ts";
import { EMBEDDED } from "./embedded-stores.ts";

type Services = Parameters<typeof startFront>[0]["services"];

/** A server on loopback that speaks the JSON APIs of AWS and answers each call as the test says. */
export function startJsonServices(services: Services): Promise<Front> {
  return startFront({ connect: () => new PassThrough(), services, accessKeyId: EMBEDDED.credentials.accessKeyId });
}

/** What a service's API throws. */
export function awsError(name: string, message = `${name}!`): Error {
  return Object.assign(new Error(message), { name });
}
