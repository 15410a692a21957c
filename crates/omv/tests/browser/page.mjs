// The page of `omv serve` in a real browser, with a virtual camera behind it.
//
//     OMV_BIN=target/debug/omv OMV_CHROMIUM=/usr/bin/chromium OMV_PLAYWRIGHT=FOLDER node page.mjs
//
// `cargo xtask test browser` installs the browser and what drives it, and runs this.

import { spawn, spawnSync } from "node:child_process";
import { createServer, request } from "node:http";
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { chromium } = createRequire(path.join(process.env.OMV_PLAYWRIGHT, "x.js"))("playwright-core");
const shots = process.env.OMV_SHOTS;
if (shots) mkdirSync(shots, { recursive: true });

// A virtual camera without an interpreter does what the comments say.
const STREAM = `# omv-sim: print pictures follow
# omv-sim: loop
# omv-sim: frame 320 240
# omv-sim: repeat
import sensor
sensor.reset()
sensor.set_pixformat(sensor.RGB565)
sensor.set_framesize(sensor.QVGA)
print("pictures follow")
while True:
    sensor.snapshot()
`;
const ENDLESS = `# omv-sim: loop
# omv-sim: print round
# omv-sim: wait 1
# omv-sim: repeat
n = 0
while True:
    n += 1
    if n % 1000 == 0:
        print("round", n)
`;
const RAISES = `# omv-sim: raise ZeroDivisionError divide by zero
def share(cake, people):
    return cake // people

share(1, 0)
`;
const EVIL = `# omv-sim: print \x1b[31mred<img src=x onerror=alert(1)>\x1b]0;t\x07 end
print("\\x1b[31mred<img src=x onerror=alert(1)>\\x1b]0;t\\x07 end")
`;

/** A server with a camera of its own; ends with the test. */
async function serve(...camera) {
  const child = spawn(process.env.OMV_BIN, ["serve", ...camera, "--json"], { stdio: ["ignore", "pipe", "inherit"], cwd: process.env.OMV_DESK });
  const line = await new Promise((done, failed) => {
    let text = "";
    child.stdout.on("data", (bytes) => { text += bytes; if (text.includes("\n")) done(text.split("\n")[0]); });
    child.on("exit", (code) => failed(new Error(`omv serve ended with ${code}: ${text}`)));
  });
  const place = JSON.parse(line);
  if (place.event !== "serving") throw new Error(line);
  return { ...place, end: () => new Promise((done) => { child.removeAllListeners("exit"); child.on("exit", done); child.kill("SIGINT"); }) };
}

/** One request without a browser. */
function get(place, target, headers = {}, method = "GET") {
  const [host, port] = place.address.split(":");
  return new Promise((done, failed) => {
    const asked = request({ host, port, path: target, method, headers: { Host: place.address, ...headers } }, (answer) => {
      let body = "";
      answer.setEncoding("latin1");
      answer.on("data", (text) => { body += text; });
      answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, body }));
    });
    asked.on("error", failed);
    asked.end();
  });
}

async function until(what, limit, look) {
  const begun = Date.now();
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() - begun > limit) throw new Error(`waited ${limit} ms for: ${what}`);
    await sleep(20);
  }
}

function check(truth, what) {
  if (!truth) throw new Error(what);
}

const said = (page) => page.textContent("#console");
const state = (page) => page.textContent("#state");
const sequence = (page) => page.evaluate(() => Number(document.getElementById("picture").dataset.sequence || 0));

async function run(page, script) {
  await page.fill("#code", script);
  await page.click("#run");
}

async function shot(page, name) {
  if (shots) await page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
}

/** The frame number that the test card carries in its uppermost eighth, read from the canvas: 20
 *  cells, white is 1: one, zero, sixteen bits from the highest, parity, zero. */
function counter(page) {
  return page.evaluate(() => {
    const canvas = document.getElementById("picture");
    const { width, height } = canvas;
    const row = canvas.getContext("2d").getImageData(0, Math.floor(height / 16), width, 1).data;
    const cells = [...Array(20).keys()].map((cell) => row[4 * Math.floor((2 * cell + 1) * width / 40)] > 127);
    const bits = cells.slice(2, 18);
    const parity = bits.filter(Boolean).length % 2 === 1;
    const good = cells[0] && !cells[1] && cells[18] === parity && !cells[19];
    return good ? bits.reduce((sum, bit) => sum * 2 + Number(bit), 0) : null;
  });
}

const browser = await chromium.launch({ executablePath: process.env.OMV_CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const tests = [];
/** What a test started and what ends with all of them. */
const leftovers = [];
const test = (name, work) => tests.push({ name, work });
const place = await serve("-c", process.env.OMV_TEST_CAMERA || "sim:rt1062,firmware=5.0.0", "--capture", "set");
const asked = [];
const complaints = [];
async function open(options = {}, there = place) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("request", (one) => asked.push(one.url()));
  // The browser notes answers of 400, too: a test asks for some.
  page.on("console", (line) => {
    const { pathname } = new URL(line.location().url || "none:");
    // A camera that is just being left has no channels.
    const expected = pathname === "/api/capture" || pathname === "/api/channels" && line.text().includes("503");
    if (line.type() === "error" && !expected) complaints.push(`${line.text()} ${pathname}`);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(there.page);
  if (there === place) await until("the camera is there", 10_000, async () => ["ready", "script runs"].includes(await state(page)));
  return page;
}

const first = await open();

test("the page opens with a camera that is ready, and says which it is", async () => {
  check((await first.textContent("#who")).includes("RT1062"), await first.textContent("#who"));
  await shot(first, "desktop-empty");
});

test("the picture moves, and its frame numbers only go up", async () => {
  await run(first, STREAM);
  await until("a first picture", 10_000, () => sequence(first));
  const seen = [];
  await until("20 different pictures", 20_000, async () => {
    const number = await counter(first);
    if (number !== null && number !== seen.at(-1)) seen.push(number);
    return seen.length >= 20;
  });
  check(seen.every((number, at) => at === 0 || number > seen[at - 1]), `not in order: ${seen}`);
});

test("console text arrives", async () => {
  await until("text", 5_000, async () => (await said(first)).includes("pictures follow"));
  await until("numbers", 5_000, async () => /[1-9][\d.]* frames\/s/.test(await first.textContent("#fps-text")));
  await sleep(1500);
  await shot(first, "desktop-run");
});

test("two pages at once see the same camera", async () => {
  const second = await open({ viewport: { width: 400, height: 800 }, colorScheme: "dark" });
  const [a, b] = [await sequence(first), await sequence(second)];
  await until("both pages move", 10_000, async () => (await sequence(first)) > a + 5 && (await sequence(second)) > b + 5);
  const wide = await second.evaluate(() => document.documentElement.scrollWidth);
  check(wide <= 400, `the page is ${wide} pixels wide at 400`);
  await shot(second, "narrow-run");
  await second.context().close();
});

/** Frames a second that the first page is told, averaged over some seconds. */
async function rate(seconds) {
  const values = [];
  for (let i = 0; i < seconds; i++) {
    await sleep(1050);
    values.push(parseFloat(await first.textContent("#fps-text")));
  }
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test("a viewer that reads nothing and a page that draws nothing do not slow the camera", async () => {
  const before = await rate(3);
  const [host, port] = place.address.split(":");
  const stalled = connect(Number(port), host);
  stalled.pause();
  stalled.write(`GET /stream.mjpg?token=${place.token} HTTP/1.1\r\nHost: ${place.address}\r\n\r\n`);
  const slow = await open();
  await slow.evaluate(() => {
    const real = window.createImageBitmap;
    window.createImageBitmap = async (blob) => { await new Promise((done) => setTimeout(done, 500)); return real(blob); };
  });
  const during = await rate(4);
  stalled.destroy();
  await slow.context().close();
  check(during > 0.7 * before, `${before.toFixed(1)} frames/s before, ${during.toFixed(1)} during`);
  console.log(`    ${before.toFixed(1)} frames/s before, ${during.toFixed(1)} during`);
});

test("Stop ends an endless loop within a second", async () => {
  await first.click("#stop");
  await run(first, ENDLESS);
  await until("the loop prints", 10_000, async () => (await said(first)).includes("round"));
  const begun = Date.now();
  await first.click("#stop");
  await until("stopped", 5_000, async () => (await state(first)) === "ready");
  const took = Date.now() - begun;
  check(took < 1000, `it took ${took} ms`);
  console.log(`    ${took} ms`);
});

test("a script with an exception shows its traceback, and the line is marked", async () => {
  await run(first, RAISES);
  await until("a traceback", 10_000, async () => /ZeroDivisionError[\s\S]*raised ZeroDivisionError/.test(await said(first)));
  // Where it happened: line 1 for a camera without an interpreter, else 3 or, in module order, 5.
  check(["1", "3", "5"].includes(await first.textContent("#lines .wrong")), "no line is marked");
  await shot(first, "desktop-error");
  const narrow = await open({ viewport: { width: 400, height: 800 } });
  await until("what was said before", 5_000, async () => (await said(narrow)).includes("ZeroDivisionError"));
  await shot(narrow, "narrow-error");
  await narrow.context().close();
});

test("escape sequences of a script do nothing to the page", async () => {
  await run(first, EVIL);
  await until("the text", 10_000, async () => (await said(first)).includes("red<img src=x onerror=alert(1)> end"));
});

test("a snapshot is a JPEG and a film is recorded", async () => {
  await run(first, STREAM);
  const now = await sequence(first);
  await until("pictures", 10_000, async () => (await sequence(first)) > now + 3);
  const [download] = await Promise.all([first.waitForEvent("download"), first.click("#snap")]);
  check((await download.path()).length > 0, "a file");
  await first.click("#record");
  await until("recording", 5_000, async () => (await first.getAttribute("#record", "aria-pressed")) === "true");
  await sleep(1000);
  await first.click("#record");
  await until("a film", 5_000, async () => /\.avi: [1-9]\d* pictures/.test(await first.textContent("#film")));
});

test("pictures for training are kept under their label, by button and by key, and look-alikes are not", async () => {
  const set = path.join(process.env.OMV_DESK, "set");
  const label = "toy_" + Date.now() % 1000;
  const kept = () => readdirSync(set, { recursive: true }).filter((name) => name.endsWith(".jpg"));
  check(!existsSync(set), "nothing is made before the first picture");
  // Without a label the field asks for one.
  await first.click("#keep");
  check(await first.evaluate(() => document.activeElement.id) === "label", "the label is asked for");
  for (const bad of ["../evil", "a/b", "<b>"]) {
    await first.fill("#label", bad);
    await first.click("#keep");
    await until(`a refusal of ${bad}`, 5_000, async () => (await first.textContent("#notice")).includes("cannot be a label"));
    check(!existsSync(set), `${bad} made a folder`);
  }
  await first.fill("#label", label);
  await first.press("#label", "Enter");
  await until("a picture", 5_000, async () => (await first.textContent("#kept")) === `00001.${label}.class/00001.jpg`);
  check(await first.textContent("#notice") === "", "the refusal is gone");
  const picture = readFileSync(path.join(set, `00001.${label}.class`, "00001.jpg"));
  check(picture[0] === 0xFF && picture[1] === 0xD8, "a JPEG");
  check(readFileSync(path.join(set, "labels.txt"), "utf8") === `${label}\n`, "the label is listed");
  // The next picture may look like the first, or not: either way the page says which, and the folder agrees.
  for (const press of [() => first.click("#keep"), () => first.press("#view", "c")]) {
    const before = kept().length;
    await first.evaluate(() => { document.getElementById("kept").textContent = ""; });
    await press();
    const said = await until("an answer", 5_000, () => first.textContent("#kept"));
    check(/^left out, it looks like 00001/.test(said) ? kept().length === before : kept().length === before + 1, `${said}: ${kept()}`);
  }
  // In a text field, C is a letter.
  const before = kept().length;
  await first.press("#label", "c");
  const value = await first.inputValue("#label");
  check(value.length === label.length + 1 && value.includes("c") && kept().length === before, `c is a letter in the label: ${value}`);
  await shot(first, "desktop-capture");
  const narrow = await open({ viewport: { width: 400, height: 800 } });
  await until("the button", 5_000, () => narrow.isVisible("#keep"));
  check(await narrow.evaluate(() => document.documentElement.scrollWidth) <= 400, "too wide at 400");
  await narrow.fill("#label", label);
  await shot(narrow, "narrow-capture");
  await narrow.context().close();
});

test("the page turns from one of two cameras to the other, and old firmware is shown like new", async () => {
  const sim = (...words) => {
    const child = spawn(process.env.OMV_BIN, ["sim", ...words], { stdio: "ignore", cwd: process.env.OMV_DESK });
    return () => new Promise((done) => { child.on("exit", done); child.kill("SIGTERM"); });
  };
  const ends = [sim("rt1062,firmware=4.5.2", "--name", "old"), sim("rt1062,firmware=5.0.0", "--name", "new")];
  leftovers.push(...ends);
  // With one of them alone there would be nothing to choose.
  const listed = () => spawnSync(process.env.OMV_BIN, ["list"], { cwd: process.env.OMV_DESK, encoding: "utf8" }).stdout;
  await until("both cameras run", 20_000, () => ["old", "new"].every((name) => new RegExp(`running.*${name} `).test(listed())));
  const both = await serve();
  leftovers.push(both.end);
  const page = await open({}, both);
  const use = async (name, firmware) => {
    await until(`a button for ${name}`, 20_000, () => page.locator(`#cameras li:has-text("${name}") button`).count());
    await page.click(`#cameras li:has-text("${name}") button`);
    await until(`firmware ${firmware}`, 10_000, async () => (await page.textContent("#who")).includes(`firmware ${firmware}`));
    await until("ready", 10_000, async () => ["ready", "script runs"].includes(await state(page)));
    await until("its mark in the list", 5_000, async () => (await page.textContent("#cameras .used")).includes(name));
  };
  check(/several|more than one/i.test(await until("why there is none", 20_000, async () => {
    const empty = await page.textContent("#empty");
    return (await state(page)) === "no camera" && /several|more than one/i.test(empty) && empty;
  })), "it says that there are several");
  await shot(page, "two-cameras");
  check(!(await page.isVisible("#keep")), "no folder was named: no button");
  for (const [name, firmware] of [["old", "4.5.2"], ["new", "5.0.0"], ["old", "4.5.2"]]) {
    await use(name, firmware);
    const last = await sequence(page);
    await run(page, STREAM);
    const seen = [];
    await until(`5 different pictures of ${name}`, 20_000, async () => {
      const number = (await sequence(page)) > last && await counter(page);
      if (number && number !== seen.at(-1)) seen.push(number);
      return seen.length >= 5;
    });
    check(seen.every((number, at) => at === 0 || number > seen[at - 1]), `not in order: ${seen}`);
    await until("text", 5_000, async () => (await said(page)).includes("pictures follow"));
    await page.click("#stop");
    await until("stopped", 5_000, async () => (await state(page)) === "ready");
    await page.click("#clear");
  }
  await run(page, RAISES);
  await until("a traceback of old firmware", 10_000, async () => /raised ZeroDivisionError/.test(await said(page)));
  await shot(page, "old-firmware");
  await page.context().close();
});

const CONTROLS = `from protocol import CBORChannel
import protocol, time
def on_write(channel, name, value):
    print("set", name, repr(value))
controls = CBORChannel(on_write=on_write)
controls.add("gain", type="slider", value=4, max=24, unit="dB")
controls.add("mirror", type="toggle")
controls.add("mode", type="select", value="fast", options=["fast", "slow"])
controls.add("<b>temp</b>", type="label", unit="Cel")
protocol.register(name="my controls", backend=controls)
n = 0
while True:
    n += 1
    controls["<b>temp</b>"] = n
    time.sleep_ms(50)
`;

test("controls of a script are shown when they are opened, and set", async () => {
  process.env.OMV_INTERPRETER = path.join(process.env.OMV_JUDGES, "micropython.wasm");
  const there = await serve("-c", "sim:rt1062,firmware=5.0.0");
  delete process.env.OMV_INTERPRETER;
  leftovers.push(there.end);
  const page = await open({ viewport: { width: 400, height: 800 } }, there);
  await until("the camera is there", 20_000, async () => ["ready", "script runs"].includes(await state(page)));
  check(!(await page.isVisible("#channels")), "channels without a script");
  await run(page, CONTROLS);
  await page.click("summary:has-text(\"my controls\")", { timeout: 10_000 });
  const field = (name) => page.locator(`.field[data-name="${name}"]`);
  await until("the fields", 10_000, async () => (await page.locator(".field").count()) === 4);
  check((await field("gain").locator("input").inputValue()) === "4", "the slider is not where it should be");
  await field("gain").locator("input").fill("7");
  await field("mirror").locator("input").check();
  await field("mode").locator("select").selectOption("slow");
  await until("what was set", 10_000, async () => /gain 7[\s\S]*mirror True[\s\S]*mode 'slow'/.test(await said(page)));
  const before = await field("<b>temp</b>").textContent();
  await until("a value that moves", 10_000, async () => (await field("<b>temp</b>").textContent()) !== before);
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "wider than the window");
  await shot(page, "controls-400");
  // What is closed is not read, so that nothing is asked of a script that is gone.
  await page.click("summary:has-text(\"my controls\")");
  await sleep(1200);
  await page.click("#stop");
  await until("no channels any more", 10_000, async () => !(await page.isVisible("#channels")));
  await page.context().close();
});

test("without the token nothing opens", async () => {
  for (const target of ["/", "/stream.mjpg", "/frame.jpg", "/events", "/ws", "/api/state", "/?token=0123456789abcdef0123456789abcdef"]) {
    const answer = await get(place, target);
    check(answer.status === 401, `${target}: ${answer.status}`);
    check(!answer.body.includes("<html"), `${target} shows the page`);
  }
  const answer = await get(place, "/api/stop", {}, "POST");
  check(answer.status === 401, `POST: ${answer.status}`);
});

test("a name of somebody else that points here is refused (DNS rebinding)", async () => {
  const answer = await get(place, `/?token=${place.token}`, { Host: "evil.example:80" });
  check(answer.status === 421, String(answer.status));
});

test("another site can neither see nor do anything, even with the token", async () => {
  const other = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end("<title>other</title>"));
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  const page = await (await browser.newContext()).newPage();
  await page.goto(`http://localhost:${other.address().port}/`);
  const came = await page.evaluate(async ({ address, token }) => {
    const url = (target) => `http://${address}${target}?token=${token}`;
    const fetched = await fetch(url("/api/state")).then(() => "read", () => "refused");
    const posted = await fetch(url("/api/stop"), { method: "POST", mode: "no-cors" }).then((answer) => answer.type, () => "refused");
    const image = await new Promise((done) => { const i = new Image(); i.onload = () => done("seen"); i.onerror = () => done("refused"); i.src = url("/frame.jpg"); });
    const socket = await new Promise((done) => { const s = new WebSocket(`ws://${address}/ws?token=${token}`); s.onopen = () => done("open"); s.onerror = () => done("refused"); });
    return { fetched, posted, image, socket };
  }, { address: place.address, token: place.token });
  other.close();
  check(came.fetched === "refused" && came.image === "refused" && came.socket === "refused", JSON.stringify(came));
  const runs = JSON.parse((await get(place, `/api/state?token=${place.token}`)).body);
  check(runs.script_runs, "the script was stopped from another site");
  for (const headers of [{ Origin: "http://evil.example" }, { "Sec-Fetch-Site": "cross-site" }]) {
    const answer = await get(place, `/api/stop?token=${place.token}`, headers, "POST");
    check(answer.status === 403, String(answer.status));
  }
  const answer = await get(place, `/api/state?token=${place.token}`);
  check(!("access-control-allow-origin" in answer.headers), "no CORS");
  await page.context().close();
});

test("the page asks for nothing elsewhere and has nothing to complain about", async () => {
  const foreign = asked.filter((url) => !/^http:\/\/127\.0\.0\.1:\d+\//.test(url) && !/^(data|blob):/.test(url));
  check(foreign.length === 0, `asked elsewhere: ${foreign}`);
  check(complaints.length === 0, `complaints: ${complaints.join(" | ")}`);
});

let failed = 0;
for (const { name, work } of tests) {
  const begun = Date.now();
  try {
    await Promise.race([work(), sleep(60_000).then(() => { throw new Error("took longer than a minute"); })]);
    console.log(`test ${name} ... ok (${Date.now() - begun} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`test ${name} ... FAILED: ${error.message}`);
    await shot(first, `failed-${failed}`);
  }
}
await browser.close();
await Promise.all([place.end, ...leftovers].map((end) => end()));
console.log(`test result: ${failed ? "FAILED" : "ok"}. ${tests.length - failed} passed; ${failed} failed;`);
process.exit(failed ? 1 : 0);
