//! Categories: a value to its index, an index to what a table says, buckets.

use std::collections::HashSet;
use std::rc::Rc;

use flock_ir_spec::{Attr, DType, FrameType, Graph, Node, Op, Scalar, Test, Word};

use super::{Arms, Cell, Dict, Lower, Pick, Range, Val, number, table};
use crate::expr::{Id, Lit, Op2, X};
use crate::threshold::{self, Rule};

/// Beyond so many conditions before the keys, a column of a one-hot is a test of the index.
const MANY_CONDITIONS: usize = 8;

impl Lower<'_> {
    /// An operator whose second operand is a constant row: each column of the first by itself.
    pub(super) fn by_constant(&mut self, graph: &Graph, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let Some(row) = table(self.module, graph, node.args[1]) else {
            return self.refused(node, "its second operand is no constant");
        };
        let row: Vec<Scalar> = (0..row.len()).map(|i| row.get_flat(i)).collect();
        args[0].iter().map(|cell| self.with_row(node, cell, &args[1], &row)).collect()
    }

    fn with_row(&mut self, node: &Node, cell: &Cell, second: &[Cell], row: &[Scalar]) -> Cell {
        if matches!(cell, Cell::Const(..)) {
            return self.known_with_row(node, cell, second, row);
        }
        match node.op {
            Op::InSet => self.in_set(cell, row),
            Op::IndexOf => self.index_of(cell, row),
            _ => self.bucketize(cell, row, node.attr == Attr::Word(Word::Right)),
        }
    }

    fn known_with_row(&self, node: &Node, cell: &Cell, second: &[Cell], row: &[Scalar]) -> Cell {
        use flock_ir_spec::Frame;
        use flock_ir_spec::ops::{Apply, Arg, Meaning};
        let out = node.ty.frame().unwrap_or(FrameType::new(DType::I64, 1)).with_width(1);
        let (Meaning::Eval(f), Cell::Const(x, d)) = (node.op.record().meaning, cell) else { return cell.clone() };
        let dtype = second.first().map_or(*d, Cell::dtype);
        let one = Frame::from_fn(1, FrameType::new(*d, 1).nullable(), |_, _| x.clone());
        let set = Frame::from_fn(1, FrameType::new(dtype, row.len() as u32), |_, j| row[j].clone());
        let args = [Arg::Frame(&one), Arg::Frame(&set)];
        Cell::Const(f(&Apply { rows: 1, attr: &node.attr, args: &args, out }).get(0, 0), out.dtype)
    }

    fn in_set(&mut self, cell: &Cell, row: &[Scalar]) -> Cell {
        let v = self.val(cell);
        // NaN of the dialect equals no key by itself, so that NULL keeps its one meaning and NOT can tell them apart.
        let v = self.narrow(v);
        let set: Rc<[Lit]> =
            row.iter().filter(|x| !number(x).is_some_and(f64::is_nan)).map(|x| key(x, v.dtype)).collect();
        let id = match (set.is_empty(), v.null) {
            (true, false) => return Cell::Const(Scalar::Bool(false), DType::Bool),
            (true, true) => {
                let known = self.arena.add(X::IsNotNull(v.id));
                let no = self.arena.lit(Lit::Bool(false));
                self.arena.case(&[(known, no)], None)
            }
            (false, _) => {
                let operand = self.one_zero(v);
                self.arena.add(X::In(operand, set))
            }
        };
        Cell::Val(Val { null: v.null, miss: v.miss, ..self.plain(id, DType::Bool) })
    }

    /// The same number with -0 as 0, where keys would tell them apart.
    fn one_zero(&mut self, v: Val) -> Id {
        if !self.dialect().zeros_differ || !v.dtype.is_float() {
            return v.id;
        }
        let zero = self.arena.f64(0.0);
        self.arena.op2(Op2::Add, v.id, zero)
    }

    fn index_of(&mut self, cell: &Cell, row: &[Scalar]) -> Cell {
        let v = self.val(cell);
        let v = self.narrow(v);
        let nan = row.iter().position(|x| number(x).is_some_and(f64::is_nan));
        let v = self.clean(v);
        let operand = self.one_zero(v);
        let mut arms = Arms { conditions: Vec::new(), operand: Some(operand), keys: Vec::new() };
        let mut values = Vec::new();
        if v.null || (v.miss && nan.is_some()) {
            arms.conditions.push(self.arena.add(X::IsNull(v.id)));
            values.push(match (v.null, nan) {
                (false, Some(i)) => Scalar::I64(i as i64),
                _ => Scalar::Null,
            });
        }
        if v.null && v.miss && nan.is_some() {
            let id = self.arena.refuse("index_of", "it has to tell null from NaN, and NULL stands for both here");
            return Cell::Val(self.plain(id, DType::I64));
        }
        let mut seen = HashSet::new();
        for (i, x) in row.iter().enumerate().filter(|(i, _)| Some(*i) != nan) {
            let key = key(x, v.dtype);
            if !number(x).is_some_and(f64::is_nan) && seen.insert(key.clone()) {
                arms.keys.push(key);
                values.push(Scalar::I64(i as i64));
            }
        }
        Cell::Dict(Dict { arms: arms.into(), values, otherwise: Scalar::I64(-1), dtype: DType::I64 }.into())
    }

    fn bucketize(&mut self, cell: &Cell, row: &[Scalar], right: bool) -> Cell {
        let v = self.val(cell);
        let v = self.clean(v);
        let mut arms = Arms { conditions: Vec::new(), operand: None, keys: Vec::new() };
        let mut values = Vec::new();
        if v.null {
            arms.conditions.push(self.arena.add(X::IsNull(v.id)));
            values.push(Scalar::Null);
        }
        // The first edge that is not below the value; NaN is below none and takes the end.
        for (i, edge) in row.iter().filter_map(number).enumerate() {
            let test = if right { Test::Lt } else { Test::Le };
            let rule = if v.wide { threshold::rounded(test, edge) } else { threshold::exact(test, edge) };
            let condition = match rule {
                Rule::Cmp(test, bound) => {
                    let bound = self.arena.f64(bound);
                    self.arena.op2(if test == Test::Lt { Op2::Lt } else { Op2::Le }, v.id, bound)
                }
                Rule::Always => self.arena.add(X::IsNotNull(v.id)),
                _ => continue,
            };
            arms.conditions.push(condition);
            values.push(Scalar::I64(i as i64));
        }
        let otherwise = Scalar::I64(row.len() as i64);
        Cell::Dict(Dict { arms: arms.into(), values, otherwise, dtype: DType::I64 }.into())
    }

    /// Rows of a table by index.
    pub(super) fn lookup(&mut self, graph: &Graph, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let Some(table) = table(self.module, graph, node.args[1]) else {
            return self.refused(node, "its table is no constant");
        };
        let Some(index) = args[0].first().cloned() else { return self.refused(node, "it has no index") };
        let dict = self.index(&index, table.rows);
        let of = |i: &Scalar, j: usize| match i {
            Scalar::I64(i) if (0..table.rows as i64).contains(i) => table.get(*i as usize, j),
            Scalar::Null => Scalar::Null,
            _ => zero(table.dtype()),
        };
        (0..table.width)
            .map(|j| match &index {
                Cell::Const(i, _) => Cell::Const(of(i, j), table.dtype()),
                _ => {
                    let values = dict.values.iter().map(|i| of(i, j)).collect();
                    let otherwise = of(&dict.otherwise, j);
                    Cell::Dict(Dict { arms: dict.arms.clone(), values, otherwise, dtype: table.dtype() }.into())
                }
            })
            .collect()
    }

    /// An index as a function of a category: of itself where it is none.
    fn index(&mut self, cell: &Cell, rows: usize) -> Rc<Dict> {
        if let Cell::Dict(d) = cell {
            return d.clone();
        }
        let v = self.val(cell);
        let mut arms = Arms { conditions: Vec::new(), operand: Some(v.id), keys: Vec::new() };
        let mut values = Vec::new();
        if v.null {
            arms.conditions.push(self.arena.add(X::IsNull(v.id)));
            values.push(Scalar::Null);
        }
        arms.keys.extend((0..rows as i64).map(Lit::I64));
        values.extend((0..rows as i64).map(Scalar::I64));
        Dict { arms: arms.into(), values, otherwise: Scalar::I64(-1), dtype: DType::I64 }.into()
    }

    pub(super) fn one_hot(&mut self, node: &Node, args: &[Rc<[Cell]>]) -> Vec<Cell> {
        let Attr::Type(ty) = node.attr else { return self.refused(node, "it has no type") };
        let Some(index) = args[0].first().cloned() else { return self.refused(node, "it has no index") };
        let float = |x: f64| if ty.dtype == DType::F32 { Scalar::F32(x as f32) } else { Scalar::F64(x) };
        if let Cell::Const(i, _) = &index {
            let of = |k: u32| match i {
                Scalar::I64(i) => float(if *i == i64::from(k) { 1.0 } else { 0.0 }),
                _ => Scalar::Null,
            };
            return (0..ty.width).map(|k| Cell::Const(of(k), ty.dtype)).collect();
        }
        let mut dict = self.index(&index, ty.width as usize);
        if dict.arms.conditions.len() > MANY_CONDITIONS {
            let v = self.val(&index);
            dict = self.index(&Cell::Val(v), ty.width as usize);
        }
        if dict.values.iter().chain([&dict.otherwise]).any(|x| matches!(x, Scalar::Null)) {
            return self.nullable_one_hot(&index, ty);
        }
        let mut positions: Vec<Vec<usize>> = vec![Vec::new(); ty.width as usize];
        for (p, value) in dict.values.iter().enumerate() {
            if let Scalar::I64(k) = value
                && let Some(found) = usize::try_from(*k).ok().and_then(|k| positions.get_mut(k))
            {
                found.push(p);
            }
        }
        (0..ty.width as usize)
            .map(|k| {
                let condition = if matches!(dict.otherwise, Scalar::I64(o) if o == k as i64) {
                    let other = |p: &usize| !matches!(dict.values[*p], Scalar::I64(i) if i == k as i64);
                    let others: Vec<usize> = (0..dict.values.len()).filter(other).collect();
                    let other = self.at_positions(&dict.arms, &others);
                    self.arena.add(X::IsNotTrue(other))
                } else {
                    self.at_positions(&dict.arms, &positions[k])
                };
                let of = Some((dict.clone(), k as i64));
                Cell::Pick(Pick { condition, yes: float(1.0), no: float(0.0), dtype: ty.dtype, of })
            })
            .collect()
    }

    fn nullable_one_hot(&mut self, index: &Cell, ty: FrameType) -> Vec<Cell> {
        let v = self.val(index);
        let (one, zero) = (self.arena.f64(1.0), self.arena.f64(0.0));
        let known = self.arena.add(X::IsNotNull(v.id));
        (0..ty.width)
            .map(|k| {
                let k = self.arena.i64(i64::from(k));
                let hit = self.arena.op2(Op2::Eq, v.id, k);
                let id = self.arena.case(&[(hit, one), (known, zero)], None);
                let range = Range { tiny: 1.0, ..Range::between(0.0, 1.0) };
                Cell::Val(Val { null: true, range, ..self.plain(id, ty.dtype) })
            })
            .collect()
    }

    /// True where one of these conditions or keys is the one that decides. A condition that keys come after must not
    /// hold where the operand equals a key; that it is a test for null says so.
    fn at_positions(&mut self, arms: &Arms, positions: &[usize]) -> Id {
        let first_key = arms.conditions.len();
        let mut any: Vec<Id> = Vec::new();
        let mut keys: Vec<Lit> = Vec::new();
        for p in positions {
            match p.checked_sub(first_key) {
                Some(k) => keys.push(arms.keys[k].clone()),
                None => {
                    let own = arms.conditions[*p];
                    // Those before it come first.
                    let before: Vec<Id> = arms.conditions[..*p].to_vec();
                    let mut all: Vec<Id> = before.into_iter().map(|c| self.arena.add(X::IsNotTrue(c))).collect();
                    all.push(own);
                    any.push(self.arena.and(&all));
                }
            }
        }
        if let Some(operand) = arms.operand.filter(|_| !keys.is_empty()) {
            let found = match keys.as_slice() {
                [one] => {
                    let key = self.arena.lit(one.clone());
                    self.arena.op2(Op2::Eq, operand, key)
                }
                _ => self.arena.add(X::In(operand, keys.into())),
            };
            let before: Vec<Id> =
                arms.conditions.iter().copied().filter(|c| *self.arena.x(*c) != X::IsNull(operand)).collect();
            let mut all: Vec<Id> = before.into_iter().map(|c| self.arena.add(X::IsNotTrue(c))).collect();
            all.push(found);
            any.push(self.arena.and(&all));
        }
        self.arena.or(&any)
    }

    /// One of two values as an expression.
    pub(super) fn picked(&mut self, p: &Pick) -> Val {
        if let (Scalar::Bool(yes), Scalar::Bool(no)) = (&p.yes, &p.no) {
            return match (yes, no) {
                (true, false) => Val { miss: true, ..self.plain(p.condition, DType::Bool) },
                (false, true) => {
                    let id = self.arena.add(X::IsNotTrue(p.condition));
                    self.plain(id, DType::Bool)
                }
                (same, _) => self.constant(&Scalar::Bool(*same), DType::Bool),
            };
        }
        let (yes, no) = (self.constant(&p.yes, p.dtype), self.constant(&p.no, p.dtype));
        let id = self.arena.case(&[(p.condition, yes.id)], Some(no.id));
        self.name_one_hot(id, p);
        Val { id, null: yes.null || no.null, miss: yes.miss || no.miss, range: yes.range.union(no.range), ..yes }
    }

    /// `carrier_AA` for the column of a category.
    fn name_one_hot(&mut self, id: Id, p: &Pick) {
        let Some((dict, k)) = &p.of else { return };
        let Some(operand) = dict.arms.operand else { return };
        let crate::expr::Origin::Column(c) = self.arena.info(operand).origin else { return };
        let at = dict.values.iter().position(|v| matches!(v, Scalar::I64(i) if i == k));
        let key = at.and_then(|p| p.checked_sub(dict.arms.conditions.len())).map(|k| &dict.arms.keys[k]);
        let label = match key {
            Some(Lit::Str(s)) => s.to_string(),
            Some(Lit::I64(i)) => i.to_string(),
            Some(Lit::F64(bits)) => f64::from_bits(*bits).to_string(),
            Some(Lit::Bool(b)) => b.to_string(),
            _ => "missing".into(),
        };
        let name = format!("{}_{label}", self.arena.columns[c as usize].name);
        self.arena.hint(id, name);
    }

    /// A function of a category as an expression.
    pub(super) fn looked_up(&mut self, d: &Dict) -> Val {
        if d.dtype == DType::Bool && !d.values.iter().chain([&d.otherwise]).any(|x| matches!(x, Scalar::Null)) {
            return self.looked_up_test(d);
        }
        let first_key = d.arms.conditions.len();
        let otherwise = Lit::of(&d.otherwise, d.dtype);
        let keyed = d.arms.keys.iter().zip(&d.values[first_key..]).map(|(k, v)| (k.clone(), Lit::of(v, d.dtype)));
        let keyed: Vec<(Lit, Lit)> = keyed.filter(|(_, v)| *v != otherwise).collect();
        let rest = match d.arms.operand.filter(|_| !keyed.is_empty()) {
            Some(operand) => self.arena.add(X::Dictionary(operand, keyed.into(), otherwise)),
            None => self.arena.lit(otherwise),
        };
        let mut arms = Vec::new();
        for (condition, value) in d.arms.conditions.iter().zip(&d.values) {
            let value = self.arena.lit(Lit::of(value, d.dtype));
            arms.push((*condition, value));
        }
        // Conditions at the end that say what the rest says anyway: NULL equals no key.
        let default = self.arena.lit(Lit::of(&d.otherwise, d.dtype));
        let says_default = |l: &Self, (condition, value): &(Id, Id)| {
            *value == default
                && (rest == default || d.arms.operand.is_some_and(|o| *l.arena.x(*condition) == X::IsNull(o)))
        };
        while arms.last().is_some_and(|arm| says_default(self, arm)) {
            arms.pop();
        }
        let id = self.arena.case(&arms, Some(rest));
        let all = || d.values.iter().chain([&d.otherwise]);
        let range = all().filter_map(number).map(Range::point).reduce(Range::union).unwrap_or(Range::ALL);
        let miss = all().any(|x| number(x).is_some_and(f64::is_nan));
        let null = all().any(|x| matches!(x, Scalar::Null));
        Val { null, miss, range, ..self.plain(id, d.dtype) }
    }

    fn looked_up_test(&mut self, d: &Dict) -> Val {
        let otherwise = matches!(d.otherwise, Scalar::Bool(true));
        let others: Vec<usize> =
            (0..d.values.len()).filter(|p| matches!(d.values[*p], Scalar::Bool(b) if b != otherwise)).collect();
        let id = self.at_positions(&d.arms, &others);
        if otherwise {
            let id = self.arena.add(X::IsNotTrue(id));
            return self.plain(id, DType::Bool);
        }
        Val { miss: true, ..self.plain(id, DType::Bool) }
    }
}

/// A constant to compare with; -0 is 0.
fn key(x: &Scalar, dtype: DType) -> Lit {
    match number(x) {
        Some(x) if dtype.is_float() => Lit::F64((x + 0.0).to_bits()),
        _ => Lit::of(x, dtype),
    }
}

fn zero(dtype: DType) -> Scalar {
    match dtype {
        DType::Bool => Scalar::Bool(false),
        DType::I64 => Scalar::I64(0),
        DType::F32 => Scalar::F32(0.0),
        DType::F64 => Scalar::F64(0.0),
        DType::Str => Scalar::Str("".into()),
    }
}
