//! Headers against NumPy's own, and headers that were tampered with.

use super::*;

fn load(bytes: &[u8]) -> Result<NpyHeader, IoError> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.npy"), bytes).unwrap();
    read_header(&Root::open(dir.path()).unwrap(), "x.npy")
}

/// A file with this header text and 96 bytes of elements.
fn file(version: u8, text: &str) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend([version, 0]);
    match version {
        1 => out.extend((text.len() as u16).to_le_bytes()),
        _ => out.extend((text.len() as u32).to_le_bytes()),
    }
    out.extend(text.as_bytes());
    out.extend([0; 96]);
    out
}

#[test]
fn headers_equal_numpys() {
    for (ty, shape, numpy) in GOLDENS {
        let ours = header_bytes(*ty, shape);
        assert_eq!(ours.len() % 64, 0);
        let text = std::str::from_utf8(&ours[10..]).unwrap();
        assert_eq!((&ours[..8], ours[8] as usize), (&b"\x93NUMPY\x01\x00"[..], ours.len() - 10));
        assert_eq!((text.trim_end_matches(['\n', ' ']), text.len()), (numpy.0, numpy.1));
    }
}

/// Text (blanks and newline trimmed) and length of the headers that numpy.save 2.4 writes.
const GOLDENS: &[(Ty, &[i64], (&str, usize))] = &[
    (Ty::F32, &[3, 4], ("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 118)),
    (Ty::F64, &[7], ("{'descr': '<f8', 'fortran_order': False, 'shape': (7,), }", 118)),
    (Ty::I32, &[], ("{'descr': '<i4', 'fortran_order': False, 'shape': (), }", 118)),
    (Ty::I64, &[2, 3, 5], ("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3, 5), }", 118)),
    (Ty::U32, &[0], ("{'descr': '<u4', 'fortran_order': False, 'shape': (0,), }", 118)),
    (Ty::U64, &[1, 1], ("{'descr': '<u8', 'fortran_order': False, 'shape': (1, 1), }", 118)),
    (Ty::Bool, &[12, 1], ("{'descr': '|b1', 'fortran_order': False, 'shape': (12, 1), }", 118)),
    (
        Ty::F32,
        &[100, 200, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (100, 200, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }", 118),
    ),
    (
        Ty::F64,
        &[10, 11, 12, 13, 0, 100000000000],
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (10, 11, 12, 13, 0, 100000000000), }", 118),
    ),
    (
        Ty::F64,
        &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }", 118),
    ),
];

#[test]
fn all_versions_and_types_are_read() {
    for version in [1, 2, 3] {
        let header = load(&file(version, "{'shape': (3, 4), 'fortran_order': True, 'descr': '<f8'}")).unwrap();
        let offset = if version == 1 { 66 } else { 68 };
        assert_eq!(header, NpyHeader { element: Stored::Of(Ty::F64), shape: vec![3, 4], fortran: true, offset });
    }
    for ty in Ty::ALL {
        for shape in [&[][..], &[0], &[2, 3, 1]] {
            let mut bytes = header_bytes(ty, shape);
            let offset = bytes.len() as u64;
            bytes.extend([1; 48]);
            assert_eq!(
                load(&bytes).unwrap(),
                NpyHeader { element: Stored::Of(ty), shape: shape.to_vec(), fortran: false, offset }
            );
        }
    }
}

#[test]
fn refusals_say_what_to_do() {
    let with = |descr: &str| load(&file(1, &format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (2,), }}")));
    let text = |e: IoError| format!("{} | {}", e.message, e.help.unwrap_or_default());
    let big = text(with("'>f4'").unwrap_err());
    assert_eq!(
        big,
        "cannot load `x.npy`: its elements are big-endian (`>f4`) | \
         convert it first: numpy.save(\"x.npy\", a.astype(numpy.float32))"
    );
    assert_eq!(with("'|u1'").unwrap().element.to_string(), "u8");
    assert_eq!(with("'<i2'").unwrap().element.to_string(), "i16");
    assert!(text(with("'|O'").unwrap_err()).contains("Python objects"));
    assert!(text(with("[('a', '<f4')]").unwrap_err()).contains("named fields"));
    assert!(text(with("'\u{7}é'").unwrap_err()).contains("does not know"));
    assert!(text(load(b"hello").unwrap_err()).contains("it is not a .npy file"));
    assert!(text(load(b"\x93NUMPY\x04\x00\x10\x00\x00\x00").unwrap_err()).contains("version 4.0"));
    assert!(text(load(b"\x93NUMPY\x01\x00\xff\xff").unwrap_err()).contains("claims 65535 bytes, the file has 10"));
    for (shape, why) in [
        ("(25,)", "takes 100 bytes, the file has 96"),
        ("(4611686018427387904, 4611686018427387904)", "too large"),
        ("(0, 9223372036854775807)", ""),
        ("(99999999999999999999,)", "not a tuple"),
        ("(-1,)", "not a tuple"),
        ("3", "expected `(`"),
    ] {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        match load(&file(1, &header)) {
            Ok(_) => assert_eq!(why, ""),
            Err(e) => assert!(!why.is_empty() && e.message.contains(why), "{shape}: {e}"),
        }
    }
}

#[test]
fn wild_headers_never_panic() {
    let good = file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }    \n");
    let mut state = 0x9e3779b97f4a7c15u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open(dir.path()).unwrap();
    let pieces: [&[u8]; 8] = [b"9", b"(", b"'", b"99999999999", b"L", b"{", b"\xff", b"True"];
    let mut accepted = 0;
    for _ in 0..4000 {
        let mut bytes = good.clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(5) {
                0 => bytes[at] = next(256) as u8,
                1 => bytes[at] ^= 1 << next(8),
                2 => bytes.truncate(at.max(1)),
                3 => drop(bytes.splice(at..at, pieces[next(pieces.len())].iter().copied())),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        std::fs::write(dir.path().join("x.npy"), &bytes).unwrap();
        if let Ok(h) = read_header(&root, "x.npy") {
            accepted += 1;
            let need = array_bytes(h.element, &h.shape).unwrap();
            assert!(h.offset + need <= bytes.len() as u64);
        }
    }
    assert!(accepted > 100, "{accepted} of 4000 mutants were accepted: the mutations are too wild to test much");
}
