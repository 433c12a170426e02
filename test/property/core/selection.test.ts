import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type SelectionRule, selectKnowledge } from "../../../shared/src/core/selection/select-knowledge.ts";
import { selectionStatistics } from "../../../shared/src/core/selection/selection-statistics.ts";

/** Few values, so that ties are frequent; and any, so that nothing depends on that. */
const loss = fc.oneof(fc.constantFrom(0, 0.5, 1, 1.005, 2), fc.double({ min: 0, max: 12, noNaN: true }));
/** [samples][1 + sources] */
const losses = fc
  .integer({ min: 1, max: 4 })
  .chain((sources) =>
    fc.array(fc.array(loss, { minLength: 1 + sources, maxLength: 1 + sources }), { minLength: 1, maxLength: 8 }),
  );
const rules: SelectionRule[] = ["strict", "greater", "weighted-mean", "token", "confidence"];

function select(rule: SelectionRule, rows: readonly (readonly number[])[]) {
  const column = (candidate: number) => Float64Array.from(rows, (row) => row[candidate]);
  const sources = rows[0].slice(1).map((_, source) => ({ party: `client-${source}`, losses: column(1 + source) }));
  return { target: column(0), sources, chosen: selectKnowledge(rule, column(0), sources) };
}

describe("selection", () => {
  it("is DualMinCE: the first of the best, and only where it is better than the target", () => {
    fc.assert(
      fc.property(losses, (rows) => {
        const { chosen } = select("strict", rows);
        rows.forEach(([own, ...others], sample) => {
          const least = Math.min(...others);
          expect(chosen.winner[sample]).toBe(least < own ? others.indexOf(least) : -1);
          expect(chosen.gaps[sample]).toBe(own - least);
        });
      }),
    );
  });

  it("does not change with a source that is nowhere better", () => {
    fc.assert(
      fc.property(losses, fc.constantFrom(...rules.slice(0, 2)), (rows, rule) => {
        const before = select(rule, rows).chosen.winner;
        expect(
          select(
            rule,
            rows.map((row) => [...row, Math.max(...row) + 1]),
          ).chosen.winner,
        ).toEqual(before);
      }),
    );
  });

  it("gives no less to who has the lesser loss, under FATE-LLM's rules", () => {
    fc.assert(
      fc.property(losses, (rows) => {
        const { winner } = select("greater", rows).chosen;
        const { shares } = select("weighted-mean", rows).chosen;
        rows.forEach((row, sample) => {
          const width = row.length;
          const ofSample = shares!.subarray(sample * width, (sample + 1) * width);
          row.forEach((mine, candidate) => {
            row.forEach((other, peer) => {
              if (mine <= other) expect(ofSample[candidate]).toBeGreaterThanOrEqual(ofSample[peer]);
            });
          });
          // whoever has clearly the least loss wins
          const best = row.indexOf(Math.min(...row));
          const second = Math.min(...row.filter((_, candidate) => candidate !== best));
          if (row[best] * 1.02 + 0.02 < second && row[best] < 5) expect(winner[sample]).toBe(best - 1);
          expect(ofSample.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 1);
        });
      }),
    );
  });

  it("accounts for every sample, whatever the rule", () => {
    fc.assert(
      fc.property(losses, fc.constantFrom(...rules), (rows, rule) => {
        const { target, sources, chosen } = select(rule, rows);
        const found = selectionStatistics(target, sources, chosen);
        expect(found.countBySource.reduce((sum, count) => sum + count, found.none)).toBe(rows.length);
        found.ahead.forEach((ahead, source) => {
          expect(found.alone[source]).toBeLessThanOrEqual(ahead);
          if (rule !== "greater" && rule !== "weighted-mean")
            expect(found.countBySource[source]).toBeLessThanOrEqual(ahead);
        });
        expect(found.agreement).toBeGreaterThanOrEqual(0);
        expect(found.agreement).toBeLessThanOrEqual(1);
        expect([...found.gapQuartiles].sort((a, b) => a - b)).toEqual(found.gapQuartiles);
      }),
    );
  });
});
