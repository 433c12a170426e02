import { isLoopback } from "../../contracts/loopback.ts";
import { RefusedRequest } from "../../contracts/openai/errors.ts";

const HOST = /^(?<name>\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/;

/**
 * Where no keys are asked for, a web page could ask under its own name, which it had led to this machine once it was loaded (DNS
 * rebinding): the browser takes that for the page's own server.
 *
 * @param header - `Host`
 * @param bound - where the server listens
 * @throws RefusedRequest `HOST_NOT_ALLOWED` 403
 */
export function refuseForeignHost(header: string | undefined, bound: string): void {
  const name = HOST.exec(header ?? "")?.groups?.name.toLowerCase() ?? "";
  const own = bound.toLowerCase();
  if (isLoopback(name) || name === own || name === `[${own}]`) return;
  throw new RefusedRequest(
    "HOST_NOT_ALLOWED",
    "expected this machine's own name or address as the host, such as localhost: without keys no other is answered",
    { status: 403 },
  );
}
