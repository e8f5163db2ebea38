/** Words of a search, as every list of the pages looks for them. No DOM here. */

/** In small letters. @param {string} search */
export const wordsOf = (search) => search.toLowerCase().split(/\s+/).filter(Boolean);

/**
 * Whether each of these words is somewhere in the text.
 *
 * @param {string} text
 * @param {string[]} words
 */
export function hasWords(text, words) {
  const small = text.toLowerCase();
  return words.every((word) => small.includes(word));
}
