//! Quantiles of Student's t distribution: how far a mean of few values may lie from the truth.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// Halvings of the angle: more than a double has bits.
const HALVINGS: usize = 60;
/// From so many degrees of freedom on the distribution is the same to four digits as with more.
const DEGREES_MAX: u32 = 100_000;

/// The half-width, in standard errors, of the interval that covers 95 %, with so many degrees of freedom (at least one).
pub fn t_95(degrees: usize) -> f64 {
    let degrees =
        u32::try_from(degrees).map_or(DEGREES_MAX, |degrees| degrees.clamp(1, DEGREES_MAX));
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        match covered(middle, degrees) < 0.95 {
            true => low = middle,
            false => high = middle,
        }
    }
    low.tan() * f64::from(degrees).sqrt()
}

/// P(|T| < t) for the angle atan(t / sqrt(degrees)): the finite series for whole degrees of freedom (Abramowitz and
/// Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4).
fn covered(angle: f64, degrees: u32) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    if degrees == 1 {
        return FRAC_2_PI * angle;
    }
    let (mut term, mut sum) = (if is_odd { cos } else { 1.0 }, 0.0);
    let mut next = if is_odd { 2 } else { 1 };
    while next < degrees {
        sum += term;
        term *= f64::from(next) / f64::from(next + 1) * cos * cos;
        next += 2;
    }
    match is_odd {
        true => FRAC_2_PI * (angle + sin * sum),
        false => sin * sum,
    }
}

#[cfg(test)]
mod tests {
    use super::t_95;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // The column "0.975" of any printed table of the t distribution.
        for (degrees, expected) in [
            (1, 12.7062),
            (2, 4.3027),
            (3, 3.1824),
            (4, 2.7764),
            (5, 2.5706),
            (9, 2.2622),
            (14, 2.1448),
            (29, 2.0452),
            (60, 2.0003),
            (120, 1.9799),
            (1_000, 1.9623),
            (usize::MAX, 1.9600),
        ] {
            let found = t_95(degrees);
            assert!((found - expected).abs() < 1e-4, "{degrees}: {found}");
        }
        assert_eq!(t_95(0), t_95(1));
    }
}
