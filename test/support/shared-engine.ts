import { afterAll } from "@jest/globals";
import { createEngine } from "../../shared/src/engine/engine.ts";

/** One engine for a test file: its threads are kept from model to model, and end with the file's tests. */
export const engine = createEngine();
afterAll(() => engine.close());
