// Drives every page in a real browser and tells as JSON what it saw: node driven.cjs BASE TOKEN PROJECT SAMPLES
const { chromium } = require("playwright-core");
const fs = require("fs");
const http = require("http");
const path = require("path");

const [, , base, token, project, samples] = process.argv;
const home = `${base}/-/projects/${project}`;
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const told = { faults: [], dialogs: 0, errors: [] };

async function signedIn(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("dialog", async (dialog) => { told.dialogs += 1; await dialog.dismiss(); });
  page.on("pageerror", (error) => told.errors.push(error.message));
  await page.goto(base);
  await page.fill("#token", token);
  await page.click("button.primary");
  await page.waitForURL(`${base}/`);
  return { context, page };
}

async function examined(page, name) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => axe.run());
  for (const found of result.violations) {
    if (["serious", "critical"].includes(found.impact)) told.faults.push([name, found.id, found.nodes[0].html.slice(0, 100)]);
  }
  const wider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
  if (wider) told.faults.push([name, "wider than the window", page.url()]);
}

async function lookAtAll(browser) {
  // The script that examines is put into the page past its policy; the other flows keep it.
  const ways = { light: {}, dark: { colorScheme: "dark" }, phone: { viewport: { width: 360, height: 740 } } };
  for (const [name, options] of Object.entries(ways)) {
    const { context, page } = await signedIn(browser, { bypassCSP: true, ...options });
    await examined(page, `${name} /`);
    await page.goto(home);
    const files = await page.$$eval("tbody a", (all) => all.map((each) => each.href));
    for (const place of [...files, `${home}/findings`, `${home}/jobs`, `${home}/uploads`, `${home}/activity`, `${base}/-/projects/999999`]) {
      await page.goto(place);
      await examined(page, `${name} ${place.slice(base.length)}`);
    }
    await page.goto(`${home}/jobs`);
    await page.click("text=Browse");
    await examined(page, `${name} browse`);
    await page.click("text=Sign out");
    await page.waitForURL(/sign_in/);
    await examined(page, `${name} sign in`);
    await context.close();
  }
}

async function dropped(page, selector, name) {
  const bytes = [...fs.readFileSync(path.join(samples, name))];
  const transfer = await page.evaluateHandle(([given, called]) => {
    const found = new DataTransfer();
    found.items.add(new File([new Uint8Array(given)], called));
    return found;
  }, [bytes, name]);
  for (const event of ["dragenter", "dragover", "drop"]) await page.dispatchEvent(selector, event, { dataTransfer: transfer });
}

async function aFilesLife(browser) {
  const { context, page } = await signedIn(browser, { permissions: ["clipboard-read", "clipboard-write"], acceptDownloads: true });
  await page.goto(home);
  await dropped(page, ".drop", "distribution.p12");
  told.chosen = await page.$eval("#file", (input) => input.files[0].name);
  await page.click("form.upload button.primary");
  await page.waitForURL(/done=uploaded/);
  told.uploaded = await page.textContent(".said");
  told.locked = await page.textContent(".verdict");
  await page.fill("#try", "sample");
  await page.click("text=Read it");
  await page.waitForURL(/done=read/);
  told.read = await page.textContent(".verdict");
  await page.click("button.copy >> nth=0");
  told.copied = await page.evaluate(() => navigator.clipboard.readText());
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download")]);
  told.same = fs.readFileSync(await download.path()).equals(fs.readFileSync(path.join(samples, "distribution.p12")));
  await page.click("summary:has-text('Replace')");
  await page.setInputFiles("form.upload input[type=file]", path.join(samples, "sample.cer"));
  await page.click("button:has-text('Replace')");
  await page.waitForURL(/done=replaced/);
  told.replaced = await page.textContent("dl.facts dd");
  await page.click("summary:has-text('Delete')");
  await page.click("text=Yes, delete it");
  await page.waitForURL(/done=deleted/);
  told.deleted = (await page.textContent("main")).includes("distribution.p12");
  await page.setInputFiles("#file", path.join(samples, "sample.cer"));
  await page.fill("#name", "taken.cer");
  await page.click("form.upload button.primary");
  await page.waitForSelector("form.upload .problem");
  told.taken = await page.textContent("form.upload .problem");
  await context.close();
}

async function byKeyboard(browser) {
  const { context, page } = await signedIn(browser);
  await page.keyboard.press("Tab");
  told.first = await page.evaluate(() => document.activeElement.textContent);
  const reached = new Set();
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement.getAttribute("href") || document.activeElement.tagName));
  }
  told.reached = [...reached];
  await context.close();
}

async function hostile(browser) {
  const { context, page } = await signedIn(browser, { acceptDownloads: true });
  await page.goto(home);
  for (const name of ["evil.svg", "evil.html"]) {
    const href = await page.getAttribute(`a:has(bdi:text-is("${name}"))`, "href");
    const [download] = await Promise.all([
      page.waitForEvent("download"), page.goto(`${base}${href}/download`).catch(() => null),
    ]);
    told[name] = download.suggestedFilename();
    await page.goto(home);
  }
  await page.goto(`${home}/jobs`);
  await page.click("text=Browse");
  const entry = await page.getAttribute("a:has(bdi:text-is('evil.html'))", "href");
  await Promise.all([page.waitForEvent("download"), page.goto(base + entry).catch(() => null)]);
  told.ran = await page.evaluate(() => "hacked" in window);

  const victim = await page.context().newPage();
  await victim.goto(home);
  const form = (await victim.getAttribute("a:has(bdi:text-is('taken.cer'))", "href")) + "/delete";
  const evil = http.createServer((_, answer) => {
    answer.setHeader("Content-Type", "text/html");
    answer.end(`<form method=post action="${base}${form}"></form><script>document.forms[0].submit()</script>`);
  });
  await new Promise((done) => evil.listen(0, "127.0.0.1", done));
  await victim.goto(`http://127.0.0.1:${evil.address().port}/`);
  await victim.waitForURL(/delete/);
  told.forged = await victim.textContent(".problem");
  evil.close();
  await context.close();
}

async function stolen(browser) {
  const { context, page } = await signedIn(browser);
  const cookies = await context.cookies();
  await page.click("text=Sign out");
  await page.waitForURL(/sign_in/);
  const thief = await browser.newContext();
  await thief.addCookies(cookies);
  const theirs = await thief.newPage();
  await theirs.goto(home);
  told.stolen = theirs.url().slice(base.length);
  await thief.close();
  await context.close();
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
  });
  try {
    for (const flow of [lookAtAll, aFilesLife, byKeyboard, hostile, stolen]) await flow(browser);
  } finally {
    await browser.close();
  }
  process.stdout.write(JSON.stringify(told));
})().catch((error) => { process.stderr.write(`${error.stack}\n${JSON.stringify(told)}\n`); process.exit(1); });
