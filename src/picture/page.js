"use strict";
// Shows one step at a time; everything else is already in the page.
const all = (s, of = document) => [...of.querySelectorAll(s)];
const slider = document.getElementById("slider"), count = document.getElementById("count"), tip = document.getElementById("tip");
const stage = document.querySelector(".stage"), play = document.getElementById("play");
const frames = all(".frame"), details = all(".detail"), tables = all(".messages"), steps = all(".step");
let now = 0, to = "all", timer = 0;

function inView(box, item) {
    const b = box.getBoundingClientRect(), i = item.getBoundingClientRect();
    if (i.top < b.top + 8 || i.bottom > b.bottom - 8) box.scrollTop += i.top - b.top - b.height / 3;
}

function filter() {
    for (const x of all("[data-to]")) x.classList.toggle("off", to !== "all" && x.dataset.to !== to);
    for (const b of all(".ranks button")) b.setAttribute("aria-pressed", b.dataset.rank === to);
}

function show(k) {
    if (!steps.length) return;
    now = Math.max(0, Math.min(steps.length - 1, k));
    light(null);
    for (const list of [frames, details, tables]) list.forEach((x, i) => x.classList.toggle("now", i === now));
    steps.forEach((s, i) => (i === now ? s.setAttribute("aria-current", "step") : s.removeAttribute("aria-current")));
    slider.value = now;
    slider.setAttribute("aria-valuetext", `step ${now + 1} of ${steps.length}: ${steps[now].querySelector("span").textContent}`);
    count.textContent = `${now + 1} of ${steps.length}`;
    all(".source .now").forEach((l) => l.classList.remove("now"));
    const line = document.getElementById("L" + steps[now].dataset.line);
    if (line) {
        line.classList.add("now");
        inView(document.querySelector(".source"), line);
    }
    inView(document.querySelector(".steps"), steps[now]);
    history.replaceState?.(null, "", "#" + (now + 1));
}

function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
}

function toggle() {
    if (timer) return stop();
    if (now === steps.length - 1) show(0);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => (now === steps.length - 1 ? stop() : show(now + 1)), 1400);
}

// A message and its row of the table light up together.
function light(message) {
    stage.classList.toggle("lit", !!message);
    all(".lit", stage).forEach((x) => x.classList.remove("lit"));
    tip.hidden = !message;
    if (!message) return;
    message.classList.add("lit");
    const k = all(".message", frames[now]).indexOf(message);
    all("tbody tr", tables[now])[k]?.classList.add("lit");
    tip.textContent = message.dataset.text;
}

slider.addEventListener("input", () => { stop(); show(+slider.value); });
document.getElementById("back").addEventListener("click", () => { stop(); show(now - 1); });
document.getElementById("next").addEventListener("click", () => { stop(); show(now + 1); });
play.addEventListener("click", toggle);
steps.forEach((s, i) => s.addEventListener("click", () => { stop(); show(i); }));
for (const b of all(".ranks button")) b.addEventListener("click", () => { to = b.dataset.rank; filter(); });
for (const m of all(".message")) {
    m.querySelector("title")?.remove();
    m.setAttribute("aria-label", m.dataset.text);
    m.addEventListener("mouseenter", () => light(m));
    m.addEventListener("mousemove", (e) => {
        tip.style.left = Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
        tip.style.top = Math.min(e.clientY + 16, innerHeight - tip.offsetHeight - 8) + "px";
    });
    m.addEventListener("mouseleave", () => light(null));
}
tables.forEach((d, f) => all("tbody tr", d).forEach((row, k) => {
    const message = () => all(".message", frames[f])[k];
    row.addEventListener("mouseenter", () => { if (message()) { light(message()); tip.hidden = true; } });
    row.addEventListener("mouseleave", () => light(null));
}));
addEventListener("keydown", (e) => {
    if (e.target === slider || e.ctrlKey || e.metaKey || e.altKey) return;
    const go = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: steps.length - 1 }[e.key];
    if (go !== undefined) { e.preventDefault(); stop(); show(go); }
    if (e.key === " " && e.target === document.body) { e.preventDefault(); toggle(); }
});
show((parseInt(location.hash.slice(1)) || 1) - 1);
filter();
