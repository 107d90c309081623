//! Which role an address takes. What is in no row is for the hub's own machine alone.

use antiphon_api::AccessRole;

use AccessRole::{Admin, Control, Listen, None as Anybody};

/// Looking is for listeners; whoever changes what is heard controls; whoever lets others in is an admin.
#[rustfmt::skip]
const TABLE: &[(&str, &str, AccessRole)] = &[
    ("GET",    "/api/v1/me",                 Anybody),
    ("POST",   "/api/v1/login",              Anybody),
    ("POST",   "/api/v1/logout",             Anybody),

    ("GET",    "/api/v1/status",             Listen),
    ("GET",    "/api/v1/events",             Listen),
    ("GET",    "/api/v1/openapi.json",       Listen),
    ("GET",    "/api/v1/calibration",        Listen),
    ("GET",    "/api/v1/groups",             Listen),
    ("GET",    "/api/v1/library",            Listen),
    ("GET",    "/api/v1/library/{id}/art",   Listen),
    ("GET",    "/api/v1/queue",              Listen),
    ("GET",    "/api/v1/jobs",               Listen),
    ("GET",    "/api/v1/jobs/{id}",          Listen),
    ("GET",    "/api/v1/signals",            Listen),
    ("GET",    "/api/v1/signals/{file}",     Listen),
    ("GET",    "/api/v1/check",              Listen),
    ("GET",    "/api/v1/guide",              Listen),
    ("GET",    "/api/v1/explain",            Listen),
    ("GET",    "/api/v1/catalog",            Listen),
    ("GET",    "/metrics",                   Listen),

    ("POST",   "/api/v1/transport",          Control),
    ("PATCH",  "/api/v1/speakers/{name}",    Control),
    ("PUT",    "/api/v1/latency",            Control),
    ("PUT",    "/api/v1/calibration",        Control),
    ("DELETE", "/api/v1/calibration",        Control),
    ("DELETE", "/api/v1/calibration/{name}", Control),
    ("GET",    "/api/v1/source",             Control),
    ("PUT",    "/api/v1/groups/{name}",      Control),
    ("DELETE", "/api/v1/groups/{name}",      Control),
    ("POST",   "/api/v1/groups/{name}/use",  Control),
    ("POST",   "/api/v1/queue",              Control),
    ("PATCH",  "/api/v1/queue",              Control),
    ("DELETE", "/api/v1/queue",              Control),
    ("DELETE", "/api/v1/queue/{key}",        Control),
    ("POST",   "/api/v1/library/rescan",     Control),
    ("POST",   "/api/v1/uploads",            Control),
    ("POST",   "/api/v1/jobs",               Control),
    ("DELETE", "/api/v1/jobs/{id}",          Control),
    ("POST",   "/api/v1/join-codes",         Control),

    ("GET",    "/api/v1/join-codes",         Admin),
    ("DELETE", "/api/v1/join-codes/{id}",    Admin),
    ("POST",   "/api/v1/pairing-code",       Admin),
    ("GET",    "/api/v1/access",             Admin),
    ("POST",   "/api/v1/access",             Admin),
    ("DELETE", "/api/v1/access/{id}",        Admin),
];

/// The role that `method` at `path`, as it stands in the router, takes.
pub fn needed(method: &str, path: &str) -> Option<AccessRole> {
    let method = if method == "HEAD" { "GET" } else { method };
    TABLE.iter().find(|(m, p, _)| *m == method && *p == path).map(|(.., role)| *role)
}

/// The addresses that nothing guards: who comes to `/session` and `/browser` says there who it is.
#[cfg(test)]
pub const OPEN: [&str; 4] = ["/healthz", "/session", "/browser", "/browser/clock"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_address_has_one_row() {
        let rows: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (method, path)).collect();
        assert_eq!(rows.len(), TABLE.len());
    }

    #[test]
    fn the_description_has_each_row_of_the_table_with_its_role_and_no_other() {
        let described = antiphon_api::openapi::OPERATIONS.iter();
        let guarded = described.clone().filter(|operation| !OPEN.contains(&operation.path));
        let guarded = guarded.map(|operation| (operation.method, operation.path, operation.role));
        let (table, told): (BTreeSet<_>, BTreeSet<_>) = (TABLE.iter().copied().collect(), guarded.collect());
        let (untold, unknown): (Vec<_>, Vec<_>) =
            (table.difference(&told).collect(), told.difference(&table).collect());
        assert!(untold.is_empty() && unknown.is_empty(), "not described: {untold:?}; in no row: {unknown:?}");
        let mut open = described.filter(|operation| OPEN.contains(&operation.path));
        assert!(open.all(|operation| operation.role == Anybody));
    }

    #[test]
    fn whoever_may_only_look_changes_nothing() {
        for (method, path, role) in TABLE {
            let changes = *method != "GET" || *path == "/api/v1/source";
            assert!(
                !changes || *role >= Control || matches!(*path, "/api/v1/login" | "/api/v1/logout"),
                "{path}"
            );
        }
    }
}
