#![no_main]
//! Any text as a file about a speaker; what loads is asked, listed and walked.

use antiphon_catalog::check::{Host, Question};
use antiphon_catalog::guide::Saved;
use antiphon_catalog::{Catalogue, File, Named};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (catalogue, _) = Catalogue::of(&[File { name: "x.toml", text }]);
    if let Some(model) = catalogue.models.iter().find(|model| model.id == "x") {
        let question = Question {
            first: &model.name,
            second: None,
            firmware: [None; 2],
            app: None,
            host: Host::Android,
        };
        let report = catalogue.check(&question);
        assert!(!report.verdict.is_empty() && !report.methods.is_empty());
        if let Named::Known(found) = catalogue.find(&model.name) {
            let plans = catalogue.guides.iter().filter_map(|guide| catalogue.plan(&guide.id, Some(found)));
            assert!(plans.into_iter().all(|plan| !plan.steps.is_empty()));
        }
    }
    let _ = catalogue.explain(text);
    if let (Ok(saved), Some(plan)) = (Saved::from_text(text), catalogue.plan("prove", None)) {
        let _ = saved.walk(&plan);
    }
});
