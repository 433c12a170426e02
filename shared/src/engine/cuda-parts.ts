import { existsSync, globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { basename, dirname, join } from "node:path";

/** What ONNX Runtime needs of a machine to compute on CUDA, as it can be looked at. */
export interface CudaMachine {
  /** such as linux-x64 */
  platform: string;
  /** version of onnxruntime-node: the provider's must be the same */
  version: string;
  /** where onnxruntime-node's own libraries lie, and the provider's belong */
  folder: string;
  exists(path: string): boolean;
  /** Loads a library, by its path or by a name that the loader finds, with those that it needs. @throws Error naming the first missing */
  load(path: string): void;
}

const SHARED = "libonnxruntime_providers_shared.so";
const PROVIDER = "libonnxruntime_providers_cuda.so";
const DRIVER = "libcuda.so.1";
/** The provider does not name it as needed: it opens it by this name, and loads without, but cannot reduce then. */
const CUDNN = "libcudnn.so.9";
/**
 * What Node says of a library that it has loaded and that is no module of its own. It lets such a library go again at once, so that
 * the provider then misses its host's symbol: by then everything that it needs has been found.
 */
const LOADED = ["did not self-register", "undefined symbol: Provider_GetHost"];
/** The driver makes one for each GPU; the second is what a container of WSL has. */
const GPUS = ["/dev/nvidia0", "/dev/dxg"];

export function thisMachine(): CudaMachine {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  const root = join(dirname(entry), "..");
  const [folder] = globSync(join(root, "bin/napi-v*", process.platform, process.arch));
  return {
    platform: `${process.platform}-${process.arch}`,
    version: JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version,
    folder: folder ?? join(root, "bin"),
    exists: existsSync,
    load: (path) => process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_LAZY),
  };
}

/** @returns what is missing, and how to get it; null where everything that can be looked at is there */
export function findMissingForCuda(machine: CudaMachine): string | null {
  const { platform, version, folder, exists } = machine;
  if (platform !== "linux-x64") return `onnxruntime-node has CUDA on linux-x64 alone, and this is ${platform}`;
  const missing = [SHARED, PROVIDER].filter((file) => !exists(join(folder, file)));
  if (missing.length > 0)
    return `ONNX Runtime's CUDA provider is missing: expected ${missing.join(" and ")} in ${folder}. Cure: "pip download --no-deps onnxruntime-gpu==${version}", unzip the wheel, and copy ${SHARED} and ${PROVIDER} from its onnxruntime/capi into that folder; "fedmkt doctor" then says what else is missing`;
  for (const path of [join(folder, SHARED), join(folder, PROVIDER), CUDNN]) {
    const refusal = refusalOf(machine, path);
    if (refusal === null) continue;
    const { library, reason } = refusal;
    if (library === DRIVER)
      return `Nvidia's driver is missing: ${PROVIDER} needs ${DRIVER}. Cure: install the driver on this machine; in a container, start it with Nvidia's container toolkit ("--gpus all")`;
    if (library !== null)
      return `a library of CUDA is missing: ${library === CUDNN ? PROVIDER : basename(path)} needs ${library}. Cure: install the runtime libraries of the CUDA version in its name (pip install "onnxruntime-gpu[cuda,cudnn]==${version}" brings those of CUDA 13, below site-packages/nvidia), and name their folders in LD_LIBRARY_PATH before the process is started`;
    return `ONNX Runtime's CUDA provider does not load: ${reason}. Cure: take both of its libraries from the wheel onnxruntime-gpu ${version}, and a driver that is new enough for them`;
  }
  if (!GPUS.some(exists))
    return `no Nvidia GPU was found: expected one of ${GPUS.join(", ")}. Cure: take a machine that has one; in a container, start it with "--gpus all"`;
  return null;
}

/** Why a library does not load: the first one that it needs and that is not there, or the loader's words. Null where it loads. */
function refusalOf({ load }: CudaMachine, path: string): { library: string | null; reason: string } | null {
  try {
    load(path);
  } catch (error) {
    const { message } = error as Error;
    if (LOADED.some((words) => message.includes(words))) return null;
    return { library: /(\S+): cannot open shared object file/.exec(message)?.[1] ?? null, reason: message };
  }
  return null;
}
