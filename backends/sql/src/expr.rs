//! Scalar expressions: what the columns of frames become. Equal expressions are one, operands come before their users,
//! and no expression is deeper than the dialect's parser takes: what would be deeper becomes a column of an earlier stage.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use flock_api::Unsupported;
use flock_ir_spec::{Child, DType, Scalar};

use crate::dialect::Dialect;
use crate::encodings::nested_case::Ensemble;

/// An expression in its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub u32);

impl Id {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lit {
    /// NULL of that type.
    Null(DType),
    Bool(bool),
    I64(i64),
    /// The bits of a double; not NaN.
    F64(u64),
    /// NaN of the dialect.
    Nan,
    Str(Arc<str>),
}

impl Lit {
    /// A value; NaN of a float is NULL, which stands for it.
    pub fn of(x: &Scalar, dtype: DType) -> Lit {
        match x {
            Scalar::Null => Lit::Null(dtype),
            Scalar::Bool(x) => Lit::Bool(*x),
            Scalar::I64(x) => Lit::I64(*x),
            Scalar::F32(x) if x.is_nan() => Lit::Null(DType::F64),
            Scalar::F64(x) if x.is_nan() => Lit::Null(DType::F64),
            Scalar::F32(x) => Lit::F64(f64::from(*x).to_bits()),
            Scalar::F64(x) => Lit::F64(x.to_bits()),
            Scalar::Str(x) => Lit::Str(x.clone()),
        }
    }
}

/// Operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op2 {
    Add,
    Sub,
    Mul,
    Div,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    ShiftLeft,
    ShiftRight,
    BitAnd,
    BitOr,
    Append,
}

impl Op2 {
    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            Op2::Add => " + ",
            Op2::Sub => " - ",
            Op2::Mul => " * ",
            Op2::Div => " / ",
            Op2::Eq => " = ",
            Op2::Ne => " <> ",
            Op2::Lt => " < ",
            Op2::Le => " <= ",
            Op2::Gt => " > ",
            Op2::Ge => " >= ",
            Op2::ShiftLeft => " << ",
            Op2::ShiftRight => " >> ",
            Op2::BitAnd => " & ",
            Op2::BitOr => " | ",
            Op2::Append => " || ",
        }
    }

    /// Whether it compares.
    pub fn compares(self) -> bool {
        matches!(self, Op2::Eq | Op2::Ne | Op2::Lt | Op2::Le | Op2::Gt | Op2::Ge)
    }
}

/// Types to cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cast {
    Double,
    Real,
    Integer,
    WideInteger,
    Text,
    Boolean,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum X {
    /// A column of a source, by its index in [`Arena::columns`].
    Column(u32),
    Lit(Lit),
    Op2(Op2, Id, Id),
    /// `a AND b AND …`
    And(Box<[Id]>),
    /// `a OR b OR …`
    Or(Box<[Id]>),
    Not(Id),
    Neg(Id),
    IsNull(Id),
    IsNotNull(Id),
    IsTrue(Id),
    IsNotTrue(Id),
    /// A function by name.
    Call(&'static str, Box<[Id]>),
    /// A function by name, as the caller says it.
    Udf(Arc<str>, Box<[Id]>),
    /// The searched form.
    Case(Box<[(Id, Id)]>, Option<Id>),
    /// The simple form over constants; the last is what everything else gives.
    Dictionary(Id, Rc<[(Lit, Lit)]>, Lit),
    In(Id, Rc<[Lit]>),
    Cast(Cast, Id),
    /// Text that compares byte by byte.
    Bytewise(Id),
    /// One output of the tree or subtree with that root (bits of a `Child`) in an ensemble of the arena.
    Tree {
        ensemble: u32,
        root: u32,
        output: u32,
    },
    /// SQL that is carried: operand i stands for `{i}`.
    Template(Arc<str>, Box<[Id]>),
    /// What the dialect has no exact form for; index into [`Arena::refused`].
    Refused(u32),
}

/// What is known of an expression beside its text.
#[derive(Clone, Debug)]
pub struct Info {
    pub x: X,
    /// Operators on the longest path.
    pub depth: u32,
    /// Expressions within one another that the parser holds at once.
    pub nest: u32,
    /// Nodes, as far as counted.
    pub size: u32,
    /// It must be a column of a stage.
    pub forced: bool,
    /// It may end the statement unless a condition guards it, so it must not leave the CASE that does.
    pub partial: bool,
    /// Index into [`Arena::steps`].
    pub step: u32,
    /// It is never a column of a stage: an aggregate, or what is cheaper written again.
    pub inline: bool,
    /// What to call it.
    pub hint: Option<Rc<str>>,
    /// The one source column that it depends on; None where there are none or several.
    pub origin: Origin,
}

/// On which source columns an expression depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    None,
    Column(u32),
    Many,
}

/// A column of a source.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its bare name.
    pub name: Rc<str>,
    /// The name in SQL, quoted, qualified where need be.
    pub sql: Rc<str>,
}

/// The expressions of a statement.
pub struct Arena<'m> {
    pub dialect: &'static Dialect,
    infos: Vec<Info>,
    memo: HashMap<X, Id>,
    pub columns: Vec<Column>,
    by_sql: HashMap<Rc<str>, u32>,
    pub ensembles: Vec<Ensemble<'m>>,
    pub refused: Vec<Unsupported>,
    pub steps: Vec<Rc<str>>,
    step: u32,
    /// What faults outside of a step are reported for.
    pub place: Rc<str>,
}

impl<'m> Arena<'m> {
    pub fn new(dialect: &'static Dialect) -> Arena<'m> {
        Arena {
            dialect,
            infos: Vec::new(),
            memo: HashMap::new(),
            columns: Vec::new(),
            by_sql: HashMap::new(),
            ensembles: Vec::new(),
            refused: Vec::new(),
            steps: vec![Rc::from("")],
            step: 0,
            place: Rc::from(""),
        }
    }

    /// The pipeline step that expressions are added in.
    pub fn set_step(&mut self, path: &str) {
        self.step = match self.steps.iter().position(|s| &**s == path) {
            Some(i) => i as u32,
            None => {
                self.steps.push(path.into());
                self.steps.len() as u32 - 1
            }
        };
    }

    /// The pipeline step that expressions are added in.
    pub fn step(&self) -> &str {
        &self.steps[self.step as usize]
    }

    pub fn x(&self, id: Id) -> &X {
        &self.infos[id.index()].x
    }

    pub fn info(&self, id: Id) -> &Info {
        &self.infos[id.index()]
    }

    pub fn len(&self) -> usize {
        self.infos.len()
    }

    /// A column of a source; columns that read the same are one.
    pub fn column(&mut self, name: &str, sql: &str) -> Id {
        let sql: Rc<str> = sql.into();
        let next = self.columns.len() as u32;
        let index = *self.by_sql.entry(sql.clone()).or_insert(next);
        if index == next {
            self.columns.push(Column { name: name.into(), sql });
        }
        self.add(X::Column(index))
    }

    /// Makes it a column of a stage.
    pub fn force(&mut self, id: Id) {
        if !matches!(self.x(id), X::Column(_) | X::Lit(_)) {
            self.infos[id.index()].forced = true;
        }
    }

    /// Says that it stands in a CASE only, because it may end the statement.
    pub fn partial(&mut self, id: Id) -> Id {
        if !matches!(self.x(id), X::Column(_) | X::Lit(_)) {
            self.infos[id.index()].partial = true;
        }
        id
    }

    /// Says that it is written wherever it is used.
    pub fn inline(&mut self, id: Id) -> Id {
        self.infos[id.index()].inline = true;
        id
    }

    /// Says that its conditions guard what it holds.
    pub fn total(&mut self, id: Id) -> Id {
        self.infos[id.index()].partial = false;
        id
    }

    /// Says what to call it, unless that is said already.
    pub fn hint(&mut self, id: Id, name: impl Into<Rc<str>>) {
        let info = &mut self.infos[id.index()];
        info.hint.get_or_insert_with(|| name.into());
    }

    /// Something that cannot be said; reported if it is reached.
    pub fn refuse(&mut self, what: &str, reason: impl Into<String>) -> Id {
        let place = if self.step == 0 { &*self.place } else { self.step() }.to_owned();
        let one = Unsupported { place, what: what.to_owned(), reason: reason.into() };
        let index = self.refused.iter().position(|r| *r == one).unwrap_or_else(|| {
            self.refused.push(one);
            self.refused.len() - 1
        });
        self.add(X::Refused(index as u32))
    }

    /// Calls `f` with the operands, each with how often it is written.
    pub fn operands(&self, id: Id, mut f: impl FnMut(Id, u32)) {
        match self.x(id) {
            X::Column(_) | X::Lit(_) | X::Refused(_) => {}
            X::Op2(_, a, b) => {
                f(*a, 1);
                f(*b, 1);
            }
            X::And(all) | X::Or(all) | X::Call(_, all) | X::Udf(_, all) | X::Template(_, all) => {
                all.iter().for_each(|a| f(*a, 1));
            }
            X::Not(a) | X::Neg(a) | X::IsNull(a) | X::IsNotNull(a) | X::IsTrue(a) | X::IsNotTrue(a) => f(*a, 1),
            X::Dictionary(a, ..) | X::In(a, _) | X::Cast(_, a) | X::Bytewise(a) => f(*a, 1),
            X::Case(arms, otherwise) => {
                for (condition, value) in arms {
                    f(*condition, 1);
                    f(*value, 1);
                }
                otherwise.iter().for_each(|o| f(*o, 1));
            }
            X::Tree { ensemble, root, output } => {
                self.ensembles[*ensemble as usize].operands(*root, *output).iter().for_each(|(a, n)| f(*a, *n));
            }
        }
    }

    /// Adds an expression, or finds the equal one. An operand that would go too deep is forced into a stage.
    pub fn add(&mut self, x: X) -> Id {
        if let Some(id) = self.memo.get(&x) {
            return *id;
        }
        let id = Id(self.infos.len() as u32);
        self.memo.insert(x.clone(), id);
        let (own_depth, own_nest, own_size) = match &x {
            X::Tree { ensemble, root, output } => {
                let ensemble = &self.ensembles[*ensemble as usize];
                let nest = ensemble.nest(*root, *output);
                (nest, nest, ensemble.size(*root, *output).max(1))
            }
            X::And(all) | X::Or(all) => (all.len() as u32, 0, 1),
            _ => (0, 0, 1),
        };
        let info = Info {
            x,
            depth: own_depth,
            nest: own_nest,
            size: own_size,
            forced: false,
            partial: false,
            inline: false,
            step: self.step,
            hint: None,
            origin: Origin::None,
        };
        self.infos.push(info);
        for (i, a) in self.operand_list(id).into_iter().enumerate() {
            let (child, cost) = (&self.infos[a.index()], self.nesting_cost(id, i));
            if self.is_long(id, i, a) {
                self.force(a);
            } else if child.depth + 1 > self.dialect.depth || child.nest + cost > self.dialect.nesting {
                self.flatten(a);
            }
        }
        self.measure(id, own_depth, own_nest, own_size);
        id
    }

    fn operand_list(&self, id: Id) -> Vec<Id> {
        let mut operands = Vec::new();
        self.operands(id, |a, _| operands.push(a));
        operands
    }

    /// Whether the operand is a sum so long that it becomes a column.
    fn is_long(&self, id: Id, i: usize, a: Id) -> bool {
        let child = &self.infos[a.index()];
        let is_sum = |x: &X| matches!(x, X::Op2(Op2::Add, ..));
        i == 0 && is_sum(self.x(id)) && child.size > self.dialect.sum && is_sum(&child.x)
    }

    /// How much deeper the parser is within operand i.
    fn nesting_cost(&self, id: Id, i: usize) -> u32 {
        match self.x(id) {
            // The left operand of a chain `a + b + c` is read without going deeper.
            X::Op2(..) if i == 0 => 0,
            // A sign and the parentheses behind it.
            X::Neg(_) | X::Not(_) => 2,
            _ => 1,
        }
    }

    /// Forces an expression that would go too deep; of one that must not leave its CASE, what it reads. What is partial
    /// is no deeper than the dialect allows, which bounds the recursion.
    fn flatten(&mut self, id: Id) {
        if !self.infos[id.index()].partial || self.infos[id.index()].forced {
            return self.force(id);
        }
        self.operand_list(id).into_iter().for_each(|a| self.flatten(a));
        if !matches!(self.x(id), X::Tree { .. } | X::And(_) | X::Or(_)) {
            self.measure(id, 0, 0, 1);
        }
    }

    /// Depth, nesting, size and origin by those of the operands that are not columns.
    fn measure(&mut self, id: Id, own_depth: u32, own_nest: u32, own_size: u32) {
        let flat = match self.x(id) {
            X::Column(_) => Origin::Column(self.infos[id.index()].x_column()),
            _ => Origin::None,
        };
        let (mut depth, mut nest, mut size, mut origin) = (own_depth, own_nest, own_size, flat);
        let mut partial = false;
        for (i, a) in self.operand_list(id).into_iter().enumerate() {
            let (child, cost) = (&self.infos[a.index()], self.nesting_cost(id, i));
            if !child.forced {
                depth = depth.max(child.depth + 1);
                nest = nest.max(child.nest + cost);
                size = size.saturating_add(child.size);
                partial |= child.partial;
            } else {
                size = size.saturating_add(1);
            }
            origin = match (origin, child.origin) {
                (Origin::None, o) | (o, Origin::None) => o,
                (a, b) if a == b => a,
                _ => Origin::Many,
            };
        }
        let info = &mut self.infos[id.index()];
        (info.depth, info.nest, info.size, info.origin) = (depth, nest, size, origin);
        info.partial |= partial;
    }

    // Short forms.

    pub fn lit(&mut self, lit: Lit) -> Id {
        self.add(X::Lit(lit))
    }

    pub fn f64(&mut self, x: f64) -> Id {
        self.lit(if x.is_nan() { Lit::Null(DType::F64) } else { Lit::F64(x.to_bits()) })
    }

    pub fn i64(&mut self, x: i64) -> Id {
        self.lit(Lit::I64(x))
    }

    pub fn op2(&mut self, op: Op2, a: Id, b: Id) -> Id {
        self.add(X::Op2(op, a, b))
    }

    pub fn call(&mut self, name: &'static str, args: &[Id]) -> Id {
        self.add(X::Call(name, args.into()))
    }

    pub fn case(&mut self, arms: &[(Id, Id)], otherwise: Option<Id>) -> Id {
        if let ([], Some(only)) = (arms, otherwise) {
            return only;
        }
        let otherwise = otherwise.filter(|o| !matches!(self.x(*o), X::Lit(Lit::Null(_))));
        self.add(X::Case(arms.into(), otherwise))
    }

    /// One output of a tree.
    pub fn tree(&mut self, ensemble: u32, root: Child, output: u32) -> Id {
        let limit = self.dialect.nesting.saturating_sub(2);
        // What is cut off becomes a column of an earlier stage, and so on inwards.
        for subtree in self.ensembles[ensemble as usize].cuts(root, output, limit) {
            let id = self.piece(ensemble, subtree, output);
            self.force(id);
            self.ensembles[ensemble as usize].cut(subtree, output, id);
        }
        self.piece(ensemble, root, output)
    }

    fn piece(&mut self, ensemble: u32, root: Child, output: u32) -> Id {
        self.ensembles[ensemble as usize].register(root, output, self.dialect.nesting.saturating_sub(2));
        self.add(X::Tree { ensemble, root: root.bits(), output })
    }

    pub fn and(&mut self, all: &[Id]) -> Id {
        match self.joined(all, true) {
            Ok(id) => id,
            Err(all) => self.grouped(all, X::And),
        }
    }

    pub fn or(&mut self, all: &[Id]) -> Id {
        match self.joined(all, false) {
            Ok(id) => id,
            Err(all) => self.grouped(all, X::Or),
        }
    }

    /// A long chain as a chain of chains in parentheses, since engines count each link as a level.
    fn grouped(&mut self, mut all: Vec<Id>, form: fn(Box<[Id]>) -> X) -> Id {
        const LINKS: usize = 64;
        while all.len() > LINKS {
            all = all.chunks(LINKS).map(|c| if let [one] = c { *one } else { self.add(form(c.into())) }).collect();
        }
        self.add(form(all.into()))
    }

    /// Conjuncts (disjuncts) flat and once, neutral ones gone; Ok where one expression is left.
    fn joined(&mut self, all: &[Id], and: bool) -> Result<Id, Vec<Id>> {
        let mut flat: Vec<Id> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for id in all {
            let inner: Vec<Id> = match self.x(*id) {
                X::And(inner) if and => inner.to_vec(),
                X::Or(inner) if !and => inner.to_vec(),
                _ => vec![*id],
            };
            for i in inner {
                match self.x(i) {
                    X::Lit(Lit::Bool(b)) if *b == and => {}
                    X::Lit(Lit::Bool(_)) => return Ok(i),
                    _ if seen.insert(i) => flat.push(i),
                    _ => {}
                }
            }
        }
        match flat.as_slice() {
            [] => Ok(self.lit(Lit::Bool(and))),
            [one] => Ok(*one),
            _ => Err(flat),
        }
    }
}

impl Info {
    fn x_column(&self) -> u32 {
        if let X::Column(c) = self.x { c } else { 0 }
    }
}
