/** Briefs to start from. Each shows another corner of the grammar. */

export const EXAMPLES = [
  {
    label: "Task board",
    name: "Task board",
    brief: "tasks: title text, done bool, due date, owner -> people;\npeople: name text, email text, age int",
  },
  {
    label: "Reading list",
    name: "Reading list",
    brief:
      "books: title text, author text, pages int, finished bool;\nnotes: book -> books, page int, remark text, written date",
  },
  {
    label: "Tool library",
    name: "Neighbourhood tool library",
    brief:
      "tools: name text, deposit float, available bool;\nmembers: name text, email text, joined date;\nloans: tool -> tools, member -> members, due date, returned bool",
  },
];
