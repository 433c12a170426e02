import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "@jest/globals";
import { findMissingForCuda } from "../../../shared/src/engine/cuda-parts.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");

interface Instruction {
  name: string;
  text: string;
}

/** A Dockerfile's instructions, lines that go on joined, by stage. */
function stagesOf(dockerfile: string): { from: string; as: string; instructions: Instruction[] }[] {
  const lines = dockerfile
    .replace(/^\s*#.*\n/gm, "")
    .replace(/\\\n/g, " ")
    .split("\n");
  const stages: ReturnType<typeof stagesOf> = [];
  for (const line of lines) {
    const [, name, text] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? [];
    if (name === "FROM") {
      const [, from, as] = /^(\S+) AS (\S+)$/.exec(text)!;
      stages.push({ from, as, instructions: [] });
    } else if (name) stages.at(-1)?.instructions.push({ name, text: text.replace(/\s+/g, " ") });
  }
  return stages;
}

const dockerfile = read("gpu-workers/Dockerfile");
const stages = stagesOf(dockerfile);
const worker = stages.at(-1)!;
const provider = stages.find(({ as }) => as === "provider-cuda")!;
const all = stages.flatMap(({ instructions }) => instructions);
const only = (name: string) => {
  const found = worker.instructions.filter((instruction) => instruction.name === name);
  expect(found).toHaveLength(1);
  return found[0].text;
};
const argument = (name: string) => new RegExp(`^ARG ${name}=(.*)$`, "m").exec(dockerfile)![1];

/** Whether Docker sends a path to the builder: the last pattern of .dockerignore that fits it decides. */
function isSent(file: string): boolean {
  return read(".dockerignore")
    .split("\n")
    .filter((line) => line && !line.startsWith("#"))
    .reduce((sent, pattern) => {
      const name = pattern.replace(/^!/, "");
      const fits = name === "*" || file === name || file.startsWith(`${name}/`);
      return fits ? pattern.startsWith("!") : sent;
    }, true);
}

describe("the workers' Dockerfile", () => {
  it("runs the worker as a user without rights, by number", () => {
    expect(only("USER")).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
    const last = worker.instructions.findIndex(({ name }) => name === "USER");
    expect(worker.instructions.slice(last).map(({ name }) => name)).not.toContain("RUN");
  });

  it("names a version of every image that it builds on", () => {
    const bases = stages.map(({ from }) => from.replace(/\$\{(\w+)\}/, (_, name) => argument(name)));
    for (const base of bases.filter((from) => !stages.some(({ as }) => as === from)))
      expect(base).toMatch(/^[a-z/.]+:\d+\.\d+[a-z0-9.-]*$/);
    expect(bases.at(-1)).toMatch(/^nvidia\/cuda:13\.\d+\.\d+-cudnn-runtime-/);
  });

  it("brings the Node that the project is tested with, checked against its hash", () => {
    const { dependencies } = JSON.parse(read("cli/package.json")) as { dependencies: Record<string, string> };
    expect(argument("NODE_VERSION")).toBe(dependencies.node);
    const download = stages[0].instructions.filter(({ name }) => name === "RUN").at(-1)!.text;
    expect(download.indexOf("sha256sum --check --strict")).toBeGreaterThan(download.indexOf("curl"));
    expect(download.indexOf("sha256sum --check --strict")).toBeLessThan(download.indexOf("tar --extract"));
  });

  it("brings the CUDA provider in the version of the engine's own package, checked against its hash", () => {
    const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, { version: string }> };
    const { version } = packages["node_modules/onnxruntime-node"];
    const requirements = read("gpu-workers/container/provider-requirements.txt").split("\n");
    const [requirement, ...others] = requirements.filter((line) => line && !line.startsWith("#"));
    expect(others).toEqual([]);
    expect(requirement).toMatch(new RegExp(`^onnxruntime-gpu==${version} --hash=sha256:[0-9a-f]{64}$`));
    const download = provider.instructions.filter(({ name }) => name === "RUN").at(-1)!.text;
    expect(download).toMatch(
      /pip download .*--no-deps --only-binary=:all: --require-hashes .*--requirement provider-requirements\.txt/,
    );
    expect(provider.instructions).toContainEqual({
      name: "COPY",
      text: "gpu-workers/container/provider-requirements.txt ./",
    });
  });

  it("puts the libraries that the engine looks for beside its binding, and nothing else of the wheel", () => {
    const unpacked = /unzip -j \S+ (.*?) -d \/provider/.exec(provider.instructions.at(-1)!.text)![1].split(" ");
    const folder = "/nowhere";
    const bare = { platform: "linux-x64", version: "1.0.0", folder, exists: () => false, load: () => {} };
    const [named] = findMissingForCuda(bare)!.split(` in ${folder}`);
    expect(unpacked.map((file) => path.posix.basename(file))).toEqual(named.match(/lib\w+\.so/g));
    expect(unpacked.every((file) => file.startsWith("onnxruntime/capi/"))).toBe(true);
    const copies = all.filter(({ text }) => text.startsWith("--from=provider "));
    expect(copies).toHaveLength(1);
    const [, from, into] = copies[0].text.split(" ");
    expect(from).toBe("/provider/");
    expect(existsSync(path.join(ROOT, into, "onnxruntime_binding.node"))).toBe(true);
  });

  it("downloads nothing of CUDA where the processor is to compute, and asks no package's install script", () => {
    expect(stages.find(({ as }) => as === "provider")!.from).toMatch(/^provider-\$\{DEVICE\}$/);
    expect(argument("DEVICE")).toBe("cuda");
    expect(stages.find(({ as }) => as === "provider-cpu")!.instructions).toEqual([
      { name: "RUN", text: "mkdir /provider" },
    ]);
    const runs = all.filter(({ name }) => name === "RUN").map(({ text }) => text);
    expect(runs.find((text) => text.startsWith("npm "))).toMatch(/npm ci --omit=dev --ignore-scripts/);
    expect(dockerfile).not.toMatch(/onnxruntime.node.install|onnxruntime-node\/script/i);
  });

  it("copies what is there and what Docker is sent, and nothing that it should not see", () => {
    const sources = all
      .filter(({ name, text }) => name === "COPY" && !text.startsWith("--from"))
      .flatMap(({ text }) => text.split(" ").slice(0, -1));
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) {
      expect([source, existsSync(path.join(ROOT, source))]).toEqual([source, true]);
      expect([source, isSent(source)]).toEqual([source, true]);
    }
    for (const secret of [".git/config", ".env", "runs/a", "examples/quickstart/data", "cdk.out", "node_modules/x"])
      expect([secret, isSent(secret)]).toEqual([secret, false]);
    // npm wants every workspace's package.json
    const { workspaces } = JSON.parse(read("package.json")) as { workspaces: string[] };
    expect(sources).toEqual(expect.arrayContaining(workspaces.map((name) => `${name}/package.json`)));
  });

  it("holds no secret: nothing of the environment is baked in but paths and modes", () => {
    const set = all.filter(({ name }) => name === "ENV").flatMap(({ text }) => text.match(/\w+(?==)/g));
    expect(new Set(set)).toEqual(new Set(["PATH", "NODE_ENV", "NODE_COMPILE_CACHE"]));
    expect(dockerfile).not.toMatch(/secret|password|token|AKIA/i);
  });

  it("says how it is stopped, where it writes, and how its health is asked", () => {
    expect(only("STOPSIGNAL")).toBe("SIGTERM");
    expect(JSON.parse(only("VOLUME"))).toEqual(["/tmp", "/srv/fedmkt"]);
    const health = only("HEALTHCHECK");
    expect(health).toMatch(/--start-period=\d+s/);
    for (const command of [health.slice(health.indexOf("[")), only("ENTRYPOINT")]) {
      const [program, ...rest] = JSON.parse(command) as string[];
      expect(program).toBe("node");
      expect(existsSync(path.join(ROOT, rest.at(-1)!.replace("/app/", "")))).toBe(true);
    }
  });
});

const folder = mkdtempSync(path.join(tmpdir(), "fedmkt-container-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("what is taken out of an installed onnxruntime-node", () => {
  const trim = path.join(ROOT, "gpu-workers/container/trim.mjs");
  const CPU = ["libonnxruntime.so.1", "onnxruntime_binding.node"];
  const CUDA = ["cuda", "shared"].map((name) => `libonnxruntime_providers_${name}.so`);

  /** The folders of the real package, with small files for its libraries. */
  function install(name: string, linux: readonly string[]): { nodeModules: string; binaries: string } {
    const nodeModules = path.join(folder, name);
    const real = path.join(ROOT, "node_modules/onnxruntime-node/bin");
    for (const { parentPath, name: file } of readdirSync(real, { recursive: true, withFileTypes: true }).filter(
      (found) => found.isFile(),
    )) {
      const place = path.join(nodeModules, "onnxruntime-node/bin", path.relative(real, parentPath));
      mkdirSync(place, { recursive: true });
      if (!place.endsWith("linux/x64")) writeFileSync(path.join(place, file), "library");
    }
    const [napi] = readdirSync(path.join(nodeModules, "onnxruntime-node/bin"));
    const binaries = path.join(nodeModules, "onnxruntime-node/bin", napi);
    for (const file of linux) writeFileSync(path.join(binaries, "linux/x64", file), "library");
    return { nodeModules, binaries };
  }
  const filesIn = (place: string) =>
    readdirSync(place, { recursive: true, withFileTypes: true })
      .filter((found) => found.isFile())
      .map((found) => path.relative(place, path.join(found.parentPath, found.name)))
      .sort();

  it("is everything of other systems", () => {
    const { nodeModules, binaries } = install("cuda", [...CPU, ...CUDA]);
    expect(filesIn(binaries).some((file) => file.startsWith("win32/"))).toBe(true);
    execFileSync(process.execPath, [trim, nodeModules, "x64", "cuda"], { stdio: "pipe" });
    const kept = [...CPU, ...CUDA].map((file) => `linux/x64/${file}`);
    expect(filesIn(binaries)).toEqual(kept.sort());
  });

  it("leaves what the processor needs where no CUDA was installed", () => {
    const { nodeModules, binaries } = install("cpu", CPU);
    execFileSync(process.execPath, [trim, nodeModules, "x64", "cpu"], { stdio: "pipe" });
    expect(filesIn(binaries)).toEqual(CPU.map((file) => `linux/x64/${file}`).sort());
  });

  it("is nothing where the provider that was asked for is missing: the build fails, not the worker", () => {
    const { nodeModules, binaries } = install("broken", CPU);
    const before = filesIn(binaries);
    const ended = spawnSync(process.execPath, [trim, nodeModules, "x64", "cuda"], { encoding: "utf8" });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toMatch(/has no libonnxruntime_providers_shared.so, libonnxruntime_providers_cuda.so/);
    expect(filesIn(binaries)).toEqual(before);
  });
});

describe("the container's programs", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(path.join(folder, "tmp-"));
  });
  const run = (file: string, environment: Record<string, string> = {}) => {
    const program = path.join(ROOT, "gpu-workers/src", file);
    const options = { encoding: "utf8", env: { TMPDIR: home, ...environment } } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", program], options);
    return { status, said: stdout + stderr };
  };

  it("refuse to run without knowing what to do", () => {
    const { status, said } = run("container-entry.ts");
    expect([status, said]).toEqual([
      2,
      expect.stringMatching(/expected FEDMKT_JOB .*FEDMKT_JOB_QUEUE_URL .*FEDMKT_SERVE_MODEL or/),
    ]);
  });

  it("do one job where one is given, even beside a queue", () => {
    const { status, said } = run("container-entry.ts", {
      FEDMKT_JOB: "{}",
      FEDMKT_JOB_QUEUE_URL: "https://sqs.example",
    });
    expect([status, said]).toEqual([2, expect.stringContaining("FEDMKT_TASK_TOKEN")]);
  });

  it("serve a queue where one is named", () => {
    const { status, said } = run("container-entry.ts", { FEDMKT_JOB_QUEUE_URL: "https://sqs.example" });
    expect([status, said]).toEqual([2, expect.stringMatching(/FEDMKT_PARTY/)]);
    expect(said).not.toContain("FEDMKT_TASK_TOKEN");
  });

  it.each(["FEDMKT_SERVE_MODEL", "FEDMKT_SERVE_UPSTREAM"])("answer requests where %s says what by", (name) => {
    const { status, said } = run("container-entry.ts", { [name]: "http://127.0.0.1:9" });
    expect(status).toBe(2);
    // nobody would see a key that was made here
    expect(JSON.parse(said)).toMatchObject({
      level: "CRITICAL",
      message: "endpoint not started",
      code: "ENVIRONMENT_INVALID",
      error: {
        message: expect.stringContaining("FEDMKT_SERVE_KEYS: expected a file of fedmkt keys, or a secret's ARN"),
      },
    });
  });

  it("find a living worker healthy, and one that has not begun or no longer shows itself not", async () => {
    expect(run("health.ts")).toEqual({ status: 1, said: "no worker has begun\n" });
    const living = spawn(
      process.execPath,
      [
        "--no-warnings",
        "--input-type=module",
        "-e",
        `const { showAlive } = await import(${JSON.stringify(path.join(ROOT, "gpu-workers/src/alive-file.ts"))});
         showAlive(); console.log("alive"); setInterval(() => {}, 1000);`,
      ],
      { env: { TMPDIR: home } },
    );
    await once(living.stdout, "data");
    expect(run("health.ts")).toEqual({ status: 0, said: "" });
    living.kill("SIGKILL");
    const [file] = readdirSync(home);
    const longAgo = new Date(Date.now() - 300_000);
    utimesSync(path.join(home, file), longAgo, longAgo);
    expect(run("health.ts")).toEqual({ status: 1, said: expect.stringMatching(/last showed itself 30\d s ago/) });
  });
});
