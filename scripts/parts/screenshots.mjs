// Takes a picture of the head of an HTML report in both themes.
//   node screenshots.mjs BROWSER PAGE FOLDER      FOLDER/report-light.png, FOLDER/report-dark.png
import { chromium } from "playwright-core";

const [executablePath, page, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const colorScheme of ["light", "dark"]) {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1240, height: 1560 } });
  const tab = await context.newPage();
  await tab.goto(`file://${page}`);
  // The crosshair shows that the charts can be read.
  const plot = tab.locator(".plot").first();
  await plot.focus();
  for (let step = 0; step < 12; step += 1) await tab.keyboard.press("ArrowRight");
  await tab.evaluate(() => window.scrollTo(0, 0));
  await tab.screenshot({ path: `${folder}/report-${colorScheme}.png` });
  await context.close();
}
await browser.close();
