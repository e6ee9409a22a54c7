// Drives a Locust master's web page as a person does: start, change, stop, start again, download.
//   node locust-page.mjs BROWSER PAGE SERVICE DOWNLOADS
// One JSON line for each thing that was done: what the page's table and its list of workers said then.
import { chromium } from "playwright-core";

const [executablePath, url, service, downloads] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1400, height: 1000 }, acceptDownloads: true });
const page = await context.newPage();
const errors = [];
page.on("pageerror", (error) => errors.push(error.message));
page.setDefaultTimeout(30000);

const button = (text) => page.getByRole("button", { name: text, exact: true });
const tab = async (name) => {
  await page.getByRole("tab", { name, exact: true }).click();
};
// The rows of the table that is shown, without its heads.
const rows = () =>
  page.locator("table tbody tr").evaluateAll((found) =>
    found.map((row) => [...row.children].map((cell) => cell.innerText.trim())));
const said = async (step, more = {}) => {
  await tab("Workers");
  const workers = await rows();
  await tab("Statistics");
  console.log(JSON.stringify({ step, workers, stats: await rows(), ...more }));
  await page.screenshot({ path: `${downloads}/${step}.png` });
};
// Waits until the workers in their tab have so many users together.
const users = async (wanted) => {
  await tab("Workers");
  await page.waitForFunction((wanted) => {
    const heads = [...document.querySelectorAll("table thead th")].map((cell) => cell.innerText.trim().toLowerCase());
    const column = heads.findIndex((head) => head.includes("users"));
    const cells = [...document.querySelectorAll("table tbody tr")].map((row) => Number(row.children[column]?.innerText));
    return cells.length > 0 && cells.reduce((sum, count) => sum + count, 0) === wanted;
  }, wanted);
};
// The button for a new test is there once the old one has ended.
const stop = async () => {
  await button("Stop").click();
  await button("New").waitFor();
  await users(0);
  // The Python worker's last report comes up to 3 s later, and the page asks for no more figures by itself.
  await page.waitForTimeout(5000);
  await page.reload();
};

await page.goto(url);
await page.fill("input[name=userCount]", "100");
await page.fill("input[name=spawnRate]", "50");
await page.fill("input[name=host]", service);
await button("Start").click();
await users(100);
await page.waitForTimeout(4000);
await said("100-users");
await button("Edit").click();
await page.fill("input[name=userCount]", "40");
await page.fill("input[name=spawnRate]", "100");
await button("Update").click();
await users(40);
await page.waitForTimeout(4000);
await said("40-users");
await stop();
await said("stopped");
await button("New").click();
await page.fill("input[name=userCount]", "30");
await page.fill("input[name=spawnRate]", "100");
await button("Start").click();
await users(30);
await page.waitForTimeout(4000);
await stop();
await tab("Download Data");
await page.locator("a[href*='/csv']").first().waitFor();
const saved = [];
for (const link of await page.locator("a[href*='/csv']").all()) {
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  const [name] = /(requests|failures|exceptions|[^/]*)(?=\/csv)/.exec(await link.getAttribute("href"));
  await download.saveAs(`${downloads}/${name}.csv`);
  saved.push(name);
}
await tab("Failures");
const failures = await rows();
await said("stopped-again", { failures, saved, errors });
await browser.close();
