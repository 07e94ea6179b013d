//! In whose words a caller wants to be answered: the product's, or ours where it says so.

use std::sync::LazyLock;

use faregate_domain::policy::Dialect;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue};

/// The dialect to answer in: the product's, unless the request prefers none (`Prefer: dialect=none`, RFC 7240). A program for
/// any gate asks for that, as the console does.
#[must_use]
pub fn dialect_for<'d>(headers: &HeaderMap, product: &'d Dialect) -> &'d Dialect {
    if prefers_none(headers) { &NONE } else { product }
}

/// What tells the caller that its preference was followed (RFC 7240, section 3), where it stated one.
#[must_use]
pub fn applied(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    let said = || (HeaderName::from_static("preference-applied"), HeaderValue::from_static("dialect=none"));
    prefers_none(headers).then(said)
}

/// The first mention of a preference counts; what follows a semicolon belongs to it and means nothing here.
fn prefers_none(headers: &HeaderMap) -> bool {
    let lines = headers.get_all("prefer").iter().filter_map(|line| line.to_str().ok());
    let mut preferences = lines.flat_map(|line| line.split(',')).map(|one| one.split(';').next().unwrap_or_default());
    preferences
        .find_map(|one| {
            let (name, value) = one.split_once('=')?;
            name.trim().eq_ignore_ascii_case("dialect").then(|| value.trim().trim_matches('"') == "none")
        })
        .unwrap_or(false)
}

static NONE: LazyLock<Dialect> = LazyLock::new(Dialect::default);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (HeaderName::from_static("prefer"), HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn a_preference_is_found_among_others_and_nothing_else_is_one() {
        for lines in [&["dialect=none"][..], &["wait=10, Dialect = \"none\"; x=y"], &["respond-async", "dialect=none"]]
        {
            assert!(applied(&of(lines)).is_some(), "{lines:?}");
        }
        for lines in [&[][..], &["dialect"], &["dialect=some, dialect=none"], &["x=y; dialect=none"], &["none"]] {
            assert!(applied(&of(lines)).is_none(), "{lines:?}");
        }
    }
}
