//! What the policy says of frontends: whose pages may read answers, and where client sessions begin.

use url::Url;

use super::super::{
    Cors,
    fault::{Fault, Findings},
    field::Field,
    shape::CorsFile,
};
use crate::origin::AllowlistEntry;

pub(super) fn cors(file: Option<&CorsFile>, found: &mut Findings) -> Cors {
    let Some(CorsFile { origins }) = file else { return Cors::Unsaid };
    let section = Field::of("cors").key("origins");
    match origins.as_slice() {
        [] => {
            found.note(section, Fault::Empty);
            return Cors::Unsaid;
        }
        [any] if any == Cors::ANY => return Cors::Any,
        [..] if origins.len() > Cors::MAX_ORIGINS => {
            let rule = "are more origins than the 64 that a policy may name";
            found.note(section.clone(), Fault::Malformed(origins.len().to_string(), rule));
        }
        [..] => {}
    }
    let mut entries = Vec::new();
    for (at, text) in origins.iter().enumerate() {
        let rule = if text == Cors::ANY { ALONE } else { RULE };
        let entry = AllowlistEntry::parse(text).map_err(|_| Fault::Malformed(text.clone(), rule));
        entries.extend(found.keep(&section.item(at), entry));
    }
    Cors::Listed(entries)
}

pub(super) fn session_page(url: Option<String>, found: &mut Findings) -> Option<String> {
    let url = url?;
    if is_page(&url) {
        return Some(url);
    }
    let rule = "is no https url, or http one of this machine, of at most 512 bytes and without a fragment";
    found.note(Field::of("client_sessions").key("url"), Fault::Malformed(url, rule));
    None
}

/// Whether a secret may be put behind it: only the page's own scripts then see it.
fn is_page(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let is_private = url.scheme() == "https" || (url.scheme() == "http" && is_local);
    let is_plain =
        text.len() <= MAX_PAGE_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains('#');
    is_private && is_plain && url.username().is_empty() && url.password().is_none()
}

const RULE: &str = "is no origin: [scheme://]host[:port], where the host may be *.parent";
const ALONE: &str = "means any origin, and stands alone";
const MAX_PAGE_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_put_behind_no_page_that_others_can_read() {
        for text in
            ["https://app.example.com/verify", "https://a.com/v?x=1", "http://localhost:3000", "http://127.0.0.1/a"]
        {
            assert!(is_page(text), "{text}");
        }
        for text in [
            "",
            "/verify",
            "http://app.example.com/verify",
            "http://localhost.evil.com",
            "https://a.com/#x",
            "https://user@a.com",
            "javascript:alert(1)",
            "https://a.com/\u{e9}",
            "ftp://localhost/",
            &format!("https://a.com/{}", "a".repeat(500)),
        ] {
            assert!(!is_page(text), "{text}");
        }
    }
}
