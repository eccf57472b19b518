//! `save u to "u.vti"` and `"u.pvd"`: the files are read back, element by element, and have the same bytes on any number of ranks.

mod support;

use std::collections::BTreeMap;
use support::run;

const PROGRAM: &str = "\
array u: f64[3, 5] in (block, block)
array v: f32[4, 3, 6] in (block, *, block)
array b: bool[7]
workflow main {
    u[i, j] = 10 * i + j
    v[i, j, k] = f32(100 * i + 10 * j + k) / 8
    b[i] = i mod 3 == 1
    save u to \"u.vti\"
    save v to \"v.vti\"
    save b to \"b.vti\"
    for t in 0..3 { u[i, j] += 1; save u to \"series.pvd\" }
}
";

/// The value of an attribute.
fn attribute<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name}")) + name.len() + 3;
    text[start..].split('"').next().unwrap()
}

/// Extents along x, y and z, type, name and elements of a file with one array of appended raw data.
fn read(data: &[u8]) -> (Vec<i64>, String, String, Vec<u8>) {
    let mark = b"<AppendedData encoding=\"raw\">";
    let at = data.windows(mark.len()).position(|w| w == mark).expect("appended data");
    let head = String::from_utf8(data[..at].to_vec()).unwrap();
    assert!(head.starts_with("<?xml version=\"1.0\"?>\n<VTKFile type=\"ImageData\""));
    assert_eq!((attribute(&head, "byte_order"), attribute(&head, "header_type")), ("LittleEndian", "UInt64"));
    let ends: Vec<i64> = attribute(&head, "WholeExtent").split(' ').map(|n| n.parse().unwrap()).collect();
    assert_eq!(attribute(&head, "WholeExtent"), attribute(&head, "Extent"));
    let start = at + data[at..].iter().position(|b| *b == b'_').unwrap() + 1;
    let size = u64::from_le_bytes(data[start..start + 8].try_into().unwrap()) as usize;
    let elements = data[start + 8..start + 8 + size].to_vec();
    assert_eq!(&data[start + 8 + size..], b"\n  </AppendedData>\n</VTKFile>\n");
    let array = &head[head.find("<DataArray").unwrap()..];
    let extents = ends.chunks(2).map(|c| c[1] - c[0] + 1).collect();
    (extents, attribute(array, "type").into(), attribute(array, "Name").into(), elements)
}

fn files(ranks: usize) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.mgpu");
    std::fs::write(&file, PROGRAM).unwrap();
    let got = run(&["run".into(), file.display().to_string(), "-n".into(), ranks.to_string(), "-q".into()], dir.path());
    assert_eq!(got.exit, 0, "{}", got.err);
    got.files
}

#[test]
fn images_hold_the_arrays_on_any_number_of_ranks() {
    let one = files(1);
    let (extents, ty, name, data) = read(&one["u.vti"]);
    assert_eq!((extents, ty.as_str(), name.as_str()), (vec![5, 3, 1], "Float64", "u"));
    let values: Vec<f64> = data.chunks(8).map(|c| f64::from_le_bytes(c.try_into().unwrap())).collect();
    assert_eq!(values, (0..15).map(|k| f64::from(10 * (k / 5) + k % 5)).collect::<Vec<_>>());
    let (extents, ty, _, data) = read(&one["v.vti"]);
    assert_eq!((extents, ty.as_str()), (vec![6, 3, 4], "Float32"));
    let last = f32::from_le_bytes(data[data.len() - 4..].try_into().unwrap());
    assert!(data.len() == 4 * 72 && last == 325.0 / 8.0);
    assert_eq!(read(&one["b.vti"]), (vec![7, 1, 1], "UInt8".into(), "b".into(), vec![0, 1, 0, 0, 1, 0, 0]));
    for ranks in [2, 3, 4, 7] {
        let other = files(ranks);
        assert!(one.iter().all(|(name, data)| other[name] == *data), "{ranks} ranks");
    }
}

#[test]
fn a_collection_lists_its_moments() {
    let files = files(3);
    let text = String::from_utf8(files["series.pvd"].clone()).unwrap();
    for k in 0..3 {
        assert!(text.contains(&format!("<DataSet timestep=\"{k}\" part=\"0\" file=\"series_000{k}.vti\"/>")), "{text}");
        let data = read(&files[&format!("series_000{k}.vti")]).3;
        assert_eq!(f64::from_le_bytes(data[..8].try_into().unwrap()), k as f64 + 1.0);
    }
    assert_eq!(text.matches("<DataSet").count(), 3);
}

#[test]
fn what_has_no_image_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.mgpu");
    std::fs::write(&file, "array u: f64[2, 2, 2, 2]\nworkflow main { save u to \"u.vti\" }\n").unwrap();
    let got = run(&["run".into(), file.display().to_string(), "-n".into(), "2".into(), "-q".into()], dir.path());
    assert!(got.exit == 3 && got.err.contains("E0601") && got.err.contains("1 to 3 dimensions"), "{}", got.err);
    assert_eq!(got.files.len(), 1);
}
