import type { VocabularyMap } from "../knowledge.ts";
import type { CharacterTable } from "./character-table.ts";

/** A vocabulary map before groups are made of it. */
export type TokenMap = Pick<VocabularyMap, "rule" | "targetOfSource" | "kind" | "distance">;

/** The source tokens for which a rule has no other target token than the nearest, and the target tokens to choose from. */
export interface Unmatched {
  sourceIds: number[];
  sources: CharacterTable;
  /** ascending */
  targetIds: number[];
  targets: CharacterTable;
}
