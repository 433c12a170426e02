import { TestEnvironment } from "jest-environment-node";

// onnxruntime-node checks `instanceof` against the host's typed arrays; jest's sandbox has its own, so share the host's.
const HOST_CONSTRUCTORS = [
  "ArrayBuffer",
  "SharedArrayBuffer",
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
];

export default class HostArraysEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of HOST_CONSTRUCTORS) if (globalThis[name]) this.global[name] = globalThis[name];
  }
}
