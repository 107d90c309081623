#![no_main]
//! Any two texts as makers' versions: their order is one.

use antiphon_catalog::VendorVersion;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (Ok(one), Ok(other)) = (texts.0.parse::<VendorVersion>(), texts.1.parse::<VendorVersion>()) else {
        return;
    };
    assert_eq!(one.compare(&one), Some(std::cmp::Ordering::Equal));
    assert_eq!(one.compare(&other), other.compare(&one).map(std::cmp::Ordering::reverse));
    assert_eq!(
        one.to_string().parse::<VendorVersion>().map(|again| again.compare(&one)),
        Ok(Some(std::cmp::Ordering::Equal))
    );
});
