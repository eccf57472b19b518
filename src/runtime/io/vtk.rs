//! ParaView's files: an array as VTK image data (`.vti`), and a collection of them over time (`.pvd`). By VTK's description of its XML
//! formats: the elements stand behind the header as they are in memory, so ranks write their parts as into `.npy`.

use super::{IoError, quoted};
use crate::ir::ty::Ty;

/// Whether a path names image data, and whether it names a collection.
pub fn is_image(path: &str) -> bool {
    path.ends_with(".vti")
}

/// See [`is_image`].
pub fn is_collection(path: &str) -> bool {
    path.ends_with(".pvd")
}

/// The type in which image data holds elements of a type: VTK has no floats of two bytes, and `f32` has their values.
pub fn stored(ty: Ty) -> Ty {
    if ty.is_half() { Ty::F32 } else { ty }
}

/// What stands before and behind the elements. The last dimension of an array is x.
pub fn frame(path: &str, name: &str, ty: Ty, shape: &[i64]) -> Result<(Vec<u8>, Vec<u8>), IoError> {
    if shape.is_empty() || shape.len() > 3 || shape.contains(&0) {
        let what =
            format!("cannot write {}: image data has 1 to 3 dimensions with elements, not {ty}{shape:?}", quoted(path));
        return Err(IoError::new(what).help("save a part of the array, or all of it as `.npy`"));
    }
    let mut extents: Vec<i64> = shape.iter().rev().copied().collect();
    extents.resize(3, 1);
    let extent: Vec<String> = extents.iter().map(|n| format!("0 {}", n - 1)).collect();
    let extent = extent.join(" ");
    let kind = match stored(ty) {
        Ty::Bool => "UInt8",
        Ty::I32 => "Int32",
        Ty::I64 => "Int64",
        Ty::U32 => "UInt32",
        Ty::U64 => "UInt64",
        Ty::F16 | Ty::Bf16 | Ty::F32 => "Float32",
        Ty::F64 => "Float64",
        Ty::C64 | Ty::C128 => {
            let what = format!("cannot write {}: image data has real numbers, not {ty}", quoted(path));
            return Err(IoError::new(what).help("save `re(…)` and `im(…)` as arrays of their own, or all as `.npy`"));
        }
    };
    let bytes = super::npy::array_bytes(stored(ty), shape)?;
    let name = escaped(name);
    let mut head = format!(
        r#"<?xml version="1.0"?>
<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">
  <ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="1 1 1">
    <Piece Extent="{extent}">
      <PointData Scalars="{name}">
        <DataArray type="{kind}" Name="{name}" format="appended" offset="0"/>
      </PointData>
    </Piece>
  </ImageData>
  <AppendedData encoding="raw">
    _"#
    )
    .into_bytes();
    head.extend(bytes.to_le_bytes());
    Ok((head, b"\n  </AppendedData>\n</VTKFile>\n".to_vec()))
}

/// The image of a collection's moment: `u.pvd` has `u_0000.vti`, `u_0001.vti`, …
pub fn moment(path: &str, k: usize) -> String {
    format!("{}_{k:04}.vti", path.strip_suffix(".pvd").unwrap_or(path))
}

/// A collection of its first `count` moments.
pub fn collection(path: &str, count: usize) -> String {
    let folder = path.rfind('/').map_or(0, |k| k + 1);
    let mut out =
        String::from("<?xml version=\"1.0\"?>\n<VTKFile type=\"Collection\" version=\"1.0\">\n  <Collection>\n");
    for k in 0..count {
        // Beside the collection: without its folder.
        let file = escaped(&moment(path, k)[folder..]);
        out += &format!("    <DataSet timestep=\"{k}\" part=\"0\" file=\"{file}\"/>\n");
    }
    out + "  </Collection>\n</VTKFile>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_stand_beside_their_collection() {
        assert_eq!(moment("out/u.pvd", 12), "out/u_0012.vti");
        let text = collection("out/a&b.pvd", 2);
        assert!(text.contains("timestep=\"1\" part=\"0\" file=\"a&amp;b_0001.vti\""), "{text}");
    }

    #[test]
    fn the_last_dimension_is_x() {
        let (head, _) = frame("u.vti", "u", Ty::F32, &[2, 3, 4]).unwrap();
        let end = head.len() - 8;
        assert_eq!(head[end..], 96u64.to_le_bytes());
        assert!(String::from_utf8_lossy(&head[..end]).contains("WholeExtent=\"0 3 0 2 0 1\""));
        let (head, _) = frame("u.vti", "u", Ty::Bf16, &[3]).unwrap();
        assert_eq!(head[head.len() - 8..], 12u64.to_le_bytes());
        assert!(String::from_utf8_lossy(&head[..head.len() - 8]).contains("type=\"Float32\""));
        assert!(frame("u.vti", "u", Ty::F32, &[2; 4]).is_err() && frame("u.vti", "u", Ty::F32, &[0]).is_err());
    }
}
