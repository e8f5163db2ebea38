import assert from "node:assert/strict";
import { test } from "node:test";

import { parseLine, PLAIN, plainLog, plainText, SHOWN_MAX } from "../../static/app/projects/project/ansi.js";
import { contrast, legible, on } from "../../static/app/projects/project/colours.js";
import { missingWords } from "../../static/app/projects/project/line-row.js";
import { linked, marked } from "../../static/app/projects/project/pieces.js";

const ESC = "\u001b";

/** Text with what differs from plain: "a", "b fg=1". */
function told(raw, style = PLAIN) {
  return parseLine(raw, style).pieces.map(({ text, style: is, href }) => {
    const said = Object.entries(is)
      .filter(([name, value]) => value !== PLAIN[name])
      .map(([name, value]) => (value === true ? name : `${name}=${value}`));
    return [text, ...said, ...(href === null ? [] : [href])].join(" ");
  });
}

for (const [sgr, expected] of [
  ["31", "x fg=1"],
  ["97", "x fg=15"],
  ["44", "x bg=4"],
  ["103", "x bg=11"],
  ["1;2;3;4;7", "x bold dim italic underline inverse"],
  ["4:3", "x underline"],
  ["38;5;9", "x fg=9"],
  ["38;5;196", "x fg=#ff0000"],
  ["48;5;244", "x bg=#808080"],
  ["38;2;1;2;3;1", "x fg=#010203 bold"],
  ["38:2::255:128:0", "x fg=#ff8000"],
  ["48:2:255:128:0", "x bg=#ff8000"],
  ["38:5:21", "x fg=#0000ff"],
  ["1;31;22;39", "x"],
  ["31;0", "x"],
  ["31;", "x"],
  ["38;5;999", "x"],
  ["38;2;999;0;0", "x"],
  ["38;9;1;2", "x"],
  ["38", "x"],
  ["?1", "x"],
]) {
  test(`SGR ${sgr}`, () => assert.deepEqual(told(`${ESC}[${sgr}mx`), [expected]));
}

test("a style goes on in the next line until it is taken back", () => {
  const first = parseLine(`${ESC}[1;32mgreen`);
  assert.deepEqual(told("still", first.style), ["still fg=2 bold"]);
  assert.deepEqual(told(`still${ESC}[mplain`, first.style), ["still fg=2 bold", "plain"]);
});

for (const [raw, expected] of [
  ["10%\r20%\r100%", "100%"],
  ["abcdef\rXY", "XYcdef"],
  [`abcdef\rXY${ESC}[K`, "XY"],
  [`${ESC}[2K\rdone`, "done"],
  ["with CRLF\r", "with CRLF"],
  ["ab\bc", "ac"],
  [`abc${ESC}[1Gx`, "xbc"],
  [`a${ESC}[3Cb`, "a   b"],
  [`abc${ESC}[2Dx`, "axc"],
  ["a\tb", "a\tb"],
  ["two\nlines", "two\nlines"],
]) {
  test(`a row is its last state: ${JSON.stringify(raw)}`, () => assert.equal(plainText(raw), expected));
}

for (const dropped of [
  `${ESC}[2J`,
  `${ESC}[?25l`,
  `${ESC}[10;20H`,
  `${ESC}]0;a title\u0007`,
  `${ESC}]9;4;1;40${ESC}\\`,
  `${ESC}]52;c;aGFsbG8=\u0007`,
  `${ESC}P1;2q pixels ${ESC}\\`,
  `${ESC}_an application's${ESC}\\`,
  `${ESC}(B`,
  `${ESC}7`,
  "\u0000\u0007\u000b\u007f",
  "\u009b31m\u009b0m",
]) {
  test(`is for a terminal, and dropped: ${JSON.stringify(dropped)}`, () =>
    assert.deepEqual(told(`a${dropped}b`), ["ab"]));
}

test("what is cut off at the end of a line leaves nothing behind", () => {
  for (const cut of [ESC, `${ESC}[`, `${ESC}[31`, `${ESC}]8;;http://a.example`, `${ESC}Pq`])
    assert.equal(plainText(`a${cut}`), "a", JSON.stringify(cut));
});

test("a link is one only if it is http or https", () => {
  const link = (to) => `${ESC}]8;id=1;${to}${ESC}\\here${ESC}]8;;\u0007 on`;
  assert.deepEqual(told(link("https://a.example/b")), ["here https://a.example/b", " on"]);
  for (const to of [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "//a.example",
    "https://",
  ])
    assert.deepEqual(told(link(to)), ["here on"], to);
});

test("addresses in the text become links, without what stands behind them", () => {
  const links = (text) =>
    linked(parseLine(text).pieces)
      .filter(({ href }) => href !== null)
      .map(({ text: shown }) => shown);
  assert.deepEqual(links("see https://a.example/b?c=d#e, or (http://b.example/x_(y))."), [
    "https://a.example/b?c=d#e",
    "http://b.example/x_(y)",
  ]);
  assert.deepEqual(links("ftp://a.example javascript:alert(1) https:// http://["), []);
  const text = "a https://a.example b";
  assert.equal(
    linked(parseLine(text).pieces)
      .map((piece) => piece.text)
      .join(""),
    text,
  );
});

test("what a search has found is marked across styles", () => {
  const pieces = marked(parseLine(`a fa${ESC}[31miled test`).pieces, "FAILED t");
  assert.deepEqual(
    pieces.map(({ text, isMatch }) => (isMatch ? `[${text}]` : text)),
    ["a ", "[fa]", "[iled t]", "est"],
  );
  assert.deepEqual(
    marked(parseLine("a(b").pieces, "(").map(({ text }) => text),
    ["a", "(", "b"],
  );
});

test("a line is shown up to a bound, and says how much is not", () => {
  const parsed = parseLine("x".repeat(SHOWN_MAX + 5));
  assert.equal(parsed.pieces[0].text.length, SHOWN_MAX);
  assert.equal(parsed.cut, 5);
  assert.equal(parseLine(`${"x".repeat(SHOWN_MAX - 1)}😀`).pieces[0].text.length, SHOWN_MAX - 1);
  assert.equal(parseLine(`a\r${"x".repeat(SHOWN_MAX + 5)}`).cut, 5);
});

test("what is not shown of a line is told, how much of it where that is known", () => {
  assert.equal(missingWords("short", 0), "");
  assert.equal(missingWords("x".repeat(SHOWN_MAX + 5), 5), "… and 5 characters more, in the download");
  const given = `${"x".repeat(9_999)}…`; // the server has cut it itself
  for (const cut of [0, given.length - SHOWN_MAX])
    assert.equal(missingWords(given, cut), "… and more, in the download");
  assert.equal(missingWords(`${ESC}[m`.repeat(4_000), 0), "");
});

test("a whole log as plain text", () => {
  const long = "x".repeat(3 * SHOWN_MAX);
  assert.equal(plainLog(`${long}\n1\r${long}`), `${long}\n${long}`);
  assert.equal(plainText(`${ESC}[999999999Cx`).length, SHOWN_MAX + 1, "where nothing was written is no text");
  assert.equal(plainLog(`${ESC}[31mred\r\n1%\r2%\n\nend${ESC}[0m\n`), "red\n2%\n\nend\n");
});

test("any colour can be read on the grounds of the log", () => {
  for (const colour of ["#000000", "#ffffff", "#0000ff", "#ffff00", "#00ff00", "#ff0000", "#808080"]) {
    const { light, dark } = legible(colour);
    for (const ground of ["#e9ebe6", "#fae0dd", "#dde6fa"])
      assert.ok(contrast(light, ground) >= 4.5, `${colour} ${ground}`);
    for (const ground of ["#0a0e13", "#401b19", "#1b2a4a"])
      assert.ok(contrast(dark, ground) >= 4.5, `${colour} ${ground}`);
    assert.ok(contrast(on(colour), colour) >= 4.5, colour);
  }
  assert.equal(legible("#000080").light, "#000080");
});
