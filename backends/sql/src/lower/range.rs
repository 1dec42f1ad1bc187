//! Bounds of floats: what lets a guard be left out.

/// Where the values of a float lie, NaN apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub lo: f64,
    pub hi: f64,
    /// The greatest magnitude of a finite value.
    pub top: f64,
    /// The least magnitude of a value that is not 0.
    pub tiny: f64,
}

/// The least positive double.
pub const LEAST: f64 = 5e-324;

impl Range {
    /// Anything.
    pub const ALL: Range = Range { lo: f64::NEG_INFINITY, hi: f64::INFINITY, top: f64::MAX, tiny: LEAST };

    /// One value.
    pub fn point(x: f64) -> Range {
        if x.is_nan() {
            return Range { lo: f64::INFINITY, hi: f64::NEG_INFINITY, top: 0.0, tiny: f64::MAX };
        }
        let top = if x.is_finite() { x.abs() } else { 0.0 };
        Range { lo: x, hi: x, top, tiny: if x == 0.0 { f64::MAX } else { x.abs() } }
    }

    /// Between two finite bounds.
    pub fn between(lo: f64, hi: f64) -> Range {
        Range { lo, hi, top: lo.abs().max(hi.abs()), tiny: LEAST }
    }

    /// Whether an infinity is among the values.
    pub fn infinite(&self) -> bool {
        self.lo == f64::NEG_INFINITY || self.hi == f64::INFINITY
    }

    /// Whether 0 may be.
    pub fn has_zero(&self) -> bool {
        self.lo <= 0.0 && self.hi >= 0.0
    }

    /// Both.
    pub fn union(self, o: Range) -> Range {
        Range { lo: self.lo.min(o.lo), hi: self.hi.max(o.hi), top: self.top.max(o.top), tiny: self.tiny.min(o.tiny) }
    }

    /// With these bounds, which may have overflowed; `tiny` as found.
    fn closed(lo: f64, hi: f64, top: f64, tiny: f64) -> Range {
        let lo = if lo.is_nan() { f64::NEG_INFINITY } else { lo };
        let hi = if hi.is_nan() { f64::INFINITY } else { hi };
        let tiny = if tiny.is_nan() || tiny < LEAST { LEAST } else { tiny };
        Range { lo, hi, top: if top.is_nan() { f64::MAX } else { top.min(f64::MAX) }, tiny }
    }

    /// -x.
    pub fn neg(self) -> Range {
        Range { lo: -self.hi, hi: -self.lo, ..self }
    }

    /// |x|.
    pub fn abs(self) -> Range {
        let hi = self.lo.abs().max(self.hi.abs());
        let lo = if self.has_zero() { 0.0 } else { self.lo.abs().min(self.hi.abs()) };
        Range { lo, hi, ..self }
    }

    /// a + b. What is left after cancellation is a multiple of the lesser unit in the last place.
    pub fn add(self, o: Range) -> Range {
        let constant = |r: &Range| (r.lo == r.hi && r.lo != 0.0 && r.lo.is_finite()).then_some(r.lo.abs());
        let step = |c: f64| c - c.next_down();
        let tiny = match (constant(&self), constant(&o)) {
            (Some(c), _) | (None, Some(c)) => step(c),
            (None, None) => LEAST,
        };
        Range::closed(self.lo + o.lo, self.hi + o.hi, self.top + o.top, tiny)
    }

    /// a · b.
    pub fn mul(self, o: Range) -> Range {
        let ends = [self.lo * o.lo, self.lo * o.hi, self.hi * o.lo, self.hi * o.hi];
        if ends.iter().any(|x| x.is_nan()) {
            return Range::closed(f64::NAN, f64::NAN, self.top * o.top, self.tiny * o.tiny);
        }
        let (lo, hi) = (
            ends.iter().copied().fold(f64::INFINITY, f64::min),
            ends.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
        Range::closed(lo, hi, self.top * o.top, self.tiny * o.tiny)
    }

    /// a / b.
    pub fn div(self, o: Range) -> Range {
        let (top, tiny) = (self.top / o.tiny, if o.infinite() { 0.0 } else { self.tiny / o.top });
        if o.has_zero() || o.infinite() || self.infinite() {
            let sign = if self.lo >= 0.0 && o.lo >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
            return Range::closed(sign, f64::INFINITY, top, tiny);
        }
        let ends = [self.lo / o.lo, self.lo / o.hi, self.hi / o.lo, self.hi / o.hi];
        let (lo, hi) = (
            ends.iter().copied().fold(f64::INFINITY, f64::min),
            ends.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
        Range::closed(lo, hi, top, tiny)
    }

    /// Rounded to float32.
    pub fn rounded(self) -> Range {
        let f = |x: f64| f64::from(x as f32);
        let least = f64::from(f32::from_bits(1));
        let tiny = if self.tiny < f64::from(f32::MIN_POSITIVE) { least } else { f(self.tiny) };
        Range { lo: f(self.lo), hi: f(self.hi), top: self.top.min(f64::from(f32::MAX)), tiny }
    }

    /// Whether a magnitude may pass the greatest float32.
    pub fn beyond_f32(&self) -> bool {
        self.top >= 3.4028235677973366e38
    }
}
