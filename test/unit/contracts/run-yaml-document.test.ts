import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { ALIASES } from "../../../shared/src/contracts/aliases.ts";
import { readRunSpec } from "../../../shared/src/contracts/read-run-spec.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

/** Every key of the schema, at whatever depth. */
function keysOf(schema: { properties?: Record<string, object>; items?: object; anyOf?: object[] }): string[] {
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => [key, ...keysOf(inner)]),
    ...(schema.items ? keysOf(schema.items) : []),
    ...(schema.anyOf ?? []).flatMap((inner) => keysOf(inner)),
  ];
}

describe("docs/run-yaml.md and docs/data.md", () => {
  const text = read("docs/run-yaml.md") + read("docs/data.md");

  it("name every key of the spec", () => {
    const keys = new Set(keysOf(JSON.parse(read("docs/run.schema.json"))));
    keys.delete("$schema");
    expect(keys.size).toBeGreaterThan(40);
    expect([...keys].filter((key) => !new RegExp(`\\b${key}\\b`).test(text))).toEqual([]);
  });

  it("name every other name that is understood, and what it means", () => {
    for (const { name, means } of ALIASES) {
      expect(text).toContain(`\`${name}\``);
      expect(text).toMatch(new RegExp(`\\b${means.split(".").at(-1)}\\b`));
    }
  });

  it("and the README's example is a spec that is accepted", () => {
    const [, example] = read("README.md").match(/```yaml\n([\s\S]*?)```/)!;
    expect(readRunSpec(example, "README.md")).toMatchObject({
      name: "my-first-run",
      clients: [{ id: "clinic-a" }, { id: "clinic-b" }],
    });
  });
});
