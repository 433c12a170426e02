import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { it } from "@jest/globals";

const folder = resolve(process.env.FEDMKT_MATERIAL ?? resolve(import.meta.dirname, "../../../shared"));

/** The folder of real tokenizers, texts and golden files that some tests read; null where it is absent. */
export const material: string | null = existsSync(resolve(folder, "data/tokenizers")) ? folder : null;

/** `it` where the material is there; elsewhere the test is skipped, and so reported. */
export const itWithMaterial = material === null ? it.skip : it;

const smolLm2Folder = process.env.FEDMKT_SMOLLM2;

/** SmolLM2-135M's folder, from FEDMKT_SMOLLM2; null where it is not set. */
export const smolLm2: string | null = smolLm2Folder ? resolve(smolLm2Folder) : null;

/** `it` where SmolLM2-135M is there; elsewhere the test is skipped, and so reported. */
export const itWithSmolLm2 = smolLm2 === null ? it.skip : it;
