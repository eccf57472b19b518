//! Lists, slots and groups give every element what it takes.

use super::*;
use crate::ir::layout::Dist;

fn words(b: &[u64]) -> Vec<u8> {
    b.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn every_contribution_reaches_its_element() {
    let layout = Layout::divided(&[5, 7], &[Dist::Block, Dist::Block], vec![2, 3]);
    let places: Vec<u64> = (0..35).rev().collect();
    let values: Vec<u8> = (0..35).flat_map(|k| (k as f64).to_le_bytes()).collect();
    let (sends, takes) = routed(&layout, &words(&places), 6);
    let mut seen = 0;
    for rank in 0..6 {
        let part = layout.part(rank);
        let mut data = vec![0; part.len() as usize * 8];
        let (picks, takes) = (&sends[rank as usize], Taken::List(takes[rank as usize].clone()));
        apply(&mut data, &takes, (&values, picks), How { ty: Ty::F64, op: BinaryOp::Add, complex: false });
        let mut sent = vec![0; takes.values() * 8];
        let Picks::List(list) = picks else { panic!("{picks:?}") };
        picked(list, &values, 8, &mut sent);
        let mut again = vec![0; data.len()];
        apply(&mut again, &takes, (&sent, &Picks::All), How { ty: Ty::F64, op: BinaryOp::Add, complex: false });
        assert_eq!(data, again);
        seen += takes.values();
        for i in part.dims[0].lo..part.dims[0].hi {
            for j in part.dims[1].lo..part.dims[1].hi {
                let k = (i - part.dims[0].lo) * part.dims[1].len() + j - part.dims[1].lo;
                assert_eq!(f64::from_bits(word(&data[8 * k as usize..][..8])), (34 - (i * 7 + j)) as f64);
            }
        }
    }
    assert_eq!(seen, 35);
}

#[test]
fn wide_numbers_mean_the_same_as_narrow_ones() {
    let of = |width, list: &[u64]| {
        let mut n = Numbers::new(width);
        list.iter().for_each(|k| n.push(*k));
        n
    };
    let values: Vec<u8> = [1.5f32, 2.25, -7.0, 0.125].iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut seen = vec![];
    for (wide, narrow) in [(4, 4), (4, 8), (8, 4), (8, 8)] {
        let (places, picks) = (Taken::List(of(wide, &[2, 0, 2])), of(narrow, &[3, 1, 0]));
        let mut data = vec![0; 12];
        apply(
            &mut data,
            &places,
            (&values, &Picks::List(picks.clone())),
            How { ty: Ty::F32, op: BinaryOp::Sub, complex: false },
        );
        let mut sent = vec![0; 12];
        picked(&picks, &values, 4, &mut sent);
        let mut again = vec![0; 12];
        apply(&mut again, &places, (&sent, &Picks::All), How { ty: Ty::F32, op: BinaryOp::Sub, complex: false });
        assert_eq!(data, again);
        seen.push(data);
    }
    let expected: Vec<u8> = [-2.25f32, 0.0, -1.625].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert!(seen.iter().all(|s| *s == expected), "{seen:?}");
}

#[test]
fn combined_contributions_do_the_same() {
    let places = words(&[3, 1, 3, 3, 0]);
    let values: Vec<u8> = [7i32, -2, i32::MAX, 5, 11].iter().flat_map(|v| v.to_le_bytes()).collect();
    let layout = Layout::replicated(&[4]);
    for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Min, BinaryOp::Max] {
        let start: Vec<u8> = [1i32, 2, 3, 4].iter().flat_map(|v| v.to_le_bytes()).collect();
        let (mut one, mut two) = (start.clone(), start);
        apply(
            &mut one,
            &Taken::List(routed(&layout, &places, 1).1[0].clone()),
            (&values, &Picks::All),
            How { ty: Ty::I32, op, complex: false },
        );
        let (of, kept) = slots(&places, 4);
        assert_eq!(kept, [0, 1, 3]);
        let sums = combined(&values, &of, kept.len(), Ty::I32, op);
        let kept = words(&kept.iter().map(|k| *k as u64).collect::<Vec<_>>());
        apply(
            &mut two,
            &Taken::List(routed(&layout, &kept, 1).1[0].clone()),
            (&sums, &Picks::All),
            How { ty: Ty::I32, op, complex: false },
        );
        assert_eq!(one, two, "{op:?}");
    }
}

#[test]
fn groups_take_what_a_list_takes() {
    let mut state = 9u64;
    let mut next = |n: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % n
    };
    for elements in [1, 7, 40, 9000] {
        let count = 3 * elements as usize + 5;
        // Some take none, one takes many.
        let places: Vec<u64> = (0..count).map(|k| if k % 5 == 0 { 0 } else { next(elements) }).collect();
        let values: Vec<u8> = (0..count).flat_map(|_| (1.0 / (1 + next(99)) as f64).to_le_bytes()).collect();
        let layout = Layout::replicated(&[elements as i64]);
        let (mut sends, mut takes) = routed(&layout, &words(&places), 1);
        let mut one = vec![0; 8 * elements as usize];
        let mut two = one.clone();
        apply(
            &mut one,
            &Taken::List(takes[0].clone()),
            (&values, &Picks::All),
            How { ty: Ty::F64, op: BinaryOp::Add, complex: false },
        );
        let order = in_order(&mut sends, &mut takes, count);
        let mut sorted = vec![0; values.len()];
        picked(&order, &values, 8, &mut sorted);
        let taken = Taken::Groups(groups(&takes[0]).0);
        assert_eq!(taken.values(), count);
        apply(&mut two, &taken, (&sorted, &Picks::All), How { ty: Ty::F64, op: BinaryOp::Add, complex: false });
        assert_eq!(one, two, "{elements}");
    }
}
