//! A request's query as its gateway tells it: names and values after decoding, each name's values in their order.
//!
//! Gateways hand on what a query means and not how it was spelled, so two spellings of one meaning are one query here. What
//! servers read differently has no one meaning and is never [plain](Query::is_plain):
//!
//! ```text
//! a=1&b=%C3%A9   a → 1 · b → é
//! a=x+y          a → "x y" for most, "x+y" for some       a=%2B a=%20   the same two, decoded
//! a=1;b=2        one pair for most, two for some          a=%25         decoded once more by some
//! a=%FF a=%zz    no text, no escape                       =1 &&         a pair without a name
//! ```

use std::collections::BTreeMap;

use url::form_urlencoded;

/// The parameters of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    values: BTreeMap<String, Vec<String>>,
    lacks_values: bool,
}

impl Query {
    /// The parameters of which every value is told.
    pub fn of_all(parameters: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        Self { values: parameters.into_iter().collect(), lacks_values: false }
    }

    /// The parameters of which one value each is told, though a name may have had several.
    pub fn of_one_each(parameters: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = parameters.into_iter().map(|(name, value)| (name, vec![value])).collect();
        Self { values, lacks_values: true }
    }

    /// Decodes a query as it is written, without the question mark (`application/x-www-form-urlencoded`, WHATWG URL).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            values.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Self { values, lacks_values: false }
    }

    /// Every value of a parameter, in the order in which they came.
    #[must_use]
    pub fn values(&self, name: &str) -> &[String] {
        self.values.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The names of its parameters.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Whether a name may have had values that are not told.
    #[must_use]
    pub fn lacks_values(&self) -> bool {
        self.lacks_values
    }

    /// Whether all servers read it alike: no sign in it that some decode and others do not, and no pair without a name.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is_plain = |text: &str| !text.chars().any(|it| it.is_control() || AMBIGUOUS.contains(&it));
        self.values
            .iter()
            .all(|(name, values)| !name.is_empty() && is_plain(name) && values.iter().all(|value| is_plain(value)))
    }

    /// The same with one parameter more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.values.entry(name.to_owned()).or_default().push(value.to_owned());
        self
    }

    /// The same without a parameter.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut rest = self.clone();
        rest.values.remove(name);
        rest
    }

    /// The one spelling of it: names in the order of their bytes, a name's values in theirs, every byte escaped that is not
    /// unreserved (RFC 3986, section 2.3).
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.values.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
        {
            if !text.is_empty() {
                text.push('&');
            }
            escape(name, &mut text);
            text.push('=');
            escape(value, &mut text);
        }
        text
    }
}

fn escape(part: &str, text: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase();
            text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// What two servers may read in two ways, after decoding.
const AMBIGUOUS: [char; 5] = [' ', '+', ';', '%', '\u{fffd}'];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_query_has_one_spelling() {
        for (text, wanted) in [
            ("", ""),
            ("a=1", "a=1"),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&b=3&a=1", "a=2&a=1&b=3"),
            ("a", "a="),
            ("a=&a", "a=&a="),
            ("a=b=c", "a=b%3Dc"),
            ("a=b%26c=d", "a=b%26c%3Dd"),
            ("%61=%62", "a=b"),
            ("q=Łódź/7", "q=%C5%81%C3%B3d%C5%BA%2F7"),
            ("q=%c5%81", "q=%C5%81"),
            ("a[]=1&a[]=2", "a%5B%5D=1&a%5B%5D=2"),
            ("~-._=~-._", "~-._=~-._"),
        ] {
            assert_eq!(Query::parse(text).canonical(), wanted, "{text}");
            assert!(Query::parse(text).is_plain(), "{text}");
        }
        assert_eq!(Query::parse("a=1&x=2&b=3&x=4").without("x").canonical(), "a=1&b=3");
    }

    #[test]
    fn what_servers_read_differently_is_not_plain() {
        for text in [
            "a=x+y", "a=x%20y", "a=%2B", "a+b=1", "a=1;b=2", "a=%3b", "a=%25", "a=%zz", "a=%", "a=%FF", "=1", "%00=1",
            "a=%0a",
        ] {
            assert!(!Query::parse(text).is_plain(), "{text}");
        }
    }

    #[test]
    fn a_gateway_that_tells_one_value_each_is_known_to() {
        let told = Query::of_one_each([("a".to_owned(), "1".to_owned())]);
        assert_eq!((told.values("a"), told.lacks_values()), (&["1".to_owned()][..], true));
        let whole = Query::of_all([("a".to_owned(), vec!["1".to_owned(), "2".to_owned()])]);
        assert_eq!((whole.canonical(), whole.lacks_values()), ("a=1&a=2".to_owned(), false));
    }

    proptest! {
        #[test]
        fn the_one_spelling_means_the_same(pairs in proptest::collection::vec((".{1,8}", ".{0,8}"), 0..8)) {
            let query = pairs.iter().fold(Query::default(), |query, (name, value)| query.with(name, value));
            let spelled = query.canonical();
            prop_assert!(spelled.is_ascii());
            prop_assert_eq!(Query::parse(&spelled), query);
        }

        #[test]
        fn no_query_panics(text in ".{0,200}") {
            let query = Query::parse(&text);
            let _ = query.is_plain();
            prop_assert_eq!(Query::parse(&query.canonical()), query);
        }
    }
}
