import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Knowledge } from "../../../shared/src/core/knowledge.ts";
import { cutAtMass } from "../../../shared/src/core/top-p.ts";
import { readKnowledgeShard, writeKnowledgeShard } from "../../../shared/src/formats/knowledge-shard.ts";
import { makeKnowledge, shardHeader } from "../../support/knowledge.ts";

const FIXTURE = new URL("../fixtures/formats/packed.safetensors", import.meta.url);
const READER = new URL("../../../examples/read-shard/read_shard.py", import.meta.url).pathname;

/** Some 50 positions, cut at a mass, of a vocabulary that is no power of 2. */
const header = { ...shardHeader, vocabularySize: 300, topK: 40, topP: 0.97 };
const numbers = Array.from({ length: 9973 }, (_, at) => ((at * 7919) % 1009) ** 2 / 40_000);
const knowledge = cutAtMass(makeKnowledge([19, 2, 33], numbers, { vocabularySize: 300, topK: 40 }), header.topP);

/** As JSON that the Python program prints: floats exactly, since JSON's shortest numbers are read back as they were. */
function plainly({ sampleIds, ...arrays }: Knowledge): object {
  const ids = Array.from({ length: sampleIds.length / 16 }, (_, sample) =>
    Buffer.from(sampleIds.subarray(16 * sample, 16 * sample + 16)).toString("hex"),
  );
  const rest = Object.fromEntries(Object.entries(arrays).map(([name, values]) => [name, [...values]]));
  return { sampleIds: ids, ...rest };
}

const python = spawnSync("python3", ["-c", "import sys; print(sys.version_info >= (3, 9))"], { encoding: "utf8" });
const hasPython = python.status === 0 && python.stdout.trim() === "True";
if (!hasPython) console.warn("skipped: packed shards as Python reads them; expected python3 of 3.9 or later");
const withPython = hasPython ? it : it.skip;

describe("the packed encoding", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "packed-shard-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function readWithPython(path: string): object {
    const { stdout, stderr, status } = spawnSync("python3", [READER, path], { encoding: "utf8", maxBuffer: 2 ** 28 });
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  }

  it("is the one of the committed shard, byte for byte", () => {
    const bytes = writeKnowledgeShard(knowledge, header, "packed");
    expect(Buffer.from(bytes).equals(readFileSync(FIXTURE))).toBe(true);
  });

  withPython("is read to the bit by the Python program that docs/shards.md explains", () => {
    const { knowledge: read } = readKnowledgeShard(readFileSync(FIXTURE), "fixture", header);
    expect(readWithPython(FIXTURE.pathname)).toEqual(plainly(read));
  });

  withPython(
    "is read by it with every entry of a vocabulary kept, without a tail, and with samples of one position",
    () => {
      const whole = { ...shardHeader, vocabularySize: 21, topK: 21 };
      const bytes = writeKnowledgeShard(makeKnowledge([2, 2, 40, 3], numbers, whole), whole, "packed");
      writeFileSync(join(folder, "whole.safetensors"), bytes);
      const { knowledge: read } = readKnowledgeShard(bytes, "whole", whole);
      expect(readWithPython(join(folder, "whole.safetensors"))).toEqual(plainly(read));
    },
  );

  withPython("is what it asks for where it is given a plain shard", () => {
    writeFileSync(join(folder, "plain.safetensors"), writeKnowledgeShard(knowledge, header, "plain"));
    expect(() => readWithPython(join(folder, "plain.safetensors"))).toThrow("expected a packed shard");
  });

  withPython("is refused by it where a byte was changed", () => {
    const bytes = readFileSync(FIXTURE);
    bytes[bytes.length - 40] ^= 1;
    writeFileSync(join(folder, "changed.safetensors"), bytes);
    expect(() => readWithPython(join(folder, "changed.safetensors"))).toThrow("the shard was changed");
  });
});
