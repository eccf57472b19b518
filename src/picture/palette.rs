//! Colours that the colour-blind can tell apart: M. Okabe and K. Ito, "Color universal design" (2008). Beyond eight ranks they
//! repeat; every part has its owner's number besides.

/// Strong colour, tint for areas, shade for lines on white.
pub struct Colour {
    pub strong: &'static str,
    pub tint: &'static str,
    pub shade: &'static str,
}

const COLOURS: [Colour; 8] = [
    Colour { strong: "#56b4e9", tint: "#cbe7f8", shade: "#1f6f9f" },
    Colour { strong: "#e69f00", tint: "#f9e1b0", shade: "#8f6200" },
    Colour { strong: "#009e73", tint: "#b0e2d3", shade: "#006b4e" },
    Colour { strong: "#cc79a7", tint: "#f0d5e4", shade: "#8f3d6b" },
    Colour { strong: "#f0e442", tint: "#fbf7c4", shade: "#7d7500" },
    Colour { strong: "#0072b2", tint: "#b0d4e8", shade: "#00507d" },
    Colour { strong: "#d55e00", tint: "#f4ceb2", shade: "#9a4300" },
    Colour { strong: "#7f7f7f", tint: "#dcdcdc", shade: "#4d4d4d" },
];

/// The colour of a rank.
pub fn of(rank: i64) -> &'static Colour {
    &COLOURS[rank.rem_euclid(COLOURS.len() as i64) as usize]
}

/// The hatching for copies of a rank's elements.
pub fn hatch(rank: i64) -> String {
    format!("url(#hatch{})", rank.rem_euclid(COLOURS.len() as i64))
}

/// What the other elements refer to: hatchings, and an arrow's head for each colour.
pub fn definitions() -> String {
    let mut out = String::from("<defs>");
    let line = "patternUnits=\"userSpaceOnUse\" width=\"6\" height=\"6\" patternTransform=\"rotate(45)\"";
    for (k, c) in COLOURS.iter().enumerate() {
        out += &format!(
            "<pattern id=\"hatch{k}\" {line}><rect width=\"6\" height=\"6\" fill=\"{}\"/><rect width=\"2.4\" height=\"6\" fill=\"{}\"/></pattern>",
            c.tint, c.strong
        );
        out += &format!(
            "<marker id=\"head{k}\" viewBox=\"0 0 10 10\" refX=\"8\" refY=\"5\" markerWidth=\"6.5\" markerHeight=\"6.5\" orient=\"auto\"><path d=\"M0 .8 9 5 0 9.2 2 5z\" fill=\"{}\"/></marker>",
            c.shade
        );
    }
    out += &format!(
        "<pattern id=\"hatchedge\" {line}><rect width=\"6\" height=\"6\" fill=\"#f3f4f6\"/><rect width=\"1.6\" height=\"6\" fill=\"#c3c8d0\"/></pattern>"
    );
    out + "</defs>"
}
