import { totalmem } from "node:os";
import { parseArchitecture } from "@fedmkt/shared/engine/architectures/parse-architecture.ts";
import { servingMemory } from "@fedmkt/shared/engine/serving-memory.ts";
import type { Device } from "@fedmkt/shared/ports/engine.ts";
import type { ServingRoom } from "./serving.ts";

/** Node, the program, ONNX Runtime with its threads, and what a run of the graph holds for a moment. */
const PROGRAM_BYTES = 400e6;

/**
 * What a model takes here and how much text fits beside it.
 * @param config - config.json
 * @param heldBytes - what else is kept for good, such as beginnings that prompts share
 * @throws InvalidInputError `MODEL_CONFIG_INVALID`
 */
export function servingRoom(
  config: Uint8Array,
  what: string,
  { device, heldBytes, memoryBytes = memoryHere() }: { device: Device; heldBytes: number; memoryBytes?: number },
): ServingRoom {
  const { weightBytes, tokenBytes } = servingMemory(parseArchitecture(config, what));
  const left = memoryBytes - PROGRAM_BYTES - weightBytes - heldBytes;
  return { weightBytes, tokenBytes, tokens: device === "cpu" ? Math.max(0, Math.floor(left / tokenBytes)) : null };
}

/** A container may have less than the machine; 0 or more than there is: no limit. */
function memoryHere(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
