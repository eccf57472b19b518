//! The header of a `.npy` file, read with every number checked against the file, and written byte for byte as NumPy does.

use super::array_bytes;
use crate::ir::stored::Stored;
use crate::ir::ty::Ty;
use crate::runtime::io::root::Root;
use crate::runtime::io::{IoError, quoted};
use std::os::unix::fs::FileExt;

/// What a `.npy` file says about its array; the file was long enough for it when the header was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpyHeader {
    pub element: Stored,
    pub shape: Vec<i64>,
    /// Elements lie column by column (the first index is the fastest).
    pub fortran: bool,
    /// Where the elements start, in bytes.
    pub offset: u64,
}

/// The first six bytes of every `.npy` file.
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header text that is accepted; NumPy writes about 118 bytes.
const LONGEST: u64 = 64 << 10;
/// As many dimensions as NumPy allows.
const MOST_DIMENSIONS: usize = 64;

/// Reads and checks the header of a `.npy` file; nothing is allocated beyond the header's own text.
pub fn read_header(root: &Root, path: &str) -> Result<NpyHeader, IoError> {
    let bad = |why: String| IoError::new(format!("cannot load {}: {why}", quoted(path)));
    let file = root.open_read(path)?;
    let os = |e: std::io::Error| IoError::from_os("read", path, &e);
    let size = file.metadata().map_err(os)?.len();
    let mut start = [0u8; 12];
    let known = size.min(12) as usize;
    file.read_exact_at(&mut start[..known], 0).map_err(os)?;
    if known < 10 || &start[..6] != MAGIC {
        return Err(bad("it is not a .npy file".into()).help("write it with numpy.save(\"x.npy\", a)"));
    }
    let (text_at, text_len) = match (start[6], start[7]) {
        (1, 0) => (10, u16::from_le_bytes([start[8], start[9]]) as u64),
        (2 | 3, 0) if known == 12 => (12, u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as u64),
        (major, minor) => {
            return Err(bad(format!("its format version {major}.{minor} is not 1.0, 2.0 or 3.0")));
        }
    };
    if text_len > LONGEST || text_at + text_len > size {
        return Err(bad(format!("its header claims {text_len} bytes, the file has {size}")));
    }
    let mut text = vec![0u8; text_len as usize];
    file.read_exact_at(&mut text, text_at).map_err(os)?;
    let fields = Fields::parse(&text).map_err(|why| bad(format!("its header is damaged: {why}")))?;
    let element = element_type(&fields.descr).map_err(|(why, help)| bad(why).help(help))?;
    let header = NpyHeader { element, shape: fields.shape, fortran: fields.fortran, offset: text_at + text_len };
    let bytes = array_bytes(element, &header.shape).map_err(|e| bad(e.message))?;
    if bytes > size - header.offset {
        let why = format!("{}{:?} takes {bytes} bytes, the file has {}", element, header.shape, size - header.offset);
        return Err(bad(why).help("the file was cut off, or is still being written"));
    }
    Ok(header)
}

/// The bytes before the elements, as NumPy's version 1.0 writes them: padded to a multiple of 64.
pub fn header_bytes(ty: Ty, shape: &[i64]) -> Vec<u8> {
    let dims: Vec<String> = shape.iter().map(i64::to_string).collect();
    let tuple = if dims.len() == 1 { format!("({},)", dims[0]) } else { format!("({})", dims.join(", ")) };
    let mut text = format!("{{'descr': '{}', 'fortran_order': False, 'shape': {tuple}, }}", descr(ty));
    // NumPy leaves room for the first extent to grow to 21 digits.
    if let Some(first) = dims.first() {
        text.push_str(&" ".repeat(21usize.saturating_sub(first.len())));
    }
    // A text of exact length gets 64 blanks more: NumPy's formula, kept for equal bytes.
    let before = MAGIC.len() + 4 + text.len() + 1;
    text.push_str(&" ".repeat(64 - before % 64));
    text.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

fn descr(ty: Ty) -> &'static str {
    match ty {
        Ty::Bool => "|b1",
        Ty::I32 => "<i4",
        Ty::I64 => "<i8",
        Ty::U32 => "<u4",
        Ty::U64 => "<u8",
        Ty::F16 => "<f2",
        // What NumPy writes of an array of `ml_dtypes.bfloat16`: two bytes without a meaning of their own.
        Ty::Bf16 => "<V2",
        Ty::F32 => "<f4",
        Ty::F64 => "<f8",
        Ty::C64 => "<c8",
        Ty::C128 => "<c16",
    }
}

/// The type that a `descr` names, or why it is refused and what to do.
fn element_type(code: &str) -> Result<Stored, (String, String)> {
    let types = || Ty::ALL.into_iter().chain(Ty::COMPLEX);
    if let Some(ty) = types().find(|&t| descr(t) == code) {
        return Ok(Stored::Of(ty));
    }
    if code == "|V2" {
        return Ok(Stored::Of(Ty::Bf16));
    }
    if let Some(k) = ["|u1", "|i1", "<u2", "<i2"].iter().position(|c| *c == code) {
        return Ok(Stored::SMALL[k]);
    }
    let near = |to: &str| format!("convert it first: numpy.save(\"x.npy\", a.astype(numpy.{to}))");
    let (order, kind) = code.split_at_checked(1).unwrap_or(("", code));
    if order == ">" {
        let why = format!("its elements are big-endian (`{}`)", code.escape_default());
        let little = types().find(|&t| descr(t).get(1..) == Some(kind));
        return Err((why, near(little.map_or("float64", numpy_name))));
    }
    let (what, to) = match kind {
        "f16" | "g" => ("long doubles", "float64"),
        k if k.starts_with('O') => ("Python objects", "float64"),
        k if k.starts_with(['U', 'S']) => ("texts", "float64"),
        k if k.starts_with(['M', 'm']) => ("dates or time spans", "int64"),
        _ => ("elements of a type that mgpu does not know", "float64"),
    };
    Err((format!("it holds {what} (`{}`)", code.escape_default()), near(to)))
}

fn numpy_name(ty: Ty) -> &'static str {
    match ty {
        Ty::Bool => "bool",
        Ty::I32 => "int32",
        Ty::I64 => "int64",
        Ty::U32 => "uint32",
        Ty::U64 => "uint64",
        Ty::F16 => "float16",
        Ty::Bf16 => "float32",
        Ty::F32 => "float32",
        Ty::F64 => "float64",
        Ty::C64 => "complex64",
        Ty::C128 => "complex128",
    }
}

/// The three entries of the header's dictionary.
struct Fields {
    descr: String,
    fortran: bool,
    shape: Vec<i64>,
}

impl Fields {
    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` with its keys in any order.
    fn parse(text: &[u8]) -> Result<Fields, String> {
        let mut p = Parser { text, at: 0 };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        p.expect(b'{')?;
        while !p.accept(b'}') {
            let key = p.string()?;
            p.expect(b':')?;
            let known = match key.as_str() {
                "descr" => descr.replace(p.descr()?).is_some(),
                "fortran_order" => fortran.replace(p.truth()?).is_some(),
                "shape" => shape.replace(p.tuple()?).is_some(),
                _ => return Err(format!("unknown key '{}'", key.escape_default())),
            };
            if known {
                return Err(format!("the key '{key}' stands twice"));
            }
            if !p.accept(b',') {
                p.expect(b'}')?;
                break;
            }
        }
        if p.peek().is_some() {
            return Err("text follows the closing `}`".into());
        }
        let missing = |key: &str| format!("the key '{key}' is missing");
        Ok(Fields {
            descr: descr.ok_or_else(|| missing("descr"))?,
            fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

/// Reads the Python literals that a header is made of.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    /// The next byte that is not blank.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        let at = self.at;
        if self.accept(byte) { Ok(()) } else { Err(format!("expected `{}` at byte {at}", byte as char)) }
    }

    fn string(&mut self) -> Result<String, String> {
        let quote = if self.accept(b'"') { b'"' } else { self.expect(b'\'').map(|()| b'\'')? };
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|&b| b == quote).ok_or("a string does not end")?;
        self.at += end + 1;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    /// The element type; a list of fields is reported by the caller as a type that it does not know.
    fn descr(&mut self) -> Result<String, String> {
        if self.peek() == Some(b'[') { Err("it holds records with named fields".into()) } else { self.string() }
    }

    fn word(&mut self) -> &str {
        self.peek();
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_alphanumeric) {
            self.at += 1;
        }
        std::str::from_utf8(&self.text[start..self.at]).unwrap_or("")
    }

    fn truth(&mut self) -> Result<bool, String> {
        match self.word() {
            "True" => Ok(true),
            "False" => Ok(false),
            _ => Err("'fortran_order' is neither True nor False".into()),
        }
    }

    fn tuple(&mut self) -> Result<Vec<i64>, String> {
        let mut items = vec![];
        self.expect(b'(')?;
        while !self.accept(b')') {
            if items.len() == MOST_DIMENSIONS {
                return Err(format!("more than {MOST_DIMENSIONS} dimensions"));
            }
            // Python 2 wrote long integers as `3L`.
            let word = self.word();
            let digits = word.strip_suffix('L').unwrap_or(word);
            match digits.parse::<i64>() {
                Ok(n) if n >= 0 => items.push(n),
                _ => return Err("'shape' is not a tuple of extents".into()),
            }
            if !self.accept(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
