// Opens the live page of a run in a browser and checks what only a browser can tell.
//   node web.mjs BROWSER URL SHOTS      URL with its token; the run is drained
import { chromium } from "playwright-core";

const [executablePath, url, shots] = process.argv.slice(2);
let checks = 0;
const failures = [];
const check = (what, holds, found = "") => {
  checks += 1;
  if (!holds) failures.push(`${what}${found === "" ? "" : `: ${found}`}`);
};
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const open = async (address, options) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (message) => check(`console ${message.type()}`, false, message.text()));
  page.on("pageerror", (error) => check("script error", false, error.message));
  page.on("request", (request) => {
    const isOwn = request.url().startsWith(new URL(url).origin) || /^(data|blob):/.test(request.url());
    check("a request leaves the server", isOwn, request.url().slice(0, 80));
  });
  await page.goto(address);
  return page;
};
const number = async (page, nth) =>
  Number((await page.locator("#numbers dd").nth(2 * nth).textContent()).replace(/[^\d.]/g, ""));

const page = await open(url, { viewport: { width: 1000, height: 1000 } });
await page.waitForSelector("#place-numbers dd", { timeout: 20000 });
await page.waitForSelector("#rates .plot polyline", { timeout: 20000 });
const before = await number(page, 0);
const plot = page.locator("#times .plot");
await plot.focus();
await page.keyboard.press("End");
const grown = async () => {
  for (let turn = 0; turn < 100; turn += 1) {
    if ((await number(page, 0)) > before) return true;
    await page.waitForTimeout(200);
  }
  return false;
};
check("the requests grow", await grown(), `${before}, then ${await number(page, 0)}`);
check("state says live", /live: \d+ s/.test(await page.textContent("#state")), await page.textContent("#state"));
check("the verdict says that it runs", /Running: /.test(await page.textContent("#verdict h2")));
check("a chart that is replaced keeps the focus", await plot.evaluate((element) => element === document.activeElement));
check("and its crosshair", !(await page.locator("#times .cross").evaluate((element) => element.hidden)));
check("and its values", (await page.locator("#times .legend b").first().textContent()) !== "");
await page.fill("#level", "33");
await page.click("#control button[type=submit]");
await page.waitForFunction(() => /33 users asked for/.test(document.getElementById("answer").textContent));
await page.waitForFunction(() => /33 users/.test(document.getElementById("state").textContent), null, { timeout: 20000 });
checks += 2;
for (const [width, colorScheme] of [[400, "light"], [1000, "dark"], [2000, "light"]]) {
  const other = await open(url.split("#")[0], { viewport: { width, height: 1000 }, colorScheme });
  await other.waitForSelector("#rates .plot polyline", { timeout: 20000 });
  const size = await other.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  check(`no horizontal scroll at ${width} pixels`, size[0] <= size[1], size.join(" > "));
  check("no order without the token", await other.locator("#drain").isDisabled());
  await other.screenshot({ path: `${shots}/live-${width}-${colorScheme}.png`, fullPage: true });
  await other.context().close();
}
await page.click("#drain");
await page.waitForFunction(() => document.getElementById("state").textContent === "the run is over", null, { timeout: 30000 });
check("the final verdict", !/Running/.test(await page.textContent("#verdict h2")), await page.textContent("#verdict h2"));
check("the buttons are off", await page.locator("#drain").isDisabled());
await page.screenshot({ path: `${shots}/live-over.png`, fullPage: true });
await browser.close();
failures.forEach((text) => console.log(`FAILED: ${text}`));
console.log(`${checks} checks in the browser, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
