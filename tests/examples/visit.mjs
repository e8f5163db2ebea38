// Opens pages in a browser until each has said on its console what is expected of it.
// usage: node visit.mjs (chrome|firefox) EXECUTABLE; reads [{name, url, said: [...]}] and writes {name: [line, ...]}, as JSON.
import { text } from "node:stream/consumers";
import puppeteer from "puppeteer-core";

const PATIENCE = 30_000; // milliseconds
const [kind, executablePath] = process.argv.slice(2);
const visits = JSON.parse(await text(process.stdin));
const args = kind === "chrome" ? ["--no-sandbox", "--disable-gpu"] : [];
// Whoever has no patience left asks for an end: leaving by itself, puppeteer takes the browser with it.
process.on("SIGTERM", () => process.exit(1));
const browser = await puppeteer.launch({ browser: kind, executablePath, args, headless: true, handleSIGTERM: false });

/** Returns what a page says, once all that is expected is among it, or there is no patience left. */
async function visit({ url, said }) {
  const page = await browser.newPage();
  const lines = [];
  const done = new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE);
    const hear = (line) => {
      lines.push(line);
      if (!said.every((one) => lines.some((other) => other.includes(one)))) return;
      clearTimeout(timer);
      resolve();
    };
    page.on("console", (message) => hear(message.text()));
    page.on("pageerror", (error) => hear(`error: ${error.message}`));
    page.on("dialog", async (dialog) => {
      hear(`dialog: ${dialog.message()}`);
      await dialog.accept();
    });
  });
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await done;
  return lines;
}

const found = {};
for (const one of visits) found[one.name] = await visit(one);
await browser.close();
process.stdout.write(JSON.stringify(found));
