//! Serves the console: prebuilt files out of the binary, under a policy that lets them reach nothing but this API.
//!
//! The pages in `web` are built into `dist`, which the tree holds; `.ci/run console` builds them anew and compares. This
//! function knows no table and no secret: what the pages show, they ask the API for.

use faregate_domain::policy::Dialect;
use faregate_edge::{
    config::{Config, ConfigError},
    input,
    problem::Problem,
};
use include_dir::{Dir, include_dir};
use lambda_http::{
    Body, Request, Response,
    http::{Error, Method},
};

/// The console function.
#[derive(Clone, Debug)]
pub struct App {
    dialect: Dialect,
}

impl App {
    /// The function as its environment describes it.
    ///
    /// # Errors
    /// [`ConfigError`] says what is missing or malformed; the function must not start.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = Config::from_env().inspect_err(|error| tracing::error!("the function does not start: {error}"))?;
        Ok(Self::new(config.policy.dialect().clone()))
    }

    /// The function, with the words for what is not there.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect }
    }

    /// Answers one request; every failure is a problem document.
    pub fn handle(&self, request: &Request) -> Response<Body> {
        let answered = page(request).and_then(|page| {
            let is_head = request.method() == Method::HEAD;
            page.response(is_head).map_err(|error| {
                tracing::error!(%error, "a page could not be answered with");
                Problem::unavailable()
            })
        });
        answered.unwrap_or_else(|problem| problem.response(&input::request_id(request), &self.dialect))
    }
}

/// One file, and how it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    content: &'static [u8],
    kind: &'static str,
    cache: &'static str,
}

impl Page {
    /// The page at a path; the console itself wherever its own pages are.
    fn at(path: &str) -> Option<Self> {
        let name = match path.strip_prefix("/console")? {
            "" => INDEX,
            rest => rest.strip_prefix('/')?,
        };
        let name = if PAGES.contains(&name) { INDEX } else { name };
        let content = FILES.get_file(name)?.contents();
        let (_, kind) = KINDS.iter().find(|(ending, _)| name.ends_with(ending))?;
        let cache = match name {
            INDEX => "no-store",
            _ if is_named_by_content(name) => "public, max-age=31536000, immutable",
            _ => "public, max-age=3600",
        };
        Some(Self { content, kind, cache })
    }

    fn response(self, is_head: bool) -> Result<Response<Body>, Error> {
        let text = if is_head { "" } else { str::from_utf8(self.content).unwrap_or_default() };
        Response::builder()
            .header("content-type", self.kind)
            .header("cache-control", self.cache)
            .header("content-security-policy", SECURITY_POLICY)
            .header("x-content-type-options", "nosniff")
            .header("referrer-policy", "no-referrer")
            .header("cross-origin-opener-policy", "same-origin")
            .header("cross-origin-resource-policy", "same-origin")
            .body(Body::Text(text.to_owned()))
    }
}

fn page(request: &Request) -> Result<Page, Problem> {
    let page = Page::at(input::path(request)).ok_or_else(Problem::not_found)?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::method_not_allowed("GET, HEAD"));
    }
    Ok(page)
}

/// Whether a name holds a hash of what is in the file, `app-Dk3x9_aQ.js`.
fn is_named_by_content(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
    let bytes = stem.as_bytes();
    let hash = bytes.len().checked_sub(HASH_BYTES).and_then(|at| bytes.split_at_checked(at));
    hash.is_some_and(|(before, hash)| {
        before.ends_with(b"-") && hash.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte))
    })
}

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/dist");

const INDEX: &str = "index.html";
/// Where the console's own pages are; `web/src/pages.ts` has the same.
const PAGES: [&str; 9] =
    ["keys", "usage", "requests", "billing", "projects", "webhooks", "client-sessions", "account", "operator"];
const KINDS: [(&str, &str); 5] = [
    (".html", "text/html; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".svg", "image/svg+xml"),
    (".txt", "text/plain; charset=utf-8"),
];
const HASH_BYTES: usize = 8;
/// Nothing inline, nothing from elsewhere; wallets hand over their icons as `data:`.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

#[cfg(test)]
mod tests;
