import { callCli, write } from "./cli.ts";

/** `fedmkt inspect it` in a test's folder, where the file `it` is first written with the content. */
export function inspectIn(folder: () => string) {
  const call = (content: string | Uint8Array, options: readonly string[]) => {
    write(folder(), "it", content);
    return callCli(folder(), ["inspect", "it", ...options]);
  };
  return {
    async inspect(content: string | Uint8Array, ...options: string[]) {
      const { exitCode, stdout } = await call(content, [...options, "--json"]);
      const { data, error } = JSON.parse(stdout);
      return { exitCode, data, error };
    },
    /** As a person sees it. */
    read: async (content: string | Uint8Array, ...options: string[]) => (await call(content, options)).stdout,
  };
}
