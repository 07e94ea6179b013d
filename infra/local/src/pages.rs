//! The pages that the gateway shows of itself: its health, the API's description, and one for each problem.

use base64::{Engine, prelude::BASE64_STANDARD};
use faregate_edge::api::{Api, Operation};
use hyper::{
    StatusCode,
    header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use include_dir::{Dir, include_dir};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    answer::{self, Answer},
    reference,
    routes::OwnPage,
};

/// The pages, as far as they are made once.
#[derive(Debug)]
pub(crate) struct Pages {
    description: String,
}

impl Pages {
    /// The pages about an API.
    pub(crate) fn of(api: &Api) -> Self {
        let (contents, body) = (contents(api), body(api));
        let title = "<title>Faregate: the API</title>";
        let head = format!("<meta charset=\"utf-8\">\n{VIEWPORT}\n{title}\n<style>{STYLE}</style>");
        let description = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n{head}\n</head>\n<body>\n{contents}\n<main>\n{body}</main>\n</body>\n</html>\n"
        );
        Self { description }
    }

    /// A page, unless there is none of that name.
    pub(crate) fn show(&self, page: OwnPage, parameters: &[(String, String)]) -> Option<Answer> {
        match page {
            OwnPage::Health => Some(answer::json(&json!({"data": {"status": "ok"}}))),
            OwnPage::Description => Some(self.description()),
            OwnPage::Problem => {
                let (_, code) = parameters.first()?;
                let page = PROBLEM_PAGES.get_file(format!("{code}.md"))?;
                Some(answer::whole(StatusCode::OK, "text/markdown; charset=utf-8", page.contents()))
            }
        }
    }

    fn description(&self) -> Answer {
        let mut answer = answer::whole(StatusCode::OK, "text/html; charset=utf-8", self.description.clone());
        // Nothing is loaded and nothing runs: the one style is known by its hash.
        let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        if let Ok(policy) = HeaderValue::try_from(policy) {
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        answer
    }
}

/// Every operation under its heading, beside the page.
fn contents(api: &Api) -> String {
    let link = |operation: &&Operation| {
        let slug = reference::slug(&reference::title(operation));
        let Operation { method, path, .. } = operation;
        format!("<li><a href=\"#{slug}\"><b class=\"{}\">{method}</b> {path}</a></li>", method.to_lowercase())
    };
    let group = |(tag, operations): (&str, Vec<&Operation>)| {
        let links: Vec<_> = operations.iter().map(link).collect();
        format!("<h2><a href=\"#{}\">{tag}</a></h2>\n<ul>\n{}\n</ul>", reference::slug(tag), links.join("\n"))
    };
    let groups: Vec<_> = reference::by_tag(api).into_iter().map(group).collect();
    format!("<nav>\n<p><a href=\"/openapi.json\">openapi.json</a></p>\n{}\n</nav>", groups.join("\n"))
}

/// The Markdown as HTML, with the anchors that GitHub would give its headings.
fn body(api: &Api) -> String {
    let markdown = reference::body(api);
    let mut events: Vec<Event<'_>> = Parser::new_ext(&markdown, Options::ENABLE_TABLES).collect();
    for at in 0..events.len() {
        let heading = heading(&events[at..]);
        match &mut events[at] {
            Event::Start(Tag::Heading { id, .. }) => *id = Some(reference::slug(&heading).into()),
            Event::Start(Tag::Link { dest_url, .. }) => *dest_url = beside_the_gateway(dest_url),
            _ => {}
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    out
}

/// The text of the heading that begins here.
fn heading(events: &[Event<'_>]) -> String {
    let within = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let text = within.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    text.take(MAX_HEADING_PARTS).collect()
}

/// A page of the repository, where the gateway has it.
fn beside_the_gateway(link: &str) -> CowStr<'static> {
    let problem = link.strip_prefix("problems/").and_then(|page| page.strip_suffix(".md"));
    problem.map_or_else(|| link.to_owned().into(), |code| format!("/problems/{code}").into())
}

const VIEWPORT: &str = "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
const STYLE: &str = include_str!("pages/style.css");
const MAX_HEADING_PARTS: usize = 8;

static PROBLEM_PAGES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../docs/problems");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_within_the_page_leads_somewhere() {
        let page = Pages::of(&Api::shipped().unwrap()).description;
        let targets: Vec<_> = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(targets.len() > 100, "{targets:?}");
        for target in targets {
            let is_there = match (target.strip_prefix('#'), target.strip_prefix("/problems/")) {
                (Some(anchor), _) => page.matches(&format!(" id=\"{anchor}\"")).count() == 1,
                (_, Some(code)) => PROBLEM_PAGES.get_file(format!("{code}.md")).is_some(),
                _ => target == "/openapi.json",
            };
            assert!(is_there, "{target}");
        }
    }

    #[test]
    fn nothing_in_the_page_comes_from_elsewhere_or_runs() {
        let page = Pages::of(&Api::shipped().unwrap()).description;
        for word in ["<script", "src=", " style=", "javascript:", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
