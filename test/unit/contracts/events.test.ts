import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { jobMessage } from "../../../shared/src/contracts/job.ts";
import { readEvent } from "../../support/read-event.ts";

const folder = new URL("../../../events/", import.meta.url);
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
const events = files.map((name) => name.slice(0, -".json".length));

describe("the events", () => {
  it.each(events)("%s is told of in their README", (name) => {
    const readme = readFileSync(new URL("README.md", folder), "utf8");
    expect(readme).toContain(`\`${name}.json\``);
  });

  it.each(events.filter((name) => "Records" in readEvent(name) || "Messages" in readEvent(name)))(
    "%s has its bodies' checksums, as SQS gives them",
    (name) => {
      const { Records = [], Messages = [] } = readEvent(name);
      const bodies = [
        ...Records.map(({ body, md5OfBody }: Record<string, string>) => [body, md5OfBody]),
        ...Messages.map(({ Body, MD5OfBody }: Record<string, string>) => [Body, MD5OfBody]),
      ];
      expect(bodies.length).toBeGreaterThan(0);
      for (const [body, md5] of bodies) expect(createHash("md5").update(body).digest("hex")).toBe(md5);
    },
  );

  it.each([
    ["worker/job-message", { stage: "client-train", run: "harbour-and-forest", round: 1, party: "harbour" }],
    [
      "worker/baseline-message",
      { stage: "run-baseline", run: "harbour-and-forest", party: "harbour", baseline: "standalone+public" },
    ],
  ])("%s holds a job and the token of the state that waits for it", (name, job) => {
    const [{ Body }] = readEvent(name).Messages;
    expect(jobMessage.parse(JSON.parse(Body))).toEqual({ taskToken: expect.stringMatching(/^AQCE/), job });
  });
});
