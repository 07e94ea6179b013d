#![no_main]
//! Credentials in headers: no header panics, and what is found stood there.

use libfuzzer_sys::fuzz_target;

use faregate_domain::{
    credential::{Credential, bearer},
    policy::CredentialHeader,
};

fuzz_target!(|headers: Vec<(u8, String)>| {
    let headers = || headers.iter().map(|(kind, value)| (NAMES[usize::from(*kind) % NAMES.len()], value.as_str()));
    if let Ok(credential) = Credential::parse(headers(), &ACCEPTED) {
        let text = credential.expose();
        assert!(!text.is_empty() && text.len() <= Credential::MAX_BYTES && text.trim_matches(' ') == text);
        assert!(headers().any(|(_, value)| value.contains(text)));
        let printed = format!("Bearer {text}");
        assert_eq!(bearer(&printed), Some(text));
        let again = Credential::parse([("x-api-key", text), ("authorization", &printed)], &ACCEPTED);
        assert!(again.is_ok_and(|again| again.expose() == text));
    }
});

const NAMES: [&str; 5] = ["authorization", "Authorization", "x-api-key", "X-API-Key", "cookie"];
const ACCEPTED: [CredentialHeader; 2] = [CredentialHeader::Authorization, CredentialHeader::XApiKey];
