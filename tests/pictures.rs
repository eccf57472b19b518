//! `mgpu plan --html` and `--svg`: what stands in them, and how the page behaves in a browser where one is found.

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Run;

fn draw(example: &str, ranks: usize, dir: &Path) -> (String, String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{example}.mgpu"));
    let args =
        ["plan", &file.display().to_string(), "-n", &ranks.to_string(), "--html", "plan.html", "--svg", "plan.svg"];
    let got = run_in(&args, dir);
    assert_eq!((got.exit, got.err.as_str()), (0, ""), "{example}");
    let text = |name: &str| String::from_utf8(got.files[name].clone()).unwrap();
    (text("plan.html"), text("plan.svg"))
}

fn run_in(args: &[&str], dir: &Path) -> Run {
    support::run_command(Command::new(support::MGPU).args(args).current_dir(dir), dir)
}

/// How often a text stands in another.
fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn pictures_of_all_examples_are_whole_and_need_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|e| Some(e.unwrap().file_name().to_string_lossy().strip_suffix(".mgpu")?.to_string()))
        .collect();
    names.sort();
    for name in &names {
        for ranks in [1, 4, 7] {
            let (page, figure) = draw(name, ranks, dir.path());
            for text in [&page, &figure] {
                for tag in ["svg", "g", "defs", "title", "desc", "style"] {
                    let opened = count(text, &format!("<{tag}>")) + count(text, &format!("<{tag} "));
                    assert_eq!(opened, count(text, &format!("</{tag}>")), "{tag} in {name} on {ranks}");
                }
                assert!(!text.contains("NaN") && !text.contains("inf\""), "{name} on {ranks}");
            }
            for outside in ["src=", "href=", "@import", "fetch("] {
                assert!(!page.contains(outside), "{name}: the page reaches outside by {outside}");
            }
            assert_eq!(count(&page, "class=\"frame\""), count(&page, "class=\"step "), "{name} on {ranks}");
        }
    }
}

#[test]
fn the_figure_shows_owners_and_the_largest_exchange() {
    let dir = tempfile::tempdir().unwrap();
    let (_, svg) = draw("05_heat", 4, dir.path());
    assert!(svg.contains("05_heat.mgpu on 4 ranks, line 31: 8 messages, 8192 B"), "{}", &svg[..600]);
    assert_eq!(count(&svg, "class=\"message\""), 8);
    assert_eq!(count(&svg, "class=\"arrives\""), 8);
    assert!(svg.contains("rank 1 to rank 0: u[0..256, 256..257], 1024 B"));
    for r in 0..4 {
        assert!(svg.contains(&format!(">{r}</text>")), "the owner's number {r}");
    }
    let too_many = run_in(&["plan", "x.mgpu"], dir.path());
    assert_eq!(too_many.exit, 2);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/05_heat.mgpu").display().to_string();
    let refused = run_in(&["plan", &file, "-n", "65", "--svg", "x.svg"], dir.path());
    assert!(refused.exit == 2 && refused.err.contains("at most 64 ranks"), "{}", refused.err);
}

#[test]
fn the_figure_of_the_readme_is_what_the_program_draws() {
    let dir = tempfile::tempdir().unwrap();
    let (_, svg) = draw("05_heat", 6, dir.path());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/img/plan.svg");
    if support::bless() {
        std::fs::write(&kept, &svg).unwrap();
    }
    assert!(
        std::fs::read_to_string(&kept).unwrap_or_default() == svg,
        "docs/img/plan.svg is old: MGPU_BLESS=1 writes it anew"
    );
}

/// What a reader would do: slide, click, press keys, point at an arrow, choose a rank; and what is then shown.
const READER: &str = r#"
const out = [], shown = (s) => [...document.querySelectorAll(s)].filter((e) => getComputedStyle(e).display !== "none");
const note = (what) => out.push({
    what, count: document.getElementById("count").textContent,
    frames: shown(".frame").length, arrows: shown(".frame.now .message").filter((m) => !m.classList.contains("off")).length,
    title: shown(".detail h2").filter((h) => h.parentElement.classList.contains("now")).map((h) => h.textContent).join("|"),
    line: document.querySelector(".source .now")?.id ?? "",
    rows: [...document.querySelectorAll(".messages.now tbody tr")].filter((r) => getComputedStyle(r).display !== "none").map((r) => r.textContent),
    value: document.getElementById("slider").value,
});
const press = (key) => dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
note("start");
const slider = document.getElementById("slider");
slider.value = 8; slider.dispatchEvent(new Event("input")); note("slide");
document.getElementById("back").click(); note("back");
document.getElementById("next").click(); note("next");
press("End"); note("end"); press("Home"); press("ArrowRight"); note("right"); press("ArrowLeft"); press("ArrowLeft"); note("left");
document.querySelectorAll(".step")[8].click(); note("step");
document.querySelector('.ranks [data-rank="0"]').click(); note("rank 0");
document.querySelector('.ranks [data-rank="all"]').click();
const arrow = document.querySelector(".frame.now .message");
arrow.dispatchEvent(new MouseEvent("mouseenter"));
out.push({ what: "tip", title: document.getElementById("tip").textContent, frames: document.querySelectorAll(".messages.now tr.lit").length });
const result = document.createElement("pre"); result.id = "result"; result.textContent = JSON.stringify(out); document.body.append(result);
"#;

fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).flat_map(|d| names.map(|n| d.join(n))).find(|p| p.is_file())
}

#[test]
fn the_page_slides_clicks_and_listens_to_keys() {
    let Some(browser) = browser() else {
        eprintln!("no browser is found: the page is not tried");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (page, _) = draw("05_heat", 4, dir.path());
    let tried = page.replace("</body>", &format!("<script>{{{READER}}}</script></body>"));
    let file = dir.path().join("tried.html");
    std::fs::write(&file, tried).unwrap();
    let profile = format!("--user-data-dir={}", dir.path().join("profile").display());
    let args = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,900", &profile, "--dump-dom"];
    let done = Command::new(browser).args(args).arg(format!("file://{}", file.display())).output().unwrap();
    let dom = String::from_utf8_lossy(&done.stdout).into_owned();
    let text = dom.split("<pre id=\"result\">").nth(1).and_then(|t| t.split("</pre>").next()).expect("the page ran");
    let text = text.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&");
    let got: Value = serde_json::from_str(&text).unwrap();
    let at = |what: &str| got.as_array().unwrap().iter().find(|g| g["what"] == what).unwrap().clone();
    assert_eq!((at("start")["count"].as_str(), at("start")["frames"].as_u64()), (Some("1 of 17"), Some(1)), "{got:#}");
    let slid = at("slide");
    assert_eq!((slid["count"].as_str(), slid["line"].as_str()), (Some("9 of 17"), Some("L31")), "{got:#}");
    assert_eq!(slid["title"], "compute diffuse over [0..512, 0..512]");
    assert_eq!((slid["frames"].as_u64(), slid["arrows"].as_u64()), (Some(1), Some(8)));
    assert_eq!(slid["rows"][0], "10u[0..256, 256..257]1024");
    assert_eq!(slid["rows"].as_array().unwrap().len(), 8);
    assert_eq!((at("back")["value"].as_str(), at("next")["value"].as_str()), (Some("7"), Some("8")));
    assert_eq!((at("end")["count"].as_str(), at("right")["count"].as_str()), (Some("17 of 17"), Some("2 of 17")));
    assert_eq!((at("left")["count"].as_str(), at("step")["count"].as_str()), (Some("1 of 17"), Some("9 of 17")));
    assert_eq!((at("rank 0")["arrows"].as_u64(), at("rank 0")["rows"].as_array().unwrap().len()), (Some(2), 2));
    assert_eq!(at("tip")["title"], "rank 1 to rank 0: u[0..256, 256..257], 1024 B");
    assert_eq!(at("tip")["frames"], 1);
}
