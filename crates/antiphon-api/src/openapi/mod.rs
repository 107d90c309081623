//! What may be asked of a hub over HTTP, for programs: an OpenAPI document.
//!
//! Schemas come from the types themselves; addresses from the table in `operations.rs`.

mod operations;

use std::sync::LazyLock;

use utoipa::OpenApi as _;
use utoipa::openapi::path::{
    HttpMethod, Operation as Described, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, OpenApi, Paths, Ref, Required, ResponseBuilder, Type};

use operations::NAMED;
pub use operations::{Body, OPERATIONS, Operation, Takes};

use crate::access::{ACCESS_COOKIE, AccessRole, SECURE_ACCESS_COOKIE};

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(
    crate::AccessCodeReply,
    crate::AccessCodeRequest,
    crate::AccessList,
    crate::CalibrationReply,
    crate::CalibrationRequest,
    crate::EventMessage,
    crate::Group,
    crate::GroupRequest,
    crate::GroupUsed,
    crate::Health,
    crate::Job,
    crate::JobRequest,
    crate::JobsReply,
    crate::JoinCodeReply,
    crate::JoinCodeRequest,
    crate::JoinCodes,
    crate::LatencyRequest,
    crate::LibraryReply,
    crate::LoginRequest,
    crate::Me,
    crate::PairingCodeReply,
    crate::Problem,
    crate::ProgrammeStatus,
    crate::QueueAdd,
    crate::QueueMove,
    crate::QueuePatch,
    crate::QueueReply,
    crate::SignalReport,
    crate::SpeakerPatch,
    crate::SpeakerStatus,
    crate::Status,
    crate::TransportRequest,
    crate::UploadReply,
    crate::advice::CheckReport,
    crate::advice::ExplainReport,
    crate::advice::GuideReport,
    crate::advice::NamesReport,
)))]
struct Schemas;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = build().to_pretty_json().expect("a document of strings and maps always has a text");
    text.push('\n');
    text
});

/// The document, as JSON. It says of each operation which role it takes.
pub fn document() -> &'static str {
    &DOCUMENT
}

fn build() -> OpenApi {
    let mut document = Schemas::openapi();
    document.info.title = "Antiphon hub".to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.description = Some(
        "From the hub's own machine everything is allowed. From others a token is needed, which `POST /api/v1/login` \
         gives for the six digits that `antiphon access` shows."
            .to_owned(),
    );
    document.info.license = None;
    document.paths = Paths::new();
    for operation in OPERATIONS {
        document.paths.add_path_operation(operation.path, vec![method(operation)], describe(operation));
    }
    if let Some(components) = &mut document.components {
        let encrypted = format!("Over HTTPS its name is `{SECURE_ACCESS_COOKIE}`.");
        let cookie = ApiKeyValue::with_description(ACCESS_COOKIE, encrypted.as_str());
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(cookie));
        let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        components.add_security_scheme("cookie", cookie);
        components.add_security_scheme("bearer", bearer);
    }
    document
}

fn method(operation: &Operation) -> HttpMethod {
    match operation.method {
        "PUT" => HttpMethod::Put,
        "POST" => HttpMethod::Post,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn describe(operation: &Operation) -> Described {
    let mut described = OperationBuilder::new().summary(Some(operation.summary));
    if operation.role != AccessRole::None {
        let none: [String; 0] = [];
        described = described.description(Some(format!("Takes the role `{}`.", operation.role))).securities(
            Some(["cookie", "bearer"].map(|scheme| SecurityRequirement::new(scheme, none.clone()))),
        );
    }
    for parameter in parameters(operation) {
        described = described.parameter(parameter);
    }
    if let Some(takes) = operation.takes {
        let (kind, content) = match takes {
            Takes::Json(schema) => ("application/json", json(schema)),
            Takes::File => ("application/octet-stream", ContentBuilder::new().build()),
        };
        let body = RequestBodyBuilder::new().required(Some(Required::True)).content(kind, content);
        described = described.request_body(Some(body.build()));
    }
    let problem = ResponseBuilder::new()
        .description("It will not: `code` says why to programs, `detail` to people")
        .content("application/problem+json", json("Problem"));
    described
        .response(operation.gives.status(), success(operation.gives))
        .response("default", problem)
        .build()
}

/// Those of the path, and those behind the `?`.
fn parameters(operation: &Operation) -> Vec<Parameter> {
    let named = NAMED.iter().find(|(path, _)| *path == operation.path).map(|(_, what)| *what);
    let in_path = path_parameters(operation.path).map(|name| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(named)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build()
    });
    in_path.chain(operation.query.into_iter().flat_map(|fields| fields())).collect()
}

fn success(gives: Body) -> ResponseBuilder {
    let done = ResponseBuilder::new();
    match gives {
        Body::Json(schema) => done.description("Done").content("application/json", json(schema)),
        Body::List(schema) => {
            let list = utoipa::openapi::ArrayBuilder::new().items(Ref::from_schema_name(schema));
            done.description("Done")
                .content("application/json", ContentBuilder::new().schema(Some(list)).build())
        }
        Body::Object => {
            let object = ObjectBuilder::new().schema_type(Type::Object);
            done.description("Done")
                .content("application/json", ContentBuilder::new().schema(Some(object)).build())
        }
        Body::File(kinds) => kinds
            .iter()
            .fold(done.description("Done"), |done, kind| done.content(*kind, ContentBuilder::new().build())),
        Body::Text(kind) => {
            let text = ObjectBuilder::new().schema_type(Type::String);
            done.description("Done").content(kind, ContentBuilder::new().schema(Some(text)).build())
        }
        Body::Nothing => done.description("Done"),
        Body::Accepted => done.description("It is being done"),
        Body::WebSocket(what) => done.description(what),
    }
}

fn json(schema: &str) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build()
}

fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Where the committed document lies.
    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

    #[test]
    fn the_committed_document_is_the_one_that_hubs_give() {
        if std::env::var_os("ANTIPHON_WRITE_OPENAPI").is_some() {
            std::fs::write(COMMITTED, document()).unwrap();
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
        let at = committed.lines().zip(document().lines()).position(|(a, b)| a != b);
        assert!(
            committed == document(),
            "docs/openapi.json differs from line {:?} on: run this test with ANTIPHON_WRITE_OPENAPI=1, and look at the diff",
            at.map(|line| line + 1)
        );
    }

    #[test]
    fn every_schema_that_is_named_is_there() {
        let document = build();
        let schemas = document.components.unwrap().schemas;
        for operation in OPERATIONS {
            let gives = match operation.gives {
                Body::Json(schema) | Body::List(schema) => Some(schema),
                _ => None,
            };
            let takes = operation.takes.and_then(|takes| match takes {
                Takes::Json(schema) => Some(schema),
                Takes::File => None,
            });
            for schema in takes.into_iter().chain(gives) {
                assert!(schemas.contains_key(schema), "{schema} of {}", operation.path);
            }
        }
    }

    #[test]
    fn of_every_path_with_a_parameter_it_is_said_what_that_names() {
        let paths = |paths: &mut dyn Iterator<Item = &'static str>| paths.collect::<BTreeSet<_>>();
        let with_one =
            paths(&mut OPERATIONS.iter().map(|operation| operation.path).filter(|path| path.contains('{')));
        assert_eq!(with_one, paths(&mut NAMED.iter().map(|(path, _)| *path)));
        assert!(with_one.into_iter().all(|path| path_parameters(path).count() == 1));
    }

    #[test]
    fn two_types_of_one_name_are_two_schemas() {
        let schemas = build().components.unwrap().schemas;
        for name in ["SpeakerReport", "AdviceSpeaker", "DoctorFinding", "MeasurementFinding"] {
            assert!(schemas.contains_key(name), "{name}");
        }
        assert!(!schemas.contains_key("FindingReport"));
    }
}
