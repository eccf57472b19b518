//! Pictures decode, have the promised sizes and colours, and no array makes them fail.

use super::*;

fn bytes(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(|v| (v as f32).to_le_bytes()).collect()
}

/// Width, height and pixels of a PNG file.
fn decode(file: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width as usize, info.height as usize, pixels)
}

fn count(pixels: &[u8], colour: Colour) -> usize {
    let want = [(colour >> 16) as u8, (colour >> 8) as u8, colour as u8];
    pixels.chunks(3).filter(|p| **p == want).count()
}

#[test]
fn small_fields_are_enlarged_and_large_ones_averaged() {
    let field = |n: i64| bytes((0..n * n).map(|k| (k % n) as f64));
    for (n, side) in [(8, 512), (100, 600), (512, 512), (1024, 1024), (1500, 750), (3000, 1000)] {
        let (w, h, _) = decode(&plot_png(Ty::F32, &[n, n], &field(n), "t").unwrap());
        assert!(h as i64 == side + 84 && (side..side + 250).contains(&(w as i64)), "{n}: {w}x{h}");
    }
    let thin = plot_png(Ty::F32, &[2, 100_000], &bytes((0..200_000).map(f64::from)), "thin").unwrap();
    assert_eq!(decode(&thin).1, 64 + 84);
}

#[test]
fn nan_is_grey_and_the_ends_of_the_scale_are_exact() {
    let data = bytes([0.0, 1.0, f64::NAN, f64::INFINITY]);
    let (_, _, pixels) = decode(&plot_png(Ty::F32, &[2, 2], &data, "nan").unwrap());
    assert_eq!(count(&pixels, NAN), 256 * 256);
    // Infinity takes the colour of the greatest value.
    assert!(count(&pixels, viridis::colour(1.0)) >= 2 * 256 * 256);
    assert!(count(&pixels, viridis::colour(0.0)) >= 256 * 256);
}

#[test]
fn every_type_and_dimension_works() {
    for ty in Ty::ALL {
        for shape in [&[24][..], &[4, 6], &[2, 3, 4], &[1], &[1, 1]] {
            let n = shape.iter().product::<i64>() as usize;
            let data: Vec<u8> =
                (0..n * ty.size()).map(|k| if ty == Ty::Bool { k as u8 % 2 } else { k as u8 }).collect();
            let file = plot_png(ty, shape, &data, "a title of more than the usual length: \u{3b1}").unwrap();
            assert_eq!(file, plot_png(ty, shape, &data, "a title of more than the usual length: \u{3b1}").unwrap());
            decode(&file);
        }
    }
}

#[test]
fn odd_values_and_shapes_do_not_panic() {
    for v in [f64::NAN, f64::INFINITY, f64::MAX, -f64::MAX, 5e-324, 0.0, -0.0] {
        for other in [v, -v, 1.0, f64::MAX, f64::NAN] {
            let data: Vec<u8> = [v, other, 0.0, v, other, v].iter().flat_map(|x| x.to_le_bytes()).collect();
            for shape in [&[6][..], &[2, 3], &[6, 1], &[1, 6], &[3, 1, 2]] {
                decode(&plot_png(Ty::F64, shape, &data, "").unwrap());
            }
        }
    }
    assert!(plot_png(Ty::F32, &[0, 3], &[], "t").unwrap_err().message.contains("no elements"));
    assert!(plot_png(Ty::F32, &[3], &[0; 8], "t").is_err());
    assert!(plot_png(Ty::F32, &[1, 1, 1, 1], &[0; 4], "t").unwrap_err().help.is_some());
    assert!(plot_png(Ty::F32, &[i64::MAX, i64::MAX], &[0; 4], "t").is_err());
}

#[test]
fn long_charts_keep_their_spikes() {
    let flat = |spike: bool| bytes((0..50_000).map(|k| if spike && k == 31_234 { 9.0 } else { (k / 25_000) as f64 }));
    let ink = |data: &[u8]| count(&decode(&plot_png(Ty::F32, &[50_000], data, "").unwrap()).2, 0x2f6c8e);
    assert!(ink(&flat(true)) > 300, "{}", ink(&flat(true)));
}

#[test]
fn rounding_is_not_drawn() {
    let nearly = |k: i64| -> f64 { if k % 3 == 0 { 97.0 } else { 97.0 - 1.4e-14 } };
    let data: Vec<u8> = (0..40).flat_map(|k| nearly(k).to_le_bytes()).collect();
    let text = plot_text(Ty::F64, &[40], &data, "total", false);
    let bars: Vec<&str> = text.lines().skip(1).filter(|l| !l.is_empty()).collect();
    assert!(text.starts_with("total: 97\n") && bars.iter().all(|l| l.chars().all(|c| l.starts_with(c))), "{text}");
    let exact: Vec<u8> = (0..40).flat_map(|_| 97f64.to_le_bytes()).collect();
    let same =
        |shape: &[i64]| plot_png(Ty::F64, shape, &data, "").unwrap() == plot_png(Ty::F64, shape, &exact, "").unwrap();
    assert!(same(&[5, 8]));
}

#[test]
fn indices_of_short_charts_are_whole() {
    for n in 1..40 {
        let ticks = axis::ticks(0.0, (n - 1) as f64, (n - 1).clamp(1, 8));
        assert!(!ticks.is_empty() && ticks.iter().all(|t| !t.1.contains('.')), "{n}: {ticks:?}");
    }
}
