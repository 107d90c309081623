//! Many spreads in a few numbers.

/// Percentiles of a set of unsigned values, and the bias of the signed ones. Unit: that of the
/// values, microseconds for spreads.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Summary {
    /// How many values there were.
    pub count: usize,
    /// Half of the values are not above this.
    pub p50: f64,
    /// 95 of 100 are not above this.
    pub p95: f64,
    /// 99 of 100 are not above this.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
    /// Median of the signed values: positive means that the right speaker is late.
    pub bias: f64,
}

impl Summary {
    /// Of signed values, in any order; all zero when there are none. Percentiles are nearest-rank:
    /// the smallest value that at least p of 100 do not exceed.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let mut signed = values.to_vec();
        signed.sort_by(f64::total_cmp);
        let mut sizes: Vec<f64> = values.iter().map(|v| v.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let middle = signed.len() / 2;
        let bias =
            if signed.len() % 2 == 1 { signed[middle] } else { (signed[middle - 1] + signed[middle]) / 2.0 };
        Self {
            count: values.len(),
            p50: nearest_rank(&sizes, 50),
            p95: nearest_rank(&sizes, 95),
            p99: nearest_rank(&sizes, 99),
            max: sizes[sizes.len() - 1],
            bias,
        }
    }
}

/// The smallest of ascending `sorted` (not empty) that `percent` of 100 do not exceed.
fn nearest_rank(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_values_have_their_percentiles_where_the_definition_says() {
        let values: Vec<f64> =
            (1..=100).map(|v| if v % 2 == 0 { f64::from(v) } else { -f64::from(v) }).collect();
        let s = Summary::of(&values);
        assert_eq!((s.count, s.p50, s.p95, s.p99, s.max), (100, 50.0, 95.0, 99.0, 100.0));
        assert_eq!(s.bias, 0.5);
    }

    #[test]
    fn no_values_are_all_zero_and_one_value_is_itself() {
        assert_eq!(Summary::of(&[]), Summary::default());
        assert_eq!(
            Summary::of(&[-7.0]),
            Summary { count: 1, p50: 7.0, p95: 7.0, p99: 7.0, max: 7.0, bias: -7.0 }
        );
    }
}
