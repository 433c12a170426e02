import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { experimentResults } from "../shared/src/contracts/experiment-results.ts";
import { parseJson } from "../shared/src/contracts/json-document.ts";
import { formatGainInterval, outcomeOf } from "../shared/src/report/experiment-tables.ts";
import { drawIntervals } from "../shared/src/report/interval-chart.ts";
import { STYLE } from "../shared/src/report/style.ts";

// docs/figures: an experiment's gains in bits per byte as pictures of their own, one for clients and one for the server.
//   node scripts/draw-experiment.ts RESULTS.json --out docs/figures/NAME [--cell CELL…] [--against VARIANT_OR_CELL…]
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string" },
    cell: { type: "string", multiple: true },
    against: { type: "string", multiple: true },
  },
});
const [file] = positionals;
if (file === undefined || values.out === undefined) throw new Error("expected RESULTS.json and --out");
const { comparisons } = parseJson(
  readFileSync(file),
  file,
  z.looseObject({ comparisons: experimentResults.shape.comparisons }),
);
for (const [name, party] of [["clients", null] as const, ["server", "server"] as const]) {
  const shown = comparisons.filter(
    (one) =>
      one.metric === "bits-per-byte" &&
      one.party === party &&
      (values.cell?.includes(one.cell) ?? true) &&
      (values.against?.includes(one.against) ?? true),
  );
  const against = values.against?.length === 1 ? values.against[0] : null;
  const drawn = drawIntervals(
    `Gain of the ${name}, bits per byte, 95 % intervals`,
    shown.map((one) => ({
      label: against === null ? `${one.cell} against ${one.against}` : one.cell,
      value: one.gain,
      margin: one.margin,
      outcome: outcomeOf(one),
      text: formatGainInterval(one),
    })),
  ).text;
  const [picture] = /<svg.*<\/svg>/s.exec(drawn)!;
  const background = '<rect width="100%" height="100%" style="fill: var(--paper)"/>';
  const standing = picture
    .replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    .replace("</title>", `</title><style>${STYLE.text}</style>${background}`);
  writeFileSync(`${values.out}-${name}.svg`, `${standing}\n`);
}
