import { InvariantError } from "../core/errors.ts";

/** Which nodes of a graph ONNX Runtime computes on the processor although another device was asked for. Operator → nodes. */
export interface Placement {
  /** nodes on the device */
  onDevice: number;
  /** on the processor, and costly: what they work on crosses to it and back */
  fallenBack: Record<string, number>;
  /** on the processor, where they belong: they reckon with whole numbers of 64 bits, which are shapes */
  shapes: Record<string, number>;
}

interface NodeEvent {
  cat: "Node";
  name: string;
  args: { provider?: string; op_name?: string; node_index?: string; output_type_shape?: Record<string, number[]>[] };
}

const CPU = "CPUExecutionProvider";

/**
 * Reads the profile of a session's runs, as ONNX Runtime writes it: JSON in which each node that ran says its provider.
 * @throws InvariantError `PROFILE_INVALID` where it is none
 */
export function readPlacement(profile: string): Placement {
  let events: unknown;
  try {
    events = JSON.parse(profile);
  } catch (cause) {
    throw new InvariantError("PROFILE_INVALID", "ONNX Runtime's profile: expected JSON, got something else", { cause });
  }
  if (!Array.isArray(events))
    throw new InvariantError("PROFILE_INVALID", "ONNX Runtime's profile: expected a list of events, got another value");
  const nodes = new Map<string, NodeEvent["args"]>();
  for (const event of events as NodeEvent[])
    if (event.cat === "Node" && event.args?.provider) nodes.set(`${event.args.node_index} ${event.name}`, event.args);
  const placement: Placement = { onDevice: 0, fallenBack: {}, shapes: {} };
  for (const { provider, op_name: operator = "?", output_type_shape: outputs = [] } of nodes.values()) {
    if (provider !== CPU) {
      placement.onDevice++;
      continue;
    }
    const isShape =
      outputs.length > 0 && outputs.every((output) => Object.keys(output).every((type) => type === "int64"));
    const counts = isShape ? placement.shapes : placement.fallenBack;
    counts[operator] = (counts[operator] ?? 0) + 1;
  }
  return placement;
}

/** @example describePlacement({ onDevice: 90, fallenBack: { TopK: 1 }, shapes: { Shape: 2 } }) // "90 nodes on the device; on the processor: 1 TopK; on the processor, where shapes belong: 2 Shape" */
export function describePlacement({ onDevice, fallenBack, shapes }: Placement): string {
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
      .map(([operator, count]) => `${count} ${operator}`)
      .join(", ") || "none";
  return `${onDevice} nodes on the device; on the processor: ${list(fallenBack)}; on the processor, where shapes belong: ${list(shapes)}`;
}
