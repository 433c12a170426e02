import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Serving } from "../../../gpu-workers/src/serving/serving.ts";

export interface ServedProcess {
  /** what it said when it answered */
  serving: Omit<Serving, "drain" | "close">;
  child: ChildProcess;
  /** what it wrote to standard error so far */
  said(): string;
  ask(path: string, body: object | undefined, key: string): Promise<Response>;
  ended: Promise<{ exitCode: number | null; signal: NodeJS.Signals | null; stdout: string }>;
}

/** Starts `fedmkt serve … --json` and waits until it answers. @throws where it ends before */
export async function serveInProcess(
  program: readonly string[],
  words: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<ServedProcess> {
  const [file, ...first] = [...program, "serve", ...words, "--json"];
  const child = spawn(file, first, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let stderr = "";
  let stdout = "";
  child.stderr!.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdout!.on("data", (chunk) => {
    stdout += chunk;
  });
  const ended: ServedProcess["ended"] = new Promise((resolve) =>
    child.once("close", (exitCode, signal) => resolve({ exitCode, signal, stdout })),
  );
  const line = new Promise<string>((resolve) => createInterface({ input: child.stdout! }).once("line", resolve));
  const said = await Promise.race([line, ended]);
  if (typeof said !== "string") throw new Error(`fedmkt serve ended with ${said.exitCode}: ${said.stdout}${stderr}`);
  const { ok, data, error } = JSON.parse(said);
  if (!ok) throw new Error(`${error.code}: ${error.message}`);
  const serving = data as ServedProcess["serving"];
  const ask = (path: string, body: object | undefined, key: string) =>
    fetch(`${serving.url}${path}`, {
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": "application/json" }) },
    });
  return { serving, child, said: () => stderr, ask, ended };
}
