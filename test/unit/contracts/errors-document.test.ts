import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** In quotes, two words at least; what else looks so is no error's code. */
const CODE = /"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g;
const NOT_CODES =
  /^(FEDMKT_.*|AWS_(?!UNAVAILABLE).*|NODE_.*|EAI_AGAIN|TIMED_OUT|CAUSAL_LM|NO_COLOR|CAPABILITY_.*|PENDING_REDRIVE)$/;
/** CloudFormation's words for how a stack stands. */
const STACK_STATUS = /^(CREATE|UPDATE|DELETE|ROLLBACK|REVIEW)_(COMPLETE|FAILED|IN_PROGRESS)$/;

describe("docs/errors.md", () => {
  it("lists every error code of the project once, and no others", () => {
    const used = new Set<string>();
    for (const file of globSync("{shared,cli,functions,gpu-workers}/src/**/*.ts", { cwd: ROOT }))
      for (const [, code] of readFileSync(`${ROOT}${file}`, "utf8").matchAll(CODE))
        if (!NOT_CODES.test(code) && !STACK_STATUS.test(code)) used.add(code);
    const text = readFileSync(`${ROOT}docs/errors.md`, "utf8");
    const listed = [...text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)]
      .map(([, code]) => code)
      .filter((code) => !NOT_CODES.test(code));
    expect(listed.sort()).toEqual([...used].sort());
  });
});
