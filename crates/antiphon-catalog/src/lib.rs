//! Law: data in, answers out: no clock, no file, no socket, no thread, no unordered container.
//!
//! Which method makes two given speakers play together, how sure that is, how it is done step by step,
//! and what is true of what people say about it. The data are the files of `catalog/`; every fact in
//! them carries its [`Proof`], and what contradicts itself does not load (`lint`).
#![forbid(unsafe_code)]

mod proof;

mod version;

mod schema;

mod model;

mod method;

mod lint;

mod catalogue;

mod name;

mod template;

mod measured;

pub mod check;

pub mod guide;

pub mod explain;

pub use catalogue::{Catalogue, File};
pub use lint::Flaw;
pub use measured::Measured;
pub use method::{Method, MethodId};
pub use model::{Fact, Input, Kind, Mode, Model, Purpose, Spans, Statement};
pub use name::{Found, Named};
pub use proof::{Evidence, Origin, Proof, Source};
pub use template::{Template, template};
pub use version::{NoVersion, VendorVersion};
