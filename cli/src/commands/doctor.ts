import { type Command, JSON_ARGUMENT, type Outcome } from "../command.ts";
import { examineMachine } from "../examine-machine.ts";

export const command: Command = {
  meta: { name: "doctor", description: "check that this machine can run a federation" },
  args: { ...JSON_ARGUMENT },
  examples: ["fedmkt doctor", "fedmkt doctor --json"],
  async run({ io, dependencies }): Promise<Outcome> {
    const checks = await examineMachine(io.cwd, dependencies);
    const failed = checks.filter(({ ok, isOptional }) => !ok && !isOptional);
    const lines = checks.map(({ name, ok, isOptional, found }) => {
      const mark = isOptional ? "no   " : "FAIL ";
      return `${ok ? "ok   " : mark} ${name.padEnd(16)} ${found}`;
    });
    const end =
      failed.length === 0 ? "This machine can run federations." : `${failed.length} of ${checks.length} checks failed.`;
    return {
      data: { ok: failed.length === 0, checks },
      text: [...lines, "", end].join("\n"),
      exitCode: failed.length === 0 ? 0 : 1,
    };
  },
};
