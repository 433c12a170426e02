/** What of a run a published figure stands beside. Its parts need not be names that anybody has. */
export interface FigurePlace {
  /** null: the method itself */
  baseline: string | null;
  party: string;
  set: string;
  metric: string;
}

/**
 * Takes apart the name of a figure that others published: `party/set/metric` of the method itself, with a baseline's name before it of
 * that baseline.
 *
 * @returns null where it has another number of parts
 * @example figurePlace("standalone/harbour/test/accuracy")?.baseline // "standalone"
 */
export function figurePlace(name: string): FigurePlace | null {
  const parts = name.split("/");
  if (parts.length !== 3 && parts.length !== 4) return null;
  const [metric, set, party, baseline = null] = parts.reverse();
  return { baseline, party, set, metric };
}
