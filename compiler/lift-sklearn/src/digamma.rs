//! The logarithmic derivative of the gamma function, where a model's constants need it.

/// digamma(x) for x > 0: the recurrence ψ(x) = ψ(x + 1) − 1/x up to 10, then the asymptotic series; NaN elsewhere.
/// Source: Abramowitz and Stegun 6.3.5, 6.3.18.
pub(crate) fn digamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let (mut x, mut below) = (x, 0.0);
    while x < 10.0 {
        below += 1.0 / x;
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    let series = [-1.0 / 12.0, 691.0 / 32760.0, -1.0 / 132.0, 1.0 / 240.0, -1.0 / 252.0, 1.0 / 120.0, -1.0 / 12.0];
    let tail = series.iter().fold(0.0, |a, c| a * z + c);
    x.ln() - 0.5 / x + z * tail - below
}

#[cfg(test)]
mod tests {
    use super::digamma;

    /// Values of `scipy.special.digamma`.
    #[test]
    fn agrees_with_scipy() {
        for (x, value) in EXPECTED {
            assert!((digamma(x) - value).abs() <= 1e-15 * value.abs().max(1.0), "{x}: {} {value}", digamma(x));
        }
    }

    const EXPECTED: [(f64, f64); 7] = [
        (0.001, -1000.5755719318103),
        (0.5, -1.9635100260214235),
        (1.0, -0.5772156649015329),
        (2.5, 0.7031566406452432),
        (9.75, 2.225109535044576),
        (25.0, 3.198742512851974),
        (1000000.0, 13.81551005796419),
    ];
}
