/**
 * What a brief that can't be read may have meant: the same hints as service/apps/projects/hints.py gives, held to them
 * by tests/support/briefs.json. No DOM here.
 */

export const WORD_MAX = 40;
const PROSE_WORDS = 4;
const PROSE_SHARE = 4;
/** Of two words, from which they are alike (difflib's). */
const CUTOFF = 0.6;

/** Types as other languages name them. @type {Readonly<Record<string, string>>} */
export const SYNONYMS = Object.freeze({
  boolean: "bool",
  day: "date",
  decimal: "float",
  double: "float",
  number: "float",
  str: "text",
  string: "text",
  time: "date",
});

/** @type {Readonly<Record<string, string>>} */
const SPELLED = Object.freeze({
  ä: "ae",
  ö: "oe",
  ü: "ue",
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  đ: "d",
  ð: "d",
  ł: "l",
  þ: "th",
});

/**
 * The first `length` characters, as Python counts them.
 *
 * @param {string} text
 * @param {number} length
 */
export const cut = (text, length) => [...text].slice(0, length).join("");

/**
 * The known word that `word` may be a slip of; null if there is none.
 *
 * @param {string} word
 * @param {Iterable<string>} known
 */
export function near(word, known) {
  const wanted = [...cut(word.toLowerCase(), WORD_MAX)];
  /** @type {string | null} */
  let best = null;
  let score = CUTOFF;
  for (const one of known) {
    const found = ratio([...one], wanted);
    if (found < score || (found === score && best !== null && one <= best)) continue;
    best = one;
    score = found;
  }
  return best;
}

/**
 * How alike two words are, 0 to 1: twice the characters of their common blocks by the characters of both
 * (Ratcliff and Obershelp, as Python's difflib has it).
 *
 * @param {string[]} a
 * @param {string[]} b
 */
function ratio(a, b) {
  const length = a.length + b.length;
  return length === 0 ? 1 : (2 * common(a, 0, a.length, b, 0, b.length)) / length;
}

/**
 * Characters in the longest common block, and in those left and right of it.
 *
 * @param {string[]} a @param {number} aStart @param {number} aEnd
 * @param {string[]} b @param {number} bStart @param {number} bEnd
 * @returns {number}
 */
function common(a, aStart, aEnd, b, bStart, bEnd) {
  let size = 0;
  let atA = aStart;
  let atB = bStart;
  for (let i = aStart; i < aEnd; i += 1) {
    for (let j = bStart; j < bEnd; j += 1) {
      let length = 0;
      while (i + length < aEnd && j + length < bEnd && a[i + length] === b[j + length]) length += 1;
      if (length > size) [size, atA, atB] = [length, i, j];
    }
  }
  if (size === 0) return 0;
  return size + common(a, aStart, atA, b, bStart, atB) + common(a, atA + size, aEnd, b, atB + size, bEnd);
}

/** A word as a name of a-z, digits and _; null if nothing of it can be one. @param {string} word */
export function asciiName(word) {
  const spelled = [...cut(word, WORD_MAX).normalize("NFC").toLowerCase()].map((one) => SPELLED[one] ?? one);
  const plain = spelled.join("").normalize("NFKD").replace(/\p{M}/gu, "");
  const found = /[a-z][a-z0-9_]*/.exec(plain.replace(/[^a-z0-9_]+/g, "_").replace(/^_+|_+$/g, ""));
  return found === null ? null : found[0].slice(0, WORD_MAX).replace(/_+$/, "");
}

/**
 * Whether words that can't be read as a brief are a description.
 *
 * @param {string[][]} runs its words between separators
 * @param {readonly string[]} types
 */
export function isProse(runs, types) {
  return runs.some((run) => {
    const words = run.filter((word) => /\p{L}/u.test(word)).map((word) => word.toLowerCase());
    const typed = words.filter((word) => types.includes(word)).length;
    return words.length >= PROSE_WORDS && PROSE_SHARE * typed < words.length;
  });
}
