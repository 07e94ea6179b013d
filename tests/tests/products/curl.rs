//! Command lines of curl, as documentation prints them.

/// What curl would send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Curl {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Curl {
    /// Reads `curl … URL …` with the options that the documents use.
    pub(crate) fn parse(line: &str) -> Self {
        let mut words = words(line).into_iter();
        assert_eq!(words.next().as_deref(), Some("curl"), "{line}");
        let (mut method, mut url, mut headers, mut body) = (None, None, Vec::new(), None);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} without a value"));
            match word.as_str() {
                "-X" => method = Some(value()),
                "-d" => body = Some(value()),
                "-H" => {
                    let line = value();
                    let (name, text) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line}"));
                    headers.push((name.to_owned(), text.trim().to_owned()));
                }
                _ if word.starts_with("https://") && url.is_none() => url = Some(word),
                _ => panic!("{word} is no option of the documents"),
            }
        }
        let url = url.unwrap_or_else(|| panic!("no URL: {line}"));
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        let default = if body.is_some() { "POST" } else { "GET" };
        Self {
            method: method.unwrap_or_else(|| default.to_owned()),
            path: format!("/{path}"),
            headers,
            body: body.unwrap_or_default(),
        }
    }
}

/// The words of a shell line: quotes of both kinds, and line ends after a backslash.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let joined = line.replace("\\\n", " ");
    for sign in joined.chars() {
        match (quote, sign) {
            (None, '"' | '\'') => quote = Some(sign),
            (Some(open), _) if open == sign => quote = None,
            (None, _) if sign.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().unwrap_or_else(|| panic!("there is a word")).push(sign),
        }
    }
    assert_eq!(quote, None, "a quote is open: {line}");
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn a_command_line_is_what_curl_would_send() {
    let line =
        "curl -X POST https://a.com/v1/keys?x=1 \\\n  -H \"Content-Type: application/json\" \\\n  -d '{\n  \"a\": 1 }'";
    let curl = Curl::parse(line);
    assert_eq!((curl.method.as_str(), curl.path.as_str()), ("POST", "/v1/keys?x=1"));
    assert_eq!(curl.headers, [("Content-Type".to_owned(), "application/json".to_owned())]);
    assert_eq!(curl.body, "{\n  \"a\": 1 }");
    assert_eq!(Curl::parse("curl https://a.com").path, "/");
}
