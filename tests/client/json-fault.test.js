import assert from "node:assert/strict";
import { test } from "node:test";

import { jsonFault } from "../../static/app/shared/json.js";

/** As a form says it. */
const told = (text) => {
  const fault = jsonFault(text);
  return fault && `${fault.line}:${fault.column} ${fault.words}`;
};

const FAULTS = {
  "": "1:1 a value is expected, and the text ends",
  '{\n  "a": 1,\n  "b" 2\n}': "3:7 a colon is expected, not 2",
  '{"a": 1 "b": 2}': '1:9 a comma or } is expected, not "',
  '{"a": 1,}': "1:9 a name in double quotes is expected, not }",
  "{a: 1}": "1:2 a name in double quotes or } is expected, not a",
  "[1, 2": "1:6 a comma or ] is expected, and the text ends",
  "[1,]": "1:4 a value is expected, not ]",
  "[}": "1:2 a value or ] is expected, not }",
  "'a'": "1:1 a value is expected, not '",
  True: "1:1 a value is expected, not True",
  "[NaN]": "1:2 a value or ] is expected, not NaN",
  "01": "1:2 the end is expected, not 1",
  "1.": "1:2 the end is expected, not .",
  "{} {}": "1:4 the end is expected, not {",
  "[\u00a01]": "1:2 a value or ] is expected, not U+00A0",
  '"a\nb"': "1:3 a string is not closed here: a double quote is missing, or \\n for a line break",
  '"a': "1:3 a string is not closed here: a double quote is missing, or \\n for a line break",
  '"a\tb"': "1:3 a control character has to be spelt, such as \\t, in a string",
  '"\\x"': '1:2 after \\ in a string stands one of "\\/bfnrt, or u and four digits',
  '{"😀": x}': "1:7 a value is expected, not x",
};

for (const [text, words] of Object.entries(FAULTS)) {
  test(`${JSON.stringify(text)} is faulted where it is wrong`, () => assert.equal(told(text), words));
}

test("a place can be selected", () => {
  const text = '{"a": 1,\r\n "b": oops}';
  assert.equal(text.slice(jsonFault(text).at, jsonFault(text).at + 4), "oops");
});

test("what is as deep as it is long is read to its end", () => {
  const deep = "[".repeat(100_000);
  assert.deepEqual(jsonFault(deep)?.at, deep.length);
});

test("there is a fault exactly where the engine finds one", () => {
  const whole = '{"a":[1,-2.5e3,true,null,"x\\u00e9\\n\u0085"],"b":{"c":{}, "d":[]}}\n';
  const other = '{}[],:"\\ \n\t0-.eu1tx\u2028';
  let faults = 0;
  for (let at = 0; at <= whole.length; at += 1) {
    for (const one of other) {
      for (const text of [
        whole.slice(0, at) + one + whole.slice(at),
        whole.slice(0, at) + one + whole.slice(at + 1),
      ]) {
        const fault = jsonFault(text);
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        assert.equal(fault === null, isJson, JSON.stringify(text));
        if (fault !== null) faults += 1;
      }
    }
  }
  assert.ok(faults > 1_000);
});
