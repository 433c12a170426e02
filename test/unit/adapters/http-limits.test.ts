import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";
import { HTTP_LIMITS } from "../../../shared/src/adapters/http/http-settings.ts";

it("docs/serving.md tells every limit of the HTTP layer as it is", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/serving.md"), "utf8");
  const [, section] = /^## What a stranger may take$(.*?)^## /ms.exec(text)!;
  const told = [...section.matchAll(/^\| (`.*?) \| ([\d, ]+) \|/gm)].flatMap(([, names, values]) => {
    const numbers = values.split(", ").map((value) => Number(value.replaceAll(",", "")));
    return names.split(", ").map((name, at) => [name.replaceAll("`", ""), numbers[at]]);
  });
  expect(Object.fromEntries(told)).toEqual(HTTP_LIMITS);
});
