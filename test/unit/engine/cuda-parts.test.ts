import { describe, expect, it } from "@jest/globals";
import { type CudaMachine, findMissingForCuda, thisMachine } from "../../../shared/src/engine/cuda-parts.ts";

const FOLDER = "/app/node_modules/onnxruntime-node/bin/napi-v6/linux/x64";
const PARTS = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"].map(
  (file) => `${FOLDER}/${file}`,
);

/** A machine with these files, on which the CUDA provider lacks a library. */
function machine(files: string[], lacks: string | null = null, changes: Partial<CudaMachine> = {}): CudaMachine {
  return {
    platform: "linux-x64",
    version: "1.30.0",
    folder: FOLDER,
    exists: (path) => files.includes(path),
    load(path) {
      if (path === PARTS[1] && lacks)
        throw new Error(`${lacks}: cannot open shared object file: No such file or directory`);
      throw new Error(`Module did not self-register: '${path}'.`);
    },
    ...changes,
  };
}

describe("what is missing for CUDA", () => {
  it("is the provider, with the wheel that has it and the folder that it goes into", () => {
    for (const files of [[], [PARTS[1]], [PARTS[0]]]) {
      const missing = findMissingForCuda(machine(files))!;
      for (const part of PARTS.filter((path) => !files.includes(path)))
        expect(missing.slice(0, missing.indexOf("Cure"))).toContain(part.split("/").at(-1));
      expect(missing).toContain(`in ${FOLDER}`);
      expect(missing).toContain("onnxruntime-gpu==1.30.0");
      expect(missing).toContain("fedmkt doctor");
    }
  });

  it("is a library of CUDA, by its name", () => {
    expect(findMissingForCuda(machine(PARTS, "libcublasLt.so.13"))).toMatch(
      /needs libcublasLt\.so\.13\. Cure: .*LD_LIBRARY_PATH/,
    );
  });

  it("is cuDNN, which the provider loads without and then cannot do without", () => {
    const load = (path: string) => {
      throw new Error(
        path === "libcudnn.so.9"
          ? `${path}: cannot open shared object file: No such file or directory`
          : `Module did not self-register: '${path}'.`,
      );
    };
    expect(findMissingForCuda(machine([...PARTS, "/dev/nvidia0"], null, { load }))).toMatch(
      /libonnxruntime_providers_cuda\.so needs libcudnn\.so\.9\. Cure: .*\[cuda,cudnn\]/,
    );
  });

  it("is Nvidia's driver", () => {
    expect(findMissingForCuda(machine(PARTS, "libcuda.so.1"))).toMatch(/driver is missing: .*--gpus all/);
  });

  it("is what the loader says, where it is no library", () => {
    const load = () => {
      throw new Error(`${PARTS[1]}: undefined symbol: cuTensorMapEncodeTiled`);
    };
    expect(findMissingForCuda(machine(PARTS, null, { load }))).toMatch(
      /does not load: .*undefined symbol: cuTensorMapEncodeTiled\. Cure: /,
    );
  });

  it("is the GPU, where everything loads", () => {
    expect(findMissingForCuda(machine(PARTS))).toMatch(/no Nvidia GPU was found: expected one of \/dev\/nvidia0/);
  });

  it("is nothing where the provider misses its host alone, which ONNX Runtime brings", () => {
    const load = (path: string) => {
      throw new Error(`${path}: undefined symbol: Provider_GetHost`);
    };
    expect(findMissingForCuda(machine([...PARTS, "/dev/nvidia0"], null, { load }))).toBeNull();
  });

  it("is nothing, where everything loads and there is a GPU", () => {
    expect(findMissingForCuda(machine([...PARTS, "/dev/nvidia0"]))).toBeNull();
  });

  it("is another machine, where ONNX Runtime has no CUDA for this one", () => {
    expect(findMissingForCuda(machine(PARTS, null, { platform: "darwin-arm64" }))).toMatch(/this is darwin-arm64/);
  });

  it("is looked for where onnxruntime-node's own libraries lie, in its own version", () => {
    const { folder, exists, version, load } = thisMachine();
    expect(version).toBe("1.30.0");
    expect(exists(`${folder}/onnxruntime_binding.node`)).toBe(true);
    expect(() => load(`${folder}/no-such-library.so`)).toThrow(/no-such-library\.so: cannot open shared object file/);
  });
});
