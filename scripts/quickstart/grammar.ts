import type { SeededRandom } from "./seeded-random.ts";

/** One trade's language: what its texts speak of, and in which phrases. */
export interface Domain {
  id: string;
  /** subjects (ships, ailments, machines) that the whole trade knows by name; the organisation has to do with some */
  subjects: readonly string[];
  /** syllables (first, last) of which other organisations' subjects are named */
  nameParts: readonly [readonly string[], readonly string[]];
  /** what a subject's facts are drawn from: attribute → all values the trade knows */
  attributes: Readonly<Record<string, readonly string[]>>;
  /** what has nothing to do with the subject */
  free: Readonly<Record<string, readonly string[]>>;
  /** sentences of the whole trade; `{slot}` is "name", an attribute or a free slot */
  tradeSentences: readonly string[];
  /** sentences that this organisation is fond of, and others seldom write */
  houseSentences: readonly string[];
}

/** A subject with its habits: for each attribute the few values it takes, and how often. */
export interface Subject {
  name: string;
  facts: Readonly<Record<string, { values: readonly string[]; weights: readonly number[] }>>;
}

/** How often a subject takes its first, second and third value: habits, not laws, so that one text shows one of them. */
const HABIT_WEIGHTS = [0.55, 0.3, 0.15] as const;

/** Share of house sentences in the organisation's own texts, and in those of the rest of the trade. */
const HOUSE_SHARE = { own: 0.35, trade: 0.08 } as const;

/** Share of other organisations' texts whose subject bears a name that this organisation knows, too. */
const KNOWN_NAME_SHARE = 0.4;

/** How many of the trade's subjects an organisation deals with. */
const OWN_SUBJECTS = 8;

/** The organisation's table of facts, drawn once from its own stream. */
export function ownSubjects(domain: Domain, random: SeededRandom): Subject[] {
  return random.sample(domain.subjects, OWN_SUBJECTS).map((name) => ({
    name,
    facts: Object.fromEntries(
      Object.entries(domain.attributes).map(([attribute, values]) => [
        attribute,
        { values: random.sample(values, HABIT_WEIGHTS.length), weights: HABIT_WEIGHTS },
      ]),
    ),
  }));
}

/** Somebody else's subject: a made-up name, every value as likely as any other. */
function otherSubject(domain: Domain, random: SeededRandom): Subject {
  const [first, last] = domain.nameParts;
  return {
    name: random.next() < KNOWN_NAME_SHARE ? random.pick(domain.subjects) : random.pick(first) + random.pick(last),
    facts: Object.fromEntries(
      Object.entries(domain.attributes).map(([attribute, values]) => [
        attribute,
        { values, weights: values.map(() => 1 / values.length) },
      ]),
    ),
  };
}

/** Two sentences about one of the organisation's subjects. */
export function ownText(domain: Domain, subjects: readonly Subject[], random: SeededRandom): string {
  return write(domain, random.pick(subjects), HOUSE_SHARE.own, random);
}

/** Two sentences as any other organisation of the trade would write them: the phrases, none of the facts. */
export function tradeText(domain: Domain, random: SeededRandom): string {
  return write(domain, otherSubject(domain, random), HOUSE_SHARE.trade, random);
}

/** Every first with every second, in order. */
export function everyPair(firsts: readonly string[], seconds: readonly string[]): string[] {
  return firsts.flatMap((first) => seconds.map((second) => first + second));
}

/** Two different sentences; a slot keeps its value throughout the text. */
function write(domain: Domain, subject: Subject, houseShare: number, random: SeededRandom): string {
  const drawn = new Map<string, string>([["name", subject.name]]);
  const fill = (slot: string): string => {
    const known = drawn.get(slot);
    if (known !== undefined) return known;
    const fact = subject.facts[slot];
    const free = domain.free[slot];
    if (fact === undefined && free === undefined) throw new Error(`${domain.id}: no slot {${slot}}`);
    const value = fact !== undefined ? fact.values[random.weighted(fact.weights)]! : random.pick(free!);
    drawn.set(slot, value);
    return value;
  };
  const draw = () => random.pick(random.next() < houseShare ? domain.houseSentences : domain.tradeSentences);
  const first = draw();
  let second = draw();
  while (second === first) second = draw();
  const sentences = [first, second].map((sentence) => {
    const filled = sentence.replace(/\{(\w+)\}/g, (_, slot: string) => fill(slot));
    return filled[0]!.toUpperCase() + filled.slice(1);
  });
  return sentences.join(" ");
}
