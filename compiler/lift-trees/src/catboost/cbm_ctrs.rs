//! The counters of a binary file: what they are stands in the core, their tables behind it.
//!
//! A table is a FlatBuffer behind its size: what it is of, buckets of 12 bytes (hash, index of its counts) of which some
//! are empty, the counts of 4 bytes.

use std::collections::BTreeMap;

use super::ctr::{Counts, Ctr, CtrKind, CtrTable, Ctrs, MAX_VALUES, NO_HASH, Projection};
use super::flatbuffer::{Table, Vector};
use crate::{Res, damaged, unsupported};

/// The part of a file that has the tables.
const TABLES: &str = "static_provider_v1";

/// What a table is of: its projection, the number of its kind, and of the target's classifier.
type Base = (usize, u8, i32);

/// Reads the counters of a core of so many bytes, and the tables behind it. `border` is told each border of each counter, and says whether there is still room for it.
pub(super) fn read(
    root: Table<'_>,
    ctrs: Option<Vector<'_>>,
    (size, tables): (usize, &[u8]),
    mut border: impl FnMut(u32, f32) -> bool,
) -> Res<Ctrs> {
    let mut all = Ctrs::default();
    let Some(ctrs) = ctrs.filter(|v| v.len() > 0) else { return Ok(all) };
    let parts: Vec<&str> = root.vector(3, 4).map(|v| v.texts().take(16).collect()).unwrap_or_default();
    if parts != [TABLES] {
        return Err(unsupported("parts", format!("a file of the parts {parts:?} where counters are in `{TABLES}`")));
    }
    let fault = || damaged("ctrs", "a table of counters is truncated or damaged");
    // Each counter has tables of its own in a file of the library; here they could be one.
    if ctrs.len() > size / 16 {
        return Err(fault());
    }
    let bases = read_tables(&mut all, tables).ok_or_else(fault)?;
    for (i, ctr) in ctrs.tables().enumerate() {
        let of = ctr.table(0).ok_or_else(fault)?;
        let base = base(&mut all, of.table(0).ok_or_else(fault)?).ok_or_else(fault)?;
        let table =
            bases.get(&base).copied().ok_or_else(|| damaged(format!("ctr {i}"), "a counter without its table"))?;
        // What a file leaves out is the schema's default.
        let float = |index, default| of.float(index).unwrap_or(default);
        let target = u32::try_from(of.int(1).unwrap_or(0)).map_err(|_| fault())?;
        let prior = [float(2, 0.0), float(3, 1.0)];
        all.ctrs.push(Ctr { table: table as u32, target, prior, shift: float(4, 0.0), scale: float(5, 1.0) });
        for value in ctr.vector(1, 4).into_iter().flat_map(Vector::floats) {
            if !border(i as u32, value) {
                return Err(fault());
            }
        }
    }
    Ok(all)
}

fn read_tables(all: &mut Ctrs, bytes: &[u8]) -> Option<BTreeMap<Base, usize>> {
    let word = |at: usize| bytes.get(at..)?.first_chunk().map(|w| u32::from_le_bytes(*w) as usize);
    let mut bases = BTreeMap::new();
    let mut at = 4usize;
    for _ in 0..word(0)? {
        let end = at.checked_add(4)?.checked_add(word(at)?)?;
        let root = Table::root(bytes.get(at + 4..end)?)?;
        let base = base(all, root.table(0)?)?;
        let table = table(root, base)?;
        bases.insert(base, all.tables.len());
        all.tables.push(table);
        at = end;
    }
    Some(bases)
}

fn base(all: &mut Ctrs, table: Table<'_>) -> Option<Base> {
    let of = table.table(0)?;
    if [(0, 4), (1, 8), (2, 8)]
        .iter()
        .any(|(field, size)| of.vector(*field, *size).is_some_and(|v| v.len() > MAX_VALUES))
    {
        return None;
    }
    let word = |w: [u8; 4]| u32::from_le_bytes(w);
    let pairs =
        |field: usize| of.vector(field, 8).into_iter().flat_map(Vector::words).map(move |[a, b]| (word(a), word(b)));
    let categories = of.vector(0, 4).into_iter().flat_map(Vector::ints).map(|c| u32::try_from(c).ok());
    let projection = Projection {
        categories: categories.collect::<Option<_>>()?,
        above: pairs(1).collect(),
        equal: pairs(2).map(|(c, value)| (c, value.cast_signed())).collect(),
    };
    Some((all.projection(projection), table.byte(1), table.int(2).unwrap_or(0)))
}

fn table(root: Table<'_>, (projection, number, _): Base) -> Option<CtrTable> {
    let kind = CtrKind::of(None, number)?;
    let (buckets, blob) = (root.bytes(1).as_chunks::<12>().0, root.bytes(2).as_chunks::<4>().0);
    let per_row = match kind {
        CtrKind::Borders | CtrKind::Buckets => usize::try_from(root.int(4)?).ok().filter(|n| *n >= 2)?,
        CtrKind::Mean => 2,
        CtrKind::Counter => 1,
    };
    let rows = blob.len() / per_row;
    let mut keys = vec![NO_HASH; rows];
    for bucket in buckets {
        let (hash, index) = bucket.split_at(8);
        let hash = u64::from_le_bytes(*hash.first_chunk()?);
        if hash != NO_HASH {
            *keys.get_mut(u32::from_le_bytes(*index.first_chunk()?) as usize)? = hash;
        }
    }
    let ints = |blob: &[[u8; 4]]| blob.iter().map(|w| i32::from_le_bytes(*w)).collect();
    let counts = match kind {
        CtrKind::Mean => {
            let pairs = blob.as_chunks::<2>().0.iter();
            Counts::Means(pairs.map(|[sum, rows]| (f32::from_le_bytes(*sum), i32::from_le_bytes(*rows))).collect())
        }
        _ => Counts::Rows(per_row, ints(&blob[..rows * per_row])),
    };
    Some(CtrTable { projection, kind, keys, counts, denominator: root.int(3).unwrap_or(0) })
}
