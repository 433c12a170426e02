import { describe, expect, it } from "@jest/globals";
import { openTemplate } from "../../../../shared/src/adapters/templates/open-template.ts";

const evaluate = (source: string, names: Record<string, unknown> = {}, strict = true) =>
  openTemplate(source, { what: "template: prompt", strict }).evaluate(names);
const refusal = (code: string, message: unknown) =>
  expect.objectContaining({ name: "InvalidInputError", code, message });

describe("a template", () => {
  it("is filled in with the names it is given", () => {
    expect(evaluate("Question: {{ row.question }}\nAnswer:", { row: { question: "Why?" } })).toBe(
      "Question: Why?\nAnswer:",
    );
  });

  it("treats white space around blocks as transformers does, and drops one newline at its end", () => {
    expect(
      evaluate("{% for x in xs %}\n  {% if x %}\n{{ x }}\n  {% endif %}\n{% endfor %}\nend\n", { xs: ["a", "b"] }),
    ).toBe("a\nb\nend");
  });

  it("is what its one expression stands for, where it is nothing else", () => {
    const row = { texts: ["a", "b"], of: [{ text: "c" }], flag: true, count: 3, nested: { a: [1, null] } };
    expect(evaluate("{{ texts }}", row)).toEqual(["a", "b"]);
    expect(evaluate("{{ of | map(attribute='text') | list }}", row)).toEqual(["c"]);
    expect(evaluate("{{ flag }}", row)).toBe(true);
    expect(evaluate("{{ 1 if flag else 0 }}", row)).toBe(1);
    expect(evaluate("{{ nested }}", row)).toEqual({ a: [1, null] });
    expect(evaluate("{{ count }} ", row)).toBe("3 ");
    expect(evaluate("text", row)).toBe("text");
    expect(evaluate("{% if flag %}x{% endif %}", row)).toBe("x");
    expect(openTemplate("{{ texts }}", { what: "it", strict: true }).render({ texts: "as text" })).toBe("as text");
  });

  it("cuts texts by characters, as Python does", () => {
    expect(evaluate("{{ s[1:3] }}", { s: "😀abc" })).toBe("ab");
  });

  it("reads a field that is called as a function of Jinja is", () => {
    expect(evaluate("{{ range }} {{ namespace }} {{ loop }}", { range: "a", namespace: "b", loop: "c" })).toBe("a b c");
  });

  it.each([
    ["a name that is not there", "{{ qeustion }}", {}, "qeustion: expected a value, got nothing"],
    ["a member that is not there", "{{ row.stem }}", { row: {} }, "row.stem: expected a value, got nothing"],
    ["a member by its key", "{{ row['a b'] }}", { row: {} }, "row.a b: expected a value, got nothing"],
    ["an item that is not there", "{{ list[3] }}", { list: [] }, "list[…]: expected a value, got nothing"],
    ["a member of what has no name", "{{ (a + b).c }}", { a: "x", b: "y" }, "….c: expected a value, got nothing"],
    ["null", "{{ row.stem }}", { row: { stem: null } }, "row.stem: expected a value, got null"],
    ["a missing name in a loop", "{% for x in [1] %}{{ y }}{% endfor %}", {}, "y: expected a value, got nothing"],
  ])("refuses %s", (_, source, names, reason) => {
    expect(() => evaluate(source, names)).toThrow(refusal("TEMPLATE_REFUSED", `template: prompt: ${reason}`));
  });

  it("may ask whether a name is there: in a condition, by a test, and before default", () => {
    expect(evaluate("{% if x %}a{% else %}b{% endif %}")).toBe("b");
    expect(evaluate("{{ 'a' if x else 'b' }}")).toBe("b");
    expect(evaluate("{{ 'a' if x.y is defined else 'b' }}", { x: {} })).toBe("b");
    expect(evaluate("{{ x | default('b') }}")).toBe("b");
    expect(evaluate("{% for y in [1, 2] if x %}{{ y }}{% else %}b{% endfor %}")).toBe("b");
    expect(evaluate("{{ x is none }}", { x: null })).toBe(true);
    expect(evaluate("{{ 'a' if {'k': x is defined}['k'] else 'b' }}")).toBe("b");
    expect(evaluate("{{ none }}")).toBeNull();
  });

  it("reads a missing name as nothing where it is not strict", () => {
    expect(evaluate("a{{ x }}b{{ none }}", {}, false)).toBe("ab");
    expect(evaluate("{{ x }}", {}, false)).toBeNull();
  });

  it("sees nothing but its names: no clock, no prototype, no function of the machine", () => {
    for (const source of [
      "strftime_now",
      "process",
      "globalThis",
      "row.constructor",
      "row.__proto__",
      "'a'.constructor",
    ])
      expect(evaluate(`{{ ${source} is defined }}`, { row: {} })).toBe(false);
  });

  it("says that it refused a row, never what it said of it: the row may be private", () => {
    expect(() => evaluate("{{ raise_exception(secret) }}", { secret: "of a patient" })).toThrow(
      refusal("TEMPLATE_REFUSED", "template: prompt: it refuses the row (raise_exception)"),
    );
  });

  it("names no key of a row in the library's own refusals", () => {
    const source = "{% macro f() %}{% endmacro %}{{ f(**row) }}";
    expect(() => evaluate(source, { row: { "of a patient": 1 } })).toThrow(
      refusal("TEMPLATE_REFUSED", "template: prompt: macro … takes no keyword argument …"),
    );
    expect(() => evaluate("{% break %}")).toThrow(
      refusal("TEMPLATE_REFUSED", "template: prompt: expected break and continue in a loop alone"),
    );
  });

  it.each([
    ["no Jinja", "{{ a", /^template: prompt: expected Jinja, got a mistake in it: /],
    [
      "a template as long as a book",
      "x".repeat(65_537),
      "template: prompt: expected a template of at most 65536 characters, got 65537",
    ],
  ])("refuses %s before any row", (_, source, message) => {
    expect(() => openTemplate(source, { what: "template: prompt", strict: true })).toThrow(
      refusal("TEMPLATE_INVALID", typeof message === "string" ? message : expect.stringMatching(message)),
    );
    expect(openTemplate("x".repeat(65_536), { what: "it", strict: true }).render({})).toHaveLength(65_536);
  });

  it.each([
    ["loops in loops", "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}"],
    [
      "a text that doubles",
      "{% set s = namespace(t='aaaaaaaaaa') %}{% for i in range(60) %}{% set s.t = s.t + s.t %}{% endfor %}",
    ],
    ["a macro without an end", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}"],
    ["a range of a billion", "{{ range(1000000000) }}"],
    ["a range without an end", "{{ range(0, 1, 0) }}"],
    ["a range backwards without an end", "{{ range(0, -1000000, -1) }}"],
    ["a padding of gigabytes", "{{ 'a\nb' | indent(2000000000) }}"],
    ["a function in place of a value", "{{ row.items }}"],
    ["what the library does not know", "{{ 'a' | shout }}"],
    ["a sum of a text and nothing", "{{ 1 / 'a' }}"],
  ])("is ended by %s, within seconds", (_, source) => {
    const startedMs = performance.now();
    expect(() => evaluate(source, { row: { a: 1 } })).toThrow(
      refusal("TEMPLATE_REFUSED", expect.stringMatching(/^template: prompt: ./)),
    );
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  it("counts up and down with range", () => {
    expect(evaluate("{{ range(3) }}")).toEqual([0, 1, 2]);
    expect(evaluate("{{ range(1, 6, 2) }}")).toEqual([1, 3, 5]);
    expect(evaluate("{{ range(3, 0, -2) }}")).toEqual([3, 1]);
    expect(evaluate("{{ range(3, 0) }}")).toEqual([]);
  });

  it("is the same each time it is filled in", () => {
    const template = openTemplate("{% set x = x + 1 %}{{ x }}", { what: "it", strict: true });
    expect([template.render({ x: 1 }), template.render({ x: 1 })]).toEqual(["2", "2"]);
  });
});
