//! What works for whose speakers: `antiphon check`, `explain` and `catalog`.
//!
//! The answers come from `antiphon-catalog`; this reads files, prints and writes JSON.

mod args;

mod page;

mod proofs;

mod files;

mod subject;

mod check;

mod explain;

mod add;

mod catalog;

mod guide;

pub use args::{CaseArgs, CatalogArgs, CheckArgs, ExplainArgs};
pub use catalog::run as catalog;
pub use check::{report as check_report, run as check};
pub use explain::{report as explain_report, run as explain};
pub use guide::{GuideArgs, report as guide_report, run as guide};
pub use page::Page;
