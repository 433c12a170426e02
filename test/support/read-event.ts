import { readFileSync } from "node:fs";

/** One of the events of events/, such as `fail-run/run-aborted`, as AWS sends it. */
// biome-ignore lint/suspicious/noExplicitAny: events are somebody else's; what of them is used is checked by who uses it
export function readEvent(name: string): any {
  return JSON.parse(readFileSync(new URL(`../../events/${name}.json`, import.meta.url), "utf8"));
}
