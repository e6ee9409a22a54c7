// Opens pages of the HTML report in a browser and checks what only a browser can tell.
//   node page.mjs BROWSER FOLDER SHOTS NAME...      FOLDER/NAME.html for each name
import { chromium } from "playwright-core";

const [executablePath, folder, shots, ...names] = process.argv.slice(2);
const widths = [400, 1000, 2000];
let checks = 0;
const failures = [];
const check = (page, what, holds, found = "") => {
  checks += 1;
  if (!holds) failures.push(`${page}: ${what}${found === "" ? "" : `: ${found}`}`);
};

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

// A page that must neither complain nor ask for anything.
const open = async (name, options) => {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.on("console", (message) => check(name, `console ${message.type()}`, false, message.text()));
  page.on("pageerror", (error) => check(name, "script error", false, error.message));
  page.on("request", (request) => {
    const isOwn = /^(file|data|blob):/.test(request.url());
    check(name, "a request leaves the page", isOwn, request.url().slice(0, 80));
  });
  await page.goto(`file://${folder}/${name}.html`);
  return { context, page };
};

// What the legend and the line below it show of a chart.
const shown = (plot) =>
  plot.evaluate((element) => {
    const chart = element.closest(".chart");
    const texts = (selector) => [...chart.querySelectorAll(selector)].map((found) => found.textContent);
    return {
      id: chart.id,
      values: texts(".legend b"),
      place: texts("output")[0],
      cross: !chart.querySelector(".cross").hidden,
      said: document.getElementById("said").textContent,
    };
  });

const hover = async (name, page) => {
  for (const plot of await page.locator(".plot").all()) {
    await plot.scrollIntoViewIfNeeded();
    const box = await plot.boundingBox();
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.6);
    const found = await shown(plot);
    check(name, `hovering over ${found.id} shows a place`, found.cross && found.place !== "", JSON.stringify(found));
    const isEmpty = found.values.length > 0 && found.values.every((value) => value === "");
    check(name, `hovering over ${found.id} shows values`, !isEmpty, JSON.stringify(found));
    await page.mouse.move(1, 1);
    check(name, `leaving ${found.id} hides the crosshair`, !(await shown(plot)).cross);
  }
};

const keys = async (name, page) => {
  for (const plot of await page.locator(".plot").all()) {
    await plot.focus();
    const said = [];
    for (const key of ["Home", "ArrowRight", "PageUp", "PageDown", "End", "ArrowLeft"]) {
      await page.keyboard.press(key);
      said.push((await shown(plot)).said);
    }
    const { id } = await shown(plot);
    const [home, right, up, down, end, left] = said;
    check(name, `every key in ${id} is answered`, said.every((text) => text !== ""), JSON.stringify(said));
    const points = new Set(said).size;
    check(name, `Home and PageDown in ${id}: back to the second point`, down === right || points < 4, `${right} / ${down}`);
    check(name, `End and ArrowLeft in ${id} differ`, end !== left || points < 2, end);
    check(name, `Home and PageUp in ${id} differ`, home !== up || points < 2, home);
    await page.keyboard.press("Escape");
  }
};

// The values that the crosshair shows are those of the table behind the chart, text for text.
const table = async (name, page) => {
  const rows = await page.locator("#times tbody tr").evaluateAll((found) =>
    found.map((row) => [...row.children].map((cell) => cell.textContent)));
  const plot = page.locator("#times .plot");
  const names = await page.locator("#times .legend li span").allTextContents();
  const heads = await page.locator("#times thead th").allTextContents();
  await plot.focus();
  await page.keyboard.press("Home");
  for (const row of rows) {
    const found = await shown(plot);
    check(name, "the row's stretch", found.place === `${row[0]} to ${row[1]}`, `${found.place}, in the table ${row[0]}`);
    names.forEach((line, nth) => {
      const cell = row[heads.indexOf(line)];
      check(name, `${line} at ${found.place}`, found.values[nth] === cell, `${found.values[nth]}, in the table ${cell}`);
    });
    await page.keyboard.press("ArrowRight");
  }
};

// The heat map's own pixels: where it shows most requests, pointing at it says so.
const heat = async (name, page) => {
  const plot = page.locator("#heat .plot");
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  const found = new Set();
  for (let y = 0.02; y < 1; y += 0.03) {
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * y);
    found.add((await shown(plot)).place.replace(/.*: /, ""));
  }
  const counts = [...found].filter((text) => /^[\d,]+ (to [\d,]+ )?requests?$/.test(text));
  check(name, "the heat map says how many requests a band has", counts.length > 1, [...found].join(" | "));
  check(name, "every colour is known", ![...found].some((text) => text === ""), [...found].join(" | "));
};

for (const name of names) {
  for (const width of widths) {
    for (const colorScheme of ["light", "dark"]) {
      const { context, page } = await open(name, { viewport: { width, height: 1000 }, colorScheme });
      const size = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      check(name, `no horizontal scroll at ${width} pixels`, size[0] <= size[1], size.join(" > "));
      await page.screenshot({ path: `${shots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
      await context.close();
    }
  }
  const { context, page } = await open(name, { viewport: { width: 1000, height: 1000 } });
  await hover(name, page);
  await keys(name, page);
  if (name === "run") {
    await table(name, page);
    await heat(name, page);
  }
  if (await page.locator("#times").count()) {
    const plot = page.locator("#times .plot");
    await plot.scrollIntoViewIfNeeded();
    const box = await plot.boundingBox();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.5);
    await page.screenshot({ path: `${shots}/${name}-hover.png` });
  }
  if (await page.locator("a[download]").count()) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("a[download]")]);
    await download.saveAs(`${folder}/saved-${name}`);
  }
  const refused = await page.evaluate(() => new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
    const image = document.createElement("img");
    image.src = "file:///nowhere.png";
    document.body.append(image);
    setTimeout(() => resolve("nothing"), 2000);
  })).catch((error) => error.message);
  check(name, "the policy refuses what the page does not hold", refused === "img-src", refused);
  await context.close();

  const still = await open(name, { viewport: { width: 1000, height: 1000 }, javaScriptEnabled: false });
  const lines = await still.page.locator(".plot polyline").count();
  check(name, "charts without JavaScript", lines >= 5, `${lines} lines`);
  await still.page.emulateMedia({ media: "print", colorScheme: "dark" });
  await still.page.pdf({ path: `${shots}/${name}.pdf`, format: "A4" });
  await still.context.close();
}
await browser.close();
// The violation above is provoked, and its message is the only one that is allowed.
const real = failures.filter((text) => !/nowhere\.png/.test(text));
real.forEach((text) => console.log(`FAILED: ${text}`));
console.log(`${checks} checks in the browser, ${real.length} failed`);
process.exit(real.length === 0 ? 0 : 1);
