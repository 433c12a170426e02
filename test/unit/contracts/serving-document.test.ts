import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { SERVE_OPTIONS } from "../../../cli/src/serve-options.ts";
import { ServingMetrics } from "../../../shared/src/adapters/http/serving-metrics.ts";
import { servingEnvironment } from "../../../shared/src/contracts/serving-environment.ts";

const text = readFileSync(join(import.meta.dirname, "../../../docs/serving.md"), "utf8");

/** The rows of a section's table, by cell. */
function rowsOf(section: string): string[][] {
  const [, body] = new RegExp(`^## ${section}$(.*?)(?=^## |(?![^]))`, "ms").exec(text)!;
  return body
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("|---"))
    .slice(1)
    .map((line) => line.split("|").slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll("`", "")));
}

describe("docs/serving.md", () => {
  it("lists every setting once, with the option that the command has for it", () => {
    const options = new Map(
      Object.entries(SERVE_OPTIONS).map(([name, { variable }]) => [variable as string, `--${name}`]),
    );
    const listed = rowsOf("Settings").map(([option, variable]) => [variable, option]);
    const settings = Object.keys(servingEnvironment.shape).map((variable) => [variable, options.get(variable) ?? ""]);
    expect(listed.sort()).toEqual(settings.sort());
  });

  it("says of each setting what holds unless it is given", () => {
    const defaults: Record<string, unknown> = servingEnvironment.parse({ FEDMKT_SERVE_MODEL: "/model" });
    for (const [, variable, otherwise] of rowsOf("Settings")) {
      const value = variable === "FEDMKT_SERVE_MODEL" ? undefined : defaults[variable];
      const written = typeof value === "object" ? JSON.stringify(value) : String(value);
      // where the schema has none, a sentence may say what comes of that
      if (value !== undefined) expect([variable, otherwise]).toEqual([variable, written]);
      else expect([variable, otherwise]).toEqual([variable, expect.not.stringMatching(/^[\d{]/)]);
    }
  });

  it("lists every metric of the endpoint's own", () => {
    const names = {
      list: () => [],
      resolve: () => null,
      registry: () => ({ readAt: null, failure: null, refused: [] }),
    };
    const { registry } = new ServingMetrics(() => ({ running: 0, waiting: 0 }), names);
    const own = registry.getMetricsAsArray().flatMap(({ name }) => (name.startsWith("fedmkt_") ? [name] : []));
    registry.clear();
    expect(
      rowsOf("Metrics")
        .flatMap(([metrics]) => metrics.split(", "))
        .sort(),
    ).toEqual(own.sort());
  });
});
