import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { summarizeApp } from "../../scripts/summaries/summarize-app.ts";
import { summarizeStack } from "../../scripts/summaries/summarize-stack.ts";

const folder = new URL("summaries/", import.meta.url);
const PAGE_LINES = 80;

const summaries = summarizeApp();

describe("the stacks' summaries", () => {
  it("are there for every stack of both environments, and for no other", () => {
    expect(readdirSync(folder).sort()).toEqual([...summaries.keys()].map((stack) => `${stack}.txt`).sort());
  });

  it.each([...summaries])("tell of %s as it is (npm run generate writes them anew)", (stack, summary) => {
    expect(summary).toBe(readFileSync(new URL(`${stack}.txt`, folder), "utf8"));
  });

  it.each([...summaries])("take one page at most for %s", (_, summary) => {
    expect(summary.split("\n").length).toBeLessThanOrEqual(PAGE_LINES);
  });

  it.each([...summaries])("name nothing of %s that is unprotected", (_, summary) => {
    expect(summary).not.toMatch(/\bNOT\b|DOES NOT|\bWITH\b/);
  });

  it("say so where something is unprotected", () => {
    const open = summarizeStack(
      "open",
      {
        Resources: {
          Bucket: {
            Type: "AWS::S3::Bucket",
            Properties: {
              BucketEncryption: { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: {} }] },
            },
          },
          Queue: { Type: "AWS::SQS::Queue", Properties: { MessageRetentionPeriod: 86_400 } },
          Topic: { Type: "AWS::SNS::Topic", Properties: {} },
          Key: { Type: "AWS::KMS::Key", Properties: {} },
        },
      },
      "fedmkt-dev-",
    );
    expect(open).toContain("Bucket: S3's own key, NOT CLOSED TO THE PUBLIC, NOT TLS ONLY, goes with the stack");
    expect(open).toContain("queue Queue: NOT ENCRYPTED, NOT TLS ONLY, messages kept 1 days");
    expect(open).toContain("topic Topic: NOT ENCRYPTED, NOT TLS ONLY");
    expect(open).toContain("Key: DOES NOT ROTATE");
  });

  it("keep what people made in prod, and nothing in dev", () => {
    const kept = (stack: string) => summaries.get(stack)!.match(/^ {2}(\S+): .*outlives the stack/gm) ?? [];
    expect([...summaries.keys()].filter((stack) => stack.includes("-dev-")).flatMap(kept)).toEqual([]);
    const names = kept("fedmkt-prod-state").map((line) => line.trim().split(":")[0]);
    expect(names).toEqual(expect.arrayContaining(["ControlKey", "ArtefactKey", "artefacts", "registry"]));
    expect(kept("fedmkt-prod-client")).toHaveLength(2);
  });
});
