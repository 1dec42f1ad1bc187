//! Distances to points, ranks within a row, elements by index.

use std::rc::Rc;

use flock_ir_spec::{Attr, DType, FrameType, Graph, Node, Op, Scalar, Word};

use super::{Arms, Cell, Dict, Lower, Range, Val, number, table};
use crate::expr::{Id, Lit, Op2, X};

/// Differences of coordinates that are written out at most.
const MOST_TERMS: usize = 20_000;
/// Candidates whose ranks are counted by comparing each with each.
const MOST_COUNTED: usize = 16;
/// Elements that are held in a list, or in the arms of a CASE.
const MOST_LISTED: usize = 5_000;

impl<'m> Lower<'m> {
    pub(super) fn distances(&mut self, graph: &'m Graph, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let Some(points) = table(self.module, graph, node.args[1]) else {
            return self.refused(node, "its points are no constant");
        };
        if points.len() > MOST_TERMS {
            let why = format!("{} points of {} columns are too many to write out", points.rows, points.width);
            return self.refused(node, &why);
        }
        let dtype = node.ty.frame().map_or(DType::F64, |t| t.dtype);
        let vals: Vec<Val> = args[0]
            .iter()
            .map(|c| {
                let v = self.val(c);
                let v = self.narrow(v);
                Val { dtype: DType::F64, ..self.clean(v) }
            })
            .collect();
        (0..points.rows)
            .map(|i| {
                let differences: Vec<Val> = vals
                    .iter()
                    .enumerate()
                    .map(|(k, v)| {
                        let p = number(&points.get(i, k)).unwrap_or(f64::NAN);
                        let p = self.constant(&Scalar::F64(p), DType::F64);
                        let d = self.float_op(Op::Sub, *v, p);
                        self.clean(d)
                    })
                    .collect();
                let v = self.length(&differences, &node.attr);
                self.arena.hint(v.id, format!("distance_{i}"));
                Cell::Val(Val { dtype, wide: dtype == DType::F32, loose: true, ..v })
            })
            .collect()
    }

    fn length(&mut self, differences: &[Val], attr: &Attr) -> Val {
        let sizes = |l: &mut Self| -> Vec<Val> {
            differences.iter().map(|d| Val { id: l.arena.call("abs", &[d.id]), range: d.range.abs(), ..*d }).collect()
        };
        let terms: Vec<Val> = match attr {
            Attr::Word(Word::L1) => sizes(self),
            Attr::Word(Word::L2 | Word::SqEuclidean) => differences.iter().map(|d| self.squared(*d)).collect(),
            _ => {
                let sizes = sizes(self);
                return self.extreme_of(&sizes, true);
            }
        };
        let cells: Vec<Cell> = terms.into_iter().map(Cell::Val).collect();
        let total = self.plain_sum(&cells, DType::F64);
        let total = self.val(&total);
        if *attr != Attr::Word(Word::L2) {
            return total;
        }
        let id = self.arena.call("sqrt", &[total.id]);
        let range = Range { lo: 0.0, hi: f64::INFINITY, top: total.range.top.sqrt(), tiny: total.range.tiny.sqrt() };
        Val { id, range, ..total }
    }

    pub(super) fn order(&mut self, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let (cells, Attr::Range { start, len }) = (&args[0], &node.attr) else {
            return self.refused(node, "no ranks");
        };
        let vals: Vec<Val> = cells
            .iter()
            .map(|c| {
                let v = self.val(c);
                let v = self.narrow(v);
                self.clean(v)
            })
            .collect();
        let any = |f: fn(&Val) -> bool| vals.iter().any(f);
        if any(|v| v.null) && any(|v| v.miss) {
            return self.refused(node, "it has to tell null from NaN, and NULL stands for both here");
        }
        let nulls: Vec<Id> = vals.iter().filter(|v| v.null).map(|v| self.arena.add(X::IsNotNull(v.id))).collect();
        let known = self.arena.and(&nulls);
        let ranks = *start as usize..(start + len) as usize;
        if vals.len() <= MOST_COUNTED {
            return self.counted(&vals, ranks, (!nulls.is_empty()).then_some(known));
        }
        if self.dialect().name != "duckdb" || vals.len() > MOST_LISTED {
            let why = format!("{} candidates are too many to compare each with each", vals.len());
            return self.refused(node, &why);
        }
        self.sorted(&vals, ranks, (!nulls.is_empty()).then_some(known))
    }

    /// The place of each is the number of those before it: at each place the one whose number it is.
    fn counted(&mut self, vals: &[Val], ranks: std::ops::Range<usize>, known: Option<Id>) -> Vec<Cell> {
        let (zero, one) = (self.arena.i64(0), self.arena.i64(1));
        let places: Vec<Id> = (0..vals.len())
            .map(|i| {
                let mut place = zero;
                for j in (0..vals.len()).filter(|j| *j != i) {
                    let before = self.precedes(vals[j], vals[i], j < i);
                    let step = self.arena.case(&[(before, one)], Some(zero));
                    place = self.arena.op2(Op2::Add, place, step);
                }
                self.arena.force(place);
                self.arena.hint(place, format!("place_{i}"));
                place
            })
            .collect();
        let candidates = 0..vals.len() - 1;
        ranks
            .map(|rank| {
                let rank = self.arena.i64(rank as i64);
                let mut conditions: Vec<Id> = Vec::new();
                let mut values: Vec<Scalar> = Vec::new();
                if let Some(known) = known {
                    conditions.push(self.arena.add(X::IsNotTrue(known)));
                    values.push(Scalar::Null);
                }
                for i in candidates.clone() {
                    conditions.push(self.arena.op2(Op2::Eq, places[i], rank));
                    values.push(Scalar::I64(i as i64));
                }
                let arms = Arms { conditions, operand: None, keys: Vec::new() };
                let otherwise = Scalar::I64(vals.len() as i64 - 1);
                Cell::Dict(Dict { arms: arms.into(), values, otherwise, dtype: DType::I64 }.into())
            })
            .collect()
    }

    /// Whether a comes before b; of equal ones the first does, NULL stands for NaN and comes last.
    fn precedes(&mut self, a: Val, b: Val, first: bool) -> Id {
        let op = if first { Op2::Le } else { Op2::Lt };
        let mut any = vec![self.arena.op2(op, a.id, b.id)];
        if b.miss {
            let last = self.arena.add(X::IsNull(b.id));
            let present = self.arena.add(X::IsNotNull(a.id));
            any.push(match (first, a.miss) {
                (true, _) | (false, false) => last,
                (false, true) => self.arena.and(&[last, present]),
            });
        }
        self.arena.or(&any)
    }

    /// By the database's own sort of a list. Equal elements are told apart by their index, so that it is stable.
    fn sorted(&mut self, vals: &[Val], ranks: std::ops::Range<usize>, known: Option<Id>) -> Vec<Cell> {
        let ids: Vec<Id> = vals.iter().map(|v| v.id).collect();
        let slots: Vec<String> =
            (0..ids.len()).map(|i| format!("{{{{'m': {{{i}}} IS NULL, 'v': {{{i}}} + 0, 'i': {i}}}}}")).collect();
        let text = format!("list_sort([{}])", slots.join(", "));
        let sorted = self.arena.add(X::Template(text.into(), ids.into()));
        self.arena.force(sorted);
        self.arena.hint(sorted, "sorted");
        ranks
            .map(|rank| {
                let text = format!("CAST(({{0}}[{}]).i AS BIGINT)", rank + 1);
                let id = self.arena.add(X::Template(text.into(), [sorted].into()));
                let id = known.map_or(id, |known| self.arena.case(&[(known, id)], None));
                Cell::Val(Val { null: known.is_some(), ..self.plain(id, DType::I64) })
            })
            .collect()
    }

    pub(super) fn gather(&mut self, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let out = node.ty.frame().unwrap_or(FrameType::new(DType::F64, 1));
        let constant = |c: &Cell| if let Cell::Const(s, _) = c { Some(s.clone()) } else { None };
        let known: Option<Vec<Scalar>> = args[0].iter().map(constant).collect();
        if args[0].len() > MOST_LISTED {
            return self.refused(node, "too many elements to choose from");
        }
        args[1]
            .iter()
            .map(|index| match (index, &known) {
                (Cell::Const(Scalar::I64(i), _), _) => {
                    let found = usize::try_from(*i).ok().and_then(|i| args[0].get(i)).cloned();
                    found.unwrap_or(Cell::Const(Scalar::Null, out.dtype))
                }
                (Cell::Const(..), _) => Cell::Const(Scalar::Null, out.dtype),
                (index, Some(values)) => self.entry(index, values, out.dtype),
                (index, None) => self.chosen(index, &args[0]),
            })
            .collect()
    }

    /// One of some constants by an index.
    fn entry(&mut self, index: &Cell, values: &[Scalar], dtype: DType) -> Cell {
        let of = |i: &Scalar| match i {
            Scalar::I64(i) => usize::try_from(*i).ok().and_then(|i| values.get(i)).cloned().unwrap_or(Scalar::Null),
            _ => Scalar::Null,
        };
        if let Cell::Dict(d) = index {
            let values = d.values.iter().map(of).collect();
            return Cell::Dict(Dict { arms: d.arms.clone(), values, otherwise: of(&d.otherwise), dtype }.into());
        }
        let v = self.val(index);
        let keys = (0..values.len() as i64).map(Lit::I64).collect();
        let arms = Arms { conditions: Vec::new(), operand: Some(v.id), keys };
        Cell::Dict(Dict { arms: arms.into(), values: values.to_vec(), otherwise: Scalar::Null, dtype }.into())
    }

    /// One of some values by an index; the others are not looked at.
    fn chosen(&mut self, index: &Cell, cells: &[Cell]) -> Cell {
        let at = self.val(index);
        let vals: Vec<Val> = cells
            .iter()
            .map(|c| {
                let v = self.val(c);
                self.clean(v)
            })
            .collect();
        // What is outside is null, so a NaN needs a form of its own.
        let vals: Vec<Val> = vals.into_iter().map(|v| self.native(v)).collect();
        if vals.iter().any(|v| v.miss) {
            let why = "it has to tell null from NaN, and NULL stands for both here";
            let id = self.arena.refuse("gather", why);
            return Cell::Val(self.plain(id, vals[0].dtype));
        }
        let arms: Vec<(Id, Id)> = vals
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let i = self.arena.i64(i as i64);
                (self.arena.op2(Op2::Eq, at.id, i), v.id)
            })
            .collect();
        let id = self.arena.case(&arms, None);
        let range = vals.iter().map(|v| v.range).reduce(Range::union).unwrap_or(Range::ALL);
        let (nan, wide, loose) =
            vals.iter().fold((false, false, false), |(n, w, l), v| (n || v.nan, w || v.wide, l || v.loose));
        Cell::Val(Val { id, dtype: vals[0].dtype, null: true, miss: false, nan, wide, loose, range })
    }
}
