import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { GraphBuilder } from "../../../shared/src/engine/graph/builder.ts";
import { cast, multiply } from "../../../shared/src/engine/graph/operators.ts";
import { describePlacement, type Placement, readPlacement } from "../../../shared/src/engine/node-placement.ts";
import { createSession } from "../../../shared/src/engine/session.ts";

/** A node's event, as ONNX Runtime's profile has it. */
const ran = (name: string, provider: string, operator: string, type: string) => ({
  cat: "Node",
  name: `${name}_kernel_time`,
  args: { provider, op_name: operator, node_index: name.replace(/\D/g, ""), output_type_shape: [{ [type]: [2] }] },
});

describe("where nodes are computed", () => {
  it("is told once, after the first run, by ONNX Runtime's own profile", async () => {
    const graph = new GraphBuilder();
    const given = graph.input("given", "float32", ["length"]);
    graph.output("squared", cast(graph, multiply(graph, given, given), "int32"));
    const told: Placement[] = [];
    const session = await createSession(graph, "", 1, "cpu", "as in the file", (placement) => told.push(placement));
    for (let run = 0; run < 3; run++) {
      const { squared } = await session.run({ given: { data: Float32Array.of(2, 3), shape: [2] } });
      expect([...squared.data]).toEqual([4, 9]);
    }
    await session.close();
    expect(told).toEqual([{ onDevice: 0, fallenBack: { Mul: 1, Cast: 1 }, shapes: {} }]);
  });

  it("is not told of a session that never ran", async () => {
    const graph = new GraphBuilder();
    graph.output("same", graph.input("given", "float32", [1]));
    const told: Placement[] = [];
    const session = await createSession(graph, "", 1, "cpu", "as in the file", (placement) => told.push(placement));
    await session.close();
    expect(told).toEqual([]);
  });

  it("leaves no profile behind, neither of a session that ran nor of one that cannot be made", async () => {
    const temporary = mkdtempSync(join(tmpdir(), "profiles-"));
    const { TMPDIR } = process.env;
    process.env.TMPDIR = temporary;
    try {
      const graph = new GraphBuilder();
      graph.output("same", graph.input("given", "float32", [1]));
      const create = () => createSession(graph, "", 1, "cpu", "as in the file", () => {});
      const session = await create();
      await session.run({ given: { data: Float32Array.of(1), shape: [1] } });
      await session.close();
      graph.output("none", graph.apply("NoSuchOperator", [graph.inputs[0]], { shape: [1] }));
      await expect(create()).rejects.toThrow("NoSuchOperator");
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
      rmSync(temporary, { recursive: true });
    }
  });

  it("counts each node once, and parts what belongs on the processor from what fell back", () => {
    const events = [
      { cat: "Session", name: "model_run", args: {} },
      ran("MatMul_1", "CUDAExecutionProvider", "MatMul", "float"),
      ran("MatMul_1", "CUDAExecutionProvider", "MatMul", "float"),
      ran("MatMul_2", "CUDAExecutionProvider", "MatMul", "float"),
      ran("Shape_3", "CPUExecutionProvider", "Shape", "int64"),
      ran("Gather_4", "CPUExecutionProvider", "Gather", "int64"),
      ran("TopK_5", "CPUExecutionProvider", "TopK", "float"),
      ran("Gather_6", "CPUExecutionProvider", "Gather", "float"),
    ];
    const placement = readPlacement(JSON.stringify(events));
    expect(placement).toEqual({ onDevice: 2, fallenBack: { TopK: 1, Gather: 1 }, shapes: { Shape: 1, Gather: 1 } });
    expect(describePlacement(placement)).toBe(
      "2 nodes on the device; on the processor: 1 Gather, 1 TopK; on the processor, where shapes belong: 1 Gather, 1 Shape",
    );
  });

  it.each(["", "{}", "[1"])("cannot be read of %j", (profile) => {
    expect(() => readPlacement(profile)).toThrow(/ONNX Runtime's profile: expected/);
  });
});
