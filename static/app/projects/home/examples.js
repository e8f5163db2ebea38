/** Briefs to start from. Each shows another corner of the grammar. */

export const EXAMPLES = [
  {
    label: "Task board",
    name: "Task board",
    brief: "tasks: title text, done bool, due date;\npeople: name text, email text, age int",
  },
  {
    label: "Reading list",
    name: "Reading list",
    brief:
      "books: title text, author text, pages int, finished bool;\nnotes: book text, page int, remark text, written date",
  },
  {
    label: "Tool library",
    name: "Neighbourhood tool library",
    brief:
      "tools: name text, deposit float, available bool;\nmembers: name text, email text, joined date;\nloans: tool text, member text, due date, returned bool",
  },
];
