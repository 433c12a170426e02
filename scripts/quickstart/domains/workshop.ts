import { type Domain, everyPair } from "../grammar.ts";

/** The repair manual of an imaginary workshop. */
export const workshop: Domain = {
  id: "workshop",
  subjects: [
    "Brask loom",
    "Ottel pump",
    "Kessler lathe",
    "Mirren press",
    "Dovetail saw",
    "Argo winch",
    "Pinnock drill",
    "Halle kiln",
    "Vulcan bellows",
    "Tansy mower",
    "Juno mixer",
    "Rüster fan",
    "Colby hoist",
    "Wick engine",
    "Elmar crane",
    "Nimbus boiler",
  ],
  nameParts: [
    ["Baxter", "Orion", "Linden", "Marlow", "Stern", "Falcon", "Ridley", "Castor", "Hudson", "Tern", "Gable", "Norden"],
    [" loom", " pump", " lathe", " press", " saw", " winch", " drill", " motor", " mixer", " fan", " hoist", " boiler"],
  ],
  attributes: {
    fault: everyPair(
      ["a worn ", "a cracked ", "a bent ", "a loose ", "a jammed ", "a burnt ", "a clogged ", "a noisy "],
      ["belt", "valve", "spindle", "fuse", "coupling", "gear", "coil", "filter", "piston", "bearing"],
    ),
    part: everyPair(
      ["the upper ", "the rear ", "the left ", "the inner ", "the front ", "the drive "],
      ["wheel", "axle", "pipe", "rail", "clamp", "plate", "jacket", "pedal", "frame", "hood"],
    ),
    tool: everyPair(
      ["a brass ", "a long ", "a soft ", "a thin ", "a heavy ", "a bench "],
      ["wrench", "hammer", "gauge", "key", "punch", "mallet", "file", "vise", "calliper"],
    ),
    supply: everyPair(
      ["graphite ", "copper ", "cork ", "felt ", "silver ", "linseed "],
      ["grease", "paste", "washers", "oil", "tape", "varnish", "pâté"],
    ),
  },
  free: {
    turns: ["a quarter turn", "half a turn", "one full turn", "two turns", "three turns"],
    check: [
      "let it cool",
      "cut the power",
      "drain the oil",
      "mark the position",
      "clean the seat",
      "release the brake",
    ],
    minutes: ["five minutes", "ten minutes", "a quarter of an hour", "half an hour", "one hour"],
    size: ["4 mm", "6 mm", "8 mm", "10 mm", "12 mm", "16 mm"],
  },
  tradeSentences: [
    "If the {name} has {fault}, first {check}.",
    "Remove {part} of the {name} with {tool}.",
    "Coat {part} with {supply} and wait {minutes}.",
    "{fault} on the {name} is cured with {supply}.",
    "Tighten {part} by {turns} using {tool}.",
    "On the {name}, {fault} is often hidden behind {part}.",
    "Use {tool} to free {part}, then {check}.",
    "Before opening the {name}, {check}.",
    "Replace {part} if you find {fault}.",
    "Run the {name} for {minutes}, then look at {part}.",
    "A {size} bolt holds {part} of the {name}.",
    "Apply {supply} with care; {tool} will help.",
  ],
  houseSentences: [
    "Job card {name}: {fault}; needs {supply}.",
    "Bench rule: {tool} goes with the {name}, nothing else.",
    "Seen again: {fault} near {part}; shim it with {supply}.",
    "Step one, {check}. Step two, {tool} on {part}.",
    "Shelf {size} holds {supply} for every {name}.",
    "Test: {turns} at {part}, no sound, {name} passes.",
  ],
};
