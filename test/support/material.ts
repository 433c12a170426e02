import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { it } from "@jest/globals";

const folder = resolve(process.env.FEDMKT_MATERIAL ?? resolve(import.meta.dirname, "../../../shared"));

/** The folder of real tokenizers, texts and golden files that some tests read; null where it is absent. */
export const material: string | null = existsSync(resolve(folder, "data/tokenizers")) ? folder : null;

/** `it` where the material is there; elsewhere the test is skipped, and so reported. */
export const itWithMaterial = material === null ? it.skip : it;
