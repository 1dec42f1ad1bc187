//! Constants: tables and tree ensembles, named by the hash of their content.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::frame::{Data, Frame};
use crate::terms::Terms;
use crate::trees::TreeEnsemble;
use crate::types::{DType, Type};

/// The content hash of a constant (BLAKE3, the first 128 bits). Equal constants have equal ids in every module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConstId(pub [u8; 16]);

impl fmt::Display for ConstId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for ConstId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{self}")
    }
}

/// A constant of a module.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// A table without nulls. Weights are rows × columns as in `x · W`; a list of categories is one row.
    Table(Frame),
    /// A tree ensemble.
    Trees(TreeEnsemble),
    /// Terms of documents.
    Terms(Terms),
}

impl Constant {
    /// The type of a node that holds the constant.
    pub fn ty(&self) -> Type {
        match self {
            Constant::Table(t) => Type::Const { dtype: t.dtype(), rows: t.rows as u32, width: t.width as u32 },
            Constant::Trees(t) => Type::Trees {
                features: t.features,
                outputs: t.outputs,
                trees: t.trees.len() as u32,
                input: t.input,
                sum: t.sum,
            },
            Constant::Terms(t) => Type::Terms { columns: t.columns() },
        }
    }

    /// The one form of a constant that a pool keeps: every NaN has the same bits, no validity where nothing is null,
    /// leaf values of trees in the order of the leaves.
    #[must_use]
    pub fn canonical(self) -> Constant {
        match self {
            Constant::Table(t) => Constant::Table(canonical_table(t)),
            Constant::Trees(t) => Constant::Trees(t.canonical()),
            Constant::Terms(t) => Constant::Terms(t.canonical()),
        }
    }

    fn is_canonical(&self) -> bool {
        match self {
            Constant::Table(t) => match &t.data {
                Data::F32(v) => v.iter().all(|x| !x.is_nan() || x.to_bits() == f32::NAN.to_bits()),
                Data::F64(v) => all_canonical(v),
                _ => true,
            },
            Constant::Trees(t) => t.is_canonical(),
            Constant::Terms(t) => t.is_canonical(),
        }
    }

    /// The content hash, of the canonical form: constants with one id mean the same.
    pub fn id(&self) -> ConstId {
        if self.is_canonical() { self.hash() } else { self.clone().canonical().hash() }
    }

    fn hash(&self) -> ConstId {
        let mut h = Hasher(blake3::Hasher::new());
        match self {
            Constant::Table(t) => {
                h.u32(0);
                h.frame(t);
            }
            Constant::Trees(t) => {
                h.u32(1);
                t.hash_into(&mut h);
            }
            Constant::Terms(t) => {
                h.u32(2);
                t.hash_into(&mut h);
            }
        }
        let mut id = [0; 16];
        id.copy_from_slice(&h.0.finalize().as_bytes()[..16]);
        ConstId(id)
    }
}

/// Whether every NaN has the canonical bits.
pub(crate) fn all_canonical(values: &[f64]) -> bool {
    values.iter().all(|x| !x.is_nan() || x.to_bits() == f64::NAN.to_bits())
}

/// Gives every NaN the canonical bits.
pub(crate) fn make_canonical(values: &mut [f64]) {
    values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = f64::NAN);
}

fn canonical_table(mut t: Frame) -> Frame {
    match &mut t.data {
        Data::F32(v) => v.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = f32::NAN),
        Data::F64(v) => make_canonical(v),
        _ => {}
    }
    t.valid = t.valid.filter(|v| v.contains(&false));
    t
}

/// Feeds content to the hash with lengths, so that no two contents share a byte string.
pub(crate) struct Hasher(blake3::Hasher);

impl Hasher {
    pub(crate) fn u32(&mut self, x: u32) {
        self.0.update(&x.to_le_bytes());
    }
    pub(crate) fn bytes(&mut self, x: &[u8]) {
        self.0.update(&(x.len() as u64).to_le_bytes());
        self.0.update(x);
    }
    /// As [`Hasher::bytes`] of all of them together.
    pub(crate) fn each<const N: usize>(&mut self, items: impl ExactSizeIterator<Item = [u8; N]>) {
        // Enough for the hash's widest step, and no more than stays in a near cache.
        const MOST: usize = 1 << 16;
        self.0.update(&((N * items.len()) as u64).to_le_bytes());
        let mut bytes = Vec::with_capacity(MOST.min(N * items.len()));
        for item in items {
            if bytes.len() + N > MOST {
                self.0.update(&bytes);
                bytes.clear();
            }
            bytes.extend_from_slice(&item);
        }
        self.0.update(&bytes);
    }
    pub(crate) fn u32s(&mut self, xs: impl ExactSizeIterator<Item = u32>) {
        self.each(xs.map(u32::to_le_bytes));
    }
    pub(crate) fn f64s(&mut self, xs: &[f64]) {
        self.each(xs.iter().map(|x| x.to_le_bytes()));
    }
    fn frame(&mut self, t: &Frame) {
        self.u32(DType::ALL.iter().position(|d| *d == t.dtype()).unwrap_or(0) as u32);
        self.u32(t.rows as u32);
        self.u32(t.width as u32);
        match &t.data {
            Data::Bool(v) => self.u32s(v.iter().map(|x| u32::from(*x))),
            Data::I64(v) => self.each(v.iter().map(|x| x.to_le_bytes())),
            Data::F32(v) => self.u32s(v.iter().map(|x| x.to_bits())),
            Data::F64(v) => self.f64s(v),
            Data::Str(v) => v.iter().for_each(|s| self.bytes(s.as_bytes())),
        }
    }
}

/// The constants of a module by content hash.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool(BTreeMap<ConstId, Entry>);

#[derive(Clone, Debug)]
struct Entry {
    constant: Arc<Constant>,
    /// Whether its id was computed from its content, which nobody can change in here.
    hashed: bool,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.constant == other.constant
    }
}

impl Pool {
    /// Adds a constant in its canonical form, or finds the equal one that is there.
    pub fn insert(&mut self, constant: Constant) -> ConstId {
        let constant = constant.canonical();
        let id = constant.hash();
        self.0.entry(id).or_insert_with(|| Entry { constant: Arc::new(constant), hashed: true });
        id
    }

    /// Takes a constant under an id that somebody else says it has.
    pub fn share(&mut self, id: ConstId, constant: Arc<Constant>) {
        self.0.entry(id).or_insert(Entry { constant, hashed: false });
    }

    /// Shares the constant that another pool holds under that id, if it holds one.
    pub fn share_from(&mut self, other: &Pool, id: ConstId) -> Option<&Arc<Constant>> {
        let entry = other.0.get(&id)?;
        Some(&self.0.entry(id).or_insert_with(|| entry.clone()).constant)
    }

    /// Whether the id was computed from the content by this pool or one that shared it.
    pub(crate) fn is_hashed(&self, id: ConstId) -> bool {
        self.0.get(&id).is_some_and(|e| e.hashed)
    }

    /// The constant of that id.
    pub fn get(&self, id: ConstId) -> Option<&Arc<Constant>> {
        self.0.get(&id).map(|e| &e.constant)
    }

    /// The table of that id, if it is one.
    pub fn table(&self, id: ConstId) -> Option<&Frame> {
        match self.get(id).map(Arc::as_ref) {
            Some(Constant::Table(t)) => Some(t),
            _ => None,
        }
    }

    /// The ensemble of that id, if it is one.
    pub fn trees(&self, id: ConstId) -> Option<&TreeEnsemble> {
        match self.get(id).map(Arc::as_ref) {
            Some(Constant::Trees(t)) => Some(t),
            _ => None,
        }
    }

    /// The terms of that id, if it is such a constant.
    pub fn terms(&self, id: ConstId) -> Option<&Terms> {
        match self.get(id).map(Arc::as_ref) {
            Some(Constant::Terms(t)) => Some(t),
            _ => None,
        }
    }

    /// All constants, ordered by hash.
    pub fn iter(&self) -> impl Iterator<Item = (ConstId, &Arc<Constant>)> {
        self.0.iter().map(|(id, e)| (*id, &e.constant))
    }

    /// Drops the constants that `keep` refuses.
    pub fn retain(&mut self, mut keep: impl FnMut(ConstId) -> bool) {
        self.0.retain(|id, _| keep(*id));
    }

    /// Number of constants.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
