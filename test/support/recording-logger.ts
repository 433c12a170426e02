/** A logger that only writes down what it is told. */
export class RecordingLogger {
  readonly lines: { level: string; message: string; extra: Record<string, unknown> }[] = [];

  info(message: unknown, extra: unknown = {}): void {
    this.#add("INFO", message, extra);
  }

  warn(message: unknown, extra: unknown = {}): void {
    this.#add("WARN", message, extra);
  }

  error(message: unknown, extra: unknown = {}): void {
    this.#add("ERROR", message, extra);
  }

  #add(level: string, message: unknown, extra: unknown): void {
    this.lines.push({ level, message: String(message), extra: extra as Record<string, unknown> });
  }
}
