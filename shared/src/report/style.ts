import { Html } from "./html.ts";

/** The report's only style sheet. Series colours are told apart by people with colour-blindness (Okabe and Ito), and dashes help. */
export const STYLE = new Html(`
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #5b6570; --line: #d7dce1; --band: #f4f6f8;
  --s0: #0072b2; --s1: #d55e00; --s2: #009e73; --s3: #cc79a7; --s4: #b8860b; --s5: #56b4e9; --none: #b3bac2; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e6e9ed; --soft: #9aa5b1; --line: #343b43; --band: #1d2126;
  --s0: #56b4e9; --s1: #ff8c42; --s2: #2cc49b; --s3: #e3a1c6; --s4: #e6c34a; --s5: #8fd0f5; --none: #59636e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 72rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
.facts, .note { color: var(--soft); } .note { font-size: .87rem; }
.verdicts { padding: 0; list-style: none; } .verdicts li { padding: .4rem .75rem; margin: .3rem 0; background: var(--band); border-left: 4px solid var(--none); }
.verdicts .gained { border-color: var(--s2); } .verdicts .mixed { border-color: var(--s4); } .verdicts .not-gained { border-color: var(--s1); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; } th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
thead th { border-bottom: 2px solid var(--line); } .right { text-align: right; } .best { font-weight: 700; } .better { color: var(--s2); } .worse { color: var(--s1); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; } figure { margin: 0; }
figcaption { font-size: .87rem; font-weight: 600; } svg { width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.axis { stroke: var(--line); } .own { fill: none; stroke: var(--s0); stroke-width: 2.5; } .dot { fill: var(--s0); } .base { fill: none; stroke-width: 1.5; }
.gain-better { fill: var(--s2); } .gain-worse { fill: var(--s1); } .gain-open { fill: var(--none); } .whisker { stroke: var(--ink); stroke-width: 1.5; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; margin: .4rem 0; list-style: none; font-size: .87rem; } .legend svg { display: inline-block; width: 28px; height: 10px; vertical-align: middle; margin-right: .35rem; }
summary { cursor: pointer; color: var(--soft); }
`);

/** Baselines and sources by place: a colour and a dash pattern each. */
export const SERIES_COLORS = ["var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s0)"];
export const SERIES_DASHES = ["6 3", "2 3", "8 3 2 3", "4 2", "1 2", "10 3"];
