//! Expressions as text.

use std::fmt::Write;
use std::rc::Rc;

use flock_ir_spec::DType;

use crate::encodings::{dictionary, nested_case};
use crate::expr::{Arena, Cast, Id, Lit, Op2, X};
use crate::literal::{self, Typed};

/// How tightly a form binds; an operand that binds less than its place asks for is put in parentheses.
mod binds {
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARE: u8 = 4;
    pub const BITS: u8 = 5;
    pub const ADD: u8 = 6;
    pub const MUL: u8 = 7;
    pub const MINUS: u8 = 8;
    pub const COLLATE: u8 = 9;
    pub const ATOM: u8 = 10;
}

/// Indentation stops growing here: a deep tree would otherwise be blanks for the most part.
const DEEPEST_INDENT: usize = 24;

/// Starts a new line.
pub fn line(out: &mut String, indent: usize) {
    const BLANKS: &str = "                                                ";
    out.push('\n');
    out.push_str(&BLANKS[..2 * indent.min(DEEPEST_INDENT)]);
}

/// Writes expressions; those that are columns of a stage by name.
pub struct Printer<'p, 'm> {
    pub arena: &'p Arena<'m>,
    /// The quoted name of each expression that is a column of a stage.
    pub names: &'p [Option<Rc<str>>],
}

impl Printer<'_, '_> {
    /// Appends an expression for a place that asks for that binding.
    pub fn expr(&self, out: &mut String, id: Id, place: u8, indent: usize) {
        match &self.names[id.index()] {
            Some(name) => out.push_str(name),
            None => self.definition(out, id, place, indent),
        }
    }

    /// Appends an expression even if it has a name.
    pub fn definition(&self, out: &mut String, id: Id, place: u8, indent: usize) {
        let open = self.binding(id) < place;
        if open {
            out.push('(');
        }
        self.bare(out, id, indent);
        if open {
            out.push(')');
        }
    }

    fn binding(&self, id: Id) -> u8 {
        match self.arena.x(id) {
            X::Op2(Op2::Add | Op2::Sub, ..) => binds::ADD,
            X::Op2(Op2::Mul | Op2::Div, ..) => binds::MUL,
            X::Op2(op, ..) if op.compares() => binds::COMPARE,
            X::Op2(..) => binds::BITS,
            X::And(_) => binds::AND,
            X::Or(_) => binds::OR,
            X::Not(_) => binds::NOT,
            X::Neg(_) => binds::MINUS,
            X::IsNull(_) | X::IsNotNull(_) | X::IsTrue(_) | X::IsNotTrue(_) | X::In(..) => binds::COMPARE,
            X::Bytewise(_) => binds::COLLATE,
            X::Lit(Lit::F64(bits)) if f64::from_bits(*bits).is_sign_negative() => binds::MINUS,
            X::Lit(Lit::I64(x)) if *x < 0 => binds::MINUS,
            X::Template(..) => 0,
            _ => binds::ATOM,
        }
    }

    fn bare(&self, out: &mut String, id: Id, indent: usize) {
        match self.arena.x(id) {
            X::Column(c) => out.push_str(&self.arena.columns[*c as usize].sql),
            X::Lit(lit) => self.literal(out, lit),
            X::Op2(Op2::Add, ..) if self.is_long_sum(id) => self.long_sum(out, id, indent),
            X::Op2(op, a, b) => self.op2(out, *op, *a, *b, indent),
            X::And(all) => self.joined(out, " AND ", "AND ", all, indent),
            X::Or(all) => self.joined(out, " OR ", "OR ", all, indent),
            X::Not(a) => {
                out.push_str("NOT ");
                self.expr(out, *a, binds::COLLATE, indent);
            }
            X::Neg(a) => {
                out.push('-');
                self.expr(out, *a, binds::COLLATE, indent);
            }
            X::IsNull(a) => self.postfix(out, *a, " IS NULL", indent),
            X::IsNotNull(a) => self.postfix(out, *a, " IS NOT NULL", indent),
            X::IsTrue(a) => self.postfix(out, *a, " IS TRUE", indent),
            X::IsNotTrue(a) => self.postfix(out, *a, " IS NOT TRUE", indent),
            X::Call(name, args) => self.call(out, name, args, indent),
            X::Udf(name, args) => self.call(out, name, args, indent),
            X::Case(arms, otherwise) => self.case(out, arms, *otherwise, indent),
            X::Dictionary(a, arms, otherwise) => dictionary::write(self, out, *a, arms, otherwise, indent),
            X::In(a, set) => self.in_set(out, *a, set, indent),
            X::Cast(to, a) => {
                out.push_str("CAST(");
                self.expr(out, *a, 0, indent);
                let _ = write!(out, " AS {})", self.type_name(*to));
            }
            X::Bytewise(a) => {
                self.expr(out, *a, binds::COLLATE, indent);
                out.push_str(self.arena.dialect.bytewise);
            }
            X::Tree { ensemble, root, output } => nested_case::write(self, out, *ensemble, *root, *output, indent),
            X::Template(text, args) => self.template(out, text, args),
            X::Refused(_) => out.push_str("NULL"),
        }
    }

    fn type_name(&self, to: Cast) -> &'static str {
        let d = self.arena.dialect;
        match to {
            Cast::Double => d.double,
            Cast::Real => d.real.unwrap_or(d.double),
            Cast::Integer => d.bigint,
            Cast::WideInteger => d.wide_integer.unwrap_or(d.bigint),
            Cast::Text => d.text,
            Cast::Boolean => d.boolean.unwrap_or(d.bigint),
        }
    }

    fn op2(&self, out: &mut String, op: Op2, a: Id, b: Id, indent: usize) {
        let (left, right) = match op {
            Op2::Add | Op2::Sub => (binds::ADD, binds::MUL),
            Op2::Mul | Op2::Div => (binds::MUL, binds::MINUS),
            _ if op.compares() => (binds::BITS, binds::BITS),
            _ => (binds::COLLATE, binds::COLLATE),
        };
        self.operand(out, a, b, op, left, indent);
        out.push_str(op.symbol());
        self.operand(out, b, a, op, right, indent);
    }

    /// An operand; a float that is compared with something takes its type from there.
    fn operand(&self, out: &mut String, id: Id, other: Id, op: Op2, place: u8, indent: usize) {
        match self.arena.x(id) {
            X::Lit(lit @ Lit::F64(_)) if op.compares() && !matches!(self.arena.x(other), X::Lit(_)) => {
                self.key(out, lit)
            }
            _ => self.expr(out, id, place, indent),
        }
    }

    /// Whether the sum has an operand that takes more than a line.
    fn is_long_sum(&self, id: Id) -> bool {
        let X::Op2(Op2::Add, a, b) = self.arena.x(id) else { return false };
        let big = |id: Id| {
            self.names[id.index()].is_none()
                && match self.arena.x(id) {
                    X::Tree { .. } => true,
                    X::Cast(_, a) => matches!(self.arena.x(*a), X::Tree { .. }),
                    X::Dictionary(_, arms, _) => arms.len() > 3,
                    _ => false,
                }
        };
        let left = *a;
        big(*b) || big(left) || (self.names[left.index()].is_none() && self.arena.info(id).depth > 4)
    }

    /// `a`, then `+ b` and so on a line each.
    fn long_sum(&self, out: &mut String, id: Id, indent: usize) {
        let mut terms = Vec::new();
        let mut first = id;
        while let X::Op2(Op2::Add, a, b) = self.arena.x(first)
            && (first == id || self.names[first.index()].is_none())
        {
            terms.push(*b);
            first = *a;
        }
        self.expr(out, first, binds::ADD, indent + 1);
        for term in terms.into_iter().rev() {
            line(out, indent + 1);
            out.push_str("+ ");
            self.expr(out, term, binds::MUL, indent + 1);
        }
    }

    fn joined(&self, out: &mut String, inline: &str, own_line: &str, all: &[Id], indent: usize) {
        let long = all.len() > 4;
        for (i, a) in all.iter().enumerate() {
            match (i, long) {
                (0, _) => {}
                (_, false) => out.push_str(inline),
                (_, true) => {
                    line(out, indent + 1);
                    out.push_str(own_line);
                }
            }
            self.expr(out, *a, binds::NOT, indent);
        }
    }

    fn postfix(&self, out: &mut String, a: Id, text: &str, indent: usize) {
        self.expr(out, a, binds::COLLATE, indent);
        out.push_str(text);
    }

    fn call(&self, out: &mut String, name: &str, args: &[Id], indent: usize) {
        // A name that is a template: `f({}, 0)` is kept as its two ends.
        match name.split_once("{}") {
            Some((before, after)) => {
                out.push_str(before);
                args.iter().for_each(|a| self.expr(out, *a, 0, indent));
                out.push_str(after);
            }
            None => {
                out.push_str(name);
                out.push('(');
                for (i, a) in args.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    self.expr(out, *a, 0, indent);
                }
                out.push(')');
            }
        }
    }

    fn case(&self, out: &mut String, arms: &[(Id, Id)], otherwise: Option<Id>, indent: usize) {
        let long = arms.len() > 2;
        out.push_str("CASE");
        for (condition, value) in arms {
            if long {
                line(out, indent + 1)
            } else {
                out.push(' ')
            }
            out.push_str("WHEN ");
            self.expr(out, *condition, 0, indent + 1);
            out.push_str(" THEN ");
            self.expr(out, *value, 0, indent + 1);
        }
        if let Some(otherwise) = otherwise {
            if long {
                line(out, indent + 1)
            } else {
                out.push(' ')
            }
            out.push_str("ELSE ");
            self.expr(out, otherwise, 0, indent + 1);
        }
        if long {
            line(out, indent)
        } else {
            out.push(' ')
        }
        out.push_str("END");
    }

    fn in_set(&self, out: &mut String, a: Id, set: &[Lit], indent: usize) {
        self.expr(out, a, binds::ADD, indent);
        out.push_str(" IN (");
        for (i, x) in set.iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            self.key(out, x);
        }
        out.push(')');
    }

    fn template(&self, out: &mut String, text: &str, args: &[Id]) {
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let tail = &rest[at..];
            let brace = &tail[..1];
            let operand = tail.find('}').filter(|end| *end > 0).map(|end| (&tail[1..end], end + 1));
            if tail[1..].starts_with(brace) {
                out.push_str(brace);
                rest = &tail[2..];
            } else if let Some((a, end)) = operand.and_then(|(i, end)| Some((args.get(i.parse::<usize>().ok()?)?, end)))
            {
                self.expr(out, *a, binds::ATOM, 0);
                rest = &tail[end..];
            } else {
                out.push_str(brace);
                rest = &tail[1..];
            }
        }
        out.push_str(rest);
    }

    /// A constant whose text alone says its type.
    pub fn literal(&self, out: &mut String, lit: &Lit) {
        self.constant(out, lit, Typed::Yes);
    }

    /// A constant beside what it is compared with.
    pub fn key(&self, out: &mut String, lit: &Lit) {
        self.constant(out, lit, Typed::No);
    }

    fn constant(&self, out: &mut String, lit: &Lit, typed: Typed) {
        let d = self.arena.dialect;
        match lit {
            Lit::Null(dtype) => {
                let ty = self.type_name(match dtype {
                    DType::Bool => Cast::Boolean,
                    DType::I64 => Cast::Integer,
                    DType::F32 | DType::F64 => Cast::Double,
                    DType::Str => Cast::Text,
                });
                let _ = write!(out, "CAST(NULL AS {ty})");
            }
            Lit::Bool(b) => out.push_str(match (d.boolean, b) {
                (Some(_), true) => "TRUE",
                (Some(_), false) => "FALSE",
                (None, true) => "1",
                (None, false) => "0",
            }),
            // The least integer has no literal: its digits are read before the sign.
            Lit::I64(i64::MIN) => out.push_str("(-9223372036854775807 - 1)"),
            Lit::I64(x) => {
                let _ = write!(out, "{x}");
            }
            Lit::F64(bits) => literal::float(out, d, f64::from_bits(*bits), typed),
            Lit::Nan => literal::float(out, d, f64::NAN, typed),
            Lit::Str(s) => literal::text(out, s),
        }
    }
}
